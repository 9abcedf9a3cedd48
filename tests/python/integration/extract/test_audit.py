"""The audit passes if every row is accounted for, and reports each difference with the query that shows it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import extract.load.runner
from extract.checks.audit import Comparison, audit, last_loads
from extract.settings import read_settings
from extract.transform.build import Models
from extract.warehouse.targets import open_warehouse
from tests.python.helpers.declared import VENDA
from tests.python.helpers.duckdb_warehouse import DuckDBWarehouse
from tests.python.helpers.world import World

# Two loads: four sales, then a new, a corrected and a deleted one.
LOADED = """
create schema raw_postgres; create schema ops; create schema bronze; create schema silver;
create table raw_postgres._dlt_loads as
    from (values ('1.1', 'venda', 0), ('2.1', 'venda', 0), ('3.1', 'venda', 1)) t(load_id, schema_name, status);
create table raw_postgres.venda as
    from (values (1, 10.0, null::boolean, '1.1'), (2, 20, null, '1.1'), (7, 70, null, '1.1'), (9, 90, null, '1.1'),
        (4, 40, null, '2.1'), (1, 11, null, '2.1'), (7, null, true, '2.1'), (5, 50, null, '3.1')
    ) t(id_venda, venda, _deleted, _dlt_load_id);
create table ops.extract_runs as
    from (values ('a', 'postgres', 'venda', 'xmin', 'ok', 4, 4, '1.1'), ('b', 'postgres', 'venda', 'xmin', 'ok', 4, 3, '2.1'),
        ('c', 'postgres', 'venda', 'xmin', 'failed', null, null, null)
    ) t(run_id, source, table_name, mode, status, rows_source, rows_landed, load_id);
create table bronze.venda as
    from (values (1, 11.0, '2.1'), (2, 20, '1.1'), (9, 90, '1.1'), (4, 40, '2.1')) t(id_venda, venda, _dlt_load_id);
create table silver.venda as from bronze.venda where venda > 15;
create table silver.rejeitada as from bronze.venda where venda <= 15;
"""  # noqa: E501  a table
DECLARED = (("bronze", "venda"), ("silver", "venda"), ("silver", "rejeitada"))
MODELS = Models("bronze.venda", "silver.venda", "silver.rejeitada", declared=DECLARED)
RELATIONS = {"bronze_venda": "venda", "silver_venda": "venda", "silver_venda_rejeitada": "rejeitada"}


class Warehouse(DuckDBWarehouse):
    """A warehouse that contains `LOADED`."""

    def audited(self, models: Models = MODELS) -> list[Comparison]:
        """Returns the comparisons of the sales."""
        return audit([VENDA], {"postgres.venda": models}, self)  # type: ignore[arg-type]

    def differences(self, change: str) -> list[tuple[str, int, int, list[tuple[Any, ...]]]]:
        """Returns the differences that the audit finds after a change, each with the result of its query."""
        self.query(change)
        found = self.audited()
        assert [one.what for one in found] == [
            "source = raw", "landed = loaded", "raw = bronze", "bronze = silver + rejected",
        ]  # fmt: skip
        return [(one.what, one.expected, one.found, sorted(self.query(one.query))) for one in found if not one.ok]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parsed project."""
    nodes = {
        name: {"resource_type": "model", "name": name, "schema": name.split("_")[0], "alias": alias}
        for name, alias in RELATIONS.items()
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with duckdb.connect() as connection:
        connection.execute(LOADED)
        yield Warehouse(connection)


def test_all_is_accounted_for(warehouse: Warehouse) -> None:
    assert warehouse.differences("select 1") == []


def test_a_row_that_is_lost_in_raw(warehouse: Warehouse) -> None:
    source, loads, bronze = warehouse.differences("delete from raw_postgres.venda where id_venda = 2")
    assert source[:3] == ("source = raw", 4, 3)
    assert loads == ("landed = loaded", 7, 6, [("1.1", "a", "xmin", 4, 3), ("2.1", "b", "xmin", 3, 3)])
    assert bronze == ("raw = bronze", 3, 4, [(2, 1)])  # the sale on one side only


def test_a_row_that_is_lost_between_raw_and_bronze(warehouse: Warehouse) -> None:
    found, _ = warehouse.differences("delete from bronze.venda where id_venda = 1")
    assert found == ("raw = bronze", 4, 3, [(1, 1)])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("delete from silver.rejeitada", (4, 3, [(1, 1)])),
        ("insert into silver.venda from silver.venda where id_venda = 2", (4, 5, [(2, 3)])),
        ("update silver.venda set id_venda = 3 where id_venda = 4", (4, 4, [(3, 1), (4, 1)])),
        # two keys for two others with the same sum
        ("update silver.venda set id_venda = 15 - id_venda - 1 where id_venda in (4, 9)",
         (4, 4, [(4, 1), (5, 1), (9, 1), (10, 1)])),
    ],
    ids=["lost row", "duplicate row", "one key for another", "two for two"],
)  # fmt: skip
def test_silver_that_is_not_bronze(warehouse: Warehouse, change: str, found: tuple[Any, ...]) -> None:
    assert warehouse.differences(change) == [("bronze = silver + rejected", *found)]


def test_a_load_with_a_row_too_few_and_one_with_a_row_too_many(warehouse: Warehouse) -> None:
    moved = "update raw_postgres.venda set _dlt_load_id = '2.1' where id_venda = 9"
    assert warehouse.differences(moved) == [
        ("landed = loaded", 7, 7, [("1.1", "a", "xmin", 4, 3), ("2.1", "b", "xmin", 3, 4)])
    ]


@pytest.mark.parametrize(
    ("raw", "bronze", "lost"),
    [
        ("numeric(8, 3)", "numeric(6, 2)", "1.255"),
        ("numeric(8, 3)", "integer", "1.5"),
        ("double", "integer", "2.5"),
        ("timestamp", "date", "timestamp '2026-01-01 00:00:01'"),
        ("bigint", "integer", "2147483648"),
        ("numeric(8, 2)", "numeric(6, 2)", "10000"),
    ],
)
def test_a_value_that_bronze_does_not_keep(warehouse: Warehouse, raw: str, bronze: str, lost: str) -> None:
    kept = "timestamp '2026-01-01'" if raw == "timestamp" else "1"
    warehouse.query(f"alter table raw_postgres.venda add column valor {raw}")
    warehouse.query(f"alter table bronze.venda add valor {bronze}; update raw_postgres.venda set valor = {kept}")
    *_, values = warehouse.audited()
    assert (values.what, values.ok) == ("values that bronze does not keep", True)

    warehouse.query(f"update raw_postgres.venda set valor = {lost} where id_venda = 2")
    (values,) = [one for one in warehouse.audited() if not one.ok]
    assert (values.expected, values.found) == (0, 1)
    assert [row[0] for row in warehouse.query(values.query)] == [2]


@pytest.mark.parametrize(
    "types",
    [
        ("integer", "bigint"),
        ("numeric(8, 2)", "numeric(10, 3)"),
        ("real", "double"),
    ],
)
def test_a_type_in_bronze_that_keeps_all_values_is_not_looked_at(
    warehouse: Warehouse, types: tuple[str, str]
) -> None:
    raw, bronze = types
    warehouse.query(
        f"alter table raw_postgres.venda add column valor {raw}; alter table bronze.venda add valor {bronze}"
    )
    assert "values that bronze does not keep" not in [one.what for one in warehouse.audited()]


@pytest.mark.parametrize("kind", ["real", "double precision"])
def test_a_double_behind_a_real_is_found_and_a_real_is_none(world: World, kind: str) -> None:
    values = ["3.14", "-2.5", "0", "'NaN'", "'Infinity'", "null"]
    rows = ", ".join(f"({n}, {value})" for n, value in enumerate(values, 10))
    world.execute(f"alter table venda add nota {kind}; insert into venda (id_venda, nota) values {rows}")
    assert world.run("postgres").code == 0
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute("create schema bronze; create table bronze.venda as from raw_postgres.venda")
        connection.execute("alter table bronze.venda alter nota type real")
    models = {"postgres.venda": Models("bronze.venda", declared=DECLARED[:1])}

    def lost() -> list[int] | None:
        with open_warehouse(read_settings((), os.environ)) as warehouse:
            found = [one for one in audit([VENDA], models, warehouse) if "does not keep" in one.what]
            return sorted(row[0] for row in warehouse.query(found[0].query)) if found else None

    assert lost() == (None if kind == "real" else [10])
    if kind == "real":
        world.execute("alter table venda alter nota type double precision; update venda set nota = 0.1")
    else:
        world.execute(
            "update venda set nota = 1e300 where id_venda = 11; update venda set nota = 0.5 where id_venda = 10"
        )
        world.execute("update venda set nota = 1e-300 where id_venda = 12")
    assert world.run("postgres").code == 0
    assert set(lost() or ()) >= ({10, 11} if kind == "real" else {11, 12})


def test_a_load_that_bronze_lacks(warehouse: Warehouse) -> None:
    missed = "update bronze.venda set _dlt_load_id = '1.1'"
    # The query lists each key twice of which bronze has an older version.
    assert warehouse.differences(missed) == [("raw = bronze", 4, 4, [(1, 2), (4, 2)])]
    assert [one.behind for one in warehouse.audited() if not one.ok] == [True]


def test_a_bronze_of_loads_that_have_another_id_since(warehouse: Warehouse) -> None:
    warehouse.query("update bronze.venda set _dlt_load_id = '9.1' where _dlt_load_id = '2.1'")
    assert [(one.what, one.behind) for one in warehouse.audited() if not one.ok] == [("raw = bronze", True)]


def test_a_key_that_bronze_lacks_although_it_has_later_loads(warehouse: Warehouse) -> None:
    assert warehouse.differences(
        "delete from bronze.venda where id_venda = 9; delete from silver.venda where id_venda = 9"
    ) == [("raw = bronze", 4, 3, [(9, 1)])]
    assert not any(one.behind for one in warehouse.audited())


def test_a_key_that_was_added_and_deleted_is_not_missing(warehouse: Warehouse) -> None:
    came_and_went = """
        insert into raw_postgres.venda values (6, 60, null, '2.2'), (6, null, true, '2.3');
        insert into raw_postgres._dlt_loads values ('2.2', 'venda', 0), ('2.3', 'venda', 0);
        insert into ops.extract_runs values ('d', 'postgres', 'venda', 'xmin', 'ok', 5, 1, '2.2'),
            ('e', 'postgres', 'venda', 'reconcile', 'ok', 4, 1, '2.3')
    """
    assert warehouse.differences(came_and_went) == []


@pytest.mark.parametrize(
    ("gone", "what"),
    [
        ("table raw_postgres.venda", "raw_postgres.venda exists"),
        ("table ops.extract_runs", "ops.extract_runs exists"),
        ("table bronze.venda", "bronze.venda exists"),
        ("table silver.rejeitada", "silver.rejeitada exists"),
    ],
)
def test_a_table_that_is_missing_after_it_was_loaded_or_built(warehouse: Warehouse, gone: str, what: str) -> None:
    warehouse.query(f"drop {gone}")
    there = {"bronze": "bronze.venda", "silver": "silver.venda", "rejected": "silver.rejeitada"}
    found = warehouse.audited(Models(**{k: name for k, name in there.items() if name not in gone}, declared=DECLARED))
    assert [one.what for one in found if not one.ok] == [
        what, *(["bronze = silver"] if gone == "table silver.rejeitada" else []),
    ]  # fmt: skip


def test_a_table_that_was_never_loaded_or_built_is_not_missing(warehouse: Warehouse) -> None:
    warehouse.query("drop schema bronze cascade; drop schema silver cascade")
    assert all(one.ok for one in warehouse.audited(Models()))
    warehouse.query("drop table raw_postgres.venda; delete from ops.extract_runs where status <> 'failed'")
    assert warehouse.audited(Models()) == []


@pytest.mark.parametrize("mode", ["backfill", "replay", "plan", "range"])
def test_a_partial_read_is_not_compared_with_the_count_of_a_run(warehouse: Warehouse, mode: str) -> None:
    part = f"""
        insert into raw_postgres.venda values (6, 60, null, '2.2');
        insert into raw_postgres._dlt_loads values ('2.2', 'venda', 0);
        insert into ops.extract_runs values ('d', 'postgres', 'venda', '{mode}', 'ok', 99, 1, '2.2');
        insert into bronze.venda values (6, 60, '2.2');
        insert into silver.venda values (6, 60, '2.2')
    """
    assert warehouse.differences(part) == []
    assert warehouse.audited()[0].expected == 4


def test_a_range_that_is_held_back_counts_among_the_loads_only(warehouse: Warehouse) -> None:
    held = """
        insert into raw_postgres.venda values (6, 60, null, '2.2');
        insert into raw_postgres._dlt_loads values ('2.2', 'venda', 2);
        insert into ops.extract_runs values ('d', 'postgres', 'venda', 'range', 'ok', 2, 2, '2.2')
    """
    (found,) = warehouse.differences(held)
    assert found[:3] == ("landed = loaded", 9, 8)
    assert found[3][-1] == ("2.2", "d", "range", 2, 1)


def test_every_run_ends_with_the_audit_and_reports_what_differs(world: World) -> None:
    outcome = world.run()
    assert outcome.lines[-1]["message"] == "audit: 6 of 6 counts agree"
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute("delete from raw_parquet.categoria where id = 1")
    outcome = world.run("parquet")
    assert outcome.code == 1
    (wrong, _, last) = [line for line in outcome.lines if "audit" in line["message"]]
    assert (wrong["expected"], wrong["found"]) == (2, 1)
    assert 'raw_parquet."categoria"' in wrong["query"]
    assert last["message"] == "audit: 0 of 2 counts agree"


def test_a_load_whose_run_died_before_it_was_recorded_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("postgres")
    world.execute("insert into public.venda (id_venda, venda) values (3, 30)")
    with monkeypatch.context() as patch:

        def dies(*_: object) -> None:
            raise ConnectionError("the warehouse is gone")

        patch.setattr(extract.load.runner, "record", dies)
        assert world.run("postgres").code == 1
    with duckdb.connect(str(world.warehouse)) as connection:
        warehouse = Warehouse(connection)
        assert [(one.expected, one.ok) for one in warehouse.audited(Models())] == [(2, True), (2, True)]
        unrecorded, recorded = last_loads([VENDA], warehouse)  # type: ignore[arg-type]
    assert (unrecorded.recorded, unrecorded.landed, unrecorded.loaded, unrecorded.ok) == (False, None, 1, True)
    assert (recorded.mode, recorded.landed, recorded.loaded, recorded.ok) == ("xmin", 2, 2, True)
