"""Texts that differ in trailing blanks are equal, wherever they are compared."""

import pytest

from stand_in import StandIn


@pytest.fixture
def texts(stand_in: StandIn) -> StandIn:
    stand_in.execute("create table texts (v varchar(10), c char(10))")
    stand_in.execute("insert into texts values ('a', 'a'), ('a  ', 'a  '), ('b', 'b')")
    return stand_in


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("select count(*) from texts where v = 'a '", 2),
        ("select count(*) from texts where v <> 'a '", 1),
        ("select count(*) from texts where v in ('a    ', 'c')", 2),
        ("select count(*) from texts where v > 'a '", 1),
        ("select count(*) from texts where v = c", 3),
        ("select count(*) from texts where nullif(v, 'a') is null", 2),
        ("select count(distinct v) from texts", 2),
        ("select count(*) from (select v from texts group by v) as g", 2),
        ("select count(*) from (select distinct v from texts) as g", 2),
        ("select count(*) from (select v from texts union select 'b '::varchar) as g", 2),
        ("select count(*) from texts as l join texts as r on l.v = r.v", 5),
        ("select count(*) from texts where v not in (select v from texts where v = 'a')", 1),
        ("select max(n) from (select row_number() over (partition by v order by v) as n from texts) as g", 2),
        ("select count(*) from texts where v like 'a'", 1),
        ("select count(*) from texts where v = 'A'", 0),
        ("select count(*) from texts where decode(v, 'a', 1) = 1", 2),
    ],
)
def test_trailing_blanks_are_not_significant(query: str, count: int, texts: StandIn) -> None:
    for plan in ("on", "off"):
        texts.execute(f"set enable_hashagg to {plan}; set enable_hashjoin to {plan}; set enable_mergejoin to on")
        assert texts.execute(query) == [(count,)]


def test_other_white_space_and_leading_blanks_are(texts: StandIn) -> None:
    assert texts.execute(r"select 'a' = ' a', 'a' = 'a\t', 'a' = 'a\n'") == [(False, False, False)]


def test_lengths_count_them_in_varchar_alone(texts: StandIn) -> None:
    query = "select len(v), length(c), octet_length(v), octet_length(c), octet_length('a'::char(5)) from texts"
    assert texts.execute(f"{query} where len(v) > 1") == [(3, 1, 3, 1, 1)]
