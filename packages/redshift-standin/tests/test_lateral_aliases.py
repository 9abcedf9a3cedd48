"""Aliases that the same SELECT refers to."""

from typing import Any

import psycopg2
import pytest

from redshift_standin.sql.outline import ALIASES, look
from redshift_standin.sql.questions import Questions
from redshift_standin.sql.statement import read
from redshift_standin.sql.tree import change_tree, needs_tree
from stand_in import StandIn


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("select x + 1 as y, y * 2 as z, z from a", [(2, 4, 4)]),
        ("select x + 1 as y, y * 10 as x from a", [(2, 20)]),
        ("select 7 as x, x as y from a", [(7, 1)]),  # a column goes before an alias
        ("select x as y from a where y = 1 and y + 1 = 2", [(1,)]),
        ("select 7 as x from a where x = 1", [(7,)]),
        ("select sum(x) as total, total / 2 as metade from a", [(1, 0)]),
        ("select x + 1 as y, row_number() over (order by y) as n, n + y as m from a", [(2, 1, 3)]),
        (
            "with b as (select x as k, k + 1 as l from a), c as (select l as m, m + k as n from b) select n from c",
            [(3,)],
        ),
        ("select q.l from (select x as k, k + 1 as l from a) as q", [(2,)]),
        ("with a as (select 5 as w from a) select w as v, v + 1 as u from a", [(5, 6)]),
        ("select a.x as y, y + b.w as s from a join (select 1 as x, 9 as w) as b using (x)", [(1, 10)]),
        ("select a.x as y, (select max(y) from (select 3 as y) as q) as z from a", [(1, 3)]),
        ("select 1 as um, um + 1 as dois", [(1, 2)]),
    ],
)
def test_aliases_have_the_values_of_their_expressions(
    stand_in: StandIn, query: str, answer: list[tuple[Any, ...]]
) -> None:
    stand_in.execute("create table a (x int)")
    stand_in.execute("insert into a values (1)")
    assert stand_in.execute(query) == answer


def test_aliases_in_statements_that_write(stand_in: StandIn) -> None:
    stand_in.execute("create table a diststyle all as select 1 as x, x + 1 as y")
    stand_in.execute("insert into a select y as p, p + 1 as q from a")
    assert stand_in.execute("select x, y from a order by x") == [(1, 2), (2, 3)]
    assert stand_in.execute("select diststyle from svv_table_info where \"table\" = 'a'") == [("ALL",)]


def test_aliases_of_relations_of_the_open_transaction(stand_in: StandIn) -> None:
    stand_in.execute("begin")
    stand_in.execute("create temp table nova (valor int)")
    stand_in.execute("insert into nova values (2)")
    assert stand_in.execute("select 1 as valor, valor as v from nova") == [(1, 2)]
    with pytest.raises(psycopg2.Error, match='column "nada" does not exist'):
        stand_in.execute("select 1 as um, um + nada as dois from nova")
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        stand_in.execute("select 1 as um, um as dois")
    stand_in.execute("rollback")


@pytest.mark.parametrize(
    "statement",
    [
        "select x as y, x + 1 as z from a",
        "select a.x as y, a.y from a",
        "with y as (select 1 as x) select x from y",
        "not SQL that select knows",
    ],
)
def test_a_statement_without_aliases_is_unchanged(statement: str) -> None:
    (one,) = read(statement)
    questions = Questions(lambda _: False, lambda _: [], lambda _: [])
    assert change_tree(one.needing(ALIASES), questions).sql == statement


@pytest.mark.parametrize(
    "query",
    [
        "select x + 1 as y, y * 2 as z from a",
        "select x + 1 y, (y) z from a",
        'select x as "Y", 1 + "y" from a',
        "select case x when 1 then 2 end y, y from a",
        "select x as y from a left join b on a.i = b.i where b.i is null or (y = 1)",
        "select listagg(x, ',') within group (order by x) as l, l || 'x' from a",
        "select extract(day from x) as d, d from a",
        "select 1 from a union all select x as y from b where y = 1",
        "create table t as (with q as (select x as y from a where y > 1) select * from q)",
        "select 1 from (select x as y, y + 1 from a) q",
        "select 1 from t where v in (select x as y from a where y > 1)",
        "select x as y, row_number() over (order by y) from a",
    ],
)
def test_what_may_have_an_alias_is_parsed(query: str) -> None:
    assert needs_tree(look(read(query)[0]))


@pytest.mark.parametrize(
    "query",
    [
        "select x as y, x + 1 as z from a",
        "select a.x as y, a.y from a",
        "select distinct x, y from a where x = 1",
        "select x as y from a order by y",
        "select count(*) as count, count(x) as n, 'y' as m from a group by 1",
        "with q as (select x as y from a), r as (select y, z from q where y = 1) select y from r where z = 1",
        "select x::int, cast(y as int) as int from a where z = 1",
        "select case when x = 1 then 2 else 3 end, case when y = 1 then 2 end from a",
    ],
)
def test_what_has_none_is_not(query: str) -> None:
    assert not needs_tree(look(read(query)[0]))
