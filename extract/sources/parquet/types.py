"""Which types of Parquet columns can be loaded, and as which type of a declaration."""

import pyarrow as pa

from extract.types import LONGEST_TEXT, arrow_type, split_type

DURATION = (28, 9)  # numeric: seconds with nine decimals, in which every unit of Arrow is exact
ANY_TEXT = f"varchar({LONGEST_TEXT})"

SIMPLE = {
    "int8": "smallint", "int16": "smallint", "int32": "integer", "int64": "bigint",
    "uint8": "smallint", "uint16": "integer", "uint32": "bigint", "uint64": "numeric(20, 0)",
    "halffloat": "real", "float": "real", "double": "double precision", "bool": "boolean",
    "date32[day]": "date", "date64[ms]": "date",
}  # fmt: skip
DIGITS = {"int8": 3, "int16": 5, "int32": 10, "int64": 19, "uint8": 3, "uint16": 5, "uint32": 10, "uint64": 20}


def plain_type(actual: pa.DataType) -> pa.DataType:
    """Returns the type of the values: without a dictionary, and of an extension the storage, but of a UUID itself."""
    if pa.types.is_dictionary(actual):
        return plain_type(actual.value_type)
    if isinstance(actual, pa.BaseExtensionType) and not isinstance(actual, pa.UuidType):
        return plain_type(actual.storage_type)
    return actual


def is_text(actual: pa.DataType) -> bool:
    """Returns whether values are texts."""
    return bool(pa.types.is_string(actual) or pa.types.is_large_string(actual) or pa.types.is_string_view(actual))


def is_binary(actual: pa.DataType) -> bool:
    """Returns whether values are bytes."""
    return bool(
        pa.types.is_binary(actual)
        or pa.types.is_large_binary(actual)
        or pa.types.is_binary_view(actual)
        or pa.types.is_fixed_size_binary(actual)
    )


def is_list(actual: pa.DataType) -> bool:
    """Returns whether values are lists."""
    return bool(pa.types.is_list(actual) or pa.types.is_large_list(actual) or pa.types.is_fixed_size_list(actual))


def is_long_decimal(actual: pa.DataType) -> bool:
    """Returns whether values are decimals with more digits than a warehouse has."""
    return bool(pa.types.is_decimal(actual) and actual.precision > 38)


def is_json(actual: pa.DataType) -> bool:
    """Returns whether values become JSON."""
    return bool(pa.types.is_struct(actual) or pa.types.is_map(actual) or is_list(actual))


def becomes_text(actual: pa.DataType) -> bool:
    """Returns whether values may be loaded as text: no warehouse has their type, or not all of their digits."""
    return bool(
        isinstance(actual, pa.UuidType)
        or pa.types.is_time(actual)
        or pa.types.is_timestamp(actual)
        or is_long_decimal(actual)
        or (is_json(actual) and has_texts(actual))
    )


def has_texts(actual: pa.DataType) -> bool:
    """Returns whether all values in a list, struct or map can be loaded, and no struct has two fields of one name."""
    if pa.types.is_map(actual):
        fields = [actual.key_field, actual.item_field]
    else:
        fields = [actual.field(number) for number in range(actual.num_fields)]
    names = {one.name for one in fields}
    return len(names) == len(fields) and all(declared_type(one.type) is not None for one in fields)


def declared_type(actual: pa.DataType) -> str | None:
    """Returns the type to declare for a column, None for one that cannot be loaded."""
    actual = plain_type(actual)
    if simple := SIMPLE.get(str(actual)):
        return simple
    if pa.types.is_decimal(actual) and not is_long_decimal(actual):
        return f"numeric({actual.precision}, {actual.scale})"
    if pa.types.is_duration(actual):
        return "numeric({}, {})".format(*DURATION)
    if pa.types.is_timestamp(actual):
        return "timestamptz" if actual.tz else "timestamp"
    if is_binary(actual):
        return "varbinary"
    return ANY_TEXT if is_text(actual) or pa.types.is_null(actual) or becomes_text(actual) else None


def fits(actual: pa.DataType, data_type: str) -> bool:
    """Returns whether every value of one type can be loaded as the other: `int32` as `bigint`, not the reverse.

    A column of nulls alone, as some programs write one without values, fits every type. Bytes fit a text, because
    some programs do not mark texts as such.
    """
    actual, (kind, numbers) = plain_type(actual), split_type(data_type)
    if pa.types.is_null(actual):
        return True
    match kind:
        case "int16" | "int32" | "int64":
            bits = actual.bit_width + (not pa.types.is_signed_integer(actual)) if str(actual) in DIGITS else 65
            return bool(bits <= int(kind.removeprefix("int")))
        case "decimal":
            after, before = count_digits(actual)
            return after <= numbers[1] and before <= numbers[0] - numbers[1]
        case "float32":
            return str(actual) in ("halffloat", "float")
        case "float64":  # every integer of 32 bits is a double
            return bool(pa.types.is_floating(actual) or (str(actual) in DIGITS and actual.bit_width <= 32))
        case "timestamp" | "timestamptz":
            return bool(pa.types.is_timestamp(actual) and bool(actual.tz) == (kind == "timestamptz"))
        case "date32":
            return bool(pa.types.is_date(actual))
        case "bool":
            return bool(pa.types.is_boolean(actual))
        case "binary":
            return is_binary(actual)
        case _:
            return is_text(actual) or is_binary(actual) or becomes_text(actual)


def count_digits(actual: pa.DataType) -> tuple[int, int]:
    """Returns how many digits after and before the point a decimal needs for every value of a type."""
    if pa.types.is_decimal(actual):
        return actual.scale, actual.precision - actual.scale
    if pa.types.is_duration(actual):
        return DURATION[1], DURATION[0] - DURATION[1]
    return 0, DIGITS.get(str(actual), 99)


def raw_type(data_type: str) -> pa.DataType:
    """Returns a column's type in raw: as declared, but dlt has no real, which becomes the double of its value."""
    declared = arrow_type(data_type)
    return pa.float64() if declared == pa.float32() else declared
