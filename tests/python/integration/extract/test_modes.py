"""What each mode reads; an impossible table is refused when it is declared."""

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta

import duckdb
import pytest
from dlt.pipeline.state_sync import compress_state, decompress_state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract.reading import Limits
from extract.settings import read_settings
from extract.sources.postgres.read import XID_RANGE, new_rows, written_between, xmin_unusable_reason
from extract.sources.postgres.snapshot import open_snapshot
from tests.python.helpers import SOAK
from tests.python.helpers.declared import POSTGRES, declare, postgres_table
from tests.python.helpers.world import World

VENDA = postgres_table("venda", "id_venda", "xmin")


def ids(world: World, load: str = "") -> list[int | None]:
    where = "where _dlt_load_id = (select max(load_id) from raw_postgres._dlt_loads)" if load == "last" else ""
    return [key for (key,) in world.query(f"select id_venda from raw_postgres.venda {where} order by 1 nulls last")]


def loads_of(world: World, mode: str) -> list[tuple[list[int]]]:
    return world.query(  # type: ignore[return-value]  # one column, a list
        "select list(id_venda order by id_venda) from raw_postgres.venda"
        f" join ops.extract_runs on venda._dlt_load_id = load_id where mode = '{mode}'"
        " group by load_id order by load_id"
    )


def test_full_replaces_the_whole_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, postgres_table("venda", "id_venda", "full"))
    world.run("postgres")
    world.execute("delete from public.venda where id_venda = 1; insert into public.venda (id_venda) values (3)")
    world.run("postgres")

    assert ids(world) == [2, 3]


@pytest.mark.slow
def test_full_of_an_empty_table_is_empty(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, postgres_table("venda", "id_venda", "full"))
    world.run("postgres")
    world.execute("delete from public.venda")
    monkeypatch.setenv("MINIMUM_SHARE", "0")
    assert world.run("postgres").code == 0
    assert ids(world) == []


def test_cursor_continues_from_its_lag(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, postgres_table("venda", "id_venda", "cursor", cursor="id_venda", lag=2))
    world.execute("insert into public.venda (id_venda) select generate_series(3, 10)")
    world.run("postgres")
    world.execute("insert into public.venda (id_venda) values (11), (null)")
    world.run("postgres")

    assert ids(world, "last") == [8, 9, 10, 11, None]
    assert world.query("select watermark from ops.extract_runs order by started_at") == [("10",), ("11",)]


@pytest.mark.slow
def test_the_lag_of_a_cursor_on_dates_is_a_timedelta(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lag = timedelta(days=3)
    declare(monkeypatch, postgres_table("venda", "id_venda", "cursor", cursor="data_venda", lag=lag))
    world.execute("insert into public.venda (id_venda, data_venda) values (3, '2024-01-05'), (4, null)")
    world.run("postgres")
    world.execute("insert into public.venda (id_venda, data_venda) values (5, '2024-01-01'), (6, '2024-01-03')")
    world.run("postgres")

    # 5 was written before the lag, where a cursor does not read; the counts differed, so that it was reconciled.
    assert [load for (load,) in loads_of(world, "cursor")] == [[1, 2, 3, 4], [2, 3, 4, 6]]
    assert [load for (load,) in loads_of(world, "reconcile")] == [[5]]


def test_cursor_keeps_its_watermark_when_the_source_shrinks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, postgres_table("venda", "id_venda", "cursor", cursor="id_venda", lag=0))
    world.execute("insert into public.venda (id_venda) values (9)")
    world.run("postgres")
    world.execute("delete from public.venda")
    world.run("postgres")

    assert world.query("select watermark from ops.extract_runs where mode = 'cursor' order by started_at") == [
        ("9",),
        ("9",),
    ]


def test_xmin_reads_the_changes_of_a_partitioned_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, VENDA)
    world.execute(
        "drop table public.venda;"
        " create table public.venda (id_venda integer, data_venda date) partition by range (data_venda);"
        " create table public.velhas partition of public.venda for values from (minvalue) to ('2024-01-01');"
        " create table public.novas partition of public.venda for values from ('2024-01-01') to (maxvalue);"
        " insert into public.venda values (1, '2023-01-01'), (2, '2024-01-01')"
    )
    world.run("postgres")
    world.execute("insert into public.venda values (3, '2023-06-01')")
    world.execute("update public.venda set data_venda = '2024-02-01' where id_venda = 1")  # to another partition
    world.run("postgres")

    assert ids(world, "last") == [1, 3]


def partition(world: World, name: str, rows: str) -> None:
    world.execute(f"create table public.{name} (id_venda integer, venda integer); insert into public.{name} {rows}")


@pytest.mark.slow
def test_a_partition_that_replaces_another_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, VENDA)
    world.execute(
        "drop table public.venda;"
        " create table public.venda (id_venda integer, venda integer) partition by range (id_venda)"
    )
    partition(world, "antiga", "values (1, 10)")
    partition(world, "corrigida", "values (1, 11)")  # written before the run that must not miss it
    world.execute("alter table public.venda attach partition public.antiga for values from (1) to (10)")
    world.run("postgres")
    world.execute(
        "alter table public.venda detach partition public.antiga;"
        " alter table public.venda attach partition public.corrigida for values from (1) to (10)"
    )
    outcome = world.run("postgres")

    assert "read as a whole: the table or one of its partitions is another one than in the last run" in outcome.output
    assert world.query("select venda from raw_postgres.venda order by _dlt_load_id") == [(10,), (11,)]


def test_a_table_that_takes_the_name_of_another_is_read_whole(world: World) -> None:
    world.execute("create table public.nova as select id_venda, id_funcionario, id_categoria, data_venda, 7.0::float8"
                  " as venda from public.venda")  # fmt: skip
    world.run("postgres")
    world.execute("alter table public.venda rename to velha; alter table public.nova rename to venda")
    world.run("postgres")

    assert world.query("select venda from raw_postgres.venda order by _dlt_load_id, id_venda") == [
        (10.5,), (20,), (7,), (7,),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "column",
    [
        "integer default 7",
        pytest.param("integer generated always as (id_venda * 0 + 7) stored", marks=pytest.mark.slow),
    ],
)
def test_a_new_column_with_values_is_read_in_every_row(world: World, column: str) -> None:
    world.run("postgres")
    world.execute(f"alter table public.venda add loja {column}")
    assert world.run("postgres").code == 0
    world.run("postgres")

    assert world.query("select loja from raw_postgres.venda order by _dlt_load_id, id_venda") == [
        (None,), (None,), (7,), (7,),
    ]  # fmt: skip


def test_transaction_ids_of_another_timeline_are_not_used() -> None:
    now = {"relations": ["1"], "unwritten": [], "database": "system 7, timeline 2"}
    before = now | {"database": "system 7, timeline 1"}
    assert xmin_unusable_reason(10, 20, now, now) is None
    assert xmin_unusable_reason(10, 20, before, now) == (
        "the database is system 7, timeline 2, that of the last run was system 7, timeline 1"
    )


def test_a_duplicate_key_is_reported_and_hides_no_deletion(world: World) -> None:
    world.execute("insert into public.venda (id_venda) values (3)")
    world.run("postgres")
    world.execute("insert into public.venda (id_venda) values (2); delete from public.venda where id_venda = 3")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert "postgres.venda: 1 rows have the key of another row, such as id_venda = 2" in outcome.output
    assert world.query("select id_venda from raw_postgres.venda where _deleted") == [(3,)]


def test_a_view_has_no_transaction_ids(world: World) -> None:
    world.execute("alter table public.venda rename to tudo; create view public.venda as select * from public.tudo")
    outcome = world.run("postgres")
    assert outcome.code == 1
    assert "expected a table to read in mode xmin, got a view or a foreign table" in outcome.output


def test_a_text_does_not_depend_on_the_date_settings_of_the_user(world: World) -> None:
    world.execute(
        "alter table public.venda add dura interval default '1 day 02:03:00', add ocorreu timestamptz[]"
        " default '{2024-01-01 00:00:00+00}';"
        " alter role postgres set intervalstyle = 'sql_standard'; alter role postgres set timezone = 'Asia/Tokyo';"
        " alter role postgres set datestyle = 'German'"
    )
    try:
        world.run("postgres")
    finally:
        world.execute("alter role postgres reset all")
    assert world.query("select distinct dura, ocorreu from raw_postgres.venda") == [
        ("1 day 02:03:00", '{"2024-01-01 00:00:00+00"}')
    ]


def test_a_database_of_another_encoding_arrives_in_utf8(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(world.server.connect("postgres")) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute("create database antiga encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
    try:
        with closing(world.server.connect("antiga")) as antiga, antiga, antiga.cursor() as cursor:
            cursor.execute("create table public.venda (id_venda integer, loja text)")
            cursor.execute("insert into public.venda values (1, 'São João')")
        monkeypatch.setenv("SOURCE_POSTGRES_DATABASE", "antiga")
        declare(monkeypatch, VENDA)
        outcome = world.run("postgres")
    finally:
        world.server.drop_database("antiga")
    assert outcome.code == 0, outcome.output
    assert world.query("select loja from raw_postgres.venda") == [("São João",)]


def test_a_large_table_is_read_in_ranges_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.execute("insert into public.venda select g, 1, 1, '2024-01-01', g from generate_series(3, 20000) g")
    monkeypatch.setattr("extract.sources.postgres.snapshot.RANGE_BYTES", 200_000)
    monkeypatch.setenv("SOURCE_POSTGRES_READERS", "3")
    with open_snapshot(VENDA, read_settings([POSTGRES]), Limits()) as snapshot:
        parts = snapshot.parts()
        with world.sales, world.sales.cursor() as cursor:
            cursor.execute("delete from public.venda where id_venda = 1")  # after the snapshot: no reader sees it
        batches = list(snapshot.reading("true", {}, None).batches)
    assert len(parts) == 3
    ids_read = sorted(key for batch in batches for key in batch["id_venda"].to_pylist())
    assert ids_read == list(range(1, 20001))
    assert len(batches) == 3


@pytest.mark.parametrize("since", [10**12, -XID_RANGE])
def test_xmin_of_another_cluster_or_age_falls_back_to_the_whole_table(world: World, since: int) -> None:
    table = postgres_table("venda", "id_venda", "xmin")
    with open_snapshot(table, read_settings([POSTGRES], world.environment), Limits()) as snapshot:
        condition, _, _ = new_rows(snapshot, {"xmin": since})
    assert condition == "true"


@pytest.mark.slow
def test_another_database_is_read_whole_with_a_log_line(world: World) -> None:
    world.run("postgres")
    with duckdb.connect(str(world.warehouse)) as connection:
        stored = connection.execute(
            "select state from raw_postgres._dlt_pipeline_state order by version desc limit 1"
        ).fetchone()
        assert stored
        state = decompress_state(stored[0])
        state["sources"]["venda"]["resources"]["venda"]["xmin"] += 10**9
        connection.execute("update raw_postgres._dlt_pipeline_state set state = ?", [compress_state(state)])
    outcome = world.run("postgres")

    assert "postgres.venda: read as a whole: its transaction ids are at" in outcome.output
    assert ids(world, "last") == [1, 2]


@pytest.mark.soak
@settings(max_examples=50 * SOAK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    upper=st.integers(1, 5 * XID_RANGE) | st.sampled_from([XID_RANGE, XID_RANGE + 1, 2 * XID_RANGE - 1]),
    back=st.integers(0, XID_RANGE - 1) | st.integers(0, 10),
    row_back=st.integers(1, XID_RANGE) | st.integers(1, 10),
)
def test_xmin_reads_a_row_if_it_was_written_since_across_wrap_around(
    world: World, upper: int, back: int, row_back: int
) -> None:
    since, row = max(upper - back, 0), max(upper - row_back, 0)
    with world.sales.cursor() as cursor:
        cursor.execute("select " + written_between(since, upper, f"{row % XID_RANGE}::bigint"))
        assert cursor.fetchone() == (since <= row,)


TYPES: Sequence[tuple[str, str, str]] = (
    ("smallint", "7", "SMALLINT"),
    ("bigint", "9007199254740993", "BIGINT"),
    ("numeric(12, 3)", "123456789.125", "DECIMAL(12,3)"),
    ("numeric", "123456789012345678901234567890.5", "VARCHAR"),
    ("real", "1.5", "DOUBLE"),
    ("boolean", "true", "BOOLEAN"),
    ("date", "2024-02-29", "DATE"),
    ("timestamp", "2024-02-29 12:34:56.789012", "TIMESTAMP"),
    ("timestamptz", "2024-02-29 12:34:56.789012+00", "TIMESTAMP WITH TIME ZONE"),
    ("public.codigo", "12", "INTEGER"),
    ("varchar(50)", "çã'\"\\", "VARCHAR"),
    ("text", "", "VARCHAR"),
    ("uuid", "6d1f6f0a-1f52-4a8f-9b0b-9a2f3c1f9a5e", "VARCHAR"),
    ("jsonb", '{"a": [1, 2]}', "VARCHAR"),
    ("integer[]", "{1,2}", "VARCHAR"),
    ("time", "10:11:12", "VARCHAR"),
    ("interval", "1 day", "VARCHAR"),
)


def test_values_and_types_of_all_kinds_arrive(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, VENDA)
    world.execute("create domain public.codigo as integer")
    columns = ", ".join(f'"C {n}" {kind}' for n, (kind, _, _) in enumerate(TYPES))
    values = ", ".join("'" + value.replace("'", "''") + "'" for _, value, _ in TYPES)
    world.execute(f"drop table public.venda; create table public.venda (id_venda integer, {columns})")
    world.execute(f"insert into public.venda values (1, {values}), (2{', null' * len(TYPES)})")
    outcome = world.run("postgres")

    assert outcome.code == 0, outcome.output
    names = [f"c_{n}" for n in range(len(TYPES))]
    (row,) = world.query(
        f"select {', '.join(f'{n}::varchar' for n in names)} from raw_postgres.venda where id_venda = 1"
    )
    assert row == tuple(value for _, value, _ in TYPES)
    (kinds,) = world.query(
        f"select {', '.join(f'typeof({n})' for n in names)} from raw_postgres.venda where id_venda = 1"
    )
    assert kinds == tuple(kind for _, _, kind in TYPES)
    assert world.query(f"select {', '.join(names)} from raw_postgres.venda where id_venda = 2") == [
        (None,) * len(TYPES)
    ]

    again = world.run("postgres")
    assert again.code == 0, again.output


def test_columns_of_unusual_kinds_and_names_arrive(world: World) -> None:
    long = "n" * 63
    world.execute(
        "create type public.cor as enum ('azul', 'verde');"
        f'alter table public.venda add "select" cor, add "Ação" bytea, add {long} money,'
        " add dobro double precision generated always as (venda * 2) stored"
    )
    world.execute(
        f"update public.venda set \"select\" = 'verde', \"Ação\" = '\\x00ff', {long} = 5 where id_venda = 1"
    )
    assert world.run("postgres").code == 0
    assert world.query(f'select "select", acao, {long}, dobro from raw_postgres.venda where id_venda = 1') == [
        ("verde", b"\x00\xff", "$5.00", 21)
    ]


def test_a_text_length_known_to_the_source_stays_known(world: World) -> None:
    world.execute("alter table public.venda add loja varchar(50), add obs text")
    world.run("postgres")

    ((schema,),) = world.query("select schema from raw_postgres._dlt_version where schema_name = 'venda'")
    columns = json.loads(schema)["tables"]["venda"]["columns"]
    assert columns["loja"]["precision"] == 200  # bytes: a character of UTF-8 has up to four
    assert "precision" not in columns["obs"]


@pytest.mark.parametrize(
    ("kind", "lag", "expected"),
    [("date", 3, "a time such as 1 day"), ("integer", timedelta(days=3), "a whole number"), ("text", 3, "0")],
)
def test_a_lag_that_does_not_fit_the_cursor_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str, lag: int | timedelta, expected: str
) -> None:
    world.execute(f"create table public.item (id integer, mudou {kind})")
    declare(monkeypatch, postgres_table("item", "id", "cursor", cursor="mudou", lag=lag))
    outcome = world.run("postgres")
    assert outcome.code == 1
    assert f"postgres.item: lag: expected {expected}: cursor mudou is a {kind}" in outcome.output
