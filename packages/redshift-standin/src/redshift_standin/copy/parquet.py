"""The rows of a Parquet file as PostgreSQL's CSV: an empty field is NULL, a quoted empty field an empty text."""

import codecs
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from redshift_standin.copy.load_errors import INVALID_UTF8, NO_LINE, NOT_NULL, TOO_LONG, LoadErrorDetail, scan_failure
from redshift_standin.copy.s3 import s3_errors
from redshift_standin.copy.statement import Column, Copy
from redshift_standin.errors import RedshiftError

_BATCH = 50_000  # rows
_BUFFER = 1 << 20  # bytes

_ACCEPTED = {
    "smallint": ("int16",), "integer": ("int32",), "bigint": ("int64", "int32", "int16"),
    "double precision": ("double", "float"), "real": ("float",), "boolean": ("bool",), "date": ("date32[day]",),
    "character varying": ("string", "large_string"), "text": ("string", "large_string"),
    "character": ("string", "large_string"),
    "super": ("string", "struct", "list"), "varbyte": ("binary", "large_binary"),
    "numeric": ("decimal128",), "timestamp without time zone": ("timestamp",),
    "timestamp with time zone": ("timestamp",),
}  # fmt: skip


def rows(copy: Copy, url: str, body: Any, columns: Sequence[Column]) -> Iterator[bytes]:
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
        columns_given = _check_schema(copy, url, parquet.schema_arrow, columns)
        options = pyarrow.csv.WriteOptions(include_header=False)
        for batch in _batches(parquet, url):
            if batch.num_rows:
                arrays = [
                    _csv_values(batch.column(n), column, copy, url)
                    for n, column in enumerate(columns[:columns_given])
                ]
                arrays += [pa.nulls(batch.num_rows, pa.string())] * (len(columns) - columns_given)
                _check_nulls(arrays, columns, url)
                out = io.BytesIO()
                pyarrow.csv.write_csv(pa.Table.from_arrays(arrays, names=[c.name for c in columns]), out, options)
                yield out.getvalue()


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
    try:
        yield from parquet.iter_batches(batch_size=_BATCH)
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


def _check_nulls(arrays: Sequence[pa.Array], columns: Sequence[Column], url: str) -> None:
    for array, column in zip(arrays, columns, strict=True):
        if column.required and array.null_count:
            text = f"{NOT_NULL[1]} in column {column.name}"
            raise scan_failure(text, LoadErrorDetail(url, NO_LINE, column, NOT_NULL[0], text))


def _csv_values(array: pa.Array, column: Column, copy: Copy, url: str) -> pa.Array:
    """Returns the values as PostgreSQL reads them in CSV.

    Raises:
        LoadError: a text has too many bytes, or bytes that are not UTF-8.
    """
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_nested(array.type):
        return pa.array([None if value is None else json.dumps(value, default=str) for value in array.to_pylist()])
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        return pa.array([None if value is None else f"\\x{value.hex()}" for value in array.to_pylist()], pa.string())
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        array = _valid_texts(array, column, copy, url)
    longest = (pc.max(pc.binary_length(array)).as_py() or 0) if column.length is not None else 0
    if column.length is not None and longest > column.length:
        text = (
            f"The length of the data column {column.name} is longer than the length defined in the table. "
            f"Table: {column.length}, Data: {longest}"
        )
        raise scan_failure(text, LoadErrorDetail(url, NO_LINE, column, TOO_LONG[0], text))
    return array


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
