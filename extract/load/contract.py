"""The contract of a table from one load to the next: its columns, their types, and most of its rows.

dlt's own `schema_contract` stops at the first column, in the middle of a load; this one names all before anything is
loaded.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from extract.declarations import Table
from extract.errors import ExtractError
from extract.load.widening import DOUBLE, REAL, Column, contains
from extract.reading import Limits, Read, Reading
from extract.types import BYTES_PER_CHARACTER, LONGEST_TEXT
from extract.warehouse.targets import Warehouse

log = logging.getLogger("extract")

DECLARE = "To declare the table as it is now: python -m extract add --update {0.source.name} {0.source_argument}"
UPDATE = (
    "To build its models with it: python -m extract add --update {0.source.name} {0.source_argument}, "
    "then python -m extract build --full-refresh"
)
ACCEPT = "To load the table from the beginning as it is now: python -m extract run --accept {0.full_name}"


@dataclass(frozen=True)
class Agreement:
    """The columns of a raw table with the types that a load brings, and those of them that are wider than before."""

    columns: Mapping[str, Column]
    wider: Mapping[str, Column] = field(default_factory=dict)


def agree_columns(read: Read, reading: Reading, pipeline: Any, limits: Limits) -> Agreement:
    """Compares the columns at the source with those loaded before, or in the first load with those declared.

    A new column is logged, or refused. A narrower type arrives in that of raw. A wider one is accepted if nothing
    that was loaded before is another value then.

    Raises:
        ExtractError: naming each column that is missing, or has a type that raw's cannot become; or if the warehouse
            takes no table of so many columns.
    """
    table = read.table
    count = len(reading.schema) + 1  # dlt adds the id of the load
    if limits.columns and count > limits.columns:
        raise ExtractError(
            f"{table.full_name}: expected at most {limits.columns} columns with those of the loaders, which the "
            f"warehouse takes, got {count}. Leave some out in the declaration: columns: {{exclude: [...]}}"
        )
    arrived = arrived_columns(reading, limits)
    if table.name in pipeline.schemas and table.name in pipeline.schemas[table.name].tables:
        stored = pipeline.schemas[table.name].get_table_columns(table.name)
        known = {name: column for name, column in stored.items() if not name.startswith("_dlt_")}
        if not limits.text:  # a text may have any length
            known = {name: without_length(column) for name, column in known.items()}
        agreed = {name: known[name] if is_contained(name, arrived, known) else arrived[name] for name in arrived}
        wider = {n: agreed[n] for n in known if n in arrived and may_widen(read, known[n], agreed[n])}
        unequal = [n for n in known if n in arrived and n not in wider and agreed[n] is not known[n]]
        expected, remedy, compared = "loaded before", ACCEPT, arrived
    elif reading.declared:
        known = to_columns(reading.declared)
        agreed, wider = arrived, {}
        compared = {name: column for name, column in arrived.items() if name in known}
        unequal = [name for name in compared if not is_as_declared(known[name], arrived[name])]
        expected, remedy = "declared in its dbt source", DECLARE
    else:
        return Agreement(arrived)
    faults = [f"column {name} is missing" for name in known if name not in arrived]
    faults += [difference(name, known[name], arrived[name], expected) for name in known if name in unequal]
    new = [f"{name} {type_name(column)}" for name, column in compared.items() if name not in known]
    if not reading.takes_new_columns:
        faults += [f"column {column} is new, and the declaration refuses new columns" for column in new]
    if faults:
        raise ExtractError(
            f"{table.full_name}: {'; '.join(faults)}. Nothing was loaded; {table.dataset}.{table.name} keeps its "
            f"rows. {remedy.format(table)}"
        )
    if new:
        log.warning("%s: new at the source and loaded: %s", table.full_name, ", ".join(new))
    for name in wider:
        log.warning(
            "%s: %s; raw has the wider type now. %s",
            table.full_name, difference(name, known[name], arrived[name], expected), UPDATE.format(table),
        )  # fmt: skip
    wider = {name: with_length(column) for name, column in wider.items()}
    return Agreement({**agreed, **wider}, wider)


def arrived_columns(reading: Reading, limits: Limits) -> dict[str, Column]:
    """Returns the columns of a reading as dlt's, each with all that is known of its type."""
    columns = to_columns(reading.schema, reading.reals)
    for name, characters in reading.text_lengths.items():
        if limits.text is None or characters * BYTES_PER_CHARACTER <= limits.text:
            columns[name] = {**columns[name], **text_hint(characters)}
    return columns


def to_columns(schema: pa.Schema, reals: Collection[str] = ()) -> dict[str, Column]:
    """Returns Arrow's columns as dlt's, with the sizes of integers and floating-point numbers."""
    from dlt.common.libs.pyarrow import py_arrow_to_table_schema_columns

    columns: dict[str, Column] = {}
    for name, column in py_arrow_to_table_schema_columns(schema).items():
        words: dict[str, Any] = dict(column)
        if words["data_type"] == "bigint":
            words.setdefault("precision", 64)
        if words["data_type"] == "double":
            words["precision"] = REAL if name in reals or pa.types.is_float32(schema.field(name).type) else DOUBLE
        columns[name] = words
    return columns


def text_hint(characters: int) -> dict[str, Any]:
    """Returns dlt's column of a text of so many characters at most."""
    return {"data_type": "text", "precision": characters * BYTES_PER_CHARACTER}


def without_length(column: Column) -> Column:
    """Returns a column without the length of a text."""
    return {**column, "precision": None} if column["data_type"] == "text" else column


def with_length(column: Column) -> Column:
    """Returns a column in which a text without a length has the longest: dlt would keep the one that it knows."""
    if column["data_type"] == "text" and not column.get("precision"):
        return {**column, "precision": LONGEST_TEXT}
    return column


def is_contained(name: str, arrived: Mapping[str, Column], known: Mapping[str, Column]) -> bool:
    """Returns whether the column as it was loaded before can have every value that arrives."""
    return name in known and contains(known[name], arrived[name])


def may_widen(read: Read, before: Column, now: Column) -> bool:
    """Returns whether a column may get a type that contains its own.

    A range is loaded beside others of its table, which must not change then. PostgreSQL rewrites the values of a real
    that becomes a double precision; the mode cursor does not read them again.
    """
    if before is now or read.mode == "range" or not contains(now, before):
        return False
    return now["data_type"] != "double" or read.mode != "cursor"


def is_as_declared(declared: Column, arrived: Column) -> bool:
    """Returns whether a column has its declared type; a real is a double precision, as which it is loaded."""
    return type_name(declared) == type_name(arrived) or (
        arrived["data_type"] == declared["data_type"] == "double" and declared["precision"] == DOUBLE
    )


def difference(name: str, before: Column, now: Column, expected: str) -> str:
    """Returns how a column's type differs from that before, in words."""
    if before["data_type"] == now["data_type"] == "text":
        return (
            f"column {name} had at most {before['precision'] // BYTES_PER_CHARACTER} characters and may have "
            f"{now['precision'] // BYTES_PER_CHARACTER if now.get('precision') else 'any number'} now"
        )
    return f"column {name} was {type_name(before)} as {expected} and is {type_name(now)} at the source"


def type_name(column: Column) -> str:
    """Returns the SQL name of a dlt column's type, without the length of a text."""
    precision, scale = column.get("precision"), column.get("scale")
    match column["data_type"]:
        case "bigint":
            return {8: "smallint", 16: "smallint", 32: "integer"}.get(precision or 64, "bigint")
        case "double":
            return "real" if precision == REAL else "double precision"
        case "timestamp":  # dlt forgets the default precision
            return "timestamp with time zone" if column.get("timezone", True) else "timestamp"
        case "decimal":
            return f"numeric({precision},{scale})"
        case kind:
            return {"bool": "boolean", "binary": "bytea"}.get(kind, str(kind))


def check_share(table: Table, reading: Reading, minimum_share: float, warehouse: Warehouse) -> None:
    """Refuses a read that would replace a table much larger than itself.

    Raises:
        ExtractError: with both counts and the command that accepts it.
    """
    if not table.replaces or (table.dataset, table.name) not in warehouse.tables():
        return
    ((loaded,),) = warehouse.query(f"select count(*) from {table.relation}")
    arriving = reading.rows_source - reading.rows_dead_letter
    if arriving < minimum_share * loaded:
        raise ExtractError(
            f"{table.full_name}: expected at least {minimum_share:.0%} of the {loaded:,} rows of the last read "
            f"(MINIMUM_SHARE), found {arriving:,}; nothing was replaced. {ACCEPT.format(table)}"
        )
