"""Numbers, dates and times in the place of texts, and comparisons of numbers with texts."""

from typing import Any

import psycopg2
import pytest

from stand_in import StandIn


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("split_part(timestamp '2008-01-24 06:43:29', '-', 1)", "2008"),
        ("timestamp '2008-09-01 10:00' like '2008-09%'", True),
        ("charindex('.', 12.50)", 3),
        ("len(12345)", 5),
        ("upper(date '2020-01-05')", "2020-01-05"),
        ("1 || 2", "12"),
        ("'a' || date '2020-01-01' || 1.5", "a2020-01-011.5"),
        ("5 = '5.0'::varchar", False),
        ("5.0::decimal(3, 1) = '5'::varchar", True),
        ("'10'::varchar < 9", True),
        ("'10'::varchar < 9::decimal(3, 1)", False),
        ("split_part('2008-01', '-', 1) = 2008", True),
        ("5 between '1'::varchar and 6", True),
        ("1.5::decimal(3, 1) = 1.5::real", True),
        ("1::int = 1::real", True),
        ("2::bigint = 2.0", True),
        ("1 is true", True),
        ("(1 = 1) = 1", True),
    ],
)
def test_values_are_converted(stand_in: StandIn, expression: str, value: Any) -> None:
    assert stand_in.execute(f"select {expression}") == [(value,)]


def test_a_boolean_is_no_text(stand_in: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match="does not exist"):
        stand_in.execute("select length(1 = 1)")


@pytest.mark.parametrize(
    "script",
    [
        "create table concat (a int); insert into concat (a) values (1); select a from concat",
        "create table if not exists date_part(a int); insert into date_part(a) values (1); select * from date_part",
        "create table version (a int); insert into version (a) values (1); select * from version",
        "with avg (x) as (select 1), dateadd(y) as (select x from avg) select y from dateadd",
    ],
)
def test_a_relation_may_have_a_functions_name(stand_in: StandIn, script: str) -> None:
    assert stand_in.execute(script) == [(1,)]
