"""The files of an UNLOAD: rows as PostgreSQL's COPY gives them become text, CSV, JSON or Parquet in S3.

The rows are on disk before the first file is written, and each file is on disk before it goes to S3: memory is that
of a batch, and a query that fails leaves nothing in S3.
"""

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from redshift_standin.copy.s3 import S3, list_keys, s3_errors
from redshift_standin.copy.unload_statement import Unload
from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.super_values import to_client

_BATCH = 50_000  # rows
_KEPT = 8 << 20  # bytes of rows in memory before they go to disk
_ROW_GROUP = 32 << 20
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_UNSAFE = re.compile(r'[\x00-\x1f"#%\'*/:=?\\\x7f{}\[\]^]')
_PARTITION_TYPES = (
    "smallint", "integer", "bigint", "numeric", "real", "boolean", "character", "character varying", "text", "date",
    "timestamp without time zone",
)  # fmt: skip
_TEXTS = ("character varying", "character", "text")
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_ARROW = {
    "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(), "real": pa.float32(),
    "double precision": pa.float64(), "boolean": pa.bool_(), "date": pa.date32(),
    "timestamp without time zone": pa.timestamp("us"), "timestamp with time zone": pa.timestamp("us"),
    "character varying": pa.string(), "character": pa.string(), "text": pa.string(), "super": pa.string(),
}  # fmt: skip
_Row = list[str | None]


@dataclass(frozen=True)
class Field:
    """A column of the result: its name, its type, and the modifier of the type."""

    name: str
    type: str
    modifier: int = -1

    @property
    def numbers(self) -> tuple[int, int]:
        """The precision and scale of a numeric."""
        bare = self.modifier - 4
        return (bare >> 16 & 0xFFFF, bare & 0x7FF) if bare >= 0 else (38, 18)


@dataclass(frozen=True)
class File:
    """A file in S3."""

    url: str
    length: int  # bytes
    rows: int  # with the header


class Spool:
    """The rows of a result on disk, by partition."""

    def __init__(self, unload: Unload, fields: Sequence[Field]) -> None:
        self.unload, self.fields = unload, fields
        self.rows = 0
        self._folder = ExitStack()
        self._path = Path(self._folder.enter_context(tempfile.TemporaryDirectory(prefix="unload-")))
        self._waiting: dict[str, list[bytes]] = {}
        self._size = 0
        self.folders: dict[str, Path] = {}
        self._places = _partition_places(unload, fields)

    def add(self, row: bytes) -> None:
        """Adds a row in PostgreSQL's text format."""
        self._waiting.setdefault(self._folder_of(row) if self._places else "", []).append(row)
        self.rows += 1
        self._size += len(row)
        if self._size > _KEPT:
            self.flush()

    def flush(self) -> None:
        """Writes the rows in memory to disk."""
        for folder, waiting in self._waiting.items():
            path = self.folders.setdefault(folder, self._path / str(len(self.folders)))
            with path.open("ab") as file:
                file.writelines(waiting)
        self._waiting.clear()
        self._size = 0

    def read(self, folder: str) -> Iterator[_Row]:
        """Yields the rows of a partition, without its columns unless INCLUDE says so."""
        if folder not in self.folders:
            return
        dropped = set() if self.unload.include else set(self._places)
        with self.folders[folder].open("rb") as file:
            for line in file:
                row = _parse(line)
                yield [value for n, value in enumerate(row) if n not in dropped] if dropped else row

    def written_fields(self) -> list[Field]:
        """Returns the fields that the files have."""
        dropped = set() if self.unload.include else set(self._places)
        return [one for n, one in enumerate(self.fields) if n not in dropped]

    def close(self) -> None:
        """Removes the rows."""
        self._folder.close()

    def _folder_of(self, row: bytes) -> str:
        values = _parse(row)
        parts = []
        for place in self._places:
            value = values[place]
            if value is not None and self.fields[place].type == "character":
                value = value.rstrip(" ")
            if value is not None and (not value or _UNSAFE.search(value)):
                raise not_implemented(f"PARTITION BY {self.fields[place].name} with the value '{value}'")
            parts.append(f"{self.fields[place].name}={_NO_PARTITION if value is None else value}/")
        return "".join(parts)


def _partition_places(unload: Unload, fields: Sequence[Field]) -> list[int]:
    names = [one.name for one in fields]
    for name in unload.partitions:
        if name not in names:
            raise RedshiftError("42703", f'column "{name}" of PARTITION BY is not in the query')
    places = [names.index(name) for name in unload.partitions]
    for place in places:
        if fields[place].type not in _PARTITION_TYPES:
            raise RedshiftError("0A000", f"PARTITION BY a column of the type {fields[place].type} is not supported")
    if places and len(set(places)) == len(fields):
        raise RedshiftError("0A000", "UNLOAD needs at least one column that is not in PARTITION BY")
    return places


_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _parse(line: bytes) -> _Row:
    """Returns the values of a row of PostgreSQL's text format."""
    text = line.decode().removesuffix("\n")
    if "\\" not in text:
        return list(text.split("\t"))
    return [
        None if value == r"\N" else _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), value)
        for value in text.split("\t")
    ]


def check_types(unload: Unload, fields: Sequence[Field]) -> None:
    """Raises the error for a column that cannot be unloaded in the format."""
    for one in fields:
        if one.type == "varbyte" and unload.format not in ("text", "csv"):
            raise RedshiftError("0A000", f"UNLOAD of VARBYTE to {unload.format.upper()} is not supported")
        if unload.format == "parquet" and one.type not in _ARROW and one.type != "numeric":
            raise not_implemented(f"UNLOAD of {one.type} to PARQUET")
        if unload.format == "json" and one.type == "boolean":
            raise not_implemented("UNLOAD of a boolean to JSON")
        if "interval" in one.type:
            raise not_implemented("UNLOAD of an interval")
    if unload.widths and len(unload.widths) != len(fields):
        raise RedshiftError(
            "XX000", f"The fixedwidth specification has {len(unload.widths)} columns and the query has {len(fields)}"
        )
    if unload.format == "json" and len({one.name for one in fields}) < len(fields):
        raise RedshiftError("42701", "UNLOAD to JSON needs a different name for each column")


def write(spool: Spool, s3: S3) -> list[File]:
    """Writes the files, and the manifest if there is one; returns the files."""
    unload = spool.unload
    client = s3.client()
    spool.flush()
    folders = list(spool.folders) or (
        [""] if not unload.partitions and unload.format not in ("json", "parquet") else []
    )
    _make_room(unload, client, folders)
    files = [file for folder in folders for file in _write_folder(spool, client, folder)]
    if unload.manifest:
        body = json.dumps(_manifest(spool, files), indent=2).encode()
        with s3_errors():
            client.put_object(Bucket=unload.bucket, Key=unload.root + "manifest", Body=body, **_encryption(unload))
    return files


def _encryption(unload: Unload) -> dict[str, str]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": unload.kms_key} if unload.kms_key else {}


def _make_room(unload: Unload, client: Any, folders: Sequence[str]) -> None:
    """Removes what CLEANPATH says.

    Raises:
        RedshiftError: there are files, which neither CLEANPATH nor ALLOWOVERWRITE allows.
    """
    if unload.overwrite:
        return
    prefixes = [unload.root + folder for folder in folders] if unload.clean and unload.partitions else [unload.root]
    keys = [key for prefix in prefixes for key in list_keys(client, unload.bucket, prefix)]
    if keys and not unload.clean:
        raise RedshiftError(
            "XX000",
            "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, manually "
            "removing the target files in S3, or using the ALLOWOVERWRITE option.",
        )
    with s3_errors():
        for key in keys:
            client.delete_object(Bucket=unload.bucket, Key=key)


def _write_folder(spool: Spool, client: Any, folder: str) -> Iterator[File]:
    unload = spool.unload
    rows: Iterator[_Row] | None = spool.read(folder)
    make = _parquet_file if unload.format == "parquet" else _text_file
    number = 0
    while rows is not None:
        with tempfile.TemporaryFile() as file:
            count, rows = make(unload, spool.written_fields(), rows, file)
            length = file.tell()
            file.seek(0)
            key = unload.file_key(folder, number)
            with s3_errors():
                client.upload_fileobj(file, unload.bucket, key, ExtraArgs=_encryption(unload))
        yield File(f"s3://{unload.bucket}/{key}", length, count)
        number += 1


def _text_file(
    unload: Unload, fields: Sequence[Field], rows: Iterator[_Row], file: IO[bytes]
) -> tuple[int, Iterator[_Row] | None]:
    """Writes rows until the file is full; returns how many, with the header, and what is left, None for nothing."""
    line = _LINES[unload.format](unload, fields)
    out: Any = file
    if unload.compression:
        out = pa.CompressedOutputStream(pa.PythonFile(_Open(file), mode="w"), unload.compression)
    count = written = 0
    rest = None
    if unload.header:
        names = [replace(one, type="character varying") for one in fields]
        header = _LINES[unload.format](unload, names)([one.name for one in fields]).encode()
        out.write(header)
        written, count = len(header), 1
    for row in rows:
        text = line(row).encode()
        if count > unload.header and (file.tell() if unload.compression else written) + len(text) > unload.largest:
            rest = chain([row], rows)
            break
        out.write(text)
        count += 1
        written += len(text)
    if unload.compression:
        out.close()
    return count, rest


class _Open:
    """A file that stays open when the stream above it is closed."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.write, self.flush, self.tell = file.write, file.flush, file.tell

    def close(self) -> None:
        """Does nothing."""


def _delimited(unload: Unload, fields: Sequence[Field]) -> Callable[[_Row], str]:
    delimiter, null = unload.delimiter, unload.null or ""
    special = delimiter + "\n\r\\" + ("\"'" if unload.add_quotes else "")
    pattern = re.compile(f"([{re.escape(special)}])")
    kinds = [one.type for one in fields]

    def value_text(value: str | None, kind: str) -> str:
        if value is None:
            if unload.add_quotes:
                raise not_implemented("UNLOAD with ADDQUOTES of a null value")
            return "null" if kind == "super" else null
        value = _plain(value, kind)
        if unload.escape and kind in _TEXTS:
            value = pattern.sub(r"\\\1", value)
        return f'"{value}"' if unload.add_quotes else value

    def line(row: _Row) -> str:
        values = (value_text(value, kind) for value, kind in zip(row, kinds, strict=True))
        return delimiter.join(values) + "\n"

    return line


def _csv(unload: Unload, fields: Sequence[Field]) -> Callable[[_Row], str]:
    delimiter, null = unload.delimiter, unload.null or ""
    quoted = re.compile(f'[{re.escape(delimiter)}"\n\r]')
    kinds = [one.type for one in fields]

    def value_text(value: str | None, kind: str) -> str:
        if value is None:
            return "null" if kind == "super" else null
        value = _plain(value, kind)
        return '"' + value.replace('"', '""') + '"' if quoted.search(value) else value

    def line(row: _Row) -> str:
        values = (value_text(value, kind) for value, kind in zip(row, kinds, strict=True))
        return delimiter.join(values) + "\n"

    return line


def _fixed(unload: Unload, fields: Sequence[Field]) -> Callable[[_Row], str]:
    null = unload.null or ""

    def cell(value: str | None, width: int, one: Field) -> str:
        if value is None:
            text = null if len(null) <= width or one.type in _TEXTS else ""
        else:
            text = _plain(value, one.type)
        if len(text) > width:
            raise RedshiftError(
                "XX000", f"The value of column {one.name} is longer than its fixed width ({len(text)} > {width})"
            )
        return text.ljust(width)

    def line(row: _Row) -> str:
        return "".join(map(cell, row, unload.widths, fields)) + "\n"

    return line


def _json(_: Unload, fields: Sequence[Field]) -> Callable[[_Row], str]:
    names = [json.dumps(one.name, ensure_ascii=False) for one in fields]

    def value_text(value: str | None, kind: str) -> str:
        if value is None:
            return "null"
        if kind == "super":
            return to_client(value.encode()).decode()
        if kind in _NUMBERS:
            if re.search("[a-df-zA-DF-Z]", value):
                raise not_implemented(f"UNLOAD of {value} to JSON")
            return value
        return json.dumps(_plain(value, kind), ensure_ascii=False)

    def line(row: _Row) -> str:
        pairs = (f"{name}:{value_text(value, one.type)}" for name, value, one in zip(names, row, fields, strict=True))
        return "{" + ",".join(pairs) + "}\n"

    return line


_LINES = {"text": _delimited, "csv": _csv, "fixedwidth": _fixed, "json": _json}


def _plain(value: str, kind: str) -> str:
    """Returns a value of PostgreSQL's text as Redshift writes it."""
    if kind == "character":
        return value.rstrip(" ")
    if kind == "super":
        return to_client(value.encode()).decode()
    return value.removeprefix("\\x") if kind == "varbyte" else value


def _parquet_file(
    unload: Unload, fields: Sequence[Field], rows: Iterator[_Row], file: IO[bytes]
) -> tuple[int, Iterator[_Row] | None]:
    largest = max(unload.largest // _ROW_GROUP, 1) * _ROW_GROUP
    schema = pa.schema([(one.name, _arrow_type(one)) for one in fields])
    count = 0
    with pq.ParquetWriter(pa.PythonFile(_Open(file), mode="w"), schema, version="1.0") as writer:
        for group in _groups(rows):
            columns = zip(*group, strict=True)
            arrays = [_array(values, one) for values, one in zip(columns, fields, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=len(group))
            count += len(group)
            if file.tell() >= largest:
                first = next(rows, None)
                return count, chain([first], rows) if first is not None else None
    return count, None


def _groups(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    """Yields rows in groups of some megabytes."""
    group: list[_Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += sum(len(value) for value in row if value)
        if size > _ROW_GROUP or len(group) == _BATCH:
            yield group
            group, size = [], 0
    if group:
        yield group


def _arrow_type(one: Field) -> pa.DataType:
    return pa.decimal128(*one.numbers) if one.type == "numeric" else _ARROW[one.type]


def _array(values: Iterable[str | None], one: Field) -> pa.Array:
    if one.type == "boolean":
        return pa.array([None if value is None else value == "t" for value in values], pa.bool_())
    if one.type == "timestamp with time zone":  # its time in UTC
        return pa.array(list(values), pa.string()).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    if one.type in ("character", "super"):
        values = [None if value is None else _plain(value, one.type) for value in values]
    try:
        return pa.array(list(values), pa.string()).cast(_arrow_type(one))
    except pa.ArrowInvalid as error:
        raise not_implemented(f"UNLOAD of column {one.name} to PARQUET ({error})") from error


def _manifest(spool: Spool, files: Sequence[File]) -> dict[str, Any]:
    unload = spool.unload
    entries: list[dict[str, Any]] = []
    for file in files:
        entry: dict[str, Any] = {"url": file.url}
        if unload.verbose:
            entry["meta"] = {"content_length": file.length, "record_count": file.rows}
        elif unload.format == "parquet":
            entry["meta"] = {"content_length": file.length}
        entries.append(entry)
    if not unload.verbose:
        return {"entries": entries}
    elements = [{"name": one.name, "type": _manifest_type(one)} for one in spool.written_fields()]
    return {
        "entries": entries,
        "schema": {"elements": elements},
        "meta": {
            "content_length": sum(file.length for file in files),
            "record_count": sum(file.rows for file in files),
        },
        "author": {"name": "Amazon Redshift", "version": "1.0.0"},
    }


def _manifest_type(one: Field) -> dict[str, Any]:
    base: dict[str, Any] = {"base": "character varying" if one.type == "text" else one.type}
    if one.type == "numeric":
        base |= dict(zip(("precision", "scale"), one.numbers, strict=True))
    elif one.type in _TEXTS:
        base["max_length"] = one.modifier - 4 if one.modifier >= 4 else 256
    return base


@dataclass(frozen=True)
class Unloaded:
    """What an UNLOAD did."""

    unload: Unload
    rows: int
    files: list[File] = field(default_factory=list)
