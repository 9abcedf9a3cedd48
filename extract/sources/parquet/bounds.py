"""How much of a file is in memory at once, whatever is in it.

A file of some kilobytes can be gigabytes in memory: a page of one long text, one text that every row repeats, rows
that are only counted. So there are three bounds, each for what the one before it does not see:

1. The metadata is judged before a page is read. It may lie.
2. What is read comes in pieces of some megabytes. Texts that are repeated are read as a dictionary, and are repeated
   piece by piece.
3. One page at least is unpacked whole. While a file is checked, Linux refuses the process more than some memory:
   Arrow raises an error like any other then. Another system has the first two bounds alone.
"""

import os
import resource
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from extract.errors import ExtractError
from extract.settings import DropSettings
from extract.sources.batches import BATCH_BYTES
from extract.sources.parquet.types import is_binary, is_list, is_text
from extract.types import LONGEST_TEXT

LONGEST_FOOTER = 16 << 20  # bytes of metadata; a file of 1,000 columns has a hundredth for each row group
MOST_ROWS = 65_536  # that are read at once
READ_BYTES = 4 * BATCH_BYTES  # of rows that are read at once, as far as the metadata says
BUFFERED = 64 << 20  # bytes of a row group up to which it is fetched as a whole, which S3 is faster with
OBJECT = 100  # bytes of a value of Python, which lists and structs are made of on their way to JSON

REPEATED = 8  # bytes of a value at most, on average, where values are repeated
HEADER = 10_000  # bytes of a page at most beside its values

OF_MEMORY = ("std::bad_alloc", "malloc of size")  # what errors without a type of their own say


def open_parquet(stream: Any, unit: Literal["us", "ns"] = "us") -> pq.ParquetFile:
    """Returns an open file, of which little is read at once, and texts that are repeated as dictionaries.

    Timestamps of 96 bits, as Spark writes them by default, are read as microseconds: as nanoseconds those after 2262
    would be other dates.

    Raises:
        ExtractError: if its metadata is too long.
    """
    length = footer_length(stream)
    if length > LONGEST_FOOTER:
        raise ExtractError(
            f"expected at most {LONGEST_FOOTER:,} bytes of metadata, got {length:,}; write fewer row groups or "
            "columns"
        )
    metadata = pq.read_metadata(stream)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    compressed = max((sum(chunk.total_compressed_size for chunk in chunks(one)) for one in groups), default=0)
    return pq.ParquetFile(
        stream,
        metadata=metadata,
        read_dictionary=repeated_texts(metadata.schema.to_arrow_schema(), groups),
        pre_buffer=compressed <= BUFFERED,
        buffer_size=1 << 20,
        coerce_int96_timestamp_unit=unit,
    )


def footer_length(stream: Any) -> int:
    """Returns the length of the metadata in bytes; 0 if the end of the file is none of Parquet's."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - 8, 0))
    end = stream.read(8)
    stream.seek(0)
    return int.from_bytes(end[:4], "little") if end[4:] == b"PAR1" else 0


def chunks(group: pq.RowGroupMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    """Yields what the metadata says of the columns of a row group; of nested ones, of all that is in them."""
    return (group.column(number) for number in range(group.num_columns))


def repeated_texts(schema: pa.Schema, groups: Iterable[pq.RowGroupMetaData]) -> list[str]:
    """Returns the columns of texts or bytes that are repeated in the file: from dictionaries, few bytes for each.

    Others are not: to find what is equal in them takes longer than to read them.
    """
    texts = {field.name for field in schema if is_text(field.type) or is_binary(field.type)}
    repeated = {
        chunk.path_in_schema
        for group in groups
        for chunk in chunks(group)
        if has_dictionary(chunk) and chunk.total_uncompressed_size <= REPEATED * chunk.num_values
    }
    return sorted(texts & repeated)


def has_dictionary(chunk: pq.ColumnChunkMetaData) -> bool:
    """Returns whether some of the values are in a dictionary."""
    return any("DICTIONARY" in encoding for encoding in chunk.encodings)


def read_batches(parquet: pq.ParquetFile, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """Yields columns of a file in pieces of some megabytes; further columns may come with them."""
    rows = rows_at_once(parquet)
    for batch in parquet.iter_batches(batch_size=rows, columns=list(columns), use_threads=False):
        yield from pieces(batch)


def rows_at_once(parquet: pq.ParquetFile) -> int:
    """Returns how many rows may be read at once."""
    metadata = parquet.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    widest = max((one.total_byte_size // one.num_rows for one in groups if one.num_rows > 0), default=0)
    widest = max(widest, least_bytes(parquet.schema_arrow), 1)
    return max(1, min(MOST_ROWS, READ_BYTES // widest))


def least_bytes(schema: pa.Schema) -> int:
    """Returns how many bytes a row takes at least."""
    return sum(map(width, schema.types))


def width(kind: pa.DataType) -> int:
    """Returns how many bytes a value of a type takes at least; of a text that is where it begins."""
    try:
        return int(kind.bit_width) // 8
    except ValueError:  # there is no fixed one
        return 4


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yields a batch in pieces of some megabytes, in which texts are repeated as often as the rows have them."""
    size = sum(map(weigh, batch.columns))  # it also finds an index that is not in its dictionary
    if size > BATCH_BYTES and batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from pieces(batch.slice(0, half))
        yield from pieces(batch.slice(half))
        return
    columns = [
        array.dictionary_decode() if pa.types.is_dictionary(array.type) else whole(array) for array in batch.columns
    ]
    yield pa.record_batch(columns, names=batch.schema.names)


def whole(array: pa.Array) -> pa.Array:
    """Returns an array that has no other values below it than its own: a part of a nested one still has all."""
    return array.take(pa.array(range(len(array)))) if pa.types.is_nested(array.type) else array


def weigh(array: pa.Array) -> int:
    """Returns how many bytes values take once they are read, repeated and converted."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return weigh(array.storage)
    if pa.types.is_dictionary(kind):
        if not (is_text(kind.value_type) or is_binary(kind.value_type)):
            return len(array) * OBJECT
        lengths = pc.binary_length(array.dictionary).take(array.indices)
        return (pc.sum(lengths).as_py() or 0) + 4 * len(array)
    if not pa.types.is_nested(kind):
        return int(array.nbytes)
    return OBJECT * len(array) + sum(map(weigh, values_in(array)))


def values_in(array: pa.Array) -> list[pa.Array]:
    """Returns the values that are in lists, structs or maps; of other values none."""
    if pa.types.is_map(array.type):
        first, last = (array.offsets[0].as_py(), array.offsets[-1].as_py()) if len(array) else (0, 0)
        return [array.keys.slice(first, last - first), array.items.slice(first, last - first)]
    return array.flatten() if pa.types.is_struct(array.type) else [array.flatten()] if is_list(array.type) else []


@dataclass
class FileSize:
    """The size of some files as rows in memory: what their metadata says, and what was read so far."""

    bounds: DropSettings
    row: pa.Schema  # of the raw table
    key: pa.Schema
    rows: int = 0
    said: int = 0
    read_rows: int = 0
    read: int = 0

    def judge(self, metadata: pq.FileMetaData, columns: Collection[str]) -> None:
        """Adds what the metadata of a file says of some columns, before their rows are read.

        Raises:
            ExtractError: if that is too much already.
        """
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        needed = [chunk for group in groups for chunk in chunks(group) if is_part(chunk.path_in_schema, columns)]
        for chunk in needed:
            check_texts(chunk)
        self.rows += metadata.num_rows
        self.said += max(
            metadata.num_rows * least_bytes(self.row), sum(chunk.total_uncompressed_size for chunk in needed)
        )
        if self.said > self.bounds.most_bytes:
            raise self.too_large(f"{self.said:,} by the metadata, which has {self.rows:,} rows")
        # All keys as they were read, in one piece, and in order, and the order.
        if self.key.names and (most := self.bounds.most_memory // (3 * least_bytes(self.key) + 8)) < self.rows:
            raise ExtractError(
                f"expected at most {most:,} rows, whose keys can be compared in {self.bounds.most_memory:,} bytes of "
                f"memory, got {self.rows:,} by the metadata; raise {self.bounds.prefix}_MEMORY_MB"
            )

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds rows that were read.

        Raises:
            ExtractError: if that is too much.
        """
        self.read_rows += batch.num_rows
        self.read += batch.nbytes
        if self.read > self.bounds.most_bytes:
            raise self.too_large("more")

    def compare_rows(self) -> None:
        """Compares how many rows were read with what the metadata says.

        Raises:
            ExtractError: if they differ.
        """
        if self.read_rows != self.rows:
            raise ExtractError(f"expected the {self.rows:,} rows that the metadata says, got {self.read_rows:,}")

    def too_large(self, got: str) -> ExtractError:
        """Returns the error of files that are too large."""
        return ExtractError(
            f"expected at most {self.bounds.most_bytes:,} bytes of rows for one date, got {got}; leave out columns "
            f"or rows, or raise {self.bounds.prefix}_MAX_MB"
        )


def is_part(path: str, columns: Collection[str]) -> bool:
    """Returns whether what has a path in the schema of Parquet is one of the columns, or in one."""
    return path in columns or any(path.startswith(f"{name}.") for name in columns)


def check_texts(chunk: pq.ColumnChunkMetaData) -> None:
    """Checks that a column has no texts so long that a page of them is too much; a dictionary may have others too.

    Raises:
        ExtractError: if it has.
    """
    if chunk.physical_type != "BYTE_ARRAY" or has_dictionary(chunk):
        return
    if chunk.total_uncompressed_size > chunk.num_values * (LONGEST_TEXT + HEADER) + HEADER:
        raise ExtractError(
            f"column {chunk.path_in_schema}: expected at most {LONGEST_TEXT:,} bytes in each text, got "
            f"{chunk.total_uncompressed_size:,} bytes in {chunk.num_values:,}"
        )


@contextmanager
def memory_limit(most: int) -> Iterator[None]:
    """Refuses this process more than so many bytes of memory beyond what it has, while entered; on Linux.

    What is refused is an error of who asked for it, in Arrow as in Python.
    """
    if sys.platform != "linux":
        yield
        return
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    pool.release_unused()
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (*before, data_size() + most) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
        pa.set_memory_pool(pool)


def data_size() -> int:
    """Returns the bytes of this process that the limit counts, as proc(5) has them; on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def is_memory_error(error: Exception) -> bool:
    """Returns whether an error says that there is not enough memory."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in OF_MEMORY)
