"""The files of a COPY, read from S3 and streamed as PostgreSQL's own COPY takes them.

Memory is that of a batch, whatever the size of a file. Parquet becomes PostgreSQL's CSV, where an empty field is NULL
and a quoted empty field is an empty text. JSON and CSV become its text format, where each record is one line, so that
the line in PostgreSQL's error is the number of the record.
"""

import csv
import gzip
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from redshift_standin.copy.load_errors import (
    DELIMITER_NOT_FOUND,
    EXTRA_COLUMNS,
    INVALID_JSON,
    INVALID_LINE,
    INVALID_UTF8,
    NO_LINE,
    TOO_LONG,
    LoadErrorDetail,
    Rejection,
    load_failure,
    reason,
    scan_failure,
)
from redshift_standin.copy.statement import TEXTS, Column, Copy
from redshift_standin.errors import RedshiftError
from redshift_standin.signatures import AccessKey
from redshift_standin.super_values import to_stored

_BATCH = 50_000  # rows
_BUFFER = 1 << 20  # bytes
csv.field_size_limit(16 * 1024 * 1024)  # the largest SUPER; Python's own limit is 128 kB

_NULL = r"\N"  # the default of NULL AS

# A record: its file, its line number, the raw line, and its values as PostgreSQL reads them.
_Record = tuple[str, int, str, Sequence[str | None]]


@dataclass(frozen=True)
class S3:
    """The S3 server that COPY reads from, and the key to read with."""

    url: str
    key: AccessKey


def stdin_statement(copy: Copy, columns: Sequence[Column]) -> str:
    """Returns the COPY statement of PostgreSQL that reads the chunks."""
    names = ", ".join('"' + column.name.replace('"', '""') + '"' for column in columns)
    return f"copy {copy.table} ({names}) from stdin" + (" (format csv)" if copy.format == "parquet" else "")


def chunks(copy: Copy, s3: S3, columns: Sequence[Column]) -> Iterator[bytes]:
    """Yields the rows of the files for `stdin_statement`, one chunk per batch.

    Raises:
        RedshiftError: a file is missing, or S3 does not answer.
        LoadError: a file is not of the format, or a row cannot be loaded into the columns.
    """
    client = _client(s3)
    try:
        if copy.format == "parquet":
            for url, body in _files(copy, client):
                yield from _parquet(copy, url, body, columns)
            return
        records = _records(copy, client, columns)
        while batch := list(islice(records, _BATCH // 10)):
            yield "".join(_line(values) for _, _, _, values in batch).encode()
    except BotoCoreError as error:  # no answer, or an incomplete one
        raise RedshiftError("XX000", f"S3ServiceException:{error}") from error


def load_error(copy: Copy, s3: S3, columns: Sequence[Column], rejection: Rejection) -> RedshiftError:
    """Returns Redshift's error for a record that PostgreSQL refused; reads the files again up to that record."""
    column = next((column for column in columns if column.name == rejection.column), Column(rejection.column))
    code, words = reason(column, rejection.value, rejection.sqlstate)
    if copy.format == "parquet":
        prefix = f"s3://{copy.bucket}/{copy.key}"
        return scan_failure(
            f"{words} in column {column.name}",
            LoadErrorDetail(prefix, NO_LINE, column, code, words, raw_value=rejection.value),
        )
    records = _records(copy, _client(s3), columns)
    url, line, raw, _ = next(islice(records, rejection.record - 1, None))
    return load_failure(copy.table, LoadErrorDetail(url, line, column, code, words, raw, rejection.value))


def _client(s3: S3) -> Any:
    if not s3.url:
        raise RedshiftError("0A000", "stand-in: COPY needs an S3 server; start the stand-in with AWS_ENDPOINT_URL_S3")
    return boto3.client(
        "s3",
        endpoint_url=s3.url,
        region_name="us-east-1",
        aws_access_key_id=s3.key.id,
        aws_secret_access_key=s3.key.secret,
        config=Config(retries={"max_attempts": 0}),  # it is on this machine
    )


def _files(copy: Copy, s3: Any) -> Iterator[tuple[str, Any]]:
    """Yields the URL and the body of each file."""
    for key in _keys(copy, s3):
        try:
            body = s3.get_object(Bucket=copy.bucket, Key=key)["Body"]
        except ClientError as error:
            raise _s3_error(error) from error
        yield f"s3://{copy.bucket}/{key}", body


def _s3_error(error: ClientError) -> RedshiftError:
    return RedshiftError("XX000", f"S3ServiceException:{error.response['Error']['Message']}")


def _keys(copy: Copy, s3: Any) -> list[str]:
    try:
        if copy.manifest:
            entries = json.load(s3.get_object(Bucket=copy.bucket, Key=copy.key)["Body"])["entries"]
            return [entry["url"].removeprefix(f"s3://{copy.bucket}/") for entry in entries]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=copy.bucket, Prefix=copy.key)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ClientError as error:
        raise _s3_error(error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RedshiftError(
            "XX000", f"The manifest s3://{copy.bucket}/{copy.key} is not valid JSON of its form"
        ) from error
    if not keys:
        raise RedshiftError("XX000", f"The specified S3 prefix '{copy.key}' does not exist")
    return keys


def _parquet(copy: Copy, url: str, body: Any, columns: Sequence[Column]) -> Iterator[bytes]:
    """Yields the rows of a Parquet file. Columns are mapped by position, whatever their names, as on Redshift."""
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(body, file, _BUFFER)
        try:
            parquet = pq.ParquetFile(file, buffer_size=_BUFFER)
        except pa.ArrowInvalid as error:
            raise _scan_error(url, Column(""), f"File '{url}' has an invalid version number") from error
        given = parquet.schema_arrow
        if len(given) != len(columns):
            raise _scan_error(
                url,
                Column(""),
                f"Unmatched number of columns between table and file. Table columns: {len(columns)}, "
                f"Data columns: {len(given)}, File name: {url}",
            )
        for column, have in zip(columns, given, strict=True):
            if not _accepts(have.type, column.type):
                raise _scan_error(
                    url,
                    column,
                    f"File '{url}' has an incompatible Parquet schema for column '{column.name}'. "
                    f"Column type: {column.type.upper()}, Parquet schema: {have.type}",
                )
        for batch in _batches(parquet, url):
            if batch.num_rows:
                arrays = [_csv_values(batch.column(n), column, copy, url) for n, column in enumerate(columns)]
                out = io.BytesIO()
                options = pyarrow.csv.WriteOptions(include_header=False)
                pyarrow.csv.write_csv(pa.Table.from_arrays(arrays, names=[c.name for c in columns]), out, options)
                yield out.getvalue()


def _batches(parquet: pq.ParquetFile, url: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from parquet.iter_batches(batch_size=_BATCH)
    except (pa.ArrowException, OSError) as error:
        raise _scan_error(url, Column(""), f"File '{url}' cannot be read: {error}") from error


def _scan_error(url: str, column: Column, text: str) -> RedshiftError:
    return scan_failure(text, LoadErrorDetail(url, NO_LINE, column, 15001, text))


_ACCEPTED = {
    "smallint": ("int16",), "integer": ("int32",), "bigint": ("int64", "int32", "int16"),
    "double precision": ("double", "float"), "real": ("float",), "boolean": ("bool",), "date": ("date32[day]",),
    "character varying": ("string", "large_string"), "text": ("string", "large_string"),
    "character": ("string", "large_string"),
    "super": ("string", "large_string", "struct", "list"), "varbyte": ("binary", "large_binary"),
    "numeric": ("decimal128",), "timestamp without time zone": ("timestamp",),
    "timestamp with time zone": ("timestamp",),
}  # fmt: skip


def _accepts(given: pa.DataType, target: str) -> bool:
    if pa.types.is_dictionary(given):  # an encoding of the file, not a type
        given = given.value_type
    return any(str(given).startswith(prefix) for prefix in _ACCEPTED.get(target, ()))


def _csv_values(array: pa.Array, column: Column, copy: Copy, url: str) -> pa.Array:
    """Returns the values as PostgreSQL reads them in CSV; truncates texts with too many bytes if COPY says so.

    Raises:
        LoadError: a text has too many bytes.
    """
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_nested(array.type):
        values = (None if value is None else json.dumps(value, default=str) for value in array.to_pylist())
        return pa.array([None if value is None else to_stored(value) for value in values], pa.string())
    if column.type == "super":
        try:
            return pa.array([None if value is None else to_stored(value) for value in array.to_pylist()], pa.string())
        except ValueError as error:
            text = f"Invalid JSON in column {column.name}: {error}"
            raise scan_failure(text, LoadErrorDetail(url, NO_LINE, column, *INVALID_JSON)) from error
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        return pa.array([None if value is None else f"\\x{value.hex()}" for value in array.to_pylist()], pa.string())
    longest = (pc.max(pc.binary_length(array)).as_py() or 0) if column.length is not None else 0
    if column.length is None or longest <= column.length:
        return array
    if not copy.truncate:
        text = (
            f"The length of the data column {column.name} is longer than the length defined in the table. "
            f"Table: {column.length}, Data: {longest}"
        )
        raise scan_failure(text, LoadErrorDetail(url, NO_LINE, column, TOO_LONG[0], text))
    return pa.array([_truncate(value, column.length) for value in array.to_pylist()], pa.string())


def _truncate(value: str | None, length: int) -> str | None:
    return None if value is None else value.encode()[:length].decode(errors="ignore")


_ESCAPED = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _line(values: Sequence[str | None]) -> str:
    """Returns a record in PostgreSQL's text format."""
    fields = (
        r"\N" if value is None else value.translate(_ESCAPES) if _ESCAPED.search(value) else value for value in values
    )
    return "\t".join(fields) + "\n"


def _records(copy: Copy, s3: Any, columns: Sequence[Column]) -> Iterator[_Record]:
    read = _json if copy.format == "json" else _fields
    for url, body in _files(copy, s3):
        stream = io.BufferedReader(gzip.GzipFile(fileobj=body) if copy.gzip else body, _BUFFER)
        try:
            yield from read(copy, url, io.TextIOWrapper(stream, encoding="utf-8", newline=""), columns)
        except UnicodeDecodeError as error:
            bad = f"{INVALID_UTF8[1]}. Bad UTF-8 hex sequence: {error.object[error.start : error.end].hex(' ')}"
            detail = LoadErrorDetail(url, NO_LINE, Column(""), INVALID_UTF8[0], bad)
            raise load_failure(copy.table, detail) from error
        except (csv.Error, OSError, EOFError) as error:
            detail = LoadErrorDetail(url, NO_LINE, Column(""), INVALID_LINE[0], f"Invalid input: {error}")
            raise load_failure(copy.table, detail) from error


def _json(copy: Copy, url: str, lines: Iterator[str], columns: Sequence[Column]) -> Iterator[_Record]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                document = dict(json.loads(line, parse_float=_Number).items())
            except (ValueError, AttributeError) as error:
                raise load_failure(
                    copy.table, LoadErrorDetail(url, number, Column(""), *INVALID_JSON, line)
                ) from error
            if copy.ignore_case:
                document = {name.lower(): value for name, value in document.items()}
            texts = [_text(document.get(column.key), column) for column in columns]
            yield url, number, line, _check_lengths(copy, url, number, line, texts, columns)


def _fields(copy: Copy, url: str, lines: Iterator[str], columns: Sequence[Column]) -> Iterator[_Record]:
    """Yields the records of CSV, or of text with a delimiter, where quotes have no meaning."""
    plain = copy.format == "text"
    reader = csv.reader(lines, delimiter=copy.delimiter, quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL)
    for _ in islice(reader, copy.ignore_header):
        pass
    empty = ["" if column.type in TEXTS else None for column in columns]
    for fields in reader:
        line = copy.delimiter.join(fields)
        if len(fields) != len(columns):
            code = EXTRA_COLUMNS if len(fields) > len(columns) else DELIMITER_NOT_FOUND
            column = columns[max(min(len(fields), len(columns)) - 1, 0)]
            raise load_failure(copy.table, LoadErrorDetail(url, reader.line_num, column, *code, line))
        texts = [
            nothing if not text else None if text == _NULL else text
            for text, nothing in zip(fields, empty, strict=True)
        ]
        yield url, reader.line_num, line, _check_lengths(copy, url, reader.line_num, line, texts, columns)


class _Number(str):
    """A number with a fraction as written in the file: a float would change it."""


def _text(value: Any, column: Column) -> str | None:
    if value is None or isinstance(value, _Number) or (isinstance(value, str) and column.type != "super"):
        return value
    return _json_text(value) if isinstance(value, (dict, list, bool)) or column.type == "super" else str(value)


def _json_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_json_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json_text, value)) + "]"
    return value if isinstance(value, _Number) else json.dumps(value)


def _check_lengths(
    copy: Copy, url: str, number: int, line: str, texts: list[str | None], columns: Sequence[Column]
) -> list[str | None]:
    """Returns the texts, truncated if COPY says so.

    Raises:
        LoadError: a text has more bytes than its column allows.
    """
    for place, (text, column) in enumerate(zip(texts, columns, strict=True)):
        if text is not None and column.type == "super":
            try:
                texts[place] = to_stored(text)
            except ValueError as error:
                raise load_failure(
                    copy.table, LoadErrorDetail(url, number, column, *INVALID_JSON, line, text)
                ) from error
            continue
        length = column.length
        if text is not None and length is not None and len(text) * 4 > length and len(text.encode()) > length:
            if not copy.truncate:
                raise load_failure(copy.table, LoadErrorDetail(url, number, column, *TOO_LONG, line, text))
            texts[place] = _truncate(text, length)
    return texts
