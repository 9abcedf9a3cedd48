"""Columns of Arrow as rows of PostgreSQL's binary COPY, without a step for each value.

https://www.postgresql.org/docs/current/sql-copy.html: a row is the number of its fields, and each field is the length
of its value and the value. A column becomes an array of such fields, and a row is one of each, joined.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_NULL = pa.scalar(b"\xff\xff\xff\xff", pa.binary())
_EMPTY = pa.scalar(b"", pa.binary())
_DAYS = 10_957  # from 1970 to 2000, where PostgreSQL's time begins
_MICROSECONDS = _DAYS * 86_400_000_000
_FIXED = {
    "smallint": (">i2", pa.int16()), "integer": (">i4", pa.int32()), "bigint": (">i8", pa.int64()),
    "real": (">f4", pa.float32()), "double precision": (">f8", pa.float64()), "boolean": ("u1", pa.uint8()),
}  # fmt: skip
_GROUP = 4  # decimal digits of one digit of PostgreSQL's numeric
_VECTOR_DIGITS, _VECTOR_SCALE = 18, 16  # that 64 bits hold, with the scale filled up to whole groups


def join_rows(fields: Sequence[pa.Array]) -> memoryview:
    """Returns rows; each array has the fields of a column."""
    count = pa.scalar(struct.pack("!h", len(fields)), pa.binary())
    rows = pc.binary_join_element_wise(count, *fields, _EMPTY)
    return memoryview(rows.buffers()[2])


def fields_of(array: pa.Array, kind: str) -> pa.Array:
    """Returns the fields of a column; `kind` is its type in PostgreSQL."""
    if kind in _FIXED:
        code, arrow = _FIXED[kind]
        return _fixed(array, _numbers(array, arrow), code)
    if kind == "date":
        return _fixed(array, _numbers(array.cast(pa.int32()), pa.int32()) - _DAYS, ">i4")
    if kind.startswith("timestamp"):
        micros = array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.int64())
        return _fixed(array, _numbers(micros, pa.int64()) - _MICROSECONDS, ">i8")
    if kind == "numeric":
        return _decimals(array)
    return bytes_fields(array.cast(pa.binary()))


def null_fields(count: int) -> pa.Array:
    """Returns fields that are all NULL."""
    return pa.repeat(_NULL, count)


def bytes_fields(array: pa.Array) -> pa.Array:
    """Returns fields of texts and of bytes."""
    filled = array.fill_null(b"")
    lengths = np.asarray(pc.binary_length(filled)).astype(">i4")
    fields = pc.binary_join_element_wise(_cells(lengths, 4), filled, _EMPTY)
    return _with_nulls(array, fields)


def _numbers(array: pa.Array, kind: pa.DataType) -> Any:
    array = array.cast(kind)
    return np.asarray(array.fill_null(0) if array.null_count else array)


def _fixed(array: pa.Array, values: Any, code: str) -> pa.Array:
    record = np.empty(len(array), np.dtype([("length", ">i4"), ("value", code)]))
    record["length"] = np.dtype(code).itemsize
    record["value"] = values
    return _with_nulls(array, _cells(record, record.itemsize))


def _cells(values: Any, width: int) -> pa.Array:
    """Returns an array of bytes of one width from NumPy's memory."""
    offsets = np.arange(len(values) + 1, dtype=np.int32) * width
    return pa.Array.from_buffers(
        pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(values.tobytes())]
    )


def _with_nulls(array: pa.Array, fields: pa.Array) -> pa.Array:
    return pc.if_else(array.is_valid(), fields, _NULL) if array.null_count else fields


def _decimals(array: pa.Array) -> pa.Array:
    precision, scale = array.type.precision, array.type.scale
    if precision > _VECTOR_DIGITS or not 0 <= scale <= _VECTOR_SCALE:
        return bytes_fields(pa.array(_each(array.to_pylist(), _decimal), pa.binary()))
    filled = array.fill_null(Decimal(0).scaleb(-scale)) if array.null_count else array
    words = np.frombuffer(filled.buffers()[1], np.int64)[filled.offset * 2 : (filled.offset + len(filled)) * 2]
    unscaled = words[::2]
    whole, fraction = np.divmod(np.abs(unscaled), 10**scale)
    after = -(-scale // _GROUP)
    before = -(-(precision - scale) // _GROUP)
    digits = _groups(whole, before) + _groups(fraction * 10 ** (after * _GROUP - scale), after)
    record = np.empty(
        len(filled), np.dtype([("length", ">i4"), ("head", ">i2", (4,)), ("digits", ">i2", (len(digits),))])
    )
    record["length"] = record.itemsize - 4
    record["head"][:, 0], record["head"][:, 1] = len(digits), before - 1
    record["head"][:, 2], record["head"][:, 3] = np.where(unscaled < 0, 0x4000, 0), scale
    for place, group in enumerate(digits):
        record["digits"][:, place] = group
    return _with_nulls(array, _cells(record, record.itemsize))


def _groups(values: Any, count: int) -> list[Any]:
    """Returns the digits of base 10000, the highest first."""
    found: list[Any] = []
    for _ in range(count):
        values, digit = np.divmod(values, 10**_GROUP)
        found.insert(0, digit)
    return found


def _each(values: Iterable[Any], change: Callable[[Any], bytes]) -> list[bytes | None]:
    return [None if value is None else change(value) for value in values]


def _decimal(value: Decimal) -> bytes:
    """Returns the binary form of a numeric."""
    whole, _, fraction = format(value.copy_abs(), "f").partition(".")
    scale = len(fraction)
    whole = whole.zfill(-(-len(whole) // _GROUP) * _GROUP)
    text = whole + fraction.ljust(-(-scale // _GROUP) * _GROUP, "0")
    digits = [int(text[place : place + _GROUP]) for place in range(0, len(text), _GROUP)]
    head = (len(digits), len(whole) // _GROUP - 1, 0x4000 if value < 0 else 0, scale)
    return struct.pack(f"!{len(digits) + 4}h", *head, *digits)
