"""What clients cannot reach: the PostgreSQL server beneath, its files, programs and settings."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors, extensions

from redshift_standin.errors import StandInError
from redshift_standin.postgres import PostgresServer
from stand_in import ROLE, StandIn

SignIn = Callable[..., extensions.connection]


@pytest.fixture
def sign_in(stand_in: StandIn) -> SignIn:
    """Opens a connection of psycopg2 as the admin, or with changed arguments."""

    def connect(**changed: Any) -> extensions.connection:
        server = stand_in.server
        arguments = {
            "host": server.host, "port": server.port, "dbname": "dev", "user": "awsuser", "password": server.password,
            "sslmode": "verify-full", "sslrootcert": str(server.ca_bundle),
        }  # fmt: skip
        return psycopg2.connect(**(arguments | changed))

    return connect


def ask_postgres(server: PostgresServer, query: str) -> list[tuple[Any, ...]]:
    """Returns the rows of a query of PostgreSQL's superuser."""
    with closing(server.connect("dev")) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_no_user_is_a_superuser_of_postgresql(stand_in: StandIn, redshift_postgres: PostgresServer) -> None:
    stand_in.server.temporary_login("IAMR:carga")
    stand_in.execute("drop user if exists comum; create user comum password 'Segredo1'")
    assert ask_postgres(redshift_postgres, "select rolname from pg_roles where rolsuper") == [("postgres",)]


@pytest.mark.parametrize(
    "statement",
    [
        "select pg_read_file('/etc/passwd')",
        """select "pg_read_file"('/etc/passwd')""",
        "select pg_catalog.pg_ls_dir('/') from pg_class",
        "select lo_import('/etc/passwd')",
        "select \"lo_create\"(7)",
        "copy a from '/etc/passwd'",
        "copy a from program 'id'",
        "copy a to '/tmp/a'",
        "copy a from stdin",
        "create extension dblink",
        "create language plpythonu",
        "create function f() returns int language c as 'libc', 'system'",
        "create function f() returns int language internal as 'int4in'",
        "alter system set log_statement = 'all'",
        "alter database dev set session_preload_libraries = 'x'",
        "set session_replication_role = replica",
        "set standard_conforming_strings = off",
        "set role postgres",
        "set session authorization postgres",
        "set session authorization 'postgres'",
        "select set_config('role', 'postgres', false)",
        "select pg_catalog.set_config('standard_conforming_strings', 'off', false)",
        "select \"set_config\"('standard_conforming_strings', 'off', false)",
        "update pg_settings set setting = 'off' where name = 'standard_conforming_strings'",
        "select set_config('enable_case_sensitive_identifier', 'true', false)",
        "create procedure p() as $$ begin null; end $$ language plpgsql",
        "delete from rs.transfers",
        "select query_to_xml('select 1', true, true, '')",
        "do $$ begin perform 1; end $$",
        "load 'auto_explain'",
        "listen canal",
        "create tablespace t location '/tmp'",
        "create role chefe superuser",
        "alter user awsuser superuser",
        "grant pg_execute_server_program to awsuser",
        "create table rs.minha (x int)",
        "create table pg_catalog.minha (x int)",
        "drop schema rs cascade",
        "drop table rs.names",
        "delete from rs.props",
        "drop function pg_catalog.len(text)",
        "alter table rs.props owner to awsuser",
        "select * from pg_authid",
        "select usename from pg_shadow",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
        "create event trigger e on ddl_command_end execute function rs.on_ddl()",
        "drop event trigger rs_ddl",
    ],
)  # fmt: skip
def test_the_server_beneath_is_out_of_reach(stand_in: StandIn, statement: str) -> None:
    stand_in.execute("create table a (x int)")
    with pytest.raises(psycopg2.Error):
        stand_in.execute(statement)
    assert stand_in.execute("select '\\\\' || 'x'") == [("\\x",)]  # the session is as it was


@pytest.mark.parametrize(
    ("user", "database"), [("postgres", "dev"), ("pg_monitor", "dev"), ("rs_keeper", "dev"), ("nobody", "dev")]
)
def test_users_of_others_cannot_sign_in(
    sign_in: SignIn, redshift_postgres: PostgresServer, user: str, database: str
) -> None:
    password = redshift_postgres.settings("dev").password
    with pytest.raises(psycopg2.OperationalError, match=f'password authentication failed for user "{user}"'):
        sign_in(user=user, dbname=database, password=password)


@pytest.mark.parametrize("database", ["postgres", "template1", "nowhere"])
def test_only_its_own_database_is_served(sign_in: SignIn, database: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match=f'database "{database}" does not exist'):
        sign_in(dbname=database)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        sign_in(dbname=database, password="wrong")  # noqa: S106


def test_start_up_options_cannot_change_the_server(sign_in: SignIn) -> None:
    options = "-c search_path=t -c standard_conforming_strings=off -c role=none -c session_replication_role=replica"
    with closing(sign_in(options=options)) as connection, connection.cursor() as cursor:
        cursor.execute("select 'a\\\\b', current_schema()")
        assert cursor.fetchall() == [("a\\b", "t")]
    with closing(sign_in(options="-c replication=true")) as connection:
        assert connection.status == extensions.STATUS_READY


def test_full_users_share_what_they_create(stand_in: StandIn, sign_in: SignIn) -> None:
    password = stand_in.server.temporary_login("IAMR:carga")
    with closing(sign_in(user="IAMR:carga", password=password)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("create schema if not exists da_carga")
        cursor.execute("drop table if exists da_carga.v; create table da_carga.v as select 1 as x")
        cursor.execute("select current_user, user, session_user, has_table_privilege('da_carga.v', 'select')")
        assert cursor.fetchall() == [("IAMR:carga", "IAMR:carga", "IAMR:carga", True)]
        cursor.execute(
            "drop user if exists outra; create user outra password 'Segredo1'; grant usage on schema t to outra"
        )
    stand_in.execute("alter table da_carga.v add column y int")
    assert stand_in.execute("select tableowner from pg_tables where tablename = 'v'") == [("IAMR:carga",)]
    assert stand_in.execute("show tables from schema da_carga")[0][6] == "IAMR:carga"
    assert stand_in.execute("select identity_name from svv_relation_privileges where relation_name = 'v'") == []
    assert stand_in.execute("select usesuper from pg_user where usename in ('awsuser', 'IAMR:carga') order by 1") == [
        (False,), (True,),
    ]  # fmt: skip
    stand_in.execute("drop schema da_carga cascade; revoke usage on schema t from outra; drop user outra")


def test_a_created_user_may_do_what_is_granted(stand_in: StandIn, sign_in: SignIn) -> None:
    stand_in.execute("drop user if exists leitor; create user leitor password 'Segredo1'")
    stand_in.execute("create table a (x int); create table b (x int); grant usage on schema t to leitor")
    stand_in.execute("grant select on a to leitor")
    stand_in.execute(
        "create view tardia as select x from t.a with no schema binding; grant select on tardia to leitor"
    )
    stand_in.execute("drop table a; create table a (x varchar(4)); grant select on a to leitor")
    with closing(sign_in(user="leitor", password="Segredo1")) as connection, connection.cursor() as cursor:  # noqa: S106
        connection.autocommit = True
        cursor.execute("select current_user, (select count(*) from t.a), (select count(*) from t.tardia)")
        assert cursor.fetchall() == [("leitor", 0, 0)]
        cursor.execute("select count(*) from sys_query_history")
        for statement in (
            "select * from t.b",
            "insert into t.a values ('x')",
            "drop table t.a",
            "alter table t.a alter diststyle all",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(statement)
    assert stand_in.execute("select viewowner from pg_views where viewname = 'tardia'") == [("awsuser",)]
    stand_in.execute("drop view tardia; drop table a; revoke usage on schema t from leitor; drop user leitor")


def test_a_created_user_has_views_of_its_own(stand_in: StandIn, sign_in: SignIn) -> None:
    stand_in.execute(
        "drop user if exists dono; create user dono password 'Segredo1'; create schema do_dono authorization dono"
    )
    with closing(sign_in(user="dono", password="Segredo1")) as connection, connection.cursor() as cursor:  # noqa: S106
        connection.autocommit = True
        cursor.execute("create table do_dono.a as select 1 as x")
        cursor.execute("create view do_dono.tardia as select * from do_dono.a with no schema binding")
        cursor.execute("drop table do_dono.a; create table do_dono.a as select 2 as x, 3 as y")
        cursor.execute("select * from do_dono.tardia")
        assert cursor.fetchall() == [(2, 3)]
        cursor.execute("create materialized view do_dono.mv as select count(*) as n from do_dono.a")
        cursor.execute("insert into do_dono.a values (4, 5)")
        for stale, rows in (("t", 1), ("f", 2)):
            cursor.execute("select n, (select is_stale from svv_mv_info where name = 'mv') from do_dono.mv")
            assert cursor.fetchall() == [(rows, stale)]
            cursor.execute("refresh materialized view do_dono.mv")
    assert stand_in.execute("select viewowner from pg_views where schemaname = 'do_dono'") == [("dono",)] * 2
    owner = "select pg_get_userbyid(nspowner), has_schema_privilege('dono', 'do_dono', 'create') from pg_namespace"
    assert stand_in.execute(f"{owner} where nspname = 'do_dono'") == [("dono", True)]
    stand_in.execute("drop schema do_dono cascade; drop user dono")


def test_everyone_may_create_in_the_schema_public(stand_in: StandIn, sign_in: SignIn) -> None:
    stand_in.execute("drop user if exists hospede; create user hospede password 'Segredo1'")
    assert stand_in.execute("select has_schema_privilege('hospede', 'public', 'create')") == [(True,)]
    with closing(sign_in(user="hospede", password="Segredo1")) as connection, connection.cursor() as cursor:  # noqa: S106
        cursor.execute("create table public.dele as select 1 as x; select x from public.dele")
        assert cursor.fetchall() == [(1,)]
    stand_in.execute("drop user hospede")


def test_a_table_is_given_to_another_user(stand_in: StandIn, sign_in: SignIn) -> None:
    stand_in.execute("drop user if exists dona; create user dona password 'Segredo1'")
    stand_in.execute("create table a as select 1 as x; create view v as select x from a")
    stand_in.execute('alter table a owner to dona; /* why */ alter table "t"."v" owner to "dona" -- hers')
    owners = "select tableowner from pg_tables where tablename = 'a' union all select viewowner from pg_views"
    assert stand_in.execute(f"{owners} where viewname = 'v'") == [("dona",), ("dona",)]
    assert stand_in.execute("select x from v") == [(1,)]
    stand_in.execute("create table b (x int); grant usage on schema t to dona")
    with closing(sign_in(user="dona", password="Segredo1")) as connection, connection.cursor() as cursor:  # noqa: S106
        connection.autocommit = True
        for statement in ("alter table t.b owner to dona", "alter table t.a owner to awsuser"):
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(statement)
    for owner in ("postgres", "rs_keeper", "nobody"):
        with pytest.raises(psycopg2.Error, match=owner):
            stand_in.execute(f"alter table b owner to {owner}")
    stand_in.execute("drop table a cascade; revoke usage on schema t from dona; drop user dona")


def test_a_created_user_loads_and_unloads(stand_in: StandIn, sign_in: SignIn) -> None:
    stand_in.execute("drop user if exists carga; create user carga password 'Segredo1'")
    stand_in.execute("create table a (x int); create table b (x int)")
    stand_in.execute("grant usage, create on schema t to carga; grant select, insert on a to carga")
    place = f"'s3://{stand_in.bucket.name}/seguro/' iam_role '{ROLE}'"
    stand_in.bucket.put_object(Key="seguro/1", Body=b"1\n2\n")
    with closing(sign_in(user="carga", password="Segredo1")) as connection, connection.cursor() as cursor:  # noqa: S106
        connection.autocommit = True
        cursor.execute(f"copy t.a from {place}")
        cursor.execute("select pg_last_copy_count(), (select count(*) from t.a)")
        assert cursor.fetchall() == [(2, 2)]
        cursor.execute(f"unload ('select * from t.a') to {place} allowoverwrite")
        cursor.execute("select max(loaded_rows) from sys_load_history where table_name = 'a'")
        assert cursor.fetchall() == [(2,)]
        for statement in (f"copy t.b from {place}", f"unload ('select * from t.b') to {place} allowoverwrite"):
            with pytest.raises(psycopg2.Error, match="permission denied for table b"):
                cursor.execute(statement)
        cursor.execute("create materialized view t.mv as select count(*) as n from t.a")
        cursor.execute("insert into t.a values (3); refresh materialized view t.mv")
        cursor.execute("select n, (select is_stale from svv_mv_info where name = 'mv') from t.mv")
        assert cursor.fetchall() == [(3, "f")]
        cursor.execute("alter materialized view t.mv auto refresh yes; drop materialized view t.mv")
    stand_in.execute("drop table a; drop table b; revoke all on schema t from carga; drop user carga")


@pytest.mark.usefixtures("stand_in")
def test_views_are_read_without_rights_of_the_server(redshift_postgres: PostgresServer) -> None:
    owners = "select proname, rolsuper from pg_proc join pg_roles r on r.oid = proowner where proname in {}"
    assert sorted(ask_postgres(redshift_postgres, owners.format("('bind', 'is_stale_now', 'note_refresh')"))) == [
        ("bind", False), ("is_stale_now", False), ("note_refresh", False),
    ]  # fmt: skip


def test_passwords_are_not_in_the_history(stand_in: StandIn) -> None:
    stand_in.execute("drop user if exists nova; create user nova with password 'Segredo1'")
    stand_in.execute("alter user nova password 'Segredo2'; drop user nova")
    assert stand_in.execute(
        "select count(*) from sys_query_history where query_text like '%nova%password ''***''%'"
    ) == [(2,)]
    assert stand_in.execute("select count(*) from sys_query_history where query_text like '%nova%Segredo%'") == [(0,)]


def test_databases_may_be_created(stand_in: StandIn, redshift_postgres: PostgresServer) -> None:
    stand_in.execute("create database outra")
    assert redshift_postgres.has_database("outra")
    stand_in.execute("drop database outra")


@pytest.mark.parametrize("user", ["postgres", "pg_monitor", "rs_keeper"])
def test_names_of_postgresql_are_no_users(stand_in: StandIn, user: str) -> None:
    with pytest.raises(StandInError, match=f"the user {user} is one of the PostgreSQL server itself"):
        stand_in.server.temporary_login(user)
