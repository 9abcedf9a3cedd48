"""Columns as PostgreSQL's catalogue describes them, and which of their values a warehouse can hold.

PostgreSQL's types are wider than any warehouse's: dates reach from 4713 BC to infinity, a numeric may be NaN, a text
may have a gigabyte. A row with such a value is a dead letter. The condition that finds it is SQL, so that the source
itself separates these rows in the same snapshot.
"""

from dataclasses import dataclass

import pyarrow as pa

from extract.reading import Limits
from extract.sql import literal, quote

# PostgreSQL's types that arrive in Arrow as they are (read in ADBC's postgresql driver, type map).
NATIVE = {
    "int2", "int4", "int8", "float8", "bool", "date", "timestamp", "timestamptz",
    "text", "varchar", "bpchar", "bytea",
}  # fmt: skip

LONGEST_IN_JSON = 10_000_000  # bytes

# Arrow counts timestamps in microseconds of 64 bits, and DuckDB and Redshift show the years 1 to 9999.
YEARS = {
    "date": ("0001-01-01", "10000-01-01"),
    "timestamp": ("0001-01-01 00:00:00", "10000-01-01 00:00:00"),
    "timestamptz": ("0001-01-01 00:00:00+00", "10000-01-01 00:00:00+00"),
}


@dataclass(frozen=True)
class SourceColumn:
    """A column as PostgreSQL's catalogue describes it, and its name in raw."""

    name: str
    loaded: str
    kind: str  # pg_type.typname
    modifier: int  # pg_attribute.atttypmod, -1 if the type has none

    @property
    def sql(self) -> str:
        """The column's name at the source in SQL."""
        return quote(self.name)

    @property
    def value(self) -> str:
        """The value to read: the column itself, or its text if Arrow has no type for all of its values.

        A real becomes the double with the same decimal digits: 3.14 is 3.14 and not 3.140000104904175.
        """
        if self.kind == "float4":
            return f"{self.sql}::text::float8"
        return self.sql if self.kind in NATIVE else f"{self.sql}::text"

    @property
    def expression(self) -> str:
        """The value under the column's name in raw."""
        return f"{self.value} as {quote(self.loaded)}"

    @property
    def in_json(self) -> str:
        """The value that a row of JSON has; of a very long one its length, because jsonb holds no text of 256 MB."""
        if self.kind not in ("text", "varchar", "bpchar", "bytea"):
            return self.sql
        size = f"octet_length({self.sql})"
        cut = f"to_jsonb('… (' || {size} || ' bytes)')"
        return f"case when {size} > {LONGEST_IN_JSON} then {cut} else to_jsonb({self.sql}) end"

    @property
    def length(self) -> int | None:
        """The most characters of a text, where its type says."""
        if self.kind == "uuid":
            return 36
        return self.modifier - 4 if self.kind in ("varchar", "bpchar") and self.modifier > 4 else None

    @property
    def decimal(self) -> pa.DataType | None:
        """Arrow's type for numeric(p, s); None for all else, numeric without a precision too: no decimal holds it."""
        if self.kind != "numeric" or self.modifier < 4:
            return None
        precision, scale = (self.modifier - 4) >> 16 & 0xFFFF, (self.modifier - 4) & 0x7FF
        return pa.decimal128(precision, scale) if precision <= 38 and scale <= precision else None

    def field(self, arrived: pa.Schema) -> pa.Field:
        """Returns the column's field in Arrow: numeric(p, s) is a decimal again, all else as it arrived."""
        return pa.field(self.loaded, self.decimal or arrived.field(self.loaded).type)

    def faults(self, limits: Limits) -> list[tuple[str, str]]:
        """Returns the conditions under which a value does not fit, each with what is expected instead."""
        name = quote(self.name)
        expected = f"column {self.name}: expected"
        if self.kind in YEARS:
            first, end = map(literal, YEARS[self.kind])
            return [(f"({name} < {first} or {name} >= {end})", f"{expected} a {self.kind} in the years 1 to 9999")]
        if self.decimal:
            return [(f"{name} = 'NaN'", f"{expected} a {self.decimal}, got NaN")]
        if self.kind == "bytea" and limits.binary:
            return [(f"octet_length({name}) > {limits.binary}", f"{expected} {limits.binary:,} bytes at most")]
        is_text = self.kind in ("text", "varchar", "bpchar") or self.kind not in {*NATIVE, "float4"}
        if is_text and limits.text and (self.length is None or self.length * 4 > limits.text):
            return [(f"octet_length({name}::text) > {limits.text}", f"{expected} {limits.text:,} bytes at most")]
        return []


def convert(array: pa.Array, field: pa.Field) -> pa.Array:
    """Returns a column's values in the type of its field.

    Raises:
        ValueError: naming the column and the value that does not fit. Arrow's own errors are ValueErrors too.
    """
    try:
        return array.cast(field.type)
    except pa.ArrowInvalid as error:
        raise ValueError(f"column {field.name}: expected {field.type}, got: {error}") from error
