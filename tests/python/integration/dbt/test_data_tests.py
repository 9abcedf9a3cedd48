"""Each damage to the data fails exactly the data test that is made for it."""

from collections.abc import Callable
from datetime import date

import pytest

from tests.python.helpers.project import Project
from tests.python.helpers.raw_layer import Sale

TESTS = ("test", "--select", "test_type:singular", "test_name:at_most_characters")


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Project]) -> Project:
    """A warehouse with three valid sales and a rejected one, built."""
    project = new_project()
    project.raw.employees(1, {1: "Ana"})
    project.raw.categories(1, date(2025, 6, 15), {1: "Livros"})
    project.raw.sales(1, [Sale(1), Sale(2), Sale(3), Sale(4, venda=-1.0)])
    assert project.dbt("build", "--exclude-resource-type", "test", "unit_test").success
    return project


@pytest.mark.parametrize(
    ("damage", "repair", "test"),
    [
        pytest.param(
            "delete from silver.venda_avaliada where id_venda = 2",
            "insert into silver.venda_avaliada"
            " select * replace (2 as id_venda) from silver.venda_avaliada where id_venda = 1",
            "every_sale_is_in_silver_or_rejected",
            id="lost sale",
        ),
        pytest.param(
            "update silver.venda_avaliada set id_venda = 3 where id_venda = 4",
            "update silver.venda_avaliada set id_venda = 4 where motivo is not null",
            "no_sale_is_valid_and_rejected",
            id="sale both valid and rejected",
        ),
        pytest.param(
            "update ops.extract_runs set rows_loaded = 5 where source = 'postgres'",
            "update ops.extract_runs set rows_loaded = 4 where source = 'postgres'",
            "last_extract_matches_raw",
            id="load that lacks a row",
        ),
        pytest.param(
            "update ops.extract_runs set rows_source = 9 where source = 'api'",
            "update ops.extract_runs set rows_source = 1 where source = 'api'",
            "last_extract_matches_raw",
            id="snapshot that lacks an employee",
        ),
        pytest.param(
            "update silver.calendario set dia_util = true where data = date '2024-11-20'",
            "update silver.calendario set dia_util = false where data = date '2024-11-20'",
            "calendar_knows_its_days",
            id="holiday taken for a working day",
        ),
        pytest.param(
            "update silver.funcionario set nome = repeat('ã', 101)",
            "update silver.funcionario set nome = repeat('ã', 100)",
            "at_most_characters_silver_funcionario_100__nome",
            id="name that Redshift would truncate",
        ),
    ],
)
def test_damage_fails_its_test(project: Project, damage: str, repair: str, test: str) -> None:
    project.raw.query(damage)
    outcomes = project.outcomes(*TESTS)
    project.raw.query(repair)

    assert {name for name, word in outcomes.items() if word == "fail"} == {test}


def test_extract_without_new_rows_matches_raw(project: Project) -> None:
    project.raw.query("""
        insert into ops.extract_runs
        select * replace ('run 2' as run_id, finished_at + interval 1 hour as finished_at, 0 as rows_loaded,
            null as load_id)
        from ops.extract_runs where source = 'postgres'
    """)
    outcomes = project.outcomes("test", "--select", "last_extract_matches_raw")
    project.raw.query("delete from ops.extract_runs where run_id = 'run 2'")

    assert outcomes == {"last_extract_matches_raw": "pass"}


@pytest.mark.parametrize(("age", "word"), [("25 hours", "pass"), ("30 hours", "warn"), ("60 hours", "error")])
def test_source_that_was_not_read_for_long_is_stale(project: Project, age: str, word: str) -> None:
    project.raw.query(f"update ops.extract_runs set finished_at = now() - interval '{age}' where source = 'api'")

    assert project.outcomes("source", "freshness", "--select", "source:raw_api") == {"funcionario": word}
