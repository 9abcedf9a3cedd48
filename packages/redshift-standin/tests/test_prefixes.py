"""DECLARE, EXPLAIN and PREPARE contain statements of Redshift."""

import psycopg2
import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.pytest_plugin import Redshift
from redshift_standin.sql.prefixes import split_prefix
from redshift_standin.sql.rewrite import rewrite


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        ("declare c cursor for select 1", ("declare c cursor for", " select 1")),
        (
            '/* a */ DECLARE "a for b" CURSOR WITHOUT HOLD FOR select 1 for',
            ('/* a */ DECLARE "a for b" CURSOR WITHOUT HOLD FOR', " select 1 for"),
        ),
        ("explain verbose select 1", ("explain verbose", " select 1")),
        ("explain (select 1)", ("explain", " (select 1)")),
        ("prepare p(int, varchar(3)) as select $1", ("prepare p(int, varchar(3)) as", " select $1")),
        ("prepare p(int) as select $1", ("prepare p(int) as", " select $1")),
        ("select 1", ("", "select 1")),
    ],
)
def test_split(statement: str, parts: tuple[str, str]) -> None:
    assert split_prefix(statement) == parts


@pytest.mark.parametrize(
    "statement",
    ["explain analyze select 1", "explain (analyze) select 1", "declare c scroll cursor for select 1",
     "declare c cursor with hold for select 1"],
)  # fmt: skip
def test_options_of_postgres_alone(statement: str) -> None:
    with pytest.raises(RedshiftError, match="syntax error"):
        rewrite(statement)


def test_a_cursor(redshift: Redshift) -> None:
    redshift.execute("create table sold (price int, amount int)")
    redshift.execute("insert into sold values (276, 3), (444, 2), (10, 4), (20, 5)")
    redshift.execute("begin")
    redshift.execute(
        "declare c cursor for select price, nvl2(amount, dateadd(day, amount, '2020-01-01'), null)::date::varchar"
        " from sold qualify row_number() over (order by price) > 1 order by price"
    )
    assert redshift.execute("fetch next from c") == [(20, "2020-01-06")]
    assert redshift.execute("fetch forward 1 from c") == [(276, "2020-01-04")]
    assert redshift.execute("fetch all from c") == [(444, "2020-01-03")]
    assert redshift.execute("fetch from c") == []
    redshift.execute("close c")
    redshift.execute("commit")


def test_a_cursor_only_moves_forward(redshift: Redshift) -> None:
    redshift.execute("begin")
    redshift.execute("declare c cursor for select 1")
    with pytest.raises(psycopg2.Error, match="cursor can only scan forward"):
        redshift.execute("fetch backward 1 from c")
    redshift.execute("rollback")


def test_a_prepared_statement(redshift: Redshift) -> None:
    redshift.execute("prepare p(int) as select dateadd(day, $1, '2020-01-01')::date::varchar")
    assert redshift.execute("execute p(2)") == [("2020-01-03",)]
    redshift.execute("deallocate prepare p")


def test_explain(redshift: Redshift) -> None:
    redshift.execute("create table sold (price int)")
    assert redshift.execute("explain select price from sold where price > nvl(1, 2)")
