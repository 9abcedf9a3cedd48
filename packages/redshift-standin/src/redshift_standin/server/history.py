"""sys_query_history: written in a session of its own, so that a client's rollback does not remove it."""

import itertools
import logging
import queue
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg2
from psycopg2 import extensions

from redshift_standin.copy.load_errors import LoadErrorDetail
from redshift_standin.sql.rows import split_rows
from redshift_standin.sql.text import code

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Executed:
    """A statement as it was sent, and who sent it."""

    user: str
    database: str
    process: int
    transaction: int
    text: str
    label: str | None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))


_Ended = tuple[Executed, datetime, str | None, LoadErrorDetail | None]


class History:
    """Writes statements in the order in which they ended, in its own thread, to an autocommitting session."""

    def __init__(self, connection: extensions.connection) -> None:
        self._connection = connection
        self._transactions = itertools.count(1)
        self._waiting: queue.Queue[_Ended | None] = queue.Queue()
        self._thread = threading.Thread(target=self._write, name="query-history", daemon=True)
        self._thread.start()

    def next_transaction(self) -> int:
        """Returns a transaction number that is unique since the start."""
        return next(self._transactions)

    def add(self, executed: Executed, error: str | None = None, detail: LoadErrorDetail | None = None) -> None:
        """Records that a statement has ended now, with an error or without."""
        self._waiting.put((executed, datetime.now(UTC), error, detail))

    def flush(self) -> None:
        """Returns when all recorded statements are written."""
        self._waiting.join()

    def close(self) -> None:
        """Writes what is still waiting and ends."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        while (item := self._waiting.get()) is not None:
            try:
                self._write_one(*item)
            except (psycopg2.Error, ValueError) as error:  # the next ones are still written
                _log.warning("a statement is not in sys_query_history: %s", error)
            finally:
                self._waiting.task_done()
        self._waiting.task_done()

    def _write_one(
        self, executed: Executed, ended: datetime, error: str | None, detail: LoadErrorDetail | None
    ) -> None:
        elapsed = ended - executed.started
        with self._connection.cursor() as cursor:
            cursor.execute(
                "insert into rs.query_history (user_name, database_name, session_id, transaction_id, query_type,"
                " status, start_time, end_time, elapsed_time, query_label, query_text, error_message)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning query_id",
                (
                    executed.user, executed.database, executed.process, executed.transaction,
                    query_type(executed.text), "failed" if error else "success",
                    executed.started.replace(tzinfo=None), ended.replace(tzinfo=None),
                    elapsed.microseconds + elapsed.seconds * 1_000_000, executed.label or "default",
                    _without_nul(executed.text), error and _without_nul(error),
                ),
            )  # fmt: skip
            if detail:
                [(query_id,)] = cursor.fetchall()
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


def query_type(sql: str) -> str:
    """Returns a statement's query_type in sys_query_history; for one that writes, that is its first word."""
    text = code(split_rows(sql)[0])
    for pattern, name in _TYPES:
        if found := re.match(pattern, text):
            return name or found[1].upper()
    return "OTHER"
