"""Building a history of loads step by step gives the same silver as a full refresh, and as the rules require.

Gold then has the sums of silver.

Each example is many histories in one: twenty sales that change, become invalid, are corrected, are deleted and come
back independently, over builds that may be interrupted, with a date that changes. The expected result is computed
here, from the rules.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.python.helpers.project import Project
from tests.python.helpers.raw_layer import Sale, load_id_of

pytestmark = pytest.mark.slow

MODELS = (
    "bronze_venda", "silver_venda_dia_alterado", "silver_venda_avaliada", "silver_venda_rejeitada", "silver_venda",
    "gold_vendas_diarias", "gold_rejeicoes",
)  # fmt: skip
FIRST_DAY, TODAY, TOMORROW = date(2017, 1, 1), date(2025, 6, 15), date(2025, 6, 16)
VERSION = st.tuples(
    st.sampled_from((FIRST_DAY, TODAY, TODAY, TOMORROW, date(2016, 12, 31), None)),
    st.sampled_from((10.0, 12.5, 0.005, 1e15, None, math.nan, math.inf, -math.inf, -1.0, 0.004, 1e16)),
)
DELETED = "deleted"

Rows = Counter[tuple[object, ...]]


@dataclass(frozen=True)
class Step:
    """A load, and how many of the models are built after it before the build is interrupted."""

    sales: Sequence[Sale]
    deleted: Sequence[int]
    completed: bool
    today: date
    models_built: int


STEP = st.builds(
    lambda versions, keyless, **others: Step(
        [Sale(number, *version) for number, version in enumerate(versions) if version and version != DELETED]
        + [Sale(None, *version) for version in keyless],
        [number for number, version in enumerate(versions) if version == DELETED],
        **others,
    ),
    versions=st.lists(st.none() | VERSION | st.just(DELETED), min_size=20, max_size=20),
    keyless=st.lists(VERSION, max_size=2),
    completed=st.sampled_from((True, True, True, False)),
    today=st.sampled_from((TODAY, TOMORROW)),
    models_built=st.sampled_from((7, 7, 6, 5, 3, 1)),
)


# The rules of sales in Python, from what macros/sale_rules.sql declares: whether a sale breaks the rule on a day.
RULES: dict[str, Callable[[Sale, date], bool]] = {
    "sem_chave": lambda sale, _: sale.id_venda is None,
    "valor_ausente": lambda sale, _: sale.venda is None,
    "valor_infinito": lambda sale, _: sale.venda is not None and math.isinf(sale.venda),
    "valor_nao_positivo": lambda sale, _: sale.venda is not None and sale.venda < 0.005,
    "valor_fora_do_limite": lambda sale, _: sale.venda is not None and sale.venda >= 1e16,
    "valor_nan": lambda sale, _: sale.venda is not None and math.isnan(sale.venda),
    "data_ausente": lambda sale, _: sale.data_venda is None,
    "data_antes_da_empresa": lambda sale, _: sale.data_venda is not None and sale.data_venda < FIRST_DAY,
    "data_futura": lambda sale, today: sale.data_venda is not None and sale.data_venda > today,
}


def reason(sale: Sale, today: date) -> str | None:
    """Returns the first rule that a sale breaks."""
    return next((motivo for motivo, breaks in RULES.items() if breaks(sale, today)), None)


def expected(history: Sequence[Step]) -> Rows:
    """Returns silver after a complete build of these loads: key, date, amount, reason and load of each sale."""
    completed = [(load, step.sales) for load, step in enumerate(history) if step.completed]
    latest: dict[int | None, tuple[Sale, int]] = {}
    for load, step in enumerate(history):
        if step.completed:
            latest |= {sale.id_venda: (sale, load) for sale in step.sales}
            latest = {key: version for key, version in latest.items() if key not in step.deleted}
    latest.pop(None, None)
    last_load, last_sales = completed[-1] if completed else (0, [])
    keyless = [(sale, last_load) for sale in last_sales if sale.id_venda is None]
    today = history[-1].today
    return Counter(
        (sale.id_venda, sale.data_venda, repr(sale.venda), reason(sale, today), load_id_of(load))
        for sale, load in [*latest.values(), *keyless]
    )


def silver(project: Project) -> Rows:
    """Returns silver from the warehouse, in the same form."""
    rows = project.raw.query("""
        select id_venda, data_venda, venda, null as motivo, _dlt_load_id from silver.venda
        union all
        select id_venda, data_venda, venda, motivo, _dlt_load_id from silver.venda_rejeitada
    """)
    return Counter((key, day, repr(amount), motivo, load) for key, day, amount, motivo, load in rows)


def gold(project: Project) -> Counter[tuple[object, ...]]:
    """Returns the sums of gold: the day, the reason of rejected sales, the number of sales and their sum."""
    return Counter(
        project.raw.query("""
            select data_venda, null as motivo, sum(quantidade), sum(valor) from gold.vendas_diarias group by 1
            union all
            select data_venda, motivo, quantidade, null from gold.rejeicoes
        """)
    )


def sums_of_silver(project: Project) -> Counter[tuple[object, ...]]:
    """Returns the same sums, of the sales in silver."""
    return Counter(
        project.raw.query("""
            select data_venda, null as motivo, count(*), sum(valor) from silver.venda group by 1
            union all
            select data_venda, motivo, count(*), null from silver.venda_rejeitada group by data_venda, motivo
        """)
    )


@settings(max_examples=3, derandomize=True, phases=[Phase.generate])
@given(steps=st.lists(STEP, min_size=2, max_size=3), last=STEP)
def test_incremental_builds_equal_a_full_refresh(
    new_project: Callable[[], Project], steps: list[Step], last: Step
) -> None:
    project = new_project()
    history = [*steps, replace(last, models_built=len(MODELS))]

    for load, step in enumerate(history):
        project.raw.sales(load, step.sales, deleted=step.deleted, completed=step.completed)
        models = MODELS[: step.models_built]
        assert project.dbt("run", "--select", *models, today=str(step.today)).success
        if models == MODELS:
            assert silver(project) == expected(history[: load + 1])
            assert gold(project) == sums_of_silver(project)

    assert project.dbt("run", "--full-refresh", "--select", *MODELS, today=str(last.today)).success
    assert silver(project) == expected(history)
    assert gold(project) == sums_of_silver(project)


def test_changed_rules_require_a_full_refresh(new_project: Callable[[], Project]) -> None:
    project = new_project()
    project.raw.sales(0, [Sale(1, date(2018, 1, 1)), Sale(2)])
    later = ("--vars", "{primeiro_dia: '2019-01-01'}")
    assert project.dbt("run", "--select", *MODELS).success
    before = silver(project)

    assert project.dbt("run", "--select", *MODELS, *later).success
    assert silver(project) == before
    assert project.dbt("run", "--full-refresh", "--select", *MODELS[2:], *later).success
    assert {(key, motivo) for key, _, _, motivo, _ in silver(project)} == {(1, "data_antes_da_empresa"), (2, None)}
    assert gold(project) == sums_of_silver(project)


def test_a_moved_sale_changes_its_old_and_its_new_day(new_project: Callable[[], Project]) -> None:
    project = new_project()
    first, second, third = date(2018, 1, 1), date(2020, 5, 5), date(2023, 3, 3)
    project.raw.sales(0, [Sale(1, first, 10.0), Sale(2, first, 5.0), Sale(3, third, 7.0)])
    assert project.dbt("run", "--select", *MODELS).success

    # The build of gold fails after the first move, so the next one has both to follow.
    project.raw.sales(1, [Sale(1, second, 10.0)])
    assert project.dbt("run", "--select", *MODELS[:5]).success
    project.raw.sales(2, [Sale(1, third, 10.0)], deleted=[2])
    assert project.dbt("run", "--select", *MODELS).success

    assert gold(project) == Counter([(third, None, 2, Decimal("17.00"))])
