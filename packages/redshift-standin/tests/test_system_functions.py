"""System administration and information functions, and the wording of errors."""

import psycopg2
import pytest

from redshift_standin.pytest_plugin import Redshift


def test_columns_of_a_relation(redshift: Redshift) -> None:
    redshift.execute("create table sold (id int, price numeric(8, 2), note text)")
    redshift.execute("create view shown as select id, upper(note) as note from sold")
    assert redshift.execute("select pg_get_cols('t.sold')") == [
        ("(t,sold,id,integer,1)",),
        ('(t,sold,price,"numeric(8,2)",2)',),
        ('(t,sold,note,"character varying(256)",3)',),
    ]
    assert redshift.execute(
        "select col_name, col_type from pg_get_cols('shown')"
        " cols(view_schema name, view_name name, col_name name, col_type varchar, col_num int)"
    ) == [("id", "integer"), ("note", "character varying")]
    assert redshift.execute(
        "select data_type from information_schema.columns where table_name = 'shown' order by 1"
    ) == [
        ("character varying",), ("integer",)
    ]  # fmt: skip


def test_the_last_query(redshift: Redshift) -> None:
    assert redshift.execute("select pg_last_query_id()") == [(-1,)]
    redshift.execute("select 'the last one'")
    assert redshift.execute("select query_text from sys_query_history where query_id = pg_last_query_id()") == [
        ("select 'the last one'",)
    ]


def test_membership(redshift: Redshift) -> None:
    for statement in ("drop user if exists um_user", "drop role if exists um_role", "drop group if exists um_group"):
        redshift.execute(statement)
    redshift.execute("create user um_user password disable")
    redshift.execute("create role um_role")
    redshift.execute("create group um_group with user um_user")
    assert redshift.execute(
        "select user_is_member_of('um_user', 'um_role'), user_is_member_of('um_user', 'um_group')"
    ) == [(False, True)]  # fmt: skip
    redshift.execute("grant role um_role to um_user")
    assert redshift.execute("select user_is_member_of('um_user', 'um_role')") == [(True,)]
    for statement in ("drop user um_user", "drop role um_role", "drop group um_group"):
        redshift.execute(statement)


def test_the_session(redshift: Redshift) -> None:
    [(user, process)] = redshift.execute("select current_user_id, pg_backend_pid()")
    assert redshift.execute(f"select usename from pg_user where usesysid = {user}") == [(redshift.server.user,)]
    with pytest.raises(psycopg2.errors.QueryCanceled):
        redshift.execute(f"cancel {process}")
    with pytest.raises(psycopg2.Error, match="Session 1 does not exist"):
        redshift.execute("cancel 1")


def test_a_column_that_may_not_be_null(redshift: Redshift) -> None:
    redshift.execute("create table sold (id int not null, price int)")
    with pytest.raises(
        psycopg2.errors.NotNullViolation, match=r"^Cannot insert a NULL value into column id$"
    ) as caught:
        redshift.execute("insert into sold (price) values (1)")
    assert caught.value.diag.message_detail is None
