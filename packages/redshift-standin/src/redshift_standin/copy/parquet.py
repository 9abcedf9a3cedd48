"""The rows of a Parquet file, in PostgreSQL's binary form."""

import codecs
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from redshift_standin.copy.binary_rows import bytes_fields, fields_of, join_rows, null_fields
from redshift_standin.copy.load_errors import (
    INVALID_SUPER,
    INVALID_UTF8,
    NO_LINE,
    NOT_NULL,
    TOO_LONG,
    LoadErrorDetail,
    scan_failure,
)
from redshift_standin.copy.s3 import s3_errors
from redshift_standin.copy.statement import Column, Copy
from redshift_standin.errors import RedshiftError
from redshift_standin.super_values import to_stored

_BATCH = 50_000  # rows
_BYTES = 64 << 20  # of a batch, in memory
_BUFFER = 1 << 20  # bytes

_ACCEPTED = {
    "smallint": ("int16",), "integer": ("int32",), "bigint": ("int64", "int32", "int16"),
    "double precision": ("double", "float"), "real": ("float",), "boolean": ("bool",), "date": ("date32[day]",),
    "character varying": ("string", "large_string"), "text": ("string", "large_string"),
    "character": ("string", "large_string"),
    "super": ("string", "large_string", "struct", "list"), "varbyte": ("binary", "large_binary"),
    "numeric": ("decimal128",), "timestamp without time zone": ("timestamp",),
    "timestamp with time zone": ("timestamp",),
}  # fmt: skip


def rows(copy: Copy, url: str, body: Any, columns: Sequence[Column]) -> Iterator[bytes | memoryview]:
    """Yields the rows of a file. Columns are mapped by position, whatever their names, as on Redshift.

    Raises:
        LoadError: the file cannot be loaded into the columns.
    """
    with tempfile.TemporaryFile() as file:
        with s3_errors():
            shutil.copyfileobj(body, file, _BUFFER)
        try:
            parquet = pq.ParquetFile(file, buffer_size=_BUFFER)
        except pa.ArrowInvalid as error:
            raise _scan_error(url, Column(""), f"File '{url}' has an invalid version number") from error
        given = _check_schema(copy, url, parquet.schema_arrow, columns)
        for batch in _batches(parquet, url):
            fields = []
            for place, column in enumerate(columns):
                if place < given:
                    array = _decoded(batch.column(place))
                    nulls, field = array.null_count, _fields(array, column, copy, url)
                else:
                    nulls, field = batch.num_rows, null_fields(batch.num_rows)
                if nulls and column.required:
                    text = f"{NOT_NULL[1]} in column {column.name}"
                    raise scan_failure(text, LoadErrorDetail(url, NO_LINE, column, NOT_NULL[0], text))
                fields.append(field)
            yield join_rows(fields)


def _check_schema(copy: Copy, url: str, given: pa.Schema, columns: Sequence[Column]) -> int:
    """Returns the number of the file's columns."""
    if len(given) != len(columns) and not (copy.fill and len(given) < len(columns)):
        raise _scan_error(
            url,
            Column(""),
            f"Unmatched number of columns between table and file. Table columns: {len(columns)}, "
            f"Data columns: {len(given)}, File name: {url}",
        )
    for column, have in zip(columns, given, strict=False):
        if not _accepts(have.type, column):
            raise _scan_error(
                url,
                column,
                f"File '{url}' has an incompatible Parquet schema for column '{column.name}'. "
                f"Column type: {column.type.upper()}, Parquet schema: {have.type}",
            )
    return len(given)


def _batches(parquet: pq.ParquetFile, url: str) -> Iterator[pa.RecordBatch]:
    """Yields rows in batches that fit into memory, however wide they are."""
    data = parquet.metadata
    size = sum(data.row_group(n).total_byte_size for n in range(data.num_row_groups))
    rows_at_once = max(min(_BATCH, _BYTES * data.num_rows // max(size, 1)), 1)
    try:
        for batch in parquet.iter_batches(batch_size=rows_at_once):
            step = max(batch.num_rows * _BYTES // max(batch.nbytes, _BYTES), 1)
            for start in range(0, batch.num_rows, step):
                yield batch.slice(start, step)
    except (pa.ArrowException, OSError) as error:
        raise _scan_error(url, Column(""), f"File '{url}' cannot be read: {error}") from error


def _scan_error(url: str, column: Column, text: str) -> RedshiftError:
    return scan_failure(text, LoadErrorDetail(url, NO_LINE, column, 15001, text))


def _accepts(given: pa.DataType, column: Column) -> bool:
    if pa.types.is_dictionary(given):  # an encoding of the file, not a type
        given = given.value_type
    if pa.types.is_decimal(given) and column.scale is not None and given.scale > column.scale:
        return False
    return any(str(given).startswith(prefix) for prefix in _ACCEPTED.get(column.type, ()))


def _decoded(array: pa.Array) -> pa.Array:
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def _fields(array: pa.Array, column: Column, copy: Copy, url: str) -> pa.Array:
    """Returns the fields of a column.

    Raises:
        LoadError: a text has too many bytes, or is not of the column's form.
    """
    if column.type == "super":
        return _super_fields(array, column, url)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        array = _valid_texts(array, column, copy, url)
    longest = (pc.max(pc.binary_length(array)).as_py() or 0) if column.length is not None else 0
    if column.length is not None and longest > column.length:
        text = (
            f"The length of the data column {column.name} is longer than the length defined in the table. "
            f"Table: {column.length}, Data: {longest}"
        )
        raise scan_failure(text, LoadErrorDetail(url, NO_LINE, column, TOO_LONG[0], text))
    return fields_of(array, column.type)


def _super_fields(array: pa.Array, column: Column, url: str) -> pa.Array:
    nested = pa.types.is_nested(array.type)
    texts = (json.dumps(value, default=str) if nested and value is not None else value for value in array.to_pylist())
    try:
        return bytes_fields(pa.array([None if text is None else _stored(text) for text in texts], pa.binary()))
    except ValueError as error:
        text = f"Invalid JSON in column {column.name}: {error}"
        raise scan_failure(text, LoadErrorDetail(url, NO_LINE, column, INVALID_SUPER[0], text)) from error


def _valid_texts(array: pa.Array, column: Column, copy: Copy, url: str) -> pa.Array:
    try:
        array.validate(full=True)
        return array
    except pa.ArrowInvalid as error:
        if not copy.replacement:
            raise scan_failure(
                f"{INVALID_UTF8[1]} in column {column.name}", LoadErrorDetail(url, NO_LINE, column, *INVALID_UTF8)
            ) from error
    handler = replace_invalid(copy.replacement)
    values = array.cast(pa.large_binary()).to_pylist()
    return pa.array([None if value is None else value.decode(errors=handler) for value in values], pa.large_string())


def replace_invalid(replacement: str) -> str:
    """Returns the name of the error handler that replaces each byte that is not UTF-8 by a character."""

    def replace(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        return replacement * (error.end - error.start), error.end

    name = f"redshift_standin_{ord(replacement)}"
    codecs.register_error(name, replace)
    return name


def _stored(text: str) -> bytes | None:
    stored = to_stored(text)
    return None if stored is None else stored.encode()
