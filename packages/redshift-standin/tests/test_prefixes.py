"""DECLARE, EXPLAIN and PREPARE contain statements of Redshift."""

import psycopg2
import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.prefixes import split_prefix
from redshift_standin.sql.rewrite import rewrite
from redshift_standin.sql.statement import read
from stand_in import StandIn


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        ("declare c cursor for select 1", ("declare c cursor for ", "select 1")),
        (
            '/* a */ DECLARE "a for b" CURSOR WITHOUT HOLD FOR select 1 for',
            ('DECLARE "a for b" CURSOR WITHOUT HOLD FOR ', "select 1 for"),
        ),
        ("explain verbose select 1", ("explain verbose ", "select 1")),
        ("explain (select 1)", ("explain ", "(select 1)")),
        ("prepare p(int, varchar(3)) as select $1", ("prepare p(int, varchar(3)) as ", "select $1")),
        ("prepare p(int) as select $1", ("prepare p(int) as ", "select $1")),
    ],
)
def test_split(statement: str, parts: tuple[str, str]) -> None:
    assert split_prefix(read("select 1")[0]) is None
    found = split_prefix(read(statement)[0])
    assert found
    assert (found.prefix, found.show(found.code)) == parts


@pytest.mark.parametrize(
    "statement",
    ["explain analyze select 1", "explain (analyze) select 1", "declare c scroll cursor for select 1",
     "declare c cursor with hold for select 1"],
)  # fmt: skip
def test_options_of_postgres_alone(statement: str) -> None:
    with pytest.raises(RedshiftError, match="syntax error"):
        rewrite(statement)


def test_a_cursor(stand_in: StandIn) -> None:
    stand_in.execute("create table sold (price int, amount int)")
    stand_in.execute("insert into sold values (276, 3), (444, 2), (10, 4), (20, 5)")
    stand_in.execute("begin")
    stand_in.execute(
        "declare c cursor for select price, nvl2(amount, dateadd(day, amount, '2020-01-01'), null)::date::varchar"
        " from sold qualify row_number() over (order by price) > 1 order by price"
    )
    assert stand_in.execute("fetch next from c") == [(20, "2020-01-06")]
    assert stand_in.execute("fetch forward 1 from c") == [(276, "2020-01-04")]
    assert stand_in.execute("fetch all from c") == [(444, "2020-01-03")]
    assert stand_in.execute("fetch from c") == []
    stand_in.execute("close c")
    stand_in.execute("commit")


def test_a_cursor_only_moves_forward(stand_in: StandIn) -> None:
    stand_in.execute("begin")
    stand_in.execute("declare c cursor for select 1")
    with pytest.raises(psycopg2.Error, match="cursor can only scan forward"):
        stand_in.execute("fetch backward 1 from c")
    stand_in.execute("rollback")


def test_a_prepared_statement(stand_in: StandIn) -> None:
    stand_in.execute("prepare p(int) as select dateadd(day, $1, '2020-01-01')::date::varchar")
    assert stand_in.execute("execute p(2)") == [("2020-01-03",)]
    stand_in.execute("deallocate prepare p")


def test_explain(stand_in: StandIn) -> None:
    stand_in.execute("create table sold (price int)")
    assert stand_in.execute("explain select price from sold where price > nvl(1, 2)")
