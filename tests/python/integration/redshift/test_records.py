"""Records in `ops`, on DuckDB and on the stand-in: complete, once, and in the table of an older version too."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extract.load.records import APPEND_ID, ROWS_AT_ONCE, append_records
from extract.load.runner import TableRun, record
from extract.settings import read_settings
from extract.warehouse.targets import Warehouse, aws_environment, open_warehouse
from tests.python.helpers.redshift_target import RedshiftTarget

# As dlt created it, which wrote the records once.
OLD = """create table ops.extract_runs (
  "run_id" varchar(80), "source" varchar(40), "table_name" varchar(127), "mode" varchar(40), "status" varchar(40),
  "started_at" timestamp with time zone, "finished_at" timestamp with time zone, "rows_source" bigint,
  "rows_landed" bigint, "rows_loaded" bigint, "set_aside" bigint, "rows_deleted" bigint, "rows_dead_letter" bigint,
  "watermark" varchar(255), "load_id" varchar(64), "error" varchar(65535), "_dlt_load_id" varchar(64) not null
)"""
OLD_ROW = "insert into ops.extract_runs (run_id, table_name, _dlt_load_id) values ('old', 'venda', '1700000000.5')"
TYPES = (
    "select column_name, data_type, character_maximum_length, is_nullable from information_schema.columns"
    " where table_schema = 'ops' and table_name = 'extract_runs'"
)
TIME = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
RUN = TableRun("postgres", "venda", "xmin", TIME, "ok", TIME, 3, 1, 2, 2, load_id="1767225600.25")
NOTES = {"id": "bigint", "moment": "timestamp with time zone", "note": "varchar(65535)"}


@pytest.fixture(params=["local", "prod"])
def warehouse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Warehouse]:
    """A warehouse without `ops`."""
    if request.param == "prod":
        redshift: RedshiftTarget = request.getfixturevalue("redshift")
        redshift.set(monkeypatch)
    else:
        monkeypatch.setenv("DBT_TARGET", "local")
        monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("EXTRACT_WORK", str(tmp_path / "work"))
    settings = read_settings(())
    with aws_environment(settings), open_warehouse(settings) as opened:
        yield opened
        opened.execute("drop schema if exists ops cascade")


def test_each_value_is_recorded_as_it_is_printed(warehouse: Warehouse) -> None:
    texts = ["plain", "D'Ávila", r"C:\new\t", "100 %s %", "a\nb\0", "€" * 65_535, ""]
    rows = [{"id": number, "moment": TIME, "note": text} for number, text in enumerate(texts)]
    append_records(warehouse, "notes", NOTES, [*rows, {"id": 7}])
    append_records(warehouse, "notes", NOTES, [])

    found = warehouse.query("select id, moment, note from ops.notes order by id")
    assert [row[2] for row in found] == [
        "plain", "D'Ávila", r"C:\new\t", "100 %s %", r"a\nb\x00", "€" * (65_535 // 4), "", None
    ]  # fmt: skip
    assert {row[1] and row[1].astimezone(UTC) for row in found[:7]} == {TIME}
    assert found[7][1] is None
    assert warehouse.query(f"select count(*), count(distinct {APPEND_ID}) from ops.notes") == [(8, 1)]


def test_the_table_of_an_older_version_gets_the_new_columns(warehouse: Warehouse) -> None:
    record([RUN], "new", warehouse)
    new = warehouse.query(TYPES)
    warehouse.execute("drop table ops.extract_runs", OLD, OLD_ROW)
    old = warehouse.query(TYPES)
    record([RUN], "new", warehouse)

    assert sorted(warehouse.query(TYPES)) == sorted(new)
    assert {column for column, *_ in set(new).difference(old)} == {"rows_repeated"}
    assert set(old).issubset(new)
    assert warehouse.query("select run_id, table_name, rows_repeated from ops.extract_runs order by run_id") == [
        ("new", "venda", 1), ("old", "venda", None),
    ]  # fmt: skip


def test_all_rows_of_an_append_are_recorded_or_none(warehouse: Warehouse) -> None:
    append_records(warehouse, "notes", NOTES, [{"id": 1}])
    rows = [{"id": number} for number in range(ROWS_AT_ONCE)]
    with pytest.raises(Exception, match="no number"):
        append_records(warehouse, "notes", NOTES, [*rows, {"id": "no number"}])
    assert warehouse.query("select count(*) from ops.notes") == [(1,)]

    append_records(warehouse, "notes", NOTES, [*rows, {"id": 99}])
    assert warehouse.query("select count(*) from ops.notes") == [(2 + ROWS_AT_ONCE,)]


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_connection_that_is_lost_loses_no_record_and_doubles_none(
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    is_committed: bool,  # noqa: FBT001
) -> None:
    append_records(warehouse, "notes", NOTES, [{"id": 1}])
    execute, lost = warehouse.execute, []

    def lose_once(*statements: str) -> None:
        if is_committed or lost:
            execute(*statements)
        if not lost:
            lost.append(statements)
            raise OSError("server closed the connection unexpectedly")

    monkeypatch.setattr(warehouse, "execute", lose_once)
    monkeypatch.setattr(warehouse, "retry_seconds", 60)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    append_records(warehouse, "notes", NOTES, [{"id": 2}])

    assert lost
    assert warehouse.query("select id from ops.notes order by id") == [(1,), (2,)]


def test_another_process_may_create_the_table_in_the_same_moment(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, calls = warehouse.execute, []

    def come_second(*statements: str) -> None:
        calls.append(statements)
        if len(calls) == 1:
            execute("create schema ops", OLD, OLD_ROW)
        execute(*statements)

    monkeypatch.setattr(warehouse, "execute", come_second)
    record([RUN], "new", warehouse)

    assert warehouse.query("select run_id from ops.extract_runs order by run_id") == [("new",), ("old",)]
