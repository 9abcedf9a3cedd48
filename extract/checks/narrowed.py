"""Values of raw that bronze does not keep, because its cast cuts or rounds them without an error.

    in raw               in bronze                 what is lost
    varchar              a shorter varchar         bytes at the end; Redshift cuts, DuckDB has no lengths
    numeric              fewer decimals, integer   decimals
    double precision     integer                   decimals
    timestamp            date                      the time

A cast that fails needs no check: the build shows it. A double in a real is not looked at: a real of PostgreSQL is in
raw as the double with the same digits, and no query can tell it from another double.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from extract.sql import literal, quote
from extract.warehouse.targets import Warehouse

KINDS = {
    "character varying": "text", "varchar": "text", "character": "text", "numeric": "decimal", "decimal": "decimal",
    "double precision": "double", "double": "double", "real": "real", "float": "real", "smallint": "integer",
    "integer": "integer", "bigint": "integer", "date": "date", "timestamp": "timestamp",
    "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamp",
}  # fmt: skip


@dataclass(frozen=True)
class ColumnType:
    """A column's type in the warehouse: its kind, the most bytes of a text, the decimals of a number."""

    kind: str
    length: int | None = None
    scale: int | None = None


Types = Mapping[str, ColumnType]


def read_types(schemas: Sequence[str], warehouse: Warehouse) -> dict[tuple[str, str], dict[str, ColumnType]]:
    """Returns the types of the columns, by name, of each table and view of some schemas."""
    types: dict[tuple[str, str], dict[str, ColumnType]] = {}
    for schema, table, name, data_type, length, scale in warehouse.query(
        "select table_schema, table_name, column_name, data_type, character_maximum_length, numeric_scale"
        f" from information_schema.columns where table_schema in ({', '.join(map(literal, schemas))})"
    ):
        kind = KINDS.get(data_type.partition("(")[0].lower(), data_type)
        types.setdefault((schema, table), {})[name] = ColumnType(kind, length, scale)
    return types


def select_narrowed(relation: str, raw: Types, bronze: Types) -> str | None:
    """Returns a query of the rows of raw with a value that bronze cuts or rounds; None if it keeps all of any."""
    conditions = list(conditions_of(raw, bronze))
    return f"select * from {relation} where {' or '.join(conditions)}" if conditions else None


def conditions_of(raw: Types, bronze: Types) -> Iterator[str]:
    """Yields a condition on the rows of raw for each column whose type in bronze may not keep its values."""
    for name in raw.keys() & bronze.keys():
        before, after, column = raw[name], bronze[name], quote(name)
        match before.kind, after.kind:
            case "text", "text" if after.length and (before.length is None or before.length > after.length):
                yield f"octet_length({column}) > {after.length}"
            case "decimal", "integer":
                yield f"{column} <> round({column}, 0)"
            case "decimal", "decimal" if (before.scale or 0) > (after.scale or 0):
                yield f"{column} <> round({column}, {after.scale or 0})"
            case "double", "integer":
                yield f"{column} <> floor({column})"
            case "timestamp", "date":
                yield f"{column} <> date_trunc('day', {column})"
