"""varchar(n) has n bytes, whatever the source of its text."""

import psycopg2
import pytest

from stand_in import StandIn


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("'ééé'::varchar(5)", "éé"),
        ("cast('ééé' as varchar(6))", "ééé"),
        ("'a€'::varchar(3)", "a"),
        ("'😀😀'::varchar(7)", "😀"),
        ("'é'::varchar(1)", ""),
        ("cast(123456 as varchar(3))", "123"),
        ("'ééé'::varchar(20)::varchar(4)", "éé"),
        ("null::varchar(1)", None),
    ],
)
def test_a_cast_truncates(stand_in: StandIn, value: str, answer: str | None) -> None:
    assert stand_in.execute(f"select {value}") == [(answer,)]
    stand_in.execute(f"create table a as select {value} as x")
    assert stand_in.execute("select x from a") == [(answer,)]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into a values ('ééé')",
        "insert into a select 'ééé'::varchar(20)",
        "insert into a select x from b",
        "update a set x = x || 'é'",
        "merge into a using b on a.x = b.x when matched then delete when not matched then insert values (b.x)",
    ],
)
def test_a_column_refuses(stand_in: StandIn, statement: str) -> None:
    stand_in.execute("create table a (x varchar(5))")
    stand_in.execute("create table b as select 'ééé'::varchar(20) as x")
    stand_in.execute("insert into a values ('éé')")
    with pytest.raises(psycopg2.errors.StringDataRightTruncation, match="Value too long for character type"):
        stand_in.execute(statement)
    assert stand_in.execute("select x from a") == [("éé",)]


def test_blanks_at_the_end_do_not_count(stand_in: StandIn) -> None:
    stand_in.execute("create table a (x varchar(3))")
    stand_in.execute("insert into a values ('é    ')")
    assert stand_in.execute("select x from a") == [("é ",)]


def test_a_text_column_without_a_length_has_256_bytes(stand_in: StandIn) -> None:
    stand_in.execute(
        "create table a (text text, v varchar not null, c character varying default 'x', m varchar(max))"
    )
    stand_in.execute("alter table a add column nova text encode zstd")
    lengths = "select character_maximum_length from information_schema.columns where table_name = 'a'"
    assert stand_in.execute(f"{lengths} order by ordinal_position") == [(256,), (256,), (256,), (65535,), (256,)]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into a select x from b",
        "update a set x = x || 'c'",
        "alter table b alter column x type varchar(20)",
        "merge into a using b on a.x = b.x when matched then delete when not matched then insert values (b.x)",
    ],
)
def test_a_column_accepts_values_that_fit_from_other_lengths(stand_in: StandIn, statement: str) -> None:
    stand_in.execute("create table a (x varchar(5))")
    stand_in.execute("create table b as select 'éé'::varchar(9) as x")
    stand_in.execute("insert into a values ('éé')")
    stand_in.execute(statement)
    assert {text[:2] for (text,) in stand_in.execute("select x from a union all select x from b")} == {"éé"}


def test_an_expression_becomes_a_varchar_in_a_table(stand_in: StandIn) -> None:
    stand_in.execute("create table a as select md5('a') as x, 'b' || 'c' as y, 1 as z")
    types = "select data_type from information_schema.columns where table_name = 'a' order by ordinal_position"
    assert stand_in.execute(types) == [("character varying",), ("character varying",), ("integer",)]


def test_a_column_of_a_cast_has_its_length(stand_in: StandIn) -> None:
    stand_in.execute("create table a (x varchar(80))")
    stand_in.execute(
        "create table b as with texts as (select x from a) select cast(x as varchar(20)) as x from texts"
    )
    lengths = "select character_maximum_length from information_schema.columns where table_name = 'b'"
    assert stand_in.execute(lengths) == [(20,)]
