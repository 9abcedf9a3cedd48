"""Sessions at the source database: each is one repeatable-read transaction that commits nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
from adbc_driver_manager.dbapi import Connection, Cursor
from adbc_driver_manager.dbapi import Error as AdbcError

from extract.errors import causes
from extract.settings import PostgresSettings
from extract.sources.postgres.refusal import out_of_time, refusal
from extract.sql import literal

# A text must not depend on how a user or a database likes its dates; idle is the session that holds the snapshot.
STYLES = {
    "timezone": "UTC", "datestyle": "ISO, YMD", "intervalstyle": "postgres", "extra_float_digits": "1",
    "bytea_output": "hex", "idle_in_transaction_session_timeout": "0", "lock_timeout": "15s",
    "standard_conforming_strings": "on",  # a backslash is a letter: the literals of queries rely on it
}  # fmt: skip

# The modes in which anybody may be the server, and the user has not said that this is as it should be: there, the
# password is proved and never sent.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-REQUIRE-AUTH
UNVERIFIED = ("allow", "prefer", "require")


@contextmanager
def connect(settings: PostgresSettings) -> Iterator[Connection]:
    """Opens a connection that commits nothing.

    Raises:
        ExtractError: naming host, port, database and user, with the server's own reason; or if a query takes longer
            than the server allows.
        KeyboardInterrupt: if a query of the main thread is cancelled, by Ctrl-C or at the server.
    """
    words = {
        "host": settings.host, "port": settings.port, "dbname": settings.database, "user": settings.user,
        "password": settings.password, "sslmode": settings.sslmode, "connect_timeout": settings.connect_timeout,
        "application_name": "extract", "client_encoding": "UTF8", "keepalives_idle": 60, "tcp_user_timeout": 60_000,
    }  # fmt: skip
    if settings.sslmode in UNVERIFIED:
        words["require_auth"] = "scram-sha-256"
    if settings.ca_bundle:
        words["sslrootcert"] = str(settings.ca_bundle)
    escaped = {k: str(v).replace("\\", "\\\\").replace("'", "\\'") for k, v in words.items()}
    try:
        connection = adbc.connect(" ".join(f"{k}='{v}'" for k, v in escaped.items()))
    except AdbcError as error:
        raise refusal(settings, error) from error
    with connection:
        try:
            yield connection
        except Exception as error:
            # ADBC takes Ctrl-C for itself and cancels the query: the server's answer is all that is left of it.
            stopped = any("canceling statement due to user request" in str(cause) for cause in causes(error))
            if stopped and threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt from error
            if late := out_of_time(settings, error):
                raise late from error
            raise


@contextmanager
def session(settings: PostgresSettings, snapshot: str | None = None) -> Iterator[Cursor]:
    """Opens a session that sees one snapshot of the database: its own, or the one that another session has exported.

    https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION

    Raises:
        ExtractError: as `connect`.
    """
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        if snapshot:
            cursor.execute(f"set transaction snapshot {literal(snapshot)}")
        one(cursor, "select " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in STYLES.items()))
        yield cursor


def one(cursor: Cursor, query: str) -> tuple[Any, ...]:
    """Returns the one row of a query."""
    cursor.execute(query)
    row = cursor.fetchone()
    assert row  # noqa: S101  an aggregate has one always
    return row


def transaction_bounds(cursor: Cursor) -> tuple[int, int]:
    """Returns the current snapshot's bounds as 64-bit transaction ids.

    All transactions below the first were over when it was taken; none from the second on had begun.
    https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
    """
    lower, upper = one(
        cursor,
        "select pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint from pg_current_snapshot() s",
    )
    return lower, upper
