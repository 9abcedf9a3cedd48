"""A history of loads built step by step gives what its last state says, and what a full refresh gives.

Each example is many histories in one: twenty sales that change, spoil, are mended, go and come back independently,
over builds that may die halfway, with a day that comes and goes. What is expected is worked out here, from what the
rules say.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.python.helpers.project import Project
from tests.python.helpers.raw_layer import Sale, load_id_of

MODELS = ("bronze_venda", "silver_venda_avaliada", "silver_venda_rejeitada", "silver_venda")
FIRST_DAY, TODAY, TOMORROW = date(2017, 1, 1), date(2025, 6, 15), date(2025, 6, 16)
VERSION = st.tuples(
    st.sampled_from((FIRST_DAY, TODAY, TODAY, TOMORROW, date(2016, 12, 31), None)),
    st.sampled_from((10.0, 12.5, 0.005, 1e15, None, math.nan, math.inf, -math.inf, -1.0, 0.004, 1e16)),
)
GONE = "gone"

Rows = Counter[tuple[object, ...]]


@dataclass(frozen=True)
class Step:
    """A load, and how many of the models are built after it before the build dies."""

    sales: Sequence[Sale]
    deleted: Sequence[int]
    completed: bool
    today: date
    models_built: int


STEP = st.builds(
    lambda versions, keyless, **others: Step(
        [Sale(number, *version) for number, version in enumerate(versions) if version and version != GONE]
        + [Sale(None, *version) for version in keyless],
        [number for number, version in enumerate(versions) if version == GONE],
        **others,
    ),
    versions=st.lists(st.none() | VERSION | st.just(GONE), min_size=20, max_size=20),
    keyless=st.lists(VERSION, max_size=2),
    completed=st.sampled_from((True, True, True, False)),
    today=st.sampled_from((TODAY, TOMORROW)),
    models_built=st.sampled_from((4, 4, 2, 1)),
)


def reason(sale: Sale, today: date) -> str | None:
    """Why a sale is rejected: the first rule that it breaks."""
    key, day, amount = sale.id_venda, sale.data_venda, sale.venda
    broken = {
        "sem_chave": key is None,
        "valor_ausente": amount is None,
        "valor_infinito": amount is not None and math.isinf(amount),
        "valor_nao_positivo": amount is not None and amount < 0.005,
        "valor_fora_do_limite": amount is not None and amount >= 1e16,
        "valor_nan": amount is not None and math.isnan(amount),
        "data_ausente": day is None,
        "data_antes_da_empresa": day is not None and day < FIRST_DAY,
        "data_futura": day is not None and day > today,
    }
    return next((name for name, is_broken in broken.items() if is_broken), None)


def expected(history: Sequence[Step]) -> Rows:
    """Silver after a whole build of these loads: key, date, amount, reason and load of each sale."""
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
    """Silver as it is, in the same form."""
    rows = project.raw.query("""
        select id_venda, data_venda, venda, null as motivo, _dlt_load_id from silver.venda
        union all
        select id_venda, data_venda, venda, motivo, _dlt_load_id from silver.venda_rejeitada
    """)
    return Counter((key, day, repr(amount), motivo, load) for key, day, amount, motivo, load in rows)


@settings(max_examples=3, derandomize=True, phases=[Phase.generate])
@given(dying_or_not=st.lists(STEP, min_size=2, max_size=3), whole=STEP)
def test_an_incremental_history_equals_its_last_state_and_a_full_refresh(
    new_project: Callable[[], Project], dying_or_not: list[Step], whole: Step
) -> None:
    project = new_project()
    history = [*dying_or_not, replace(whole, models_built=4)]

    for load, step in enumerate(history):
        project.raw.sales(load, step.sales, deleted=step.deleted, completed=step.completed)
        models = MODELS[: step.models_built]
        assert project.dbt("run", "--select", *models, today=str(step.today)).success
        if models == MODELS:
            assert silver(project) == expected(history[: load + 1])

    assert project.dbt("run", "--full-refresh", "--select", *MODELS, today=str(whole.today)).success
    assert silver(project) == expected(history)


def test_a_change_of_the_rules_takes_a_full_refresh(new_project: Callable[[], Project]) -> None:
    project = new_project()
    project.raw.sales(0, [Sale(1, date(2018, 1, 1)), Sale(2)])
    later = ("--vars", "{primeiro_dia: '2019-01-01'}")
    assert project.dbt("run", "--select", *MODELS).success
    before = silver(project)

    assert project.dbt("run", "--select", *MODELS, *later).success
    assert silver(project) == before
    assert project.dbt("run", "--full-refresh", "--select", "silver_venda_avaliada+", *later).success
    assert {(key, motivo) for key, _, _, motivo, _ in silver(project)} == {(1, "data_antes_da_empresa"), (2, None)}
