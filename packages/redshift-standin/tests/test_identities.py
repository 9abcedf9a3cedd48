"""Statements about users, groups, roles, schemas, databases and privileges."""

from collections.abc import Iterator

import psycopg2
import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.rewrite import rewrite
from stand_in import StandIn


@pytest.mark.parametrize(
    ("statement", "rewritten"),
    [
        (
            "create user u with password 'Abcd1234' nocreatedb nocreateuser syslog access restricted"
            " session timeout 60 connection limit unlimited in group g",
            "create user u with password 'Abcd1234' nocreatedb connection limit -1 in group g",
        ),
        ("alter user u session timeout 60", "call rs.nothing()"),
        ("alter user u reset session timeout", "call rs.nothing()"),
        ("alter user u connection limit 5", "alter user u connection limit 5"),
        ("create role r externalid 'a b'", "create role r noinherit"),
        ("alter role r with rename to s", "alter role r rename to s"),
        ("drop role r restrict", "drop role r"),
        ("create schema s authorization u quota 50 GB", "create schema s authorization u"),
        ("alter schema s quota unlimited", "call rs.nothing()"),
        ("create database d isolation level snapshot collate case_sensitive", "create database d"),
        ("drop database d force", "drop database d with (force)"),
        ("grant usage on language sql to u", "call rs.nothing()"),
        ("grant select, drop_it on t to u", "grant select, drop_it on t to u"),
    ],
)
def test_attributes_without_effect(statement: str, rewritten: str) -> None:
    assert " ".join(rewrite(statement).split()) == rewritten


@pytest.mark.parametrize(
    "statement",
    [
        "create user u password 'Abcd1234' createuser",
        "create user u password 'md5153c434b4b77c89e6b94f12c5393af5b'",
        "alter user u password 'sha256|72c6d6cd59b1|c721bff5d9042cf541ff7b9d48fa8a6e'",
        "alter role r owner to u",
        "drop role r force",
        "create database d collate case_insensitive",
        "create table t (a varchar collate case_insensitive)",
        "alter table t row level security on",
        "grant assumerole on 'arn:aws:iam::1:role/x' to u for copy",
        "grant drop on t to u",
        "grant select, alter on table t to role r",
        "grant create user to role r",
        "revoke access catalog from role r",
        "grant usage on database d to u",
        "grant select for tables in schema s to u",
    ],
)
def test_what_postgres_cannot_do_is_refused(statement: str) -> None:
    with pytest.raises(RedshiftError, match=r"^stand-in: "):
        rewrite(statement)


@pytest.fixture
def people(stand_in: StandIn) -> Iterator[StandIn]:
    for statement in ("create user id_u password disable", "create group id_g", "create role id_r"):
        stand_in.execute(statement)
    yield stand_in
    stand_in.execute("drop schema t cascade")
    for statement in ("drop user id_u", "drop group id_g", "drop role id_r"):
        stand_in.execute(statement)


def test_grants(people: StandIn) -> None:
    people.execute("create table sold (id int, price int)")
    for statement in (
        "alter group id_g add user id_u",
        "grant select, insert, update, delete, references on sold to id_u",
        "grant select on sold to group id_g",
        "grant all on schema t to group id_g",
        "grant usage on schema t to role id_r",
        "grant select on all tables in schema t to public",
        "grant select (id), update (price) on sold to id_u",
        "grant role id_r to id_u with admin option",
        "alter default privileges in schema t grant select on tables to group id_g",
        "revoke admin option for id_r from id_u",
        "revoke select on sold from id_u",
        "alter group id_g drop user id_u",
        "alter default privileges in schema t revoke select on tables from group id_g",
    ):
        people.execute(statement)
    assert people.execute(
        "select distinct identity_name, identity_type from svv_relation_privileges"
        " where relation_name = 'sold' and privilege_type = 'SELECT' order by 1"
    ) == [("id_g", "group"), ("public", "public")]


def test_a_relation_of_another_database(stand_in: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match="stand-in: a relation of another database"):
        stand_in.execute("select * from elsewhere.public.sold")


def test_a_system_view_that_is_not_here(stand_in: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match="stand-in: the system view stl_wlm_query"):
        stand_in.execute("select * from stl_wlm_query")
    with pytest.raises(psycopg2.Error, match='relation "stl" does not exist'):
        stand_in.execute("select * from stl")
