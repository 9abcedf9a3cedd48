"""The contract of a table from one load to the next: its columns, their types, and most of its rows.

dlt's own `schema_contract` stops at the first column, in the middle of a load; this one names all before anything is
loaded.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from extract.declarations import Table
from extract.errors import ExtractError
from extract.reading import Limits, Reading
from extract.types import BYTES_PER_CHARACTER
from extract.warehouse.targets import Warehouse

log = logging.getLogger("extract")

DECLARE = "To declare the table as it is now: python -m extract add --update {0.source.name} {0.source_argument}"
ACCEPT = "To load the table from the beginning as it is now: python -m extract run --accept {0.full_name}"


def check_columns(table: Table, reading: Reading, pipeline: Any, limits: Limits) -> None:
    """Compares the columns at the source with those loaded before, or in the first load with those declared.

    A new column is logged, or refused.

    Raises:
        ExtractError: naming each column that is missing, has another type, or longer texts than the warehouse's
            column; or if the warehouse takes no table of so many columns.
    """
    from dlt.common.libs.pyarrow import py_arrow_to_table_schema_columns

    columns = len(reading.schema) + 1  # dlt adds the id of the load
    if limits.columns and columns > limits.columns:
        raise ExtractError(
            f"{table.full_name}: expected at most {limits.columns} columns with those of the loaders, which the "
            f"warehouse takes, got {columns}. Leave some out in the declaration: columns: {{exclude: [...]}}"
        )
    arrived = py_arrow_to_table_schema_columns(reading.schema)
    if table.name in pipeline.schemas and table.name in pipeline.schemas[table.name].tables:
        columns = pipeline.schemas[table.name].get_table_columns(table.name)
        known = {name: column for name, column in columns.items() if not name.startswith("_dlt_")}
        expected, remedy = "loaded before", ACCEPT
    elif reading.declared:
        known = py_arrow_to_table_schema_columns(reading.declared)
        arrived = {name: column for name, column in arrived.items() if name in known}
        expected, remedy = "declared in its dbt source", DECLARE
    else:
        return
    faults = [f"column {name} is missing" for name in known if name not in arrived]
    faults += [
        f"column {name} was {before} as {expected} and is {now} at the source"
        for name in known
        if name in arrived and (before := type_name(known[name])) != (now := type_name(arrived[name]))
    ]
    if limits.text:  # elsewhere a text may have any length
        faults += longer_texts(reading, known, arrived)
    new = [f"{name} {type_name(column)}" for name, column in arrived.items() if name not in known]
    if not reading.takes_new_columns:
        faults += [f"column {column} is new, and the declaration refuses new columns" for column in new]
    if faults:
        raise ExtractError(
            f"{table.full_name}: {'; '.join(faults)}. Nothing was loaded; {table.dataset}.{table.name} keeps its "
            f"rows. {remedy.format(table)}"
        )
    if new:
        log.warning("%s: new at the source and loaded: %s", table.full_name, ", ".join(new))


def longer_texts(reading: Reading, known: Mapping[str, Any], arrived: Mapping[str, Any]) -> Iterator[str]:
    """Yields the texts that may be longer now than the warehouse's column."""
    for name, column in known.items():
        before, kinds = column.get("precision"), {column["data_type"], arrived.get(name, {}).get("data_type")}
        if before is None or kinds != {"text"}:
            continue
        now = reading.text_lengths.get(name)
        if now is None or now * BYTES_PER_CHARACTER > before:
            yield (
                f"column {name} had at most {before // BYTES_PER_CHARACTER} characters and may have "
                f"{now or 'any number'} now"
            )


def type_name(column: Any) -> str:
    """Returns the SQL name of a dlt column's type, without the length of a text."""
    precision, scale = column.get("precision"), column.get("scale")
    match column["data_type"]:
        case "bigint":
            return {8: "smallint", 16: "smallint", 32: "integer"}.get(precision, "bigint")
        case "timestamp":  # dlt forgets the default precision
            return "timestamp with time zone" if column.get("timezone", True) else "timestamp"
        case "decimal":
            return f"numeric({precision},{scale})"
        case kind:
            return {"double": "double precision", "bool": "boolean", "binary": "bytea"}.get(kind, str(kind))


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
