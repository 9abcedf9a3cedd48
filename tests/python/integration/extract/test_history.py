"""The history in `ops`, and what it says of a run."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from extract.checks.audit import Comparison, record_audit
from extract.checks.baseline import find_unusual
from extract.errors import NotRecordedError, SettingsError
from extract.load.history import TABLES, create_tables
from extract.settings import Settings, read_settings
from extract.transform.build import BuildResult, NodeResult
from extract.transform.history import record_build
from extract.transform.lineage import Layers
from extract.warehouse.targets import Warehouse, open_warehouse
from tests.python.helpers.declared import FUNCIONARIO, VENDA

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("DBT_TARGET", "local")
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("EXTRACT_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("RUN_ID", "this-run")
    return read_settings(())


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    with open_warehouse(settings) as opened:
        yield opened


def test_the_tables_are_created_once_and_empty(warehouse: Warehouse) -> None:
    for _ in range(2):
        create_tables(warehouse)
    assert [warehouse.query(f"select count(*) from ops.{table.name}") for table in TABLES] == [[(0,)]] * len(TABLES)


def test_a_build_is_recorded_with_its_nodes_and_layers(settings: Settings, warehouse: Warehouse) -> None:
    failed = NodeResult("id", "test.project.a", "test", "a", "fail", TIME, 0.25, None, 3, "three rows\nof D'Ávila")
    skipped = NodeResult("id", "model.project.b", "model", "b", "skipped")
    layers = {VENDA.full_name: Layers(10, 8, 2), FUNCIONARIO.full_name: Layers(None, None, None)}
    built = BuildResult({"fail": 1, "skipped": 1}, (), layers=layers, nodes=(failed, skipped))

    record_build(built, [VENDA, FUNCIONARIO], settings, warehouse)

    columns = "run_id, node, kind, name, status, seconds, failures, message, started_at is null"
    assert warehouse.query(f"select {columns} from ops.dbt_results order by node") == [
        ("this-run", "model.project.b", "model", "b", "skipped", 0, None, None, True),
        ("this-run", "test.project.a", "test", "a", "fail", 0.25, 3, "three rows\\nof D'Ávila", False),
    ]
    assert warehouse.query("select run_id, source, table_name, bronze, silver, rejected from ops.table_builds") == [
        ("this-run", "postgres", "venda", 10, 8, 2)
    ]


def test_an_audit_is_recorded(settings: Settings, warehouse: Warehouse) -> None:
    comparison = Comparison("postgres.venda", "raw = bronze", 10, 10, "select 1")

    record_audit([comparison, replace(comparison, what="landed = loaded", same=False)], settings, warehouse)

    assert warehouse.query(
        "select table_name, what, expected, found, agrees from ops.audit_results order by what"
    ) == [
        ("postgres.venda", "landed = loaded", 10, 10, False),
        ("postgres.venda", "raw = bronze", 10, 10, True),
    ]


def test_a_record_that_fails_names_its_table(settings: Settings, warehouse: Warehouse) -> None:
    create_tables(warehouse)
    warehouse.execute("alter table ops.audit_results alter column expected type date")
    with pytest.raises(NotRecordedError, match=r"^ops\.audit_results: .*this build is not in the history"):
        record_audit([Comparison("postgres.venda", "raw = bronze", 10, 10, "select 1")], settings, warehouse)


def test_unusual_values_of_this_run_are_said(settings: Settings, warehouse: Warehouse) -> None:
    assert find_unusual(settings, warehouse) == []  # the model is not built

    rows: list[tuple[Any, ...]] = [
        ("postgres", "venda", "rows_source", 50_000.0, 104_122.0, 30, "this-run", True),
        ("postgres", "venda", "rejected_share", 0.2, 0.0013, 12, "this-run", True),
        ("postgres", "venda", "seconds", 61.25, 2.5, 12, "this-run", True),
        ("postgres", "venda", "rows_loaded", 1.0, 1.0, 12, "this-run", False),
        ("api", "funcionario", "rows_source", 1.0, 9.0, 12, "an-earlier-run", True),
    ]
    columns = "source, table_name, measure, value, median, runs, run_id, is_unusual"
    values = ", ".join(str(row) for row in rows)
    warehouse.execute(
        "create schema gold", f"create table gold.run_baseline as from (values {values}) as t({columns})"
    )

    assert find_unusual(settings, warehouse) == [
        "unusual postgres.venda: 20 rejected rows in a hundred, 0.13 in the median of the last 12 runs",
        "unusual postgres.venda: 50,000 rows at the source, 104,122 in the median of the last 30 runs",
        "unusual postgres.venda: 61.25 seconds, 2.50 in the median of the last 12 runs",
    ]


@pytest.mark.parametrize("name", ["gold", "Silver", "ops", "raw_postgres"])
def test_a_warehouse_file_that_is_named_like_a_schema_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"WAREHOUSE_PATH: expected .* not named like a schema.*{name}.duckdb"):
        read_settings((), {"DBT_TARGET": "local", "WAREHOUSE_PATH": str(tmp_path / f"{name}.duckdb")})
