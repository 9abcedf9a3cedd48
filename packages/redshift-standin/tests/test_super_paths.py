"""Paths and unnesting, as text."""

import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.outline import PATHS, look
from redshift_standin.sql.statement import Statement, read
from redshift_standin.sql.super_paths import rewrite_paths


def looked_at(query: str) -> Statement:
    (statement,) = read(query)
    return look(statement)


@pytest.mark.parametrize(
    ("query", "rewritten"),
    [
        ("select a.j.k from a", "select rs.get(a.j, 'k') as k from a"),
        ("select j[0].k::varchar(9) from a", "select rs.get(rs.get(j, 0), 'k')::varchar(9) as k from a"),
        ("select j.k + 1 as n from a", "select rs.get(j, 'k') + 1 as n from a"),
        ("select s.a.j.k from s.a", "select rs.get(s.a.j, 'k') as k from s.a"),
        ('select j."A b" from a', "select rs.get(j, 'A b') as \"A b\" from a"),
        ("select x.k from a, a.j as x", "select rs.get(x.x, 'k') as k from a, lateral rs.unnested(a.j) as x (x)"),
        ("select x, i from a t, t.j x at i", "select x, i from a t, lateral rs.elements(t.j) as x (x, i)"),
        (
            "select 1 from a left join a.j.l x on true",
            "select 1 from a left join lateral rs.unnested(rs.get(a.j, 'l')) as x (x) on true",
        ),
        ("select v, n from a, unpivot a.j as v at n", "select v, n from a, lateral rs.attributes(a.j) as v (v, n)"),
        (
            "select (select max(x.p) from c.j x) from a c",
            "select (select max(rs.get(x.x, 'p')) from lateral rs.unnested(c.j) as x (x)) from a c",
        ),
        ("select u.k from a, unnest(a.j.l) u", "select rs.get(u.u, 'k') as k from a, unnest(rs.get(a.j, 'l')) u"),
        ("select u.p.k from a, unnest(a.j) as u(p)", "select rs.get(u.p, 'k') as k from a, unnest(a.j) as u(p)"),
        ("delete from a where a.j.k = 1", "delete from a where rs.get(a.j, 'k') = 1"),
        ("update a set b = j.k where a.i = 1", "update a set b = rs.get(j, 'k') where a.i = 1"),
    ],
)
def test_paths_become_calls(query: str, rewritten: str) -> None:
    assert rewrite_paths(looked_at(query)).sql == rewritten


@pytest.mark.parametrize(
    "query",
    [
        "select a.i, b.i from s.a join s.b on a.i = b.i where a.x > 1.5",
        "select s.a.i, pg_catalog.lower(a.t)::pg_catalog.text, '[0].a.b' /* c.d.e */ from s.a",
        "with q as (select a.i from a) select q.i, r.* from q, (select b.i from b) r",
        "select extract(year from a.d), trim(both from a.t) from a cross join s.a b where a.i in (select c.i from c)",
        "insert into s.a (i) select b.i from raw.b union select c.i from raw.c where c.i = (select max(d.i) from d)",
        "create table s.a as select x.i from (s.b x join s.c y on x.i = y.i) left join raw.raw on raw.i = x.i",
        "update s.a set i = b.i from s.b where a.i = b.j",
        "delete from s.a using s.b where a.i = b.i",
        "merge into t using s on t.i = s.i when matched then update set v = s.v",
        "select f.a from my_function(1, (2)) as f(a), generate_series(1, 2) g where g.g = f.a",
    ],
)
def test_what_has_no_path_is_unchanged(query: str) -> None:
    statement = looked_at(query)
    assert rewrite_paths(statement.needing(PATHS)).sql == statement.sql


def test_a_place_in_an_array_is_a_number() -> None:
    with pytest.raises(RedshiftError, match="stand-in: a place in an array"):
        rewrite_paths(looked_at("select j[i] from a"))
