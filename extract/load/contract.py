"""What a table promises from one load to the next: its columns, their types, and most of its rows."""

import logging
from typing import Any

from extract.errors import ExtractError
from extract.reading import BYTES_PER_CHARACTER, Limits, Reading, Table
from extract.warehouse.targets import Warehouse

log = logging.getLogger("extract")

ACCEPT = "To accept what changed and load the table anew: python -m extract run --accept {0.full_name}"


def check_columns(table: Table, reading: Reading, pipeline: Any, limits: Limits) -> None:
    """Compares the columns at the source with those loaded before, or at the first load with those declared.

    A new column is announced, or refused.

    Raises:
        ExtractError: naming each column that is lost, has another type, or longer texts than the warehouse's column.
    """
    from dlt.common.libs.pyarrow import py_arrow_to_table_schema_columns

    arrived = py_arrow_to_table_schema_columns(reading.schema)
    if table.name in pipeline.schemas and table.name in pipeline.schemas[table.name].tables:
        schema = pipeline.schemas[table.name]
        known = {n: c for n, c in schema.get_table_columns(table.name).items() if not n.startswith("_dlt_")}
        arrived = {schema.naming.normalize_identifier(name): column for name, column in arrived.items()}
        since = "as of its first load"
    elif reading.declared:
        known = py_arrow_to_table_schema_columns(reading.declared)
        arrived = {name: column for name, column in arrived.items() if name in known}
        since = f"declared in extract/sources/{table.source}.py, as its models need them"
    else:
        return
    faults = [f"column {name} is missing" for name in known if name not in arrived]
    faults += [
        f"column {name}: expected {before}, got {now}"
        for name in known
        if name in arrived and (before := type_name(known[name])) != (now := type_name(arrived[name]))
    ]
    if limits.text:  # elsewhere a text may have any length
        faults += [
            f"column {name}: expected texts of {loaded // BYTES_PER_CHARACTER} characters at most, got {longest}"
            for name, longest in reading.text_lengths.items()
            if (loaded := known.get(name, {}).get("precision")) and longest * BYTES_PER_CHARACTER > loaded
        ]
    new = [f"{name} {type_name(column)}" for name, column in arrived.items() if name not in known]
    if not reading.takes_new_columns:
        faults += [f"column {column} is new, and new columns are refused" for column in new]
    if faults:
        raise ExtractError(
            f"{table.full_name}: {'; '.join(faults)}. The table's columns are {since}: "
            f"mend the source. raw_{table.full_name} keeps what it had. {ACCEPT.format(table)}"
        )
    if new:
        log.warning("%s.%s: new at the source and taken: %s", table.source, table.name, ", ".join(new))


def type_name(column: Any) -> str:
    """Returns a dlt column's type in words, without a text's length."""
    kind: str = column["data_type"]
    if kind == "timestamp":  # dlt forgets the default precision
        return kind if column.get("timezone", True) else "timestamp without time zone"
    size = [str(column[key]) for key in ("precision", "scale") if column.get(key) is not None]
    return kind if kind == "text" or not size else f"{kind}({', '.join(size)})"


def check_share(table: Table, reading: Reading, minimum_share: float, warehouse: Warehouse) -> None:
    """Refuses a read that would take the place of a table much larger than itself.

    Raises:
        ExtractError: with both counts and the command that accepts it.
    """
    if not table.replaces or (table.dataset, table.name) not in warehouse.tables():
        return
    ((held,),) = warehouse.query(f"select count(*) from raw_{table.full_name}")
    arrives = reading.rows_source - reading.rows_dead_letter
    if arrives < minimum_share * held:
        raise ExtractError(
            f"{table.full_name}: expected at least {minimum_share:.0%} of the {held:,} rows of the last "
            f"read (MINIMUM_SHARE), found {arrives:,}; nothing was replaced. {ACCEPT.format(table)}"
        )
