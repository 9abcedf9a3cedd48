"""Isolation: levels of databases, and conflicts of transactions as Redshift reports them.

https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
"""

import re

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.identities import change_identities
from redshift_standin.sql.statement import Statement

CONFLICT = "40001"  # PostgreSQL's SQLSTATE
_LEVEL = re.compile(r"\bisolation\s+level\s+(serializable|snapshot)\b", re.IGNORECASE)
_TABLE = re.compile(
    r"\b(?:into|update|from|copy|table|truncate)\s+(?:(?:\"[^\"]+\"|\w+)\s*\.\s*)*\"?(?P<name>[\w#]+)", re.IGNORECASE
)


def set_isolation(statement: Statement) -> Statement | None:
    """Returns CREATE or ALTER DATABASE … ISOLATION LEVEL as PostgreSQL runs it, None for any other statement.

    Raises:
        RedshiftError: for a new database that is serializable.
    """
    text = statement.text
    if not text.startswith(("create database ", "alter database ")) or "isolation level" not in text:
        return None
    serializable = "serializable" in text
    if text.startswith("create"):
        if serializable:
            raise not_implemented("CREATE DATABASE with another isolation level than SNAPSHOT")
        level = ""
    else:
        setting = "default_transaction_isolation"
        level = f"set {setting} to serializable" if serializable else f"reset {setting}"
    return change_identities(statement.with_code(_LEVEL.sub(level, statement.code)))


def written_table(statement: str) -> str:
    """Returns the name of the first table of a statement, without its schema, empty if it has none."""
    found = _TABLE.search(statement)
    return found["name"].lower() if found else ""


def violation(table_id: int, transaction: int, process: int) -> RedshiftError:
    """Returns the error of a transaction that cannot be serialized, as drivers receive it."""
    return RedshiftError(
        "XX000",
        "1023",
        f"Serializable isolation violation on table - {table_id}, transactions forming the cycle are: {transaction}"
        f" (pid:{process})",
    )
