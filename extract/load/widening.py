"""Wider types: a column that can contain more at the source than in raw gets the wider type in raw too.

    in raw                     at the source now
    smallint, integer          a larger integer
    numeric(p, s)              more digits, before or after the point
    varchar(n)                 longer texts; DuckDB has no lengths
    real                       double precision, which is the column's type in raw already

No value that was loaded changes, and the raw table exists at every moment: the rows are copied into a table with the
wider types in one transaction. A text grows in place, which Redshift does for no other type and in no transaction.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from extract.declarations import Table
from extract.errors import ExtractError
from extract.sql import literal, quote
from extract.types import LONGEST_TEXT
from extract.warehouse.targets import Warehouse

Column = Mapping[str, Any]  # of dlt's schema

REAL, DOUBLE = 24, 53  # bits of the fraction: dlt has one type for both, whose precision changes nothing else

BITS = {"smallint": 16, "integer": 32, "bigint": 64}


def contains(wide: Column, narrow: Column) -> bool:
    """Returns whether a column of the first type can have every value of the second one."""
    if wide["data_type"] != narrow["data_type"]:
        return False
    match wide["data_type"]:
        case "bigint":
            return bits(wide) >= bits(narrow)
        case "double":
            return (wide.get("precision") or DOUBLE) >= (narrow.get("precision") or DOUBLE)
        case "decimal":
            return wide["scale"] >= narrow["scale"] and whole_digits(wide) >= whole_digits(narrow)
        case "text":
            return (wide.get("precision") or LONGEST_TEXT) >= (narrow.get("precision") or LONGEST_TEXT)
        case "timestamp":
            return bool(wide.get("timezone", True) == narrow.get("timezone", True))
        case _:
            return True


def bits(column: Column) -> int:
    """Returns the size of an integer; dlt leaves out that of a bigint."""
    return max(column.get("precision") or 64, 16)  # Redshift has no integer of one byte


def whole_digits(column: Column) -> int:
    """Returns the digits of a decimal before the point."""
    return int(column["precision"] - column["scale"])


def fitted(schema: pa.Schema, columns: Mapping[str, Column]) -> pa.Schema:
    """Returns a schema in which numbers have the types of the columns, as far as these are known."""
    return pa.schema([fitted_field(field, columns.get(field.name)) for field in schema])


def fitted_field(field: pa.Field, column: Column | None) -> pa.Field:
    """Returns a field with the type of its column."""
    if column is None:
        return field
    match column:
        case {"data_type": "bigint"} if pa.types.is_integer(field.type):
            return field.with_type({16: pa.int16(), 32: pa.int32()}.get(bits(column), pa.int64()))
        case {"data_type": "decimal", "precision": precision, "scale": scale} if pa.types.is_decimal(field.type):
            return field.with_type(pa.decimal128(precision, scale))
    return field


def as_fitted(batch: pa.RecordBatch, columns: Mapping[str, Column]) -> pa.RecordBatch:
    """Returns rows with the types of the columns."""
    schema = fitted(batch.schema, columns)
    return batch if schema.equals(batch.schema) else batch.cast(schema)


def widen(pipeline: Any, table: Table, name: str, wider: Mapping[str, Column], warehouse: Warehouse) -> None:
    """Gives columns of a raw table, or of its dead letters by `name`, wider types, unless they have them.

    Raises:
        ExtractError: if Redshift cannot let a text grow in place.
        Exception: whatever the warehouse raises; the table is as before then.
    """
    existing = read_columns(table.dataset, name, warehouse)
    due = {column: words for column, words in wider.items() if not contains(existing[column], words)}
    if not due:
        return
    relation, before = f"{table.dataset}.{quote(name)}", f"{name}__before"  # raw tables have no two underscores
    if all(words["data_type"] == "text" for words in due.values()):
        for column, words in due.items():
            length = words.get("precision") or LONGEST_TEXT
            try:
                warehouse.execute_alone(f"alter table {relation} alter column {quote(column)} type varchar({length})")
            except Exception as error:
                raise ExtractError(f"{relation}: column {column} cannot grow in place: {error}") from error
        return
    with pipeline.destination_client(table.name) as client:
        stored = client.schema.get_table_columns(name)
        columns = [with_type(stored[column], existing[column], due.get(column)) for column in existing]
        (create,) = client._get_table_update_sql(name, columns, False)  # noqa: FBT003  as dlt would
    listed = ", ".join(map(quote, existing))
    warehouse.execute(
        f"alter table {relation} rename to {quote(before)}",
        create,
        f"insert into {relation} ({listed}) select {listed} from {table.dataset}.{quote(before)}",
        f"drop table {table.dataset}.{quote(before)}",
    )


def with_type(column: Column, *types: Column | None) -> dict[str, Any]:
    """Returns a column with the widest of its own type and others."""
    chosen = dict(column)
    for words in types:
        if words and words["data_type"] == chosen["data_type"] and not contains(chosen, words):
            chosen |= {word: words[word] for word in ("precision", "scale") if word in words}
    return chosen


def read_columns(dataset: str, name: str, warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    """Returns the columns of a table of the warehouse in their order, as far as their types can be wider."""
    rows = warehouse.query(
        "select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale"
        f" from information_schema.columns where table_schema = {literal(dataset)} and table_name = {literal(name)}"
        " order by ordinal_position"
    )
    return {column: to_column(*words) for column, *words in rows}


def to_column(data_type: str, length: int | None, precision: int | None, scale: int | None) -> dict[str, Any]:
    """Returns a type of the information schema as dlt's."""
    kind = data_type.partition("(")[0].lower()
    if kind in BITS:
        return {"data_type": "bigint", "precision": BITS[kind]}
    if kind in ("numeric", "decimal"):
        return {"data_type": "decimal", "precision": precision, "scale": scale}
    if kind in ("character varying", "varchar"):
        return {"data_type": "text", "precision": length}
    return {"data_type": "double" if kind.startswith("double") else kind}
