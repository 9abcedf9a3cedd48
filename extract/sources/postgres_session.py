"""A session at the source database that commits nothing, and SQL's words for names and values."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
from adbc_driver_manager.dbapi import Connection, Cursor
from adbc_driver_manager.dbapi import Error as AdbcError

from extract.errors import ExtractError, causes
from extract.settings import PostgresSettings


@contextmanager
def connect(settings: PostgresSettings) -> Iterator[Connection]:
    """Opens a connection that commits nothing.

    Raises:
        ExtractError: naming host, port, database and user, with the server's own reason.
        KeyboardInterrupt: if a query is cancelled, by Ctrl-C or at the server.
    """
    words = {
        "host": settings.host, "port": settings.port, "dbname": settings.database, "user": settings.user,
        "password": settings.password, "sslmode": settings.sslmode, "connect_timeout": 10,
        "application_name": "extract", "keepalives_idle": 60, "tcp_user_timeout": 60_000,
    }  # fmt: skip
    escaped = {k: str(v).replace("\\", "\\\\").replace("'", "\\'") for k, v in words.items()}
    try:
        connection = adbc.connect(" ".join(f"{k}='{v}'" for k, v in escaped.items()))
    except AdbcError as error:
        raise ExtractError(
            f"postgres: cannot sign in to database {settings.database} at {settings.host}:{settings.port} as "
            f"{settings.user}: {error}. Check that the server is up and the SOURCE_POSTGRES_… settings"
        ) from error
    with connection:
        try:
            yield connection
        except Exception as error:
            # ADBC takes Ctrl-C for itself and cancels the query: the server's answer is all that is left of it.
            if any("canceling statement due to user request" in str(cause) for cause in causes(error)):
                raise KeyboardInterrupt from error
            raise


def one(cursor: Cursor, query: str) -> tuple[Any, ...]:
    """Returns the one row of a query."""
    cursor.execute(query)
    row = cursor.fetchone()
    assert row  # noqa: S101  an aggregate has one always
    return row


def quote(name: str) -> str:
    """Returns a name as SQL's identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Returns a text as SQL's literal; ADBC's COPY takes no parameters."""
    return "'" + text.replace("'", "''") + "'"


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
