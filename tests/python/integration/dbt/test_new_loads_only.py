"""What an incremental build reads, from the plan that DuckDB reports after it ran the query."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest

from tests.python.helpers.project import Project
from tests.python.helpers.raw_layer import Sale, load_id_of

HISTORY = 500_000  # several of DuckDB's row groups


def scans(node: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yields each table that a plan scans, and the number of rows that the scan returned."""
    if node.get("type") == "TABLE_SCAN":
        yield node["extra_info"]["Table"].split(".", 1)[1], node["intermediate_rows"]
    for child in (*node.get("children", ()), *node.get("operator", ())):
        yield from scans(child)


def build_scans(project: Project, model: str) -> list[tuple[str, int]]:
    """Returns the scans of an incremental build's query, without the scan that finds the newest load in the table."""
    compiled = project.dbt("compile", "--select", model)
    assert compiled.result
    with duckdb.connect(str(project.raw.path)) as connection:
        ((_, plan),) = connection.execute(
            f"explain (analyze, format json) {compiled.result.results[0].node.compiled_code}"
        ).fetchall()
    own = model.replace("_", ".", 1)
    return [(table, rows) for table, rows in scans(json.loads(plan)) if table != own or rows < HISTORY]


@pytest.fixture
def built(new_project: Callable[[], Project]) -> Project:
    """A project that has built a long history, and has a new load with one changed and one new sale."""
    project = new_project()
    project.raw.sales(0, [Sale(1)])
    project.raw.query(
        "insert into raw_postgres.venda select number, 1, 1, date '2018-01-01' + (number % 2500)::integer, 10, null,"
        f" '{load_id_of(0)}' from range(2, {HISTORY + 1}) as numbers(number)"
    )
    models = ("bronze_venda", "silver_venda_dia_alterado", "silver_venda_avaliada")
    assert project.dbt("run", "--select", *models).success
    project.raw.sales(100_000, [Sale(7), Sale(HISTORY + 1)])
    return project


def test_incremental_builds_read_new_loads_only(built: Project) -> None:
    bronze = build_scans(built, "bronze_venda")
    assert ("raw_postgres.venda", 2) in bronze
    assert max(rows for _, rows in bronze) < HISTORY / 50  # deleted sales are looked up by key

    assert built.dbt("run", "--select", "bronze_venda").success
    silver = build_scans(built, "silver_venda_avaliada")
    assert ("bronze.venda", 2) in silver
    assert max(rows for _, rows in silver) <= 2
