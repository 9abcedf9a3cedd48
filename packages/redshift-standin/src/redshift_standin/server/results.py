"""Columns and rows as Redshift sends them.

Its protocol has versions, and a client asks for one with `client_protocol_version`: 0 is PostgreSQL's, 1 adds the
place of each column to RowDescription, 2 adds own formats of NUMERIC and VARBYTE.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from redshift_standin.errors import not_implemented
from redshift_standin.super_values import to_client

VERSIONS = (0, 1, 2)
TEXT, VARCHAR, TIME, INTERVAL, TIMETZ, NUMERIC = 25, 1043, 1083, 1186, 1266, 1700  # also PostgreSQL's type ids
SUPER, VARBYTE, YEAR_TO_MONTH, DAY_TO_SECOND = 4000, 6551, 1188, 1190  # Redshift's alone
_YEAR_OR_MONTH, _FULL_RANGE = 0b110, 0x7FFF  # of the fields in the modifier of an interval
_PRECISION = 38  # the greatest of NUMERIC
_SHORT = 18  # NUMERIC of this precision has 8 bytes, of a greater one 16
_DAY = 86_400_000_000
_BINARY = 1
NO_SCALE = 16  # where neither the type nor the values tell

Convert = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Column:
    """A column in a RowDescription."""

    name: bytes
    table: int
    number: int
    type_id: int
    size: int
    modifier: int
    format: int = 0

    @property
    def has_no_scale(self) -> bool:
        """Whether it is a NUMERIC of which the type does not tell the scale."""
        return self.type_id == NUMERIC and self.modifier == -1

    def with_scale(self, scale: int) -> "Column":
        """Returns the column as a NUMERIC of this scale."""
        return replace(self, modifier=(_PRECISION << 16 | scale) + 4)


@dataclass(frozen=True)
class Place:
    """Where the values of a column come from, as version 1 shows it."""

    schema: str = ""
    table: str = ""
    column: str = ""
    database: str = ""
    nullable: bool = True
    identity: bool = False

    def encode(self) -> bytes:
        """Returns what follows a column in RowDescription: four names, and flags."""
        names = (self.schema, self.table, self.column, self.database)
        flags = self.nullable | self.identity << 4 | 1 << 12  # the last: can be compared in a WHERE clause
        return b"".join(name.encode() + b"\0" for name in names) + struct.pack("!h", flags)


def read_columns(body: bytes, type_ids: Mapping[int, int]) -> tuple[Column, ...]:
    """Returns the columns of PostgreSQL's RowDescription with Redshift's type ids."""
    (count,) = struct.unpack("!h", body[:2])
    place, columns = 2, []
    for _ in range(count):
        end = body.index(b"\0", place)
        table, number, own, size, modifier, form = struct.unpack("!ihihih", body[end + 1 : end + 19])
        columns.append(
            Column(body[place:end], table, number, _type_id(own, modifier, type_ids), size, modifier, form)
        )
        place = end + 19
    return tuple(columns)


def _type_id(own: int, modifier: int, type_ids: Mapping[int, int]) -> int:
    if own == TEXT:
        return VARCHAR
    if own != INTERVAL or modifier == -1:
        return type_ids.get(own, own)
    fields = modifier >> 16 & _FULL_RANGE
    if fields == _FULL_RANGE:
        return INTERVAL
    return DAY_TO_SECOND if fields & ~_YEAR_OR_MONTH else YEAR_TO_MONTH


def write_columns(columns: Sequence[Column], places: Sequence[Place] | None) -> bytes:
    """Returns the body of a RowDescription, with the columns' places for versions that have them."""
    body = struct.pack("!h", len(columns))
    for index, column in enumerate(columns):
        body += column.name + b"\0"
        body += struct.pack(
            "!ihihih", column.table, column.number, column.type_id, column.size, column.modifier, column.format
        )
        body += places[index].encode() if places else b""
    return body


def with_formats(columns: Sequence[Column], formats: Sequence[int]) -> tuple[Column, ...]:
    """Returns columns with the formats of a Bind: none for text everywhere, one for all columns, or one for each."""
    every = list(formats) * len(columns) if len(formats) == 1 else formats or [0] * len(columns)
    return tuple(replace(column, format=form) for column, form in zip(columns, every, strict=False))


def conversions(columns: Sequence[Column], version: int) -> dict[int, Convert]:
    """Returns for each column with values that Redshift writes in another way the function that rewrites one."""
    return {i: found for i, column in enumerate(columns) if (found := _conversion(column, version))}


def _conversion(column: Column, version: int) -> Convert | None:
    if column.type_id == SUPER:
        return to_client
    if column.type_id == VARBYTE and column.format != _BINARY:
        return _varbyte_as_bytes if version >= 2 else _varbyte_as_hex
    if column.format != _BINARY:
        return _time_as_text if column.type_id == TIME else None
    if column.type_id == NUMERIC and version >= 2:
        precision, scale = divmod(column.modifier - 4, 1 << 16) if column.modifier != -1 else (_PRECISION, NO_SCALE)
        return lambda value: numeric_as_integer(value, scale, 8 if precision <= _SHORT else 16)
    return _BINARIES.get(column.type_id)


def convert_row(body: bytes, convert: Mapping[int, Convert]) -> bytes:
    """Returns a DataRow with the values of some columns rewritten."""
    (count,) = struct.unpack("!h", body[:2])
    place, new = 2, bytearray(body[:2])
    for index in range(count):
        (length,) = struct.unpack("!i", body[place : place + 4])
        end = place + 4 + max(length, 0)
        if length >= 0 and (change := convert.get(index)):
            value = change(body[place + 4 : end])
            new += struct.pack("!i", len(value)) + value
        else:
            new += body[place:end]
        place = end
    return bytes(new)


def _varbyte_as_hex(value: bytes) -> bytes:
    return value.removeprefix(b"\\x")


def _varbyte_as_bytes(value: bytes) -> bytes:
    return bytes.fromhex(value.removeprefix(b"\\x").decode())


def _interval_as_redshift(value: bytes) -> bytes:
    microseconds, days, months = struct.unpack("!qii", value)
    try:
        return struct.pack("!qhh", microseconds, days, months)
    except struct.error:
        raise not_implemented(f"an interval of {days} days and {months} months") from None


def _as_months(value: bytes) -> bytes:
    return value[-4:]


def _as_microseconds(value: bytes) -> bytes:
    microseconds, days, _ = struct.unpack("!qii", value)
    return struct.pack("!q", microseconds + days * _DAY)


def _time_as_text(value: bytes) -> bytes:
    return b"00" + value[2:] if value.startswith(b"24") else value  # the end of a day


def _time_within_day(value: bytes) -> bytes:
    (microseconds,) = struct.unpack("!q", value)
    return struct.pack("!q", microseconds % _DAY)


def _time_in_utc(value: bytes) -> bytes:
    microseconds, west = struct.unpack("!qi", value)
    return struct.pack("!qi", (microseconds + west * 1_000_000) % _DAY, 0)


_BINARIES: dict[int, Convert] = {
    INTERVAL: _interval_as_redshift, YEAR_TO_MONTH: _as_months, DAY_TO_SECOND: _as_microseconds,
    TIME: _time_within_day, TIMETZ: _time_in_utc,
}  # fmt: skip


def numeric_as_integer(value: bytes, scale: int, size: int) -> bytes:
    """Returns PostgreSQL's binary NUMERIC as an integer of so many bytes: the number, times ten to the scale.

    Raises:
        RedshiftError: it does not fit.
    """
    count, weight, sign, _ = struct.unpack("!hhHH", value[:8])
    digits = 0
    for digit in struct.unpack(f"!{count}h", value[8:]):
        digits = digits * 10_000 + digit
    shift = 4 * (weight - count + 1) + scale
    number = digits * 10**shift if shift >= 0 else (digits + 10**-shift // 2) // 10**-shift
    if sign not in (0, 0x4000) or number >= 1 << (8 * size - 1):
        raise not_implemented(f"a NUMERIC that does not fit into {size} bytes with scale {scale}")
    encoded: bytes = (-number if sign else number).to_bytes(size, "big", signed=True)
    return encoded


def parameter_as_postgres(type_id: int, value: bytes) -> bytes:
    """Returns the binary value of a parameter in PostgreSQL's form; those of intervals differ."""
    if type_id == YEAR_TO_MONTH:
        return struct.pack("!qi", 0, 0) + value
    if type_id == DAY_TO_SECOND:
        (microseconds,) = struct.unpack("!q", value)
        days = abs(microseconds) // _DAY * (1 if microseconds > 0 else -1)
        return struct.pack("!qii", microseconds - days * _DAY, days, 0)
    return struct.pack("!qii", *struct.unpack("!qhh", value)) if type_id == INTERVAL and len(value) == 12 else value
