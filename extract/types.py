"""Types of columns, as the declarations name them (`data_type`) and as Arrow has them."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BYTES_PER_CHARACTER = 4  # the most that UTF-8 needs; Redshift counts the length of a varchar in bytes

# The most bytes of a value on Redshift.
# https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html and r_VARBYTE_type.html (without a length)
LONGEST_TEXT, LONGEST_BINARY = 65_535, 64_000

# https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_usage.html
MOST_COLUMNS = 1_600

WORDS = {
    "smallint": "int16", "int2": "int16", "integer": "int32", "int": "int32", "int4": "int32", "bigint": "int64",
    "int8": "int64", "real": "float32", "float4": "float32", "double precision": "float64", "float8": "float64",
    "float": "float64", "double": "float64", "boolean": "bool", "bool": "bool", "date": "date32", "text": "text",
    "varchar": "text", "character varying": "text", "char": "text", "character": "text", "varbyte": "binary",
    "varbinary": "binary", "bytea": "binary", "numeric": "decimal", "decimal": "decimal", "timestamp": "timestamp",
    "timestamp without time zone": "timestamp", "timestamptz": "timestamptz", "timestamp with time zone":
    "timestamptz", "time": "time",
}  # fmt: skip


def split_type(data_type: str) -> tuple[str, tuple[int, ...]]:
    """Returns the kind of a type and its numbers: `varchar(400)` is `text` and 400.

    Raises:
        ValueError: for a type that no raw table has.
    """
    found = re.fullmatch(r"([a-z0-9 ]+?) *(?:\((\d+)(?: *, *(\d+))?\))?", " ".join(data_type.lower().split()))
    kind = WORDS.get(found[1]) if found else None
    if not found or kind is None:
        raise ValueError(f"expected a type such as integer, varchar(400) or numeric(18,2), got {data_type!r}")
    numbers = tuple(int(number) for number in found.groups()[1:] if number)
    if kind == "decimal" and (len(numbers) != 2 or not 1 <= numbers[0] <= 38 or numbers[1] > numbers[0]):
        raise ValueError(f"expected numeric(p,s) with p up to 38 and s up to p, got {data_type!r}")
    return kind, numbers


def arrow_type(data_type: str) -> "pa.DataType":
    """Returns the Arrow type of a column that is declared with a type."""
    import pyarrow as pa

    kind, numbers = split_type(data_type)
    match kind:
        case "decimal":
            return pa.decimal128(*numbers)
        case "text":
            return pa.string()
        case "timestamp":
            return pa.timestamp("us")
        case "timestamptz":
            return pa.timestamp("us", "UTC")
        case "time":
            return pa.time64("us")
        case "bool":
            return pa.bool_()
        case _:
            return pa.type_for_alias(kind)


def characters(data_type: str) -> int | None:
    """Returns how many characters a text may have; None if it is no text or has no limit but that of its bytes."""
    kind, numbers = split_type(data_type)
    if kind != "text" or not numbers or numbers[0] >= LONGEST_TEXT:
        return None
    return numbers[0] // BYTES_PER_CHARACTER
