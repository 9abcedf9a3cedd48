"""SUPER: navigation, unnesting and casts."""

from typing import Any

import pytest

from stand_in import StandIn


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("select a.j.k from a", [('"v"',)]),
        ("select a.j.k::varchar(10) from a", [("v",)]),
        ("select cast(d.j.n as int) + 1 as n from t.a as d where d.j.n::int = 7", [(8,)]),
        ("select a.j.l[1].m::int from a", [(2,)]),
        ("select a.j['k']::varchar, j['l'][0]['m']::bigint from a", [("v", 1)]),
        ("select a.j.o::varchar, a.j.nada::int from a", [(None, None)]),
        ("select a.j.b::boolean, a.j.f::numeric(9, 2), a.j.f::double precision from a", [(True, 2.5, 2.5)]),
        ("select e.m::int as m from a, a.j.l e order by m", [(1,), (2,)]),
        ("select a.i, x.m::int as m from t.a as a, a.j.l as x where x.m::int > 1", [(1, 2)]),
        ("select y::int as y from a, a.j.n2 x, x.o y order by 1", [(3,), (4,)]),
        ("select e from a, a.s e", [("5",), ('"six"',)]),
        ("select t.a.i, a.i from t.a order by a.i, a.j", [(1, 1)]),
        ("select a.i, b.i from a, t.a b", [(1, 1)]),
    ],
)
def test_paths_lead_to_values(stand_in: StandIn, query: str, rows: list[tuple[Any, ...]]) -> None:
    stand_in.execute("create table a (i int, j super, s super)")
    stand_in.execute(
        """insert into a select 1, json_parse('{"k": "v", "n": 7, "b": true, "f": 2.50, "o": {"p": 1},'
        ' "l": [{"m": 1}, {"m": 2}], "n2": [{"o": [3, 4]}]}'), json_parse('[5, "six"]')""".replace("'\n        '", "")
    )
    assert stand_in.execute(query) == rows


def test_a_path_is_named_after_its_last_step(stand_in: StandIn) -> None:
    stand_in.execute('create table a as select json_parse(\'{"k": {"m": 1}}\') as j')
    stand_in.execute("create table b as select a.j.k.m, a.j.k from a")
    assert stand_in.execute("select m, k from b") == [("1", '{"m": 1}')]
