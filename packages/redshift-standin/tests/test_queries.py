"""PIVOT, UNPIVOT, (+), QUALIFY, UPDATE with its own table, and the forms of queries that Redshift refuses."""

from typing import Any

import psycopg2
import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.query_rules import refuse_forms
from redshift_standin.sql.statement import read
from redshift_standin.sql.update import join_target
from stand_in import StandIn

A = "create table a (k int, v int); insert into a values (1, 10), (1, 20), (2, 5)"


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("select * from a pivot (sum(v) for k in (1, 2 as two, 3))", [(30, 5, None)]),
        ("select p.two from a pivot (count(distinct v) n for k in (1, 2 as two)) as p", None),
        ("with q as (select * from a) select two_n from q pivot (max(v) as n for k in (2 two)) as p", [(5,)]),
        ("select n, sum(x) from a unpivot (x for n in (k, v)) group by 1 order by 1", [("k", 4), ("v", 35)]),
        ('select "o que" from (select v as "um só" from a) unpivot (x for "o que" in ("um só"))', [("um só",)] * 3),
        ("select b.k, v from a, (select 3 as k) b where a.k(+) = b.k and v(+) > 15", [(3, None)]),
        ("select * from a, (select 3 as k) b where a.k(+) = b.k", [(None, None, 3)]),
        ("select b.*, v from a, (select 3 as k) b where (a . k (+)) + 1 = b.k and a.v(+) = 5", [(3, 5)]),
        ("select k from a x qualify row_number() over (partition by k order by v) = 1 order by v", [(2,), (1,)]),
        ("select x.k from a x qualify min(v) over (partition by k) = v order by x.v + 1", [(2,), (1,)]),
        ("select * exclude (v) from a x qualify row_number() over (order by v) = 1 order by v", [(2,)]),
        ("select * from a x join (select 2 as k, 'z' as z) y using (k) qualify count(*) over () = 1", [(2, 5, "z")]),
        ("select k, count(*) from a x group by all qualify row_number() over (order by k) = 2", [(2, 1)]),
        ("select top 1 * exclude (v) from a order by v", [(2,)]),
    ],
)  # fmt: skip
def test_results_are_redshifts(stand_in: StandIn, query: str, answer: list[tuple[Any, ...]] | None) -> None:
    stand_in.execute(A)
    if answer is None:
        with pytest.raises(psycopg2.Error, match="does not exist"):
            stand_in.execute(query)
        return
    assert stand_in.execute(query) == answer


def test_pivots_columns_are_named_after_its_values(stand_in: StandIn) -> None:
    stand_in.execute("create table a as select 'x y'::varchar as t, 1 as v, true as b")
    stand_in.execute("create table p as select * from a pivot (count(*) as n for t in ('x y', null, 'z' as \"Zê\"))")
    names = "select column_name from information_schema.columns where table_name = 'p' order by ordinal_position"
    assert [name for (name,) in stand_in.execute(names)] == ["v", "b", "x y_n", "null_n", "zê_n"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select * from a join a b on a.k = b.k pivot (sum(b.v) for k in (1))", "of a JOIN"),
        ("select * from a pivot (stddev(v) for k in (1))", "STDDEV"),
        ("select * from a pivot (sum(v), max(v) for k in (1))", "stand-in: PIVOT with more than one"),
        ("select * from a, a b left join a c on true where a.k(+) = b.k", "FROM clause join syntax"),
        ("select * from a, a b where a.k(+) in (b.k, 1)", "operand of OR or IN"),
        ("select 1 from a where exists (select 1 from a b where exists (select 1 where a.k = 1))", "correlated"),
        ("select 1 from a where v in (select sum(k) over () from a b where a.k = b.k)", "correlated"),
        ("select 1 from a left join a b on b.k = (select max(c.k) from a c where c.k = b.k)", "correlated"),
        ("select a.k(+) from a", r"stand-in: \(\+\) outside of WHERE"),
        ("select k from a x qualify count(*) over () > 0 and collate('a', 'b') = 'a'", "stand-in: COLLATE"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused(stand_in: StandIn, query: str, message: str) -> None:
    stand_in.execute(A)
    with pytest.raises(psycopg2.Error, match=message):
        stand_in.execute(query)


def check(query: str) -> None:
    (statement,) = read(query)
    refuse_forms(statement.words, statement.vocabulary)


@pytest.mark.parametrize(
    "query",
    [
        "(select 1 limit 1) union all select 2",
        "select 1 except all select 2",
        "select 1 where 1 < any (select 2)",
        "select 1 where 1 = all (select 2)",
        "select top 3 a from t limit 2",
        "insert into t values (1), ((select 2))",
        "with recursive q as (select 1 as n union all select n + 1 from q) select * from q",
        "with recursive q(n) as (select 1 union select n + 1 from q) select * from q",
        "select * from (with recursive q(n) as (select 1 union all select n + 1 from q) select * from q)",
        "update t set a = 1 from s left join t x on true",
        "with s as (select 1) merge into t using s on true when matched then delete",
    ],
)
def test_a_form_is_refused(query: str) -> None:
    with pytest.raises(RedshiftError):
        check(query)


@pytest.mark.parametrize(
    "query",
    [
        "select * from (select 1 limit 1) q union all select 2 limit 3",
        "select 1 where 1 = any (select 1) and 1 <> all (select 2) and 1 != all (select 3)",
        "select top 3 a from (select 1 as a limit 2) q",
        "insert into t values ((select 2))",
        "insert into t select 1 union all (select 2)",
        "with recursive a as (select 1 as x), q(n) as (select x from a union all select n + 1 from q) select 2",
        "update t set a = 1 from (select 1 from s left join t x on true) s",
    ],
)
def test_a_form_is_accepted(query: str) -> None:
    check(query)


@pytest.mark.parametrize(
    ("update", "joined"),
    [
        ("update c set v = 1 from s join c x on s.k = x.k where x.v = 2", True),
        ('update "C" set v = 1 from s, c as "x y"', True),
        ("update c set v = m.v from c m where c.k = m.v", False),
        ("update c set v = 1 from s where s.k = k", False),
        ("update c set v = (select max(v) from c x) where k = 1", False),
    ],
)
def test_the_target_under_an_alias_is_its_own_row(update: str, *, joined: bool) -> None:
    assert ("ctid" in join_target(read(update)[0]).sql) == joined
