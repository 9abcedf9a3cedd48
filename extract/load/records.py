"""Records of what the program has done: rows that it appends to tables of `ops`.

dlt would load them too, with a state, a schema, an S3 object and a COPY of their own: for the few rows of a record
that takes as long as the load that is recorded.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from extract.retry import retried
from extract.sql import literal, quote
from extract.types import BYTES_PER_CHARACTER, LONGEST_TEXT
from extract.visible import visible
from extract.warehouse.targets import Warehouse

OPS = "ops"

LONGEST = LONGEST_TEXT // BYTES_PER_CHARACTER  # characters of a text

ROWS_AT_ONCE = 50  # in a statement, of which Redshift accepts 16 MB

# The id of an append, under the name that dlt gave it when it loaded the records.
APPEND_ID = "_dlt_load_id"
APPEND_ID_TYPE = "varchar(64) not null"


def append_records(
    warehouse: Warehouse, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Appends rows to a table of `ops`: all of them or, if it fails, none.

    The table is created if it is missing, and gets the columns that it lacks. `columns` has the type of each in SQL
    that DuckDB and Redshift share; a row may lack some. A text is recorded as it is printed, and is cut where the
    longest text of Redshift ends. After a transient fault the append is retried, and never done twice.

    Raises:
        Exception: whatever the warehouse raises.
    """
    if rows:
        work = partial(append_once, warehouse, table, columns, rows, uuid4().hex)
        retried(f"{OPS}.{table}", warehouse.retry_seconds, work)


def append_once(
    warehouse: Warehouse, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], append_id: str
) -> None:
    """Appends the rows, unless an attempt before has committed them and lost its connection then."""
    add_columns(warehouse, table, columns)
    relation = f"{OPS}.{quote(table)}"
    if warehouse.query(f"select 1 from {relation} where {APPEND_ID} = {literal(append_id)} limit 1"):
        return
    names = [*columns, APPEND_ID]
    insert = f"insert into {relation} ({', '.join(map(quote, names))}) values"
    values = [
        f"({', '.join(warehouse.literal(as_recorded(row.get(name))) for name in columns)}, {literal(append_id)})"
        for row in rows
    ]
    parts = (values[start : start + ROWS_AT_ONCE] for start in range(0, len(values), ROWS_AT_ONCE))
    warehouse.execute(*(f"{insert} {', '.join(part)}" for part in parts))


def as_recorded(value: Any) -> Any:
    """Returns a value as it is recorded: a text has no NUL and no half of a surrogate pair, and is not too long."""
    return visible(value)[:LONGEST] if isinstance(value, str) else value


def add_columns(warehouse: Warehouse, table: str, columns: Mapping[str, str]) -> None:
    """Gives the table the columns that it lacks; creates it, and its schema, if it is missing."""
    statements = list(missing(warehouse, table, columns))
    while statements:
        try:
            warehouse.execute(*statements)
        except Exception:
            before, statements = statements, list(missing(warehouse, table, columns))
            if statements == before:
                raise
            # Another process has made some of it in the same moment.
        else:
            return


def missing(warehouse: Warehouse, table: str, columns: Mapping[str, str]) -> Iterator[str]:
    """Yields the statements that create what the warehouse lacks."""
    relation = f"{OPS}.{quote(table)}"
    found = warehouse.query(
        "select column_name from information_schema.columns"
        f" where table_schema = {literal(OPS)} and table_name = {literal(table)}"
    )
    lacking = [f"{quote(name)} {kind}" for name, kind in columns.items() if (name,) not in found]
    if found:
        yield from (f"alter table {relation} add column {column}" for column in lacking)
        return
    # A user who may write to the schema need not have the right to create one, not even with `if not exists`.
    if not warehouse.query(f"select 1 from pg_namespace where nspname = {literal(OPS)}"):
        yield f"create schema {OPS}"
    yield f"create table {relation} ({', '.join([*lacking, f'{quote(APPEND_ID)} {APPEND_ID_TYPE}'])})"
