"""Parquet files written byte by byte, so that their metadata may say anything.

https://github.com/apache/parquet-format has the pages, the encodings and the structs of the metadata, which are in
Thrift's compact protocol.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

INT32, INT64, BYTE_ARRAY = 1, 2, 6  # physical types
REQUIRED, REPEATED = 0, 2
PLAIN, RLE, DELTA_BYTE_ARRAY, RLE_DICTIONARY = 0, 3, 7, 8
UTF8, LIST = 0, 3  # converted types
DATA_PAGE, DICTIONARY_PAGE = 0, 2
ZSTD = 6

Struct = Mapping[int, Any]  # by the numbers of the fields


class Long(int):
    """A number of 64 bits."""


def varint(number: int) -> bytes:
    """Returns a number as ULEB128."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def zigzag(number: int) -> bytes:
    """Returns a number with its sign in the last bit."""
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def thrift(value: Any) -> tuple[int, bytes]:
    """Returns the type and the bytes of a value in Thrift's compact protocol."""
    match value:
        case Long():
            return 6, zigzag(value)
        case int():
            return 5, zigzag(value)
        case bytes():
            return 8, varint(len(value)) + value
        case list():
            kind = thrift(value[0])[0] if value else 12
            head = bytes([len(value) << 4 | kind]) if len(value) < 15 else bytes([0xF0 | kind]) + varint(len(value))
            return 9, head + b"".join(thrift(one)[1] for one in value)
        case _:
            encoded, last = b"", 0
            for number, one in value.items():
                kind, content = thrift(one)
                encoded += bytes([(number - last) << 4 | kind]) + content
                last = number
            return 12, encoded + b"\0"


@dataclass(frozen=True)
class Page:
    """A page: its bytes as they are stored, in ZSTD, and what its header says."""

    stored: bytes
    size: int  # unpacked
    values: int
    encoding: int
    kind: int = DATA_PAGE

    @property
    def content(self) -> bytes:
        """The header and the bytes."""
        if self.kind == DICTIONARY_PAGE:
            specific: Struct = {7: {1: self.values, 2: self.encoding}}
        else:
            specific = {5: {1: self.values, 2: self.encoding, 3: RLE, 4: RLE}}
        return thrift({1: self.kind, 2: self.size, 3: len(self.stored)} | specific)[1] + self.stored


def page(content: bytes, values: int, encoding: int = PLAIN, kind: int = DATA_PAGE) -> Page:
    """Returns a page of these bytes."""
    return Page(pa.compress(content, "zstd", asbytes=True), len(content), values, encoding, kind)


@dataclass(frozen=True)
class RawColumn:
    """A column of one row group. `schema` are its elements, those above it first; `said` is its size unpacked."""

    path: Sequence[str]
    schema: Sequence[Struct]
    physical: int
    pages: Sequence[Page]
    values: int
    said: int | None = None
    encodings: Sequence[int] = field(default=(RLE, PLAIN))


def flat(name: str, physical: int, pages: Sequence[Page], values: int, **words: Any) -> RawColumn:
    """Returns a column without nulls that is in nothing; of bytes are texts."""
    element = {1: physical, 3: REQUIRED, 4: name.encode()} | ({6: UTF8} if physical == BYTE_ARRAY else {})
    return RawColumn([name], [element], physical, pages, values, **words)


def write(columns: Sequence[RawColumn], rows: int) -> bytes:
    """Returns a file of one row group."""
    content, described = b"PAR1", []
    for column in columns:
        start = len(content)
        pages = [one.content for one in column.pages]
        size = sum(one.size for one in column.pages) if column.said is None else column.said
        content += b"".join(pages)
        data: Struct = {9: Long(start)}
        if column.pages[0].kind == DICTIONARY_PAGE:
            data = {9: Long(start + len(pages[0])), 11: Long(start)}
        meta = {
            1: column.physical, 2: list(column.encodings), 3: [name.encode() for name in column.path], 4: ZSTD,
            5: Long(column.values), 6: Long(size), 7: Long(len(content) - start),
        } | data  # fmt: skip
        described.append({2: Long(start), 3: meta})
    schema = [{4: b"schema", 5: len(columns)}, *(element for column in columns for element in column.schema)]
    total = sum(one[3][6] for one in described)
    group = {1: described, 2: Long(total), 3: Long(rows)}
    footer = thrift({1: 2, 2: schema, 3: Long(rows), 4: [group]})[1]
    return content + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def long_text(size: int) -> Page:
    """Returns a page of one text: frames of ZSTD, one after the other."""
    frame = 1 << 26
    stored = pa.compress(size.to_bytes(4, "little"), "zstd", asbytes=True)
    stored += pa.compress(b"x" * frame, "zstd", asbytes=True) * (size // frame)
    stored += pa.compress(b"x" * (size % frame), "zstd", asbytes=True)
    return Page(stored, size + 4, 1, PLAIN)


def repeated(entry: bytes, rows: int) -> list[Page]:
    """Returns the pages of a value that all rows have: a dictionary of it, and one run."""
    return [page(entry, 1, PLAIN, DICTIONARY_PAGE), page(b"\1" + varint(rows << 1) + b"\0", rows, RLE_DICTIONARY)]


def deltas(first: int, further: int, count: int) -> bytes:
    """Returns numbers as DELTA_BINARY_PACKED: one, and then another one again and again."""
    least = min(further - first, 0)
    stored = [further - first - least, *[-least] * 127]
    width = max(stored).bit_length()
    bits = sum(number << width * place for place, number in enumerate(stored)).to_bytes(16 * width, "little")
    head = varint(128) + varint(4) + varint(count) + zigzag(first)
    return head + zigzag(least) + bytes([width] * 4) + bits + (zigzag(0) + bytes(4)) * ((count - 2) // 128)


def same_prefix(text: bytes, rows: int) -> Page:
    """Returns a page of a text that all rows have: of each but the first only how much is as before."""
    return page(deltas(0, len(text), rows) + deltas(len(text), 0, rows) + text, rows, DELTA_BYTE_ARRAY)


def long_list(name: str, elements: int) -> RawColumn:
    """Returns a column whose one row is a list of so many zeros."""
    schema: list[Struct] = [
        {3: REQUIRED, 4: name.encode(), 5: 1, 6: LIST},
        {3: REPEATED, 4: b"list", 5: 1},
        {1: INT32, 3: REQUIRED, 4: b"element"},
    ]

    def levels(encoded: bytes) -> bytes:
        return len(encoded).to_bytes(4, "little") + encoded

    repetition = levels(varint(1 << 1) + b"\0" + varint((elements - 1) << 1) + b"\1")
    definition = levels(varint(elements << 1) + b"\1")
    indexes = b"\1" + varint(elements << 1) + b"\0"
    pages = [
        page(bytes(4), 1, PLAIN, DICTIONARY_PAGE),
        page(repetition + definition + indexes, elements, RLE_DICTIONARY),
    ]
    return RawColumn(
        [name, "list", "element"], schema, INT32, pages, elements, encodings=(PLAIN, RLE, RLE_DICTIONARY)
    )
