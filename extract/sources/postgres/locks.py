"""Who keeps a table locked at the source, if the loaders waited for it in vain."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from adbc_driver_manager.dbapi import Cursor
from adbc_driver_manager.dbapi import Error as AdbcError

from extract.declarations import PostgresTable
from extract.errors import PassingError, causes
from extract.settings import PostgresSettings
from extract.sources.postgres.session import connect, one

WAIT = "5s"  # for the same lock once more, while it is asked who holds it


@contextmanager
def explain_locks(table: PostgresTable, settings: PostgresSettings) -> Iterator[None]:
    """Turns a timeout of a lock into an error that names those who hold it.

    Raises:
        PassingError: instead of the timeout.
    """
    try:
        yield
    except Exception as error:
        if not any("due to lock timeout" in str(cause) for cause in causes(error)):
            raise
        raise PassingError(
            f"{table.full_name}: {table.source_relation} in database {settings.database} is locked; "
            f"{describe_blockers(table, settings)}. Nothing was loaded"
        ) from error


def describe_blockers(table: PostgresTable, settings: PostgresSettings) -> str:
    """Returns who locks a table, and what to do about it.

    A session waits for the lock, because the server knows whom it waits for only while it does.
    https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION
    """
    with (
        connect(settings) as waiting,
        connect(settings) as asking,
        waiting.cursor() as waiter,
        asking.cursor() as cursor,
    ):
        pid, _ = one(waiter, f"select pg_backend_pid(), set_config('lock_timeout', '{WAIT}', true)")
        thread = Thread(target=wait_for_lock, args=(waiter, table), name="lock", daemon=True)
        thread.start()
        blockers: list[int] = []
        while thread.is_alive() and not blockers:
            thread.join(0.05)
            (blockers,) = one(cursor, f"select pg_blocking_pids({pid})")
        thread.join()
        if not blockers:
            return "nobody locks it any more: run again"
        holders = sorted(set(blockers))
        cursor.execute(
            # Not its query, which may contain what is in the table.
            "select format('process %s of user %s (%s), %s since %s', pid, usename,"
            " coalesce(nullif(application_name, ''), 'no application name'), coalesce(state, 'state unknown'),"
            " coalesce(date_trunc('second', xact_start)::text, 'some time'))"
            f" from pg_stat_activity where pid in ({', '.join(map(str, holders))}) order by xact_start"
        )
        found = [text for (text,) in cursor.fetchall()]
        if 0 in holders:
            found.append("a prepared transaction (pg_prepared_xacts)")
        ending = ", ".join(f"select pg_terminate_backend({holder})" for holder in holders if holder)
    return f"held by {'; '.join(found)}. Wait for its end and run again, or end it{f': {ending}' if ending else ''}"


def wait_for_lock(cursor: Cursor, table: PostgresTable) -> None:
    """Waits for the lock that reading the table needs."""
    with suppress(AdbcError):  # the timeout
        cursor.execute(f"select from {table.source_relation} where false")
