"""Complete builds on three days of the business: the contents of each layer after each build."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from tests.python.helpers.project import Project
from tests.python.helpers.raw_layer import Sale

KEYLESS = Sale(None, venda=77.0)

WITHOUT_TESTS = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")


@dataclass(frozen=True)
class Day:
    """The result of a build, and the contents of silver after it."""

    outcomes: dict[str, str]
    valid: dict[int, float]
    rejected: list[tuple[Any, ...]]


def build(project: Project, today: str, *options: str) -> Day:
    """Runs a complete build on a day."""
    return Day(
        outcomes=project.outcomes("build", *options, today=today),
        valid=dict(project.raw.query("select id_venda, cast(valor as double) from silver.venda")),
        rejected=project.raw.query("select id_venda, motivo from silver.venda_rejeitada order by 1, 2"),
    )


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Project]) -> Project:
    return new_project()


@pytest.fixture(scope="module")
def days(project: Project) -> list[Day]:
    """Sunday: rejected sales. Monday: some corrected, one now invalid, an incomplete load. Tuesday: nothing new."""
    raw = project.raw

    raw.employees(1, {1: "Ana", 2: "José D'Ávila"})
    raw.categories(1, date(2025, 6, 15), {1: "Livros", 2: "Discos"})
    raw.sales(
        1,
        [
            Sale(1, venda=1.005),
            Sale(2, venda=-1.0),
            Sale(3, data_venda=date(2025, 6, 16)),
            Sale(4, id_funcionario=9),
            Sale(5, venda=math.nan),
            KEYLESS,
            KEYLESS,
        ],
    )
    sunday = build(project, "2025-06-15")

    raw.employees(2, {1: "Ana Souza", 3: "Clara"})
    raw.categories(2, date(2025, 6, 16), {1: "Livros"})
    raw.sales(2, [Sale(1, venda=None), Sale(2, venda=20.0), Sale(6, venda=60.0), KEYLESS])
    raw.sales(3, [Sale(6, venda=666.0), Sale(None), Sale(None)], completed=False)
    monday = build(project, "2025-06-16", *WITHOUT_TESTS)

    raw.sales(4, [])
    tuesday = build(project, "2025-06-17", *WITHOUT_TESTS)

    return [sunday, monday, tuesday]


def test_build_passes_and_warns_of_unknown_employees(days: list[Day]) -> None:
    sunday, *_ = days

    passed = {"success", "pass", "no-op"}
    assert {name: word for name, word in sunday.outcomes.items() if word not in passed} == {
        "sale_by_unknown_employee": "warn"
    }
    assert {"each_rule_rejects", "no_sale_is_valid_and_rejected", "silver_venda"} <= set(sunday.outcomes)


def test_valid_sales_are_in_silver_rounded_to_cents(days: list[Day]) -> None:
    sunday, *_ = days

    assert sunday.valid == {1: 1.01, 4: 10.0}


def test_invalid_sales_are_rejected_with_their_reason(days: list[Day]) -> None:
    sunday, *_ = days

    assert sunday.rejected == [
        (2, "valor_nao_positivo"),
        (3, "data_futura"),
        (5, "valor_nan"),
        (None, "sem_chave"),
        (None, "sem_chave"),
    ]


def test_sales_move_between_silver_and_rejected_as_they_change(days: list[Day]) -> None:
    _, monday, _ = days

    assert monday.valid == {2: 20.0, 3: 10.0, 4: 10.0, 6: 60.0}
    assert monday.rejected == [(1, "valor_ausente"), (5, "valor_nan"), (None, "sem_chave")]


def test_sales_without_key_are_those_of_the_last_completed_load(days: list[Day]) -> None:
    _, monday, tuesday = days

    assert [key for key, _ in monday.rejected].count(None) == 1
    assert tuesday.rejected == [(1, "valor_ausente"), (5, "valor_nan")]
    assert tuesday.valid == monday.valid


def test_small_tables_have_the_current_state(project: Project, days: list[Day]) -> None:
    assert len(days) == 3
    assert project.raw.query("select * from silver.funcionario order by id") == [(1, "Ana Souza"), (3, "Clara")]
    assert project.raw.query("select * from silver.categoria") == [(1, "Livros")]


def test_history_keeps_every_name(project: Project, days: list[Day]) -> None:
    assert len(days) == 3
    assert project.raw.query("""
        select id, nome, dbt_valid_to is null from silver.funcionario_historico order by id, dbt_valid_from
    """) == [(1, "Ana", False), (1, "Ana Souza", True), (2, "José D'Ávila", False), (3, "Clara", True)]
    assert project.raw.query("""
        select id, nome_categoria, dbt_valid_to is null from silver.categoria_historico order by id
    """) == [(1, "Livros", True), (2, "Discos", False)]


def test_descriptions_are_in_the_warehouse(project: Project, days: list[Day]) -> None:
    assert len(days) == 3
    ((table,),) = project.raw.query(
        "select comment from duckdb_views() where schema_name = 'silver' and view_name = 'venda'"
    )
    ((column,),) = project.raw.query("""
        select comment from duckdb_columns()
        where schema_name = 'silver' and table_name = 'venda' and column_name = 'valor'
    """)
    assert "breaks no rule" in table
    assert "rounded to cents" in column
