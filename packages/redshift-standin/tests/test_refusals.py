"""What Redshift lacks is refused; similar statements that it has are not."""

from typing import Any

import psycopg2
import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.absent import FUNCTIONS
from redshift_standin.sql.refusals import refuse
from redshift_standin.sql.statement import read
from stand_in import StandIn


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("create index i on a (x)", "CREATE INDEX"),
        ("create unique index i on a (x)", "CREATE INDEX"),
        ("insert into a values (1) on conflict do nothing", 'syntax error at or near "ON"'),
        ("insert into a values (1) returning x", 'syntax error at or near "RETURNING"'),
        ("create trigger g before insert on a for each row execute function f()", "CREATE TRIGGER"),
        ("do $$ begin null; end $$", 'syntax error at or near "DO"'),
        ("select array[1, 2]", "no arrays"),
        ("create table b (x int[])", 'Column "b.x" has unsupported type "int[]"'),
        ("create table b (id int, x jsonb)", 'unsupported type "jsonb"'),
        ("create table b (x uuid)", 'unsupported type "uuid"'),
        ("select cast('{}' as jsonb)", 'unsupported type "jsonb"'),
        ("select 1::uuid", 'unsupported type "uuid"'),
        ("select distinct on (x) x from a", "SELECT DISTINCT ON is not supported"),
        ("select a.x from a join generate_series(1, 3) s on true", "not supported on Redshift tables"),
        ('create table b ("x" uuid)', 'unsupported type "uuid"'),
        ('create table b (/* id */ x int, "y" numeric, "z" inet)', 'unsupported type "inet"'),
        ("alter table a add column z bytea", 'unsupported type "bytea"'),
        ("alter table a alter column x type money", 'unsupported type "money"'),
        ("select cast(coalesce(x, cast('1' as int)) as xml) from a", 'unsupported type "xml"'),
        ("select uuid 'x'", 'unsupported type "uuid"'),
        ("select s, x from generate_series(1, 3) s, a", "not supported on Redshift tables"),
        ("select a.x, generate_series(1, 3) from a", "not supported on Redshift tables"),
        ("insert into a (x) select * from generate_series(1, 3)", "not supported on Redshift tables"),
        ("create table b as select * from generate_series(1, 3)", "not supported on Redshift tables"),
        ("with s as (select generate_series(1, 3)) select * from s, t.a", "not supported on Redshift tables"),
        ("select array(select x from a)", "no arrays"),
        ("select array_agg(x), 'pg_class' as pg_x from a", "no arrays"),
        ("select string_agg(relname, ',') from a, pg_class join a as b on true", "use listagg"),
        ("with i as (insert into a values (2) returning x) select * from i", 'syntax error at or near "RETURNING"'),
        ("with i as (delete from a) select 1", "it cannot write"),
        ("create table b (x int) partition by range (x)", "partitions are not supported"),
        ("create table b (x int check (x > 1))", "CHECK"),
        ("create table b (x int, y int generated always as (x * 2) stored)", "generated columns"),
        ("create unlogged table b (x int)", 'syntax error at or near "UNLOGGED"'),
        ("create policy p on a", 'syntax error at or near "POLICY"'),
        ("listen x", 'syntax error at or near "LISTEN"'),
        ("alter system set work_mem = '1MB'", 'syntax error at or near "SYSTEM"'),
        ("reindex table a", 'syntax error at or near "REINDEX"'),
        ("savepoint x", 'syntax error at or near "SAVEPOINT"'),
        ("select pg_read_file('/etc/passwd')", "pg_read_file(): not supported"),
        ("alter table a add z int, add w int", "one action at a time"),
        ("alter table a alter column x set not null", "ALTER COLUMN"),
        ("select 1 from a for update", "locking rows"),
        ("select hll(1)", "stand-in: function hll"),
        ("merge into a using b on a.x = b.x when matched and b.y then delete", 'syntax error at or near "AND"'),
        ("select count(*) filter (where x > 1) from a", "FILTER is not supported"),
        ("unload ('select 1') to 's3://b/k'", "COPY/UNLOAD requires CREDENTIALS or IAM_ROLE"),
        ("select 1 from a connect by prior x = x", "stand-in: CONNECT BY"),
    ],
)
def test_what_redshift_refuses_is_refused(stand_in: StandIn, statement: str, message: str) -> None:
    stand_in.execute("create table a (x int, y boolean)")
    with pytest.raises(psycopg2.Error) as refused:
        stand_in.execute(statement)
    assert message in str(refused.value)
    assert stand_in.execute("select 1") == [(1,)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_redshift_lacks_is_refused(name: str) -> None:
    with pytest.raises(RedshiftError, match=name):
        refuse(read(f"select {name} (x) from a")[0])
    refuse(read(f"select {name}, '{name}(x)' from a")[0])


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("select 1 as json, x as money, x as uuid from a", (1, 1, 1)),
        ("select x as decimal from a order by decimal -- or by nothing", (1,)),
        ("select x as numeric from a order by numeric", (1,)),
        ("select j['k'] as k from (select json_parse('{\"k\": \"v\"}') as j) as q", ('"v"',)),
        ("select * from generate_series(1, 1)", (1,)),
        ("with s as (select generate_series(7, 7) as n) select n from s", (7,)),
        ("select array_to_string(relacl, ',') from pg_class where relname = 'a'", (None,)),
        ("select x as format, x as isoyear from a", (1, 1)),
    ],
)
def test_similar_statements_are_accepted(stand_in: StandIn, query: str, answer: tuple[Any, ...]) -> None:
    stand_in.execute("create table a as select 1 as x")
    assert stand_in.execute(query) == [answer]


@pytest.mark.parametrize(
    "expression",
    [
        "2.5::numeric",
        "2.5::decimal * 1",
        "cast(cast(2.5 as decimal(9, 1)) as numeric)",
        "numeric '2.5'",
        "2.5::NUMERIC",
    ],
)
def test_numeric_without_a_precision_has_no_fraction(stand_in: StandIn, expression: str) -> None:
    assert stand_in.execute(f"select {expression} as n, 1") == [(3, 1)]


def test_columns_without_a_precision_have_no_fraction(stand_in: StandIn) -> None:
    stand_in.execute('create table a (a numeric default 0, "b" decimal not null, c dec, d numeric(9, 2))')
    stand_in.execute("alter table a add column e numeric")
    types = "select numeric_precision, numeric_scale from information_schema.columns where table_name = 'a'"
    assert stand_in.execute(f"{types} order by ordinal_position") == [(18, 0)] * 3 + [(9, 2), (18, 0)]


def test_an_identity_by_default_counts(stand_in: StandIn) -> None:
    stand_in.execute("create table a (id int generated by default as identity(1, 2), x int)")
    stand_in.execute("insert into a (x) values (5), (6)")
    assert stand_in.execute("select id from a order by x") == [(1,), (3,)]
