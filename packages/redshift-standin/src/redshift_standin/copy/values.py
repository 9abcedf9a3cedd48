"""The fields of a file as values of the target's columns, before PostgreSQL reads them.

PostgreSQL accepts more forms than Redshift and rounds where Redshift truncates. A converter returns the value as
PostgreSQL reads it, None for NULL, or raises `RejectedError`.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal, InvalidOperation

from redshift_standin.copy.formats import DEFAULT_TIME, DEFAULT_TIME_ZONE, ISO, Format, from_epoch
from redshift_standin.copy.load_errors import (
    INVALID_CHAR,
    INVALID_SUPER,
    INVALID_UTF8,
    NOT_NULL,
    TOO_LONG,
    reason,
)
from redshift_standin.copy.statement import TEXTS, Column, Copy, needs_time_zone
from redshift_standin.errors import not_implemented
from redshift_standin.super_values import to_stored

Converter = Callable[[str], str | None]
_INTEGER = re.compile(r"\s*[+-]?\d+\s*")
_DECIMAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_WORD = re.compile(r"\s*[A-Za-z]+\s*")
_BOOLEANS = {"t", "true", "y", "yes", "1", "f", "false", "n", "no", "0"}
_DIGITS = re.compile(r"\d+")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_WRONG = "22P02"  # PostgreSQL's SQLSTATE of a value that is not of its type


class RejectedError(Exception):
    """A record cannot be loaded: Redshift's code and reason, and the place of the column."""

    def __init__(self, code: int, reason_given: str, place: int = -1, value: str = "") -> None:
        super().__init__(reason_given)
        self.code, self.reason, self.place, self.value = code, reason_given, place, value


class Values:
    """Converts the fields of a record."""

    def __init__(self, copy: Copy, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._copy = copy
        self._converters = [_converter(copy, column) for column in columns]
        self._required = [n for n, column in enumerate(columns) if column.required]

    def convert(self, fields: Sequence[str | None]) -> list[str | None]:
        """Returns the values of a record.

        Raises:
            RejectedError: it cannot be loaded.
        """
        place = 0
        values: list[str | None] = []
        try:
            for place, (field, convert) in enumerate(zip(fields, self._converters, strict=True)):  # noqa: B007
                values.append(None if field is None else convert(field))
        except RejectedError as rejected:
            rejected.place, rejected.value = place, fields[place] or ""
            raise
        for place in self._required:
            if values[place] is None:
                raise RejectedError(*NOT_NULL, place)
        return values


def _converter(copy: Copy, column: Column) -> Converter:
    if column.type in TEXTS or column.type == "text":
        return _texts(copy, column)
    convert = _typed(copy, column)

    def blank_or(field: str) -> str | None:
        if not field or field.isspace():
            return None
        return convert(field)

    return blank_or


def _texts(copy: Copy, column: Column) -> Converter:
    length, fixed = column.length, column.type == "character"
    trim = copy.trim_blanks and not fixed

    def convert(field: str) -> str | None:
        if not field:
            return None if copy.empty_as_null else field
        if copy.blanks_as_null and field.isspace():
            return None
        if trim:
            field = field.rstrip()
        if "\0" in field:
            raise not_implemented("a text with a NUL character")
        if not field.isascii():
            check_encoding(field)
            if fixed:
                wrong = next(one for one in field if not one.isascii())
                raise RejectedError(INVALID_CHAR[0], f"{INVALID_CHAR[1]}: {wrong.encode().hex(' ')}")
        if length is not None and len(field) * 4 > length and len(field.encode()) > length:
            if not copy.truncate:
                raise RejectedError(*TOO_LONG)
            return cut(field, length)
        return field

    return convert


def check_encoding(text: str) -> None:
    """Raises RejectedError for a text with bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        wrong = text[error.start : error.end].encode(errors="surrogateescape").hex(" ")
        raise RejectedError(INVALID_UTF8[0], f"{INVALID_UTF8[1]}. Bad UTF-8 hex sequence: {wrong}") from None


def cut(text: str, length: int) -> str:
    """Returns a text with so many bytes at most."""
    return text.encode()[:length].decode(errors="ignore")


def _typed(copy: Copy, column: Column) -> Converter:
    if column.type in ("smallint", "integer", "bigint"):
        return lambda field: field if _INTEGER.fullmatch(field) else _refuse(column, field)
    if column.type == "numeric":
        return lambda field: _decimal(copy, column, field)
    if column.type in ("real", "double precision"):
        return lambda field: field if _DECIMAL.fullmatch(field) or _WORD.fullmatch(field) else _refuse(column, field)
    if column.type == "boolean":
        return lambda field: field if field.strip().lower() in _BOOLEANS else _refuse(column, field)
    if column.type == "varbyte":
        return lambda field: f"\\x{field}" if _HEX.fullmatch(field) else _refuse(column, field)
    if column.type == "super":
        return _super
    if column.type == "date":
        return _any_date(copy, column, _date_converter(copy))
    if column.type.startswith("timestamp"):
        return _any_date(copy, column, _time_converter(copy, column))
    return _plain


def _super(field: str) -> str | None:
    check_encoding(field)
    try:
        return to_stored(field)
    except ValueError:
        raise RejectedError(*INVALID_SUPER) from None


def _plain(field: str) -> str:
    check_encoding(field)
    return field


def _refuse(column: Column, field: str) -> str:
    raise RejectedError(*reason(column, field, _WRONG))


def _decimal(copy: Copy, column: Column, field: str) -> str:
    if not _DECIMAL.fullmatch(field):
        _refuse(column, field)
    if copy.round or column.scale is None:
        return field
    _, point, fraction = field.strip().partition(".")
    if "e" not in field and "E" not in field:
        surplus = len(fraction) - column.scale
        return field.strip()[:-surplus].rstrip(".") if point and surplus > 0 else field
    try:
        return format(Decimal(field.strip()).quantize(Decimal(1).scaleb(-column.scale), ROUND_DOWN), "f")
    except InvalidOperation:  # too many digits: PostgreSQL says so
        return field


def _any_date(copy: Copy, column: Column, convert: Converter) -> Converter:
    """Returns a converter that rejects, or gives NULL for, what another one does not accept."""

    def checked(field: str) -> str | None:
        try:
            return convert(field)
        except ValueError:
            if not copy.any_date:
                _refuse(column, field)
            return None

    return checked


def _date_converter(copy: Copy) -> Converter:
    given = copy.date_format
    if isinstance(given, Format):
        return lambda field: str(given.parse(field).date())
    if given == "auto":
        return lambda field: _automatic(copy, field)
    return _default_date


def _default_date(field: str) -> str:
    day = field.strip()[:10]
    if len(day) != 10 or day[4] != "-" or day[7] != "-":
        raise ValueError(field)
    return str(date.fromisoformat(day))


def _time_converter(copy: Copy, column: Column) -> Converter:
    given = copy.time_format
    zone = needs_time_zone(column)
    if isinstance(given, Format):
        if zone:
            raise not_implemented("TIMEFORMAT with a format for a column with time zone (use 'auto')")
        return lambda field: str(given.parse(field))
    if given == "auto":
        return lambda field: _automatic(copy, field)
    if given:
        return lambda field: from_epoch(field.strip(), str(given)) + ("+00" if zone else "")
    pattern = DEFAULT_TIME_ZONE if zone else DEFAULT_TIME

    def convert(field: str) -> str:
        if not pattern.fullmatch(field):
            raise ValueError(field)
        if copy.any_date:
            _check_time(field)
        return field

    return convert


def _check_time(field: str) -> None:
    """Raises ValueError for a time that no calendar has."""
    year, month, day, hour, minute, second = [*(int(part) for part in _DIGITS.findall(field)), 0, 0, 0][:6]
    datetime(year, month, day, hour, minute, second)  # noqa: DTZ001


def _automatic(copy: Copy, field: str) -> str:
    """Returns a date or time of any known form, which PostgreSQL recognizes as Redshift does."""
    if _WORD.fullmatch(field):  # PostgreSQL's `now`, `epoch`, `infinity`
        raise ValueError(field)
    if copy.any_date:
        if not (found := ISO.fullmatch(field.strip())):
            raise not_implemented(f"ACCEPTANYDATE with 'auto' for '{field}'")
        date.fromisoformat(found[1])
    return field
