"""Aggregate and window functions, and the session's time zone, in PostgreSQL's form."""

import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.rewrite import rewrite
from redshift_standin.sql.windows import rewrite_windows


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a from over_there", "select a from over_there"),
        ("select sum(a) over (partition by b)", "select sum(a) over (partition by b)"),
        (
            "select listagg(a, b) within group (order by c desc) over (partition by d)",
            "select rs.listagg(string_agg(nullif((a)::text, ''), b) over (partition by d order by c desc "
            "rows between unbounded preceding and unbounded following))",
        ),
        (
            "select lead(a) ignore nulls over (order by b desc, f(c, 1) nulls first)",
            "select rs.lead(rs.last_value(a) over (order by b asc nulls last, f(c, 1) desc nulls last "
            "rows between unbounded preceding and 1 preceding))",
        ),
        ("select rank() over (order by a)", "select rank() over (order by a)::integer"),
        ("select lag(a) respect nulls over (order by b)", "select lag(a) over (order by b)"),
        ("select max(median(a)) from b", "select max(rs.median(rs.sorted(a))) from b"),
        ("select approximate count(distinct a)", "select count(distinct a)"),
    ],
)
def test_each_form_becomes_postgresqls(sql: str, expected: str) -> None:
    assert rewrite_windows(sql) == expected


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select max(a) over (order by b) from t", "require a frame clause"),
        ("select lag(a, 1, 0) over (order by b) from t", "Default parameter not be supported"),
        ("select median(a) over (order by b) from t", "PARTITION BY only"),
        ("select median(a), median(b) from t", "must be the same"),
    ],
)
def test_what_redshift_refuses_is_refused(sql: str, message: str) -> None:
    with pytest.raises(RedshiftError, match=message):
        rewrite(sql)


def test_the_order_of_groups_is_that_of_one_select() -> None:
    rewrite("select median(a), (select median(b) from u) from t union all select median(c) from v")


def test_names_inside_strings_are_no_calls() -> None:
    assert rewrite("select 'median(a) over (order by b)'") == "select 'median(a) over (order by b)'"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("set timezone to '-8:00'", "set time zone interval '-8:00' hour to minute"),
        ("set session time zone 3", "set session time zone interval '3:00' hour to minute"),
        ("set timezone interval '-8 hours'", "set time zone interval '-8 hours'"),
        ("set timezone = 'America/New_York'", "set timezone = 'America/New_York'"),
    ],
)
def test_an_offset_of_the_session_is_east_of_greenwich(sql: str, expected: str) -> None:
    assert rewrite(sql) == expected
