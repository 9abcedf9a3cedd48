"""JSON values in the declared types: a value fits and is loaded as it is, or its row is a dead letter.

Nothing is rounded, cut or guessed. Numbers come as `Decimal` and `int`, so they keep their digits. A text column
takes every value: a text as it is, anything else as its JSON.

A document from outside must not exhaust the memory, the stack or the processor either: it has only so many values and
levels, and a number that no column has is kept as its digits (`1E999999999` would be a gigabyte of them).
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import partial
from typing import Any

import pyarrow as pa

from extract.declarations import Column
from extract.types import BYTES_PER_CHARACTER, arrow_type, characters, split_type

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)  # as JSON writes it
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.(?P<fraction>\d+))?)?(?P<zone>Z|[+-]\d\d:?\d\d)?", re.ASCII
)
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)  # as JSON writes it

MOST_DIGITS = 1000  # of a number, before and after the point
MOST_LEVELS = 100  # of lists and objects within each other

WHOLE = {"int16": 16, "int32": 32, "int64": 64}

Parse = Callable[[Any], Any]


class TooManyValuesError(ValueError):
    """A document with more values than may be in memory at once."""


class Digits(str):
    """A number as JSON writes it that has more digits than any column takes."""

    __slots__ = ()


@dataclass(frozen=True)
class RestColumn:
    """A column of raw: its type in words and in Arrow, and how a JSON value becomes one of it."""

    name: str
    data_type: str
    arrow: pa.DataType
    parse: Parse  # raises an ArithmeticError, a ValueError or a TypeError for a value that does not fit

    def expected(self, value: Any) -> str:
        """Returns what is wrong with a value that does not fit."""
        return f"column {self.name}: expected {self.data_type}, got {shorten(value)}"


def make_column(column: Column, limit: int | None) -> RestColumn:
    """Returns the column of a declared field; `limit` is the most bytes of a text in the warehouse."""
    kind, numbers = split_type(column.data_type)
    arrow = arrow_type(column.data_type)
    if kind == "float32":
        arrow = pa.float64()  # with the digits of the JSON: 3.14 and not 3.140000104904175
    return RestColumn(
        column.name, column.data_type, arrow, find_parser(kind, numbers, longest(column.data_type, limit))
    )


def text_column(name: str, limit: int | None) -> RestColumn:
    """Returns the column of a field without a declared type."""
    return RestColumn(name, "text", pa.string(), find_parser("text", (), limit))


def longest(data_type: str, limit: int | None) -> int | None:
    """Returns the most bytes of a text of a type; None without a limit."""
    length = characters(data_type)
    return length * BYTES_PER_CHARACTER if length else limit


def find_parser(kind: str, numbers: tuple[int, ...], limit: int | None) -> Parse:
    """Returns what reads the values of a kind of type."""
    match kind:
        case "text":
            return partial(parse_text, limit=limit)
        case "decimal":
            precision, scale = numbers
            exact = Context(prec=precision, traps=[Inexact, InvalidOperation])
            return partial(parse_decimal, exact=exact, scale=scale)
        case "int16" | "int32" | "int64":
            return partial(parse_whole, bits=WHOLE[kind])
        case _:
            return PARSERS[kind]


def parse_text(value: Any, limit: int | None) -> str:
    """Returns a text as it is, and any other value as its JSON."""
    text = value if isinstance(value, str) else to_json(value)
    size = len(text.encode())  # half a surrogate pair is no text
    if "\0" in text or (limit is not None and size > limit):
        raise ValueError
    return text


def parse_number(value: Any) -> Decimal:
    """Returns a number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError
    return Decimal(value)


def parse_decimal(value: Any, exact: Context, scale: int) -> Decimal:
    """Returns a number that has at most so many digits, without rounding it.

    A text is accepted if it is written as a number of JSON: some APIs do that to keep the digits.
    """
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = Decimal(value)
    return parse_number(value).quantize(Decimal(1).scaleb(-scale), context=exact)


def parse_whole(value: Any, bits: int) -> int:
    """Returns a whole number of so many bits; 5.0 is one."""
    number = parse_number(value)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) or number != number.to_integral_value():
        raise ValueError
    return int(number)


def parse_double(value: Any) -> float:
    """Returns the double next to a number."""
    if isinstance(value, float):  # NaN and infinity, which some APIs write
        return value
    number = float(parse_number(value))
    if number in (float("inf"), float("-inf")):
        raise ValueError
    return number


def parse_boolean(value: Any) -> bool:
    """Returns true or false."""
    if not isinstance(value, bool):
        raise TypeError
    return value


def parse_date(value: Any) -> date:
    """Returns a date written YYYY-MM-DD."""
    return date.fromisoformat(matched(DATE, value)[0])


def parse_moment(value: Any, *, zoned: bool) -> datetime:
    """Returns a date and time of ISO 8601, which must have a zone or must not."""
    found = matched(MOMENT, value)
    if bool(found["zone"]) != zoned or (found["fraction"] or "")[6:].strip("0"):
        raise ValueError
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC) if zoned else moment


def matched(pattern: re.Pattern[str], value: Any) -> re.Match[str]:
    """Returns the match of a whole text.

    Raises:
        ValueError: if it does not match.
    """
    if not isinstance(value, str) or not (found := pattern.fullmatch(value)):
        raise ValueError
    return found


PARSERS: Mapping[str, Parse] = {
    "float32": parse_double,
    "float64": parse_double,
    "bool": parse_boolean,
    "date32": parse_date,
    "timestamp": partial(parse_moment, zoned=False),
    "timestamptz": partial(parse_moment, zoned=True),
}


def from_json(content: bytes, most_values: int | None = None) -> Any:
    """Returns a JSON document; a number keeps its digits.

    Raises:
        TooManyValuesError: if it has more values than the limit.
        ValueError: if it is none, or has too many levels.
    """
    if most_values is not None and has_more_values(content, most_values):
        raise TooManyValuesError(f"more than {most_values:,} values")
    try:
        return json.loads(content, parse_float=to_decimal, parse_int=to_whole)
    except RecursionError as error:
        raise ValueError("too many brackets within each other") from error


def has_more_values(content: bytes, most: int) -> bool:
    """Returns whether a JSON document has more values, without reading them: each but one is after a sign."""

    def count() -> int:
        return sum(map(content.count, (b",", b"[", b"{")))

    if count() < most:
        return False
    if b"\0" in content:  # of 16 or 32 bits, in which texts begin and end otherwise
        return True
    content = STRING.sub(b"", content)
    return count() >= most


def to_whole(text: str) -> int | Digits:
    """Returns a whole number of JSON with all of its digits."""
    return int(text) if len(text) <= MOST_DIGITS else Digits(text)


def to_decimal(text: str) -> Decimal | Digits:
    """Returns any other number of JSON with all of its digits."""
    try:
        number = Decimal(text[: MOST_DIGITS + 1])
    except InvalidOperation:  # an exponent that not even Decimal has
        return Digits(text)
    return number if len(text) <= MOST_DIGITS and abs(number.adjusted()) <= MOST_DIGITS else Digits(text)


def to_json(value: Any, levels: int = MOST_LEVELS) -> str:
    """Returns a value as JSON, in which numbers have the digits that they came with.

    Raises:
        ValueError: if it has too many levels.
    """
    match value:
        case Decimal() | Digits():
            return str(value)
        case dict() | list() if not levels:
            raise ValueError(f"more than {MOST_LEVELS} brackets within each other")
        case dict():
            items = (f"{to_json(name)}: {to_json(item, levels - 1)}" for name, item in value.items())
            return f"{{{', '.join(items)}}}"
        case list():
            return f"[{', '.join(to_json(item, levels - 1) for item in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def shorten(value: Any, length: int = 60) -> str:
    """Returns the beginning of a value's JSON, in characters that can be stored."""
    try:
        text = to_json(value)
    except ValueError as error:
        return str(error)
    return storable(text if len(text) <= length else f"{text[:length]}…")


def storable(text: str) -> str:
    """Returns a text in which what no warehouse stores is escaped."""
    return text.replace("\0", "\\u0000").encode(errors="backslashreplace").decode()
