"""Statements about maintenance, sessions and storage."""

from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
import redshift_connector

from stand_in import StandIn


@pytest.fixture
def table(stand_in: StandIn) -> StandIn:
    """The stand-in with a table `a` and a materialised view `m` of it."""
    stand_in.execute("create table a as select 1 as x, 2 as y")
    stand_in.execute("create materialized view m as select x from a")
    return stand_in


@pytest.mark.parametrize(
    ("statement", "tag"),
    [
        ("analyze a", "ANALYZE"),
        ("analyze a predicate columns", "ANALYZE"),
        ("vacuum full a to 99 percent boost", "VACUUM"),
        ("vacuum sort only t.a", "VACUUM"),
        ("/* why */ refresh materialized view m", "REFRESH MATERIALIZED VIEW"),
        ("use dev", "USE"),
        ("set enable_result_cache_for_session to off", "SET"),
        ("set enable_case_sensitive_identifier to false", "SET"),
        ("set statement_timeout to 60000", "SET"),
        ("alter table a add primary key (x)", "ALTER TABLE"),
        ('alter table "a" alter column "x" encode zstd', "ALTER TABLE"),
        ("alter table a alter sortkey auto", "ALTER TABLE"),
    ],
)
def test_they_return_their_command_tags_and_no_rows(table: StandIn, statement: str, tag: str) -> None:
    with table.connection.cursor() as cursor:
        cursor.execute(statement)
        assert (cursor.statusmessage, cursor.description) == (tag, None)
        cursor.execute("reset statement_timeout")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("analyze nowhere", "does not exist"),
        ("vacuum nowhere", "does not exist"),
        ("refresh materialized view nowhere", "does not exist"),
        ("refresh materialized view a", "is not a materialized view"),
        ("use elsewhere", 'database "elsewhere" does not exist'),
        ("alter table nowhere add primary key (x)", "does not exist"),
        ("alter table a alter distkey z", 'column "z"'),
        ("analyze compression a", "stand-in: ANALYZE COMPRESSION"),
        ("set enable_case_sensitive_identifier to true", "stand-in: a session whose names are case-sensitive"),
        ("set enable_case_sensitive_identifier = 'on'", "stand-in: a session whose names are case-sensitive"),
        ("alter table a append from b", "the columns of the two tables do not match"),
    ],
)
def test_what_they_cannot_do_is_refused(table: StandIn, statement: str, message: str) -> None:
    table.execute("create table b (z int)")
    with pytest.raises(psycopg2.Error, match=message):
        table.execute(statement)


def test_a_tables_storage_can_be_altered(table: StandIn) -> None:
    info = "select diststyle, sortkey1, sortkey_num from svv_table_info where \"table\" = 'a'"
    for statement, answer in {
        "alter table a alter diststyle key distkey x": ("KEY(x)", "AUTO(SORTKEY)", 0),
        'alter table t.a alter compound sortkey ("y", x)': ("KEY(x)", "y", 2),
        "alter table a alter distkey y": ("KEY(y)", "y", 2),
        "alter table a alter diststyle all": ("ALL", "y", 2),
        "alter table a alter sortkey none": ("ALL", "AUTO(SORTKEY)", 0),
    }.items():
        table.execute(statement)
        assert table.execute(info) == [answer], statement


def test_append_moves_the_rows(table: StandIn) -> None:
    table.execute("create table b (y int, x int, z int)")
    table.execute("alter table b append from a filltarget")
    assert (table.execute("select x, y, z from b"), table.execute("select * from a")) == ([(1, 2, None)], [])


@pytest.mark.parametrize("before", ["begin; insert into a values (5, 5)", "begin"])
def test_truncate_commits(table: StandIn, before: str) -> None:
    with closing(table.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"set search_path to t; {before}; truncate table a; insert into a values (3, 4)")
        connection.rollback()
        cursor.execute("truncate a")
        assert (cursor.statusmessage, connection.info.transaction_status) == ("TRUNCATE TABLE", 0)
        connection.rollback()
    assert table.execute("select * from a") == []


def test_the_commit_of_truncate_sends_no_notice(table: StandIn) -> None:
    table.connection.notices.clear()
    table.execute("truncate a; truncate a; select 1")
    assert table.connection.notices == []


def test_truncate_commits_in_the_extended_protocol(
    table: StandIn, connect_like_dbt: Callable[..., redshift_connector.Connection]
) -> None:
    connection = connect_like_dbt()
    cursor = connection.cursor()
    cursor.execute("insert into t.a values (9, 9)")
    cursor.execute("create table t.b (x int)")
    cursor.execute("truncate table t.a")
    cursor.execute("insert into t.a values (7, 7)")
    connection.rollback()
    assert table.execute("select * from a") == []
    assert table.execute("select * from b") == []


def test_temporary_tables_may_begin_with_a_hash(stand_in: StandIn) -> None:
    stand_in.execute("create table #vendas (x int)")
    stand_in.execute("insert into #vendas values (5)")
    assert stand_in.execute("select v.x, 6 # 3 from #vendas v, #vendas w") == [(5, 5)]
    stand_in.execute("drop table if exists #vendas")
