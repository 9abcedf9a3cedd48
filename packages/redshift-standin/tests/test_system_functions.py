"""System administration and information functions, and the wording of errors."""

import psycopg2
import pytest

from stand_in import StandIn


def test_columns_of_a_relation(stand_in: StandIn) -> None:
    stand_in.execute("create table sold (id int, price numeric(8, 2), note text)")
    stand_in.execute("create view shown as select id, upper(note) as note from sold")
    assert stand_in.execute("select pg_get_cols('t.sold')") == [
        ("(t,sold,id,integer,1)",),
        ('(t,sold,price,"numeric(8,2)",2)',),
        ('(t,sold,note,"character varying(256)",3)',),
    ]
    assert stand_in.execute(
        "select col_name, col_type from pg_get_cols('shown')"
        " cols(view_schema name, view_name name, col_name name, col_type varchar, col_num int)"
    ) == [("id", "integer"), ("note", "character varying")]
    assert stand_in.execute(
        "select data_type from information_schema.columns where table_name = 'shown' order by 1"
    ) == [
        ("character varying",), ("integer",)
    ]  # fmt: skip


def test_the_last_query(stand_in: StandIn) -> None:
    assert stand_in.execute("select pg_last_query_id()") == [(-1,)]
    stand_in.execute("select 'the last one'")
    assert stand_in.execute("select query_text from sys_query_history where query_id = pg_last_query_id()") == [
        ("select 'the last one'",)
    ]


def test_membership(stand_in: StandIn) -> None:
    for statement in ("drop user if exists um_user", "drop role if exists um_role", "drop group if exists um_group"):
        stand_in.execute(statement)
    stand_in.execute("create user um_user password disable")
    stand_in.execute("create role um_role")
    stand_in.execute("create group um_group with user um_user")
    assert stand_in.execute(
        "select user_is_member_of('um_user', 'um_role'), user_is_member_of('um_user', 'um_group')"
    ) == [(False, True)]  # fmt: skip
    stand_in.execute("grant role um_role to um_user")
    assert stand_in.execute("select user_is_member_of('um_user', 'um_role')") == [(True,)]
    for statement in ("drop user um_user", "drop role um_role", "drop group um_group"):
        stand_in.execute(statement)


def test_the_session(stand_in: StandIn) -> None:
    [(user, process)] = stand_in.execute("select current_user_id, pg_backend_pid()")
    assert stand_in.execute(f"select usename from pg_user where usesysid = {user}") == [(stand_in.server.user,)]
    with pytest.raises(psycopg2.errors.QueryCanceled):
        stand_in.execute(f"cancel {process}")
    with pytest.raises(psycopg2.Error, match="Session 1 does not exist"):
        stand_in.execute("cancel 1")


def test_a_column_that_may_not_be_null(stand_in: StandIn) -> None:
    stand_in.execute("create table sold (id int not null, price int)")
    with pytest.raises(
        psycopg2.errors.NotNullViolation, match=r"^Cannot insert a NULL value into column id$"
    ) as caught:
        stand_in.execute("insert into sold (price) values (1)")
    assert caught.value.diag.message_detail is None
