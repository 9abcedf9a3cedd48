"""`* EXCLUDE (…)` and GROUP BY ALL."""

from typing import Any

import psycopg2
import pytest

from stand_in import StandIn


@pytest.fixture
def tables(stand_in: StandIn) -> StandIn:
    """The stand-in with the tables `a` and `b`."""
    stand_in.execute('create table a as select 1 as k, 2 as v, 3 as "order"')
    stand_in.execute("create table b as select 1 as k, 4 as w")
    return stand_in


@pytest.mark.parametrize(
    ("query", "names", "rows"),
    [
        ("select * exclude (v) from a", ["k", "order"], [(1, 3)]),
        ("select * exclude v from t.a", ["k", "order"], [(1, 3)]),
        ('select a.* exclude (v, "order"), b.w from a join b on a.k = b.k', ["k", "w"], [(1, 4)]),
        ("select * exclude (k) from a join b on a.k = b.k", ["v", "order", "w"], [(2, 3, 4)]),
        ("with q as (select k, v as z from a) select * exclude (k) from q", ["z"], [(2,)]),
        ("select z + 1 as y from (select * exclude (k), v as z from a) as q", ["y"], [(3,)]),
        ("select k, sum(v) as s, count(*) as n from a group by all", ["k", "s", "n"], [(1, 2, 1)]),
        ("select k + 1 as j, avg(v), listagg(v) from a group by all", ["j", "avg", "listagg"], [(2, 2, "2")]),
        ("select sum(v) from a group by all", ["sum"], [(2,)]),
        ("select k, sum(sum(v)) over (order by k) as s from a group by all", ["k", "s"], [(1, 2)]),
    ],
)
def test_they_are_expanded_to_columns(
    tables: StandIn, query: str, names: list[str], rows: list[tuple[Any, ...]]
) -> None:
    with tables.connection.cursor() as cursor:
        cursor.execute(query)
        assert ([column.name for column in cursor.description or ()], cursor.fetchall()) == (names, rows)
    tables.execute(f"create table c as {query}")
    assert tables.execute("select * from c") == rows


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select * exclude (nada) from a", 'column "nada" does not exist'),
        ("select * exclude (v) from nowhere", "does not exist"),
        ("select * exclude (v) from a join b using (k)", "stand-in: EXCLUDE over a join with USING"),
        ("select * from a group by all", "stand-in: GROUP BY ALL of"),
    ],
)
def test_a_form_that_cannot_be_expanded_is_refused(tables: StandIn, query: str, message: str) -> None:
    with pytest.raises(psycopg2.Error, match=message):
        tables.execute(query)
