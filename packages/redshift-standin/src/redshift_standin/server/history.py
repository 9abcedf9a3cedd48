"""sys_query_history and sys_connection_log: written in a session of its own, which no client's rollback affects."""

import itertools
import logging
import queue
import re
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg2
from psycopg2 import extensions

from redshift_standin.copy.load_errors import LoadErrorDetail

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Executed:
    """A statement as it was sent, and who sent it."""

    user: str
    database: str
    process: int
    transaction: int
    text: str
    code: str  # of the statement, in lowercase
    label: str | None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Connected:
    """An event of a client's connection, as sys_connection_log has it."""

    event: str
    host: str
    port: str
    process: int
    database: str
    user: str
    microseconds: int  # since its begin
    tls: str
    cipher: str
    application: str = ""
    driver: str = ""
    os: str = ""
    plugin: str = "none"
    protocol: int = 0
    time: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Transfer:
    """What a COPY or UNLOAD did, for its system views."""

    kind: str  # copy or unload
    place: str  # the URL of the statement
    format: str
    table: str = ""
    compression: str = ""
    rows: int = 0
    files: tuple[tuple[str, int, int], ...] = ()  # URL, bytes, rows
    bytes: int = 0
    errors: tuple[LoadErrorDetail, ...] = ()


@dataclass(frozen=True)
class _Ended:
    executed: Executed
    at: datetime
    error: str | None
    transfer: Transfer | None
    written: Future[int]  # the query's id


class History:
    """Writes statements in the order in which they ended, in its own thread, to an autocommitting session."""

    def __init__(self, connection: extensions.connection) -> None:
        self._connection = connection
        self._transactions = itertools.count(1)
        self._waiting: queue.Queue[_Ended | Connected | None] = queue.Queue()
        self._thread = threading.Thread(target=self._write, name="query-history", daemon=True)
        self._thread.start()

    def next_transaction(self) -> int:
        """Returns a transaction number that is unique since the start."""
        return next(self._transactions)

    def add(self, executed: Executed, error: str | None = None, transfer: Transfer | None = None) -> Future[int]:
        """Records that a statement has ended now, with an error or without; the result is its query_id."""
        ended = _Ended(executed, datetime.now(UTC), error, transfer, Future())
        self._waiting.put(ended)
        return ended.written

    def add_connection(self, event: Connected) -> None:
        """Records an event of a connection."""
        self._waiting.put(event)

    def flush(self) -> None:
        """Returns when all recorded statements are written."""
        self._waiting.join()

    def close(self) -> None:
        """Writes what is still waiting and ends."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        while (item := self._waiting.get()) is not None:
            # From now on nobody can cancel it. Whoever did so before does not wait for the result.
            awaited = isinstance(item, _Ended) and item.written.set_running_or_notify_cancel()
            query_id = -1
            try:
                if isinstance(item, Connected):
                    self._write_connection(item)
                else:
                    query_id = self._write_one(item.executed, item.at, item.error, item.transfer)
            except (psycopg2.Error, ValueError) as error:  # the next ones are still written
                _log.warning("a statement or connection is not in the history: %s", error)
            if isinstance(item, _Ended) and awaited:
                item.written.set_result(query_id)
            self._waiting.task_done()
        self._waiting.task_done()

    def _write_connection(self, event: Connected) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "insert into rs.connections (event, record_time, remote_host, remote_port, session_id, database_name,"
                " user_name, duration, ssl_version, ssl_cipher, application_name, driver_version, os_version,"
                " plugin_name, protocol_version)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    event.event, event.time.replace(tzinfo=None), event.host, event.port, event.process,
                    event.database, _without_nul(event.user), event.microseconds, event.tls, event.cipher,
                    event.application, event.driver, event.os, event.plugin, event.protocol,
                ),
            )  # fmt: skip

    def _write_one(self, executed: Executed, ended: datetime, error: str | None, transfer: Transfer | None) -> int:
        elapsed = ended - executed.started
        with self._connection.cursor() as cursor:
            cursor.execute(
                "insert into rs.query_history (user_name, database_name, session_id, transaction_id, query_type,"
                " status, start_time, end_time, elapsed_time, query_label, query_text, error_message)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning query_id",
                (
                    executed.user, executed.database, executed.process, executed.transaction,
                    query_type(executed.code), "failed" if error else "success",
                    executed.started.replace(tzinfo=None), ended.replace(tzinfo=None),
                    elapsed.microseconds + elapsed.seconds * 1_000_000, executed.label or "default",
                    _without_nul(executed.text), error and _without_nul(error),
                ),
            )  # fmt: skip
            [(query_id,)] = cursor.fetchall()
            if transfer:
                self._write_transfer(cursor, query_id, transfer)
        return int(query_id)

    def _write_transfer(self, cursor: extensions.cursor, query_id: int, transfer: Transfer) -> None:
        cursor.execute(
            "insert into rs.transfers values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                query_id, transfer.kind, transfer.table, transfer.place, transfer.format, transfer.compression,
                transfer.rows, transfer.bytes, len(transfer.errors),
            ),
        )  # fmt: skip
        for file in transfer.files:
            cursor.execute("insert into rs.transfer_files values (%s, %s, %s, %s)", (query_id, *file))
        for detail in transfer.errors:
            self._write_detail(cursor, query_id, detail)

    def _write_detail(self, cursor: extensions.cursor, query_id: int, detail: LoadErrorDetail) -> None:
        column = detail.column
        cursor.execute(
            "insert into rs.load_errors (query_id, file_name, line_number, column_name, column_type, column_length,"
            " error_code, error_message, raw_line, raw_field_value) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                query_id, detail.file[:256], detail.line, column.name, column.type if column.name else "",
                "" if column.length is None else str(column.length), detail.code, _without_nul(detail.reason[:512]),
                _without_nul(detail.raw_line.rstrip("\r\n")[:1024]), _without_nul(detail.raw_value[:1024]),
            ),
        )  # fmt: skip


def _without_nul(text: str) -> str:
    """Returns text without NUL, which PostgreSQL cannot store."""
    return text.replace("\0", "")


_TYPES = (
    (r"create (or replace )?((local )?temp(orary)? )?table\b.*\bas ?(\(|select|with)", "CTAS"),
    (r"(create|alter|drop|truncate|comment|grant|revoke|refresh)\b", "DDL"),
    (r"(select|with|\()", "SELECT"),
    (r"(insert|update|delete|merge|copy|unload)\b", None),
    (r"(begin|start|commit|end|abort|rollback|set|reset|show|analyze|vacuum|explain|use|declare|fetch|close|lock)\b",
     "UTILITY"),
)  # fmt: skip


def query_type(code: str) -> str:
    """Returns a statement's query_type in sys_query_history; for one that writes, that is its first word."""
    for pattern, name in _TYPES:
        if found := re.match(pattern, code):
            return name or found[1].upper()
    return "OTHER"
