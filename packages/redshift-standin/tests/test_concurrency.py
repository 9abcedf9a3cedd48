"""Sessions that write the same tables."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2 import errors, extensions

from redshift_standin.postgres import PostgresServer
from stand_in import ROLE, StandIn

PATIENCE = 300  # seconds

Sessions = tuple[extensions.cursor, extensions.cursor]


@pytest.fixture
def sessions(stand_in: StandIn) -> Iterator[Sessions]:
    """Two sessions, and two tables."""
    stand_in.execute("create table a (x int); create table b (x int); insert into a values (1)")
    with closing(stand_in.server.connect()) as first, closing(stand_in.server.connect()) as second:
        first.autocommit = second.autocommit = True
        yield first.cursor(), second.cursor()


def wait_for_a_lock(server: PostgresServer, count: int = 1) -> None:
    """Returns when so many sessions of the stand-in wait for a lock."""
    with closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in range(1200):
            cursor.execute("select count(*) from pg_locks where not granted")
            if cursor.fetchone() == (count,):
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits")


def assert_violation(stand_in: StandIn, run: Callable[[], object], table: str) -> None:
    with pytest.raises(errors.InternalError_) as raised:
        run()
    [(table_id,)] = stand_in.execute(f"select '{table}'::regclass::oid")
    assert raised.value.diag.message_primary == "1023"
    detail = f"Serializable isolation violation on table - {table_id}, transactions forming the cycle are: "
    assert (raised.value.diag.message_detail or "").startswith(detail)


def test_two_transactions_that_read_what_the_other_writes(stand_in: StandIn, sessions: Sessions) -> None:
    first, second = sessions
    for one in sessions:
        one.execute("begin isolation level serializable")
    first.execute("select * from t.a")
    first.execute("insert into t.b values (1)")
    second.execute("insert into t.a values (1)")
    second.execute("select * from t.b")
    first.execute("commit")

    def end() -> None:
        second.execute("insert into t.a values (2)")
        second.execute("commit")

    assert_violation(stand_in, end, "t.a")
    second.execute("rollback")
    assert stand_in.execute("select count(*) from a") == [(1,)]


def test_two_transactions_that_update_one_row(stand_in: StandIn, sessions: Sessions) -> None:
    first, second = sessions
    for one in sessions:
        one.execute("begin transaction isolation level serializable")
        one.execute("select count(*) from t.a")
    first.execute("update t.a set x = 2")
    first.execute("commit")
    assert_violation(stand_in, lambda: second.execute("update t.a set x = 3"), "t.a")
    second.execute("rollback")
    logged = "select error_message from sys_query_history where query_text = 'update t.a set x = 3'"
    assert stand_in.execute(f"{logged} order by query_id desc limit 1") == [("1023",)]


def test_transactions_that_do_not_meet_are_committed(stand_in: StandIn, sessions: Sessions) -> None:
    for one, table in zip(sessions, ("a", "b"), strict=True):
        one.execute("begin isolation level serializable")
        one.execute(f"insert into t.{table} values (7)")
    for one in sessions:
        one.execute("commit")
    assert stand_in.execute("select count(*) from a where x = 7") == [(1,)]


def test_a_database_may_be_serializable(stand_in: StandIn) -> None:
    level = "select isolation_level from stv_db_isolation_level where db_name = 'dev'"
    try:
        stand_in.execute("alter database dev isolation level serializable")
        assert stand_in.execute(level) == [("Serializable",)]
        with closing(stand_in.server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("select current_setting('transaction_isolation')")
            assert cursor.fetchall() == [("serializable",)]
    finally:
        stand_in.execute("alter database dev isolation level snapshot")
    assert stand_in.execute(level) == [("Snapshot Isolation",)]


def test_two_copies_into_one_table_wait_for_one_another(
    stand_in: StandIn, sessions: Sessions, redshift_postgres: PostgresServer
) -> None:
    stand_in.bucket.put_object(Key="two.csv", Body=b"1\n2\n")
    copy = f"copy t.a from 's3://{stand_in.bucket.name}/two.csv' iam_role '{ROLE}' csv"
    first, second = sessions
    first.execute("begin")
    first.execute(copy)
    other = threading.Thread(target=second.execute, args=[copy])
    other.start()
    wait_for_a_lock(redshift_postgres)
    assert stand_in.execute("select count(*) from a") == [(1,)]
    first.execute("commit")
    other.join()
    assert stand_in.execute("select count(*) from a") == [(5,)]


def test_a_copy_whose_session_ends_before_it_is_recorded_holds_no_other_up(
    stand_in: StandIn, sessions: Sessions, redshift_postgres: PostgresServer
) -> None:
    stand_in.bucket.put_object(Key="two.csv", Body=b"1\n2\n")
    copy = f"copy t.a from 's3://{stand_in.bucket.name}/two.csv' iam_role '{ROLE}' csv"
    first, second = sessions

    with closing(redshift_postgres.connect("dev")) as connection, connection.cursor() as holder:
        holder.execute("lock table rs.query_history")  # so that nothing is recorded
        cut = threading.Thread(target=_fails, args=[first, copy])
        cut.start()
        rows = 1
        while rows == 1 and cut.is_alive():
            holder.execute("select count(*) from t.a")
            [(rows,)] = holder.fetchall()
        holder.execute("select pg_terminate_backend(%s)", [first.connection.info.backend_pid])
        cut.join()
    other = threading.Thread(target=second.execute, args=[copy], daemon=True)
    other.start()
    other.join(PATIENCE)
    assert not other.is_alive()
    assert stand_in.execute("select count(*) from a") == [(5,)]


@pytest.mark.parametrize("maxerror", ["", "maxerror 5"])
def test_a_session_that_ends_in_the_middle_of_a_copy(
    stand_in: StandIn, sessions: Sessions, redshift_postgres: PostgresServer, maxerror: str
) -> None:
    stand_in.bucket.put_object(Key="two.csv", Body=b"1\n2\n")
    copy = f"copy t.a from 's3://{stand_in.bucket.name}/two.csv' iam_role '{ROLE}' csv {maxerror}"
    with closing(redshift_postgres.connect("dev")) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "create function t.cut() returns trigger language plpgsql security definer as"
            " $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;"
            " create trigger cut before insert on t.a for each row execute function t.cut()"
        )
    first, _ = sessions
    cut = threading.Thread(target=_fails, args=[first, copy], daemon=True)
    cut.start()
    cut.join(PATIENCE)
    assert not cut.is_alive()
    assert first.connection.closed


def _fails(cursor: extensions.cursor, statement: str) -> None:
    with pytest.raises(psycopg2.OperationalError):
        cursor.execute(statement)


def test_a_commit_is_not_behind_statements_that_wait_for_it(
    stand_in: StandIn, redshift_postgres: PostgresServer
) -> None:
    stand_in.execute("create table a (x int)")
    with closing(stand_in.server.connect()) as owner, owner.cursor() as cursor:
        cursor.execute("lock table t.a")
        waiting = [stand_in.server.connect() for _ in range(40)]  # more than a pool of threads has by default

        def ask(one: extensions.connection) -> None:
            one.cursor().execute("select x + 1 as y, y + 1 as z from t.a")

        threads = [threading.Thread(target=ask, args=[one]) for one in waiting]
        for thread in threads:
            thread.start()
        wait_for_a_lock(redshift_postgres, 40)
        cursor.execute("select 1 as b, b + 1 as c")
        owner.commit()
        for thread in threads:
            thread.join()
        for one in waiting:
            one.close()


def test_ddl_waits_for_a_reader(stand_in: StandIn, sessions: Sessions, redshift_postgres: PostgresServer) -> None:
    reader, changer = sessions
    reader.execute("begin")
    reader.execute("select * from t.a")
    change = threading.Thread(target=changer.execute, args=["alter table t.a add column y int"])
    change.start()
    wait_for_a_lock(redshift_postgres)
    reader.execute("commit")
    change.join()
    with pytest.raises(psycopg2.errors.DuplicateColumn):
        stand_in.execute("alter table a add column y int")
