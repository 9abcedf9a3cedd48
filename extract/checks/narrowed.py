"""Values of raw that bronze does not keep: its cast cuts or rounds them without an error, or fails for them.

    in raw               in bronze                 what is lost
    varchar              a shorter varchar         bytes at the end; Redshift cuts, DuckDB has no lengths
    numeric              fewer decimals, integer   decimals
    double precision     integer                   decimals
    double precision     real                      digits
    timestamp            date                      the time

    a number             one of fewer digits       the number: the cast fails, and bronze is not built

The last one happens when raw has got a wider type and bronze has not. A real of PostgreSQL is in raw as the double
with the same digits, so a double is looked at only if the column has that type at the source.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from extract.load.widening import BITS
from extract.sql import literal, quote
from extract.warehouse.targets import Warehouse

KINDS = {
    "character varying": "text", "varchar": "text", "character": "text", "numeric": "decimal", "decimal": "decimal",
    "double precision": "double", "double": "double", "real": "real", "float": "real", "smallint": "integer",
    "integer": "integer", "bigint": "integer", "date": "date", "timestamp": "timestamp",
    "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamp",
}  # fmt: skip

# The least and the greatest positive real with all of its digits, and infinity.
REALS = ("1.17549435e-38", "3.4028234663852886e38", "Infinity")


@dataclass(frozen=True)
class ColumnType:
    """A column's type in the warehouse: its kind, the most bytes of a text, the digits of a decimal.

    The precision of an integer is its bits.
    """

    kind: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    @property
    def whole_digits(self) -> int:
        """The digits of a decimal before the point."""
        return (self.precision or 0) - (self.scale or 0)


Types = Mapping[str, ColumnType]


def read_types(schemas: Sequence[str], warehouse: Warehouse) -> dict[tuple[str, str], dict[str, ColumnType]]:
    """Returns the types of the columns, by name, of each table and view of some schemas."""
    types: dict[tuple[str, str], dict[str, ColumnType]] = {}
    for schema, table, name, data_type, length, precision, scale in warehouse.query(
        "select table_schema, table_name, column_name, data_type, character_maximum_length, numeric_precision,"
        " numeric_scale"
        f" from information_schema.columns where table_schema in ({', '.join(map(literal, schemas))})"
    ):
        kind = KINDS.get(data_type.partition("(")[0].lower(), data_type)
        types.setdefault((schema, table), {})[name] = ColumnType(
            kind, length, BITS.get(data_type.lower(), precision), scale
        )
    return types


def is_real_of_a_double(raw: ColumnType, bronze: ColumnType) -> bool:
    """Returns whether bronze has a real of what may be a double precision at the source."""
    return (raw.kind, bronze.kind) == ("double", "real")


def select_narrowed(relation: str, raw: Types, bronze: Types, doubles: Collection[str] = ()) -> str | None:
    """Returns a query of the rows of raw with a value that bronze does not keep; None if it keeps all of any.

    `doubles` are the columns that are a double precision at the source.
    """
    conditions = list(conditions_of(raw, bronze, doubles))
    return f"select * from {relation} where {' or '.join(conditions)}" if conditions else None


def conditions_of(raw: Types, bronze: Types, doubles: Collection[str]) -> Iterator[str]:
    """Yields a condition on the rows of raw for each column whose type in bronze may not keep its values."""
    for name in raw.keys() & bronze.keys():
        before, after, column = raw[name], bronze[name], quote(name)
        match before.kind, after.kind:
            case "text", "text" if after.length and (before.length is None or before.length > after.length):
                yield f"octet_length({column}) > {after.length}"
            case "integer", "integer" if (before.precision or 64) > (after.precision or 64):
                bits = (after.precision or 64) - 1
                yield f"{column} not between {-(2**bits)} and {2**bits - 1}"
            case "decimal", "integer":
                yield f"{column} <> round({column}, 0)"
            case "decimal", "decimal":
                if (before.scale or 0) > (after.scale or 0):
                    yield f"{column} <> round({column}, {after.scale or 0})"
                if before.whole_digits > after.whole_digits:
                    yield f"abs({column}) >= {10**after.whole_digits}"
            case "double", "integer":
                yield f"{column} <> floor({column})"
            case "double", "real" if name in doubles:
                yield no_real(column)
            case "timestamp", "date":
                yield f"{column} <> date_trunc('day', {column})"


def no_real(column: str) -> str:
    """Returns the condition that a double is none of the values of a real; one beyond all of them is not cast."""
    least, greatest, infinite = ("cast('" + number + "' as double precision)" for number in REALS)
    return (
        f"case when abs({column}) > 0 and abs({column}) < {least}"
        f" or abs({column}) > {greatest} and abs({column}) < {infinite} then true"
        f" else {column} <> cast(cast({column} as real) as double precision) end"
    )
