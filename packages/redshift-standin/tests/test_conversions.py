"""CONVERT and TRY_CAST."""

import psycopg2
import pytest

from redshift_standin.sql.conversions import rewrite_convert, rewrite_try_cast
from stand_in import StandIn


def test_convert_becomes_cast() -> None:
    assert (
        rewrite_convert("select convert(decimal(5, 2), f(a, b)) + 1") == "select cast(f(a, b) as decimal(5, 2)) + 1"
    )
    assert rewrite_convert("convert(int, convert(varchar(3), x))") == "cast(cast(x as varchar(3)) as int)"


@pytest.mark.parametrize(
    "code", ["convert(a, b, c)", "s.convert(int, x)", "convert(int, x", "convert_timezone(a, b)"]
)
def test_other_functions_are_left_alone(code: str) -> None:
    assert rewrite_convert(code) == code


def test_try_cast_names_the_type_twice() -> None:
    assert rewrite_try_cast("try_cast(x as decimal(5,2))") == "rs.try_cast(x, null::decimal(5,2), 'decimal(5,2)')"
    assert "rs.try_cast(cast(x as text), null::int" in rewrite_try_cast("try_cast(cast(x as text) as int)")


def test_try_cast_returns_null_for_what_cannot_be_converted(stand_in: StandIn) -> None:
    stand_in.execute("create table texts (x varchar); insert into texts values ('7'), ('a'), (null), ('123.45')")
    query = "select try_cast(x as int), try_cast(x as decimal(4,1)), try_cast(x as varchar(2)) from texts"
    assert [tuple(map(str, row)) for row in stand_in.execute(query)] == [
        ("7", "7.0", "7"), ("None", "None", "a"), ("None", "None", "None"), ("None", "123.5", "12")
    ]  # fmt: skip


def test_try_cast_refuses_a_type_that_no_value_has(stand_in: StandIn) -> None:
    with pytest.raises(psycopg2.errors.CannotCoerce):
        stand_in.execute("select try_cast(true as timestamp)")
