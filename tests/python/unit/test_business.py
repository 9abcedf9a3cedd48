"""The business is the same however it is looked at, and is as large, as believable and as wrong as it says."""

import math
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.business import FIRST_DAY, MISTAKES, VENDA, WRONG_EVERY, Business

OPENING = date(2026, 3, 1)

openings = st.dates(FIRST_DAY + timedelta(1), date(2035, 12, 31))
businesses = st.builds(Business, st.integers(1, 1_000_000), openings)
days_after_opening = st.integers(0, 1000).map(timedelta)


def sales_between(business: Business, first: date, end: date) -> pa.Table:
    days = (first + timedelta(n) for n in range((end - first).days))
    return pa.Table.from_batches((business.sales_on(day) for day in days), VENDA)


@pytest.fixture(scope="module")
def hundred_thousand() -> pa.Table:
    return sales_between(Business(100_000, OPENING), FIRST_DAY, OPENING)


def wrong(sales: pa.Table) -> dict[int, dict[str, object]]:
    return {row["id_venda"]: row for row in sales.to_pylist() if row["id_venda"] % WRONG_EVERY == WRONG_EVERY // 2}


@given(businesses)
def test_the_sales_before_the_opening_are_exactly_as_many_as_asked_for(business: Business) -> None:
    assert business.sales_before(FIRST_DAY) == 0
    assert business.sales_before(business.opening) == business.sales


@given(businesses, days_after_opening)
@settings(max_examples=50)
def test_ids_go_on_from_day_to_day_without_a_gap(business: Business, after: timedelta) -> None:
    day = business.opening + after
    sales = business.sales_on(day)
    assert sales.schema == VENDA
    assert business.sales_before(day) + sales.num_rows == business.sales_before(day + timedelta(1))
    if sales.num_rows:
        assert sales["id_venda"][0].as_py() == business.sales_before(day) + 1
        assert sales["id_venda"][-1].as_py() == business.sales_before(day + timedelta(1))


@given(businesses, days_after_opening)
@settings(max_examples=50)
def test_a_day_is_the_same_to_whoever_asks(business: Business, after: timedelta) -> None:
    day = business.opening + after
    again = Business(business.sales, business.opening)
    assert (
        again.sales_on(day).serialize() == business.sales_on(day).serialize()
    )  # bytes: a NaN is not equal to itself
    assert again.correction_on(day) == business.correction_on(day)


@given(businesses, days_after_opening)
@settings(max_examples=50)
def test_a_correction_is_of_a_sale_that_was_there_and_leaves_it_without_mistakes(
    business: Business, after: timedelta
) -> None:
    day = business.opening + after
    correction = business.correction_on(day)
    assert 1 <= correction.id_venda <= business.sales_before(day)
    assert business.sales_before(correction.data_venda) < correction.id_venda
    assert correction.id_venda <= business.sales_before(correction.data_venda + timedelta(1))
    assert correction.id_funcionario in business.employees(day)
    assert 1 <= correction.id_categoria <= 10
    assert correction.venda > 0


def test_corrections_of_the_last_60_days_change_the_amount_and_every_tenth_fixes_a_mistake() -> None:
    business = Business(100_000, OPENING)
    fixed = []
    for passed in range(30):
        day = OPENING + timedelta(passed)
        correction = business.correction_on(day)
        if correction.id_venda % WRONG_EVERY == WRONG_EVERY // 2:
            fixed.append(correction.id_venda)
            continue
        assert day - timedelta(60) <= correction.data_venda < day
        recorded = sales_between(business, correction.data_venda, correction.data_venda + timedelta(1))
        [before] = recorded.filter(pc.field("id_venda") == correction.id_venda).to_pylist()
        assert before == vars(correction) | {"venda": before["venda"]}
        assert before["venda"] > correction.venda
    assert fixed == [95_000, 85_000, 75_000]


def test_hundred_thousand_sales_hold_every_kind_of_mistake_and_no_others(hundred_thousand: pa.Table) -> None:
    mistakes = wrong(hundred_thousand)
    assert len(mistakes) == 10
    for row, (column, value) in zip(mistakes.values(), [*MISTAKES, MISTAKES[0]], strict=True):
        assert row[column] == value or (isinstance(value, float) and math.isnan(value) and math.isnan(row[column]))  # type: ignore[arg-type]

    right = [row for row in hundred_thousand.to_pylist() if row["id_venda"] not in mistakes]
    assert len(right) == 99_990
    assert all(FIRST_DAY <= row["data_venda"] < OPENING for row in right)
    assert {row["id_funcionario"] for row in right} == set(range(1, 10))
    assert {row["id_categoria"] for row in right} == set(range(1, 11))
    assert all(0 < row["venda"] < 100_000 for row in right)
    assert all(row["venda"] == float(f"{row['venda']:.2f}") for row in right)


def test_sales_have_seasons_and_grow(hundred_thousand: pa.Table) -> None:
    dates = [d for d in hundred_thousand["data_venda"].to_pylist() if d is not None]

    def sold(*days: date) -> float:
        return sum(d in days for d in dates) / len(days)

    november = [date(2025, 11, day) for day in range(1, 21)]
    assert sold(date(2025, 11, 28)) > 2 * sold(*november)
    assert sold(*(date(2025, 12, day) for day in range(10, 24))) > 1.2 * sold(*november)
    saturdays = [date(2025, 3, 1) + timedelta(7 * n) for n in range(5)]
    assert sold(*saturdays) > 1.5 * sold(*(day + timedelta(1) for day in saturdays))
    years = [sum(d.year == year for d in dates) for year in range(2017, 2026)]
    assert years == sorted(years)


def test_on_the_opening_nothing_has_changed_yet() -> None:
    business = Business(1000, OPENING)
    assert business.employees(OPENING)[3] == "Márcia D'Ávila"
    assert list(business.employees(OPENING)) == list(range(1, 10))
    assert [*business.category_lists(OPENING)] == [FIRST_DAY]


def test_the_first_passed_day_renames_an_employee_and_brings_the_late_category() -> None:
    business = Business(1000, OPENING)
    tomorrow = OPENING + timedelta(1)
    before, after = business.employees(OPENING), business.employees(tomorrow)
    assert [id_ for id_ in before if before[id_] != after[id_]] == [1]
    lists = business.category_lists(tomorrow)
    assert [*lists] == [FIRST_DAY, OPENING]
    assert lists[OPENING].keys() - lists[FIRST_DAY].keys() == {99}


@given(st.integers(1, 1000))
def test_every_30_days_one_employee_and_one_category_are_renamed(passed: int) -> None:
    business = Business(1000, OPENING)
    today = OPENING + timedelta(passed)
    yesterday = business.employees(today - timedelta(1))
    renamed = [id_ for id_, name in business.employees(today).items() if yesterday[id_] != name]
    lists = business.category_lists(today)
    assert [*lists] == [FIRST_DAY, *(OPENING + timedelta(n) for n in range(0, passed, 30))]
    if (passed - 1) % 30:
        assert renamed == []
    else:
        assert len(renamed) == 1
        before, after = [*lists.values()][-2:]
        assert sum(after[id_] != name for id_, name in before.items()) == 1


@given(days_after_opening, days_after_opening)
def test_lists_that_came_out_stay_as_they_were(one: timedelta, other: timedelta) -> None:
    business = Business(1000, OPENING)
    earlier, later = sorted([OPENING + one, OPENING + other])
    assert business.category_lists(earlier).items() <= business.category_lists(later).items()


@pytest.mark.parametrize(
    ("sales", "opening", "message"),
    [(0, OPENING, "at least 1 sale, not 0"), (1, FIRST_DAY, "after its first day, 2017-01-01, not on 2017-01-01")],
)
def test_no_business_is_empty_or_opens_before_its_first_day(sales: int, opening: date, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Business(sales, opening)
