"""Values of Parquet columns as raw has them, and what is wrong with those that cannot be loaded.

A value is loaded as it is or its file is rejected: none is rounded, cut or replaced, and the limits are those of
Redshift on every target.
"""

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from extract.declarations import Column
from extract.sources.parquet.bounds import values_in
from extract.sources.parquet.texts import plain, to_seconds, to_texts
from extract.sources.parquet.types import ANY_TEXT, raw_type
from extract.types import BYTES_PER_CHARACTER, LONGEST_BINARY, LONGEST_TEXT, characters, split_type

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799  # of the years 1 to 9999
FIRST_DAY, LAST_DAY = -719_162, 2_932_896

WITHOUT = "expected a value in every row, got {count} without (it is in the key, or declared not_null)"

Problem = tuple[str, int]  # a text with {count} or {longest} in it, and that number; 0 if nothing is wrong


def problems(array: pa.Array, column: Column) -> Iterator[Problem]:
    """Yields what is wrong with the values."""
    try:
        array.validate(full=True)  # UTF-8 of texts, digits of decimals, hours of times
    except pa.ArrowInvalid as error:
        yield f"expected values of type {array.type}, got: {error}", 1
        return
    array = plain(array)
    if not column.nullable:
        yield (
            "expected a value in every row, got {count} without (it is in the key or declared not_null)",
            array.null_count,
        )
    if array.null_count < len(array):
        yield from wrong_values(array, column)


def wrong_values(array: pa.Array, column: Column) -> Iterator[Problem]:
    """Yields what is wrong with the values that are not null."""
    kind, numbers = split_type(column.data_type)
    if kind == "text":
        yield from wrong_texts(array, column)
    elif kind == "binary":
        yield too_long(min([LONGEST_BINARY, *numbers]), "bytes", pc.binary_length(array.cast(pa.large_binary())))
    elif kind == "date32":
        yield outside_years(array.cast(pa.date32()).cast(pa.int32()), FIRST_DAY, LAST_DAY)
    elif kind in ("timestamp", "timestamptz"):
        ticks, per_second = array.view(pa.int64()), PER_SECOND[array.type.unit]
        if array.type.unit == "ns":  # 64 bits of them are the years 1677 to 2262
            is_finer = pc.not_equal(pc.multiply(pc.divide(ticks, 1000), 1000), ticks)
            text = f"expected whole microseconds, got {{count}} finer values; declare {ANY_TEXT} to load their text"
            yield text, count_true(is_finer)
        else:
            yield outside_years(ticks, FIRST_SECOND * per_second, (LAST_SECOND + 1) * per_second - 1)


def finer_problem(micro: pa.Array, nano: pa.Array) -> Problem:
    """Returns the problem of timestamps of 96 bits, read in both units, that microseconds are not exact for."""
    text = "expected whole microseconds, got {count} finer timestamps of 96 bits; write them as timestamps of 64 bits"
    return text, count_finer(plain(micro), plain(nano))


def count_finer(micro: pa.Array, nano: pa.Array) -> int:
    """Returns how many timestamps have parts of a microsecond; in other years nanoseconds overflow as products do."""
    if pa.types.is_timestamp(nano.type) and micro.type != nano.type:
        product = pc.multiply(micro.view(pa.int64()), 1000)
        return count_true(pc.not_equal(nano.view(pa.int64()), product))
    return sum(map(count_finer, values_in(micro), values_in(nano)))


def wrong_texts(array: pa.Array, column: Column) -> Iterator[Problem]:
    """Yields what is wrong with values that are loaded as text."""
    try:
        texts = to_texts(array)
    except ValueError as error:
        yield f"expected values that can be text, got: {error}", 1
        return
    yield "expected texts without NUL (0x00), got {count} with it", count_true(pc.match_substring(texts, "\0"))
    if limit := characters(column.data_type):
        text, longest = too_long(limit, "characters", pc.utf8_length(texts))
        yield f"{text}; a varchar needs {BYTES_PER_CHARACTER} bytes for each", longest
    yield too_long(LONGEST_TEXT, "bytes", pc.binary_length(texts))


def too_long(limit: int, unit: str, lengths: pa.Array) -> Problem:
    """Returns the problem of values that are longer than a limit."""
    longest = pc.max(lengths).as_py() or 0
    return f"expected at most {limit:,} {unit}, got {{longest}}", longest if longest > limit else 0


def outside_years(numbers: pa.Array, first: int, last: int) -> Problem:
    """Returns the problem of days or ticks that are less than the first or greater than the last."""
    is_outside = pc.or_(pc.less(numbers, first), pc.greater(numbers, last))
    return "expected the years 1 to 9999, got {count} others", count_true(is_outside)


def count_true(values: pa.Array) -> int:
    """Returns how many values are true."""
    return int(pc.sum(values).as_py() or 0)


def add_problems(found: dict[str, int], more: Iterable[Problem]) -> None:
    """Adds the problems of more values to those that were found; a text stands for the same problem."""
    for text, number in more:
        if number:
            before = found.get(text, 0)
            found[text] = max(before, number) if "{longest}" in text else before + number


def to_words(found: Mapping[str, int]) -> list[str]:
    """Returns problems with their numbers, for people."""
    return [
        text.replace("{count}", f"{number:,}").replace("{longest}", f"{number:,}") for text, number in found.items()
    ]


def convert(array: pa.Array, column: Column) -> pa.Array:
    """Returns values without problems in the type of the raw column."""
    array, expected = plain(array), raw_type(column.data_type)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), expected)
    if pa.types.is_string(expected):
        return to_texts(array)
    if pa.types.is_timestamp(expected):  # whatever the zone, the number counts from 1970 in UTC
        return array.view(pa.timestamp(array.type.unit, expected.tz)).cast(expected)
    if pa.types.is_duration(array.type):
        return to_seconds(array).cast(expected)
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    return array.cast(expected)


def comparable(array: pa.Array) -> pa.Array:
    """Returns converted values of a key so that those are the same that a warehouse takes for equal.

    Redshift does not compare the blanks at the end of texts.
    """
    if pa.types.is_string(array.type):
        return pc.utf8_rtrim(array, " ")
    return pc.add(array, 0.0) if pa.types.is_floating(array.type) else array  # 0 and -0 are equal
