"""The texts of values that are loaded as text, in one form however a file stores them.

Lists, structs and maps are JSON: without blanks, fields in the order of the type, and what JSON has no type for as
its text. A map with texts as keys is an object, any other one a list of {"key": …, "value": …}.
"""

import json
from collections.abc import Sequence
from itertools import islice, pairwise
from math import isfinite
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from extract.sources.parquet.types import DURATION, is_binary, is_list, is_text, plain_type

DECIMALS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # of a second


def plain(array: pa.Array) -> pa.Array:
    """Returns the values in their `plain_type`; only then are all nulls counted: a dictionary may have one."""
    while array.type != plain_type(array.type):
        array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array.storage
    return array


def to_texts(array: pa.Array) -> pa.Array:
    """Returns the texts of plain values of a type that is loaded as text.

    Raises:
        ValueError: if a value has no text. Arrow's errors are ValueErrors too.
    """
    if is_text(array.type) or is_binary(array.type):
        return array.cast(pa.string())  # of bytes only UTF-8
    if isinstance(array.type, pa.UuidType):
        texts = [None if value is None else str(UUID(bytes=value)) for value in array.storage.to_pylist()]
    elif pa.types.is_decimal(array.type):
        texts = [None if value is None else f"{value:f}" for value in array.to_pylist()]
    elif pa.types.is_time(array.type):
        return without_zeros(array.cast(pa.time64("ns")))
    elif pa.types.is_timestamp(array.type):
        texts = without_zeros(array.view(pa.timestamp(array.type.unit)))
        return pc.binary_join_element_wise(texts, "+00", "") if array.type.tz else texts
    else:
        texts = [
            None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            for value in to_json(array)
        ]
    return pa.array(texts, pa.string())


def without_zeros(times: pa.Array) -> pa.Array:
    """Returns the texts of times, as PostgreSQL writes them: without zeros at the end of a second.

    Raises:
        ValueError: if a number is no time.
    """
    texts = shown(times)
    has_fraction = pc.match_substring(texts, ".")
    short = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    return pc.if_else(has_fraction, short, texts)


def shown(array: pa.Array) -> pa.Array:
    """Returns the texts that Arrow has for dates and times.

    Raises:
        ValueError: if a number is none.
    """
    texts = array.cast(pa.string())
    if wrong := texts.filter(pc.starts_with(texts, "<")).to_pylist():
        raise ValueError(f"{len(wrong)} of type {array.type} that are none, such as {wrong[0]}")
    return texts


def to_seconds(durations: pa.Array) -> pa.Array:
    """Returns durations as decimals of seconds."""
    ticks = durations.cast(pa.int64()).cast(pa.decimal128(19, 0))
    decimal = pa.decimal128(19, DECIMALS[durations.type.unit])  # the same numbers, with the point elsewhere
    moved = pa.Array.from_buffers(decimal, len(ticks), ticks.buffers(), ticks.null_count, ticks.offset)
    return moved.cast(pa.decimal128(*DURATION))


def to_json(array: pa.Array) -> list[Any]:
    """Returns values of any type that can be loaded, as `json` takes them.

    Raises:
        ValueError: if a value has no text, or a map has a key twice.
    """
    array = plain(array)
    kind = array.type
    if pa.types.is_struct(kind):
        names = [kind.field(number).name for number in range(kind.num_fields)]
        rows = zip(*map(to_json, array.flatten()), strict=True)
        valid = array.is_valid().to_pylist()
        return [
            dict(zip(names, row, strict=True)) if is_valid else None
            for row, is_valid in zip(rows, valid, strict=True)
        ]
    if pa.types.is_map(kind):
        return maps_to_json(array)
    if is_list(kind):
        items = iter(to_json(array.flatten()))
        lengths = pc.list_value_length(array).to_pylist()
        return [None if length is None else list(islice(items, length)) for length in lengths]
    if pa.types.is_floating(kind):
        return [
            value if value is None or isfinite(value) else str(value).replace("nan", "NaN").replace("inf", "Infinity")
            for value in array.cast(pa.float64()).to_pylist()
        ]
    if is_binary(kind):
        return [None if value is None else value.hex() for value in array.cast(pa.large_binary()).to_pylist()]
    if pa.types.is_duration(kind):
        return to_json(to_seconds(array))
    if pa.types.is_date(kind):
        return list(shown(array.cast(pa.date32())).to_pylist())
    if pa.types.is_null(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or is_text(kind):
        return list(array.to_pylist())
    return list(to_texts(array).to_pylist())


def maps_to_json(array: pa.MapArray) -> list[Any]:
    """Returns maps as objects if their keys are texts, else as lists of keys with their values.

    Raises:
        ValueError: if a map has a key twice.
    """
    offsets = array.offsets.to_pylist()
    entries = [*zip(to_json(array.keys), to_json(array.items), strict=True)]
    found = [
        entries[first:end] if is_valid else None
        for (first, end), is_valid in zip(pairwise(offsets), array.is_valid().to_pylist(), strict=True)
    ]
    if is_text(plain_type(array.type.key_type)):
        return [None if one is None else to_object(one) for one in found]
    return [None if one is None else [{"key": key, "value": value} for key, value in one] for one in found]


def to_object(entry: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a map as an object.

    Raises:
        ValueError: if it has a key twice.
    """
    found = dict(entry)
    if len(found) < len(entry):
        raise ValueError("a map that has a key twice")
    return found
