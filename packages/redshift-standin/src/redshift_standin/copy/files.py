"""The files of a COPY, read from S3 and streamed as PostgreSQL's own COPY takes them.

Memory is that of a batch, whatever the size of a file. Parquet becomes PostgreSQL's binary format. JSON and text
become its text format, where each record is one line: the line in PostgreSQL's error is the number of the record.
"""

import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from botocore.exceptions import BotoCoreError

from redshift_standin.copy import documents
from redshift_standin.copy.binary_rows import HEADER, TRAILER
from redshift_standin.copy.delimited import fit, read_records
from redshift_standin.copy.load_errors import (
    INVALID_LINE,
    NO_LINE,
    WRONG_ENCODING,
    LoadErrorDetail,
    Rejection,
    load_failure,
    reason,
    scan_failure,
)
from redshift_standin.copy.options import split_url
from redshift_standin.copy.parquet import replace_invalid, rows
from redshift_standin.copy.s3 import S3, list_keys, read_manifest, s3_errors
from redshift_standin.copy.statement import Column, Copy
from redshift_standin.copy.values import RejectedError, Values
from redshift_standin.errors import RedshiftError

_BATCH = 5_000  # records
_BUFFER = 1 << 20  # bytes

_Record = tuple[str, int, str, list[str | None]]  # its file, its line number, the raw line, and its values


@dataclass
class Load:
    """A COPY while it runs: what it read, and the records that it does not load."""

    copy: Copy
    s3: S3
    columns: list[Column]
    files: list[str] = field(default_factory=list)
    size: int = 0  # bytes
    records: int = 0
    errors: list[LoadErrorDetail] = field(default_factory=list)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Yields the rows of the files for `stdin_statement`, one chunk per batch.

        Raises:
            RedshiftError: a file is missing, or S3 does not answer.
            LoadError: a file is not of the format, or too many rows cannot be loaded into the columns.
        """
        self._check_columns()
        client = self.s3.client()
        if self.copy.format == "parquet":
            yield HEADER
            for url, body in self._bodies(client):
                yield from rows(self.copy, url, body, self.columns)
            yield TRAILER
            return
        batch: list[str] = []
        for record in self._records(client):
            if isinstance(record, LoadErrorDetail):
                self.add_error(record)
                continue
            self.records += 1
            batch.append(_line(record[3]))
            if len(batch) == _BATCH:
                yield "".join(batch).encode()
                batch.clear()
        if batch:
            yield "".join(batch).encode()

    def add_error(self, detail: LoadErrorDetail) -> None:
        """Notes a record that is not loaded.

        Raises:
            LoadError: there are as many as fail the load.
        """
        self.errors.append(detail)
        most = self.copy.max_errors
        if most is not None and len(self.errors) >= most:
            raise load_failure(self.copy.table, *self.errors)

    def explain(self, rejections: Collection[Rejection]) -> list[LoadErrorDetail]:
        """Returns why PostgreSQL refused records; reads the files again up to the last of them."""
        wanted = {rejection.record: rejection for rejection in rejections}
        found: list[LoadErrorDetail] = []
        number = 0
        for record in self._records(self.s3.client()):
            if isinstance(record, LoadErrorDetail):
                continue
            number += 1
            if rejection := wanted.pop(number, None):
                url, line, raw, _ = record
                column = next((c for c in self.columns if c.name == rejection.column), Column(rejection.column))
                code, words = reason(column, rejection.value, rejection.sqlstate)
                found.append(LoadErrorDetail(url, line, column, code, words, raw, rejection.value))
            if not wanted:
                break
        return found

    def refused(self, rejection: Rejection) -> RedshiftError:
        """Returns Redshift's error for a record at which PostgreSQL stopped."""
        if self.copy.format != "parquet":
            return load_failure(self.copy.table, *self.errors, *self.explain([rejection]))
        column = next((c for c in self.columns if c.name == rejection.column), Column(rejection.column))
        code, words = reason(column, rejection.value, rejection.sqlstate)
        prefix = f"s3://{self.copy.bucket}/{self.copy.key}"
        return scan_failure(
            f"{words} in column {column.name}",
            LoadErrorDetail(prefix, NO_LINE, column, code, words, raw_value=rejection.value),
        )

    def _check_columns(self) -> None:
        copy, count = self.copy, len(self.columns)
        if copy.whole and (count != 1 or self.columns[0].type != "super"):
            raise RedshiftError(
                "0A000", "JSON 'noshred' needs a table or column list with one column of the type SUPER"
            )
        if copy.widths and len(copy.widths) != count:
            raise RedshiftError(
                "XX000", f"The fixedwidth specification has {len(copy.widths)} columns and the table has {count}"
            )

    def _bodies(self, client: Any) -> Iterator[tuple[str, Any]]:
        """Yields the URL and the body of each file."""
        self.files.clear()
        self.size = 0
        for bucket, key, mandatory in self._keys(client):
            try:
                with s3_errors():
                    answer = client.get_object(Bucket=bucket, Key=key)
            except RedshiftError as error:
                if mandatory or ",Error NoSuchKey," not in error.message:
                    raise
                continue
            self.files.append(f"s3://{bucket}/{key}")
            self.size += answer["ContentLength"]
            yield self.files[-1], answer["Body"]
        if not self.files:
            raise RedshiftError("XX000", f"None of the files of the manifest '{self.copy.key}' exists")

    def _keys(self, client: Any) -> list[tuple[str, str, bool]]:
        """Returns the bucket and the key of each file, and whether it must exist."""
        copy = self.copy
        if not copy.manifest:
            keys = list_keys(client, copy.bucket, copy.key)
            if not keys:
                raise RedshiftError("XX000", f"The specified S3 prefix '{copy.key}' does not exist")
            return [(copy.bucket, key, True) for key in keys if not key.endswith("/")]
        entries = read_manifest(client, copy.bucket, copy.key)
        if copy.format == "parquet" and not all("content_length" in entry.get("meta", {}) for entry in entries):
            raise RedshiftError(
                "XX000", f"The manifest s3://{copy.bucket}/{copy.key} lacks content_length in an entry's meta"
            )
        return [(*split_url(entry["url"]), entry.get("mandatory") is True) for entry in entries]

    def _records(self, client: Any) -> Iterator[_Record | LoadErrorDetail]:
        read = self._documents(client) if self.copy.format == "json" else self._fields()
        for url, body in self._bodies(client):
            try:
                yield from read(url, self._text(url, body))
            except BotoCoreError as error:  # the answer is incomplete
                raise RedshiftError("XX000", f"S3ServiceException:{error}") from error
            except UnicodeError:
                yield LoadErrorDetail(url, NO_LINE, Column(""), *WRONG_ENCODING)
            except (OSError, EOFError) as error:
                yield LoadErrorDetail(url, NO_LINE, Column(""), INVALID_LINE[0], f"Invalid input: {error}")

    def _text(self, url: str, body: Any) -> io.TextIOWrapper:
        copy = self.copy
        raw: Any = pa.PythonFile(body, mode="r") if copy.compression else body
        if copy.compression:
            raw = pa.CompressedInputStream(raw, copy.compression)
        stream = io.BufferedReader(raw, _BUFFER)
        encoding = copy.encoding
        if encoding.startswith("utf-16"):
            mark = stream.peek(2)[:2]
            if encoding == "utf-16" and mark not in (b"\xff\xfe", b"\xfe\xff"):
                raise UnicodeError(url)
            if encoding != "utf-16" and mark == ("\ufeff".encode(encoding)):
                stream.read(2)
            errors = "strict"
        else:
            errors = replace_invalid(copy.replacement) if copy.replacement else "surrogateescape"
        return io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")

    def _fields(self) -> Any:
        copy, columns = self.copy, self.columns
        convert = Values(copy, columns).convert

        def read(url: str, lines: io.TextIOWrapper) -> Iterator[_Record | LoadErrorDetail]:
            for number, text, fields in read_records(copy, lines):
                if copy.ignore_blank_lines and not text:
                    continue
                try:
                    if isinstance(fields, RejectedError):
                        raise fields
                    yield url, number, text, convert(fit(copy, fields or [""], columns))
                except RejectedError as rejected:
                    yield self._detail(url, number, text, rejected)

        return read

    def _documents(self, client: Any) -> Any:
        copy, columns = self.copy, self.columns
        paths = None
        if copy.json_paths:
            bucket, key = split_url(copy.json_paths)
            with s3_errors():
                body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
            paths = documents.parse_paths(body, columns)
        take = documents.field_reader(copy, columns, paths)
        convert = Values(copy, columns).convert

        def read(url: str, lines: io.TextIOWrapper) -> Iterator[_Record | LoadErrorDetail]:
            for _ in range(copy.ignore_header):
                lines.readline()
            for number, text, document in documents.read_documents(lines):
                line = number + copy.ignore_header
                try:
                    if isinstance(document, RejectedError):
                        raise document
                    yield url, line, text, convert(take(document))
                except RejectedError as rejected:
                    yield self._detail(url, line, text, rejected)

        return read

    def _detail(self, url: str, line: int, text: str, rejected: RejectedError) -> LoadErrorDetail:
        column = self.columns[rejected.place] if rejected.place >= 0 else Column("")
        return LoadErrorDetail(
            url, line, column, rejected.code, rejected.reason, _shown(text), _shown(rejected.value)
        )


def _shown(text: str) -> str:
    """Returns a text that may have bytes that are not UTF-8, with question marks in their place."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def stdin_statement(copy: Copy, columns: Sequence[Column], *, skip: bool) -> str:
    """Returns the COPY statement of PostgreSQL that reads the chunks, and may skip rows with invalid values."""
    names = ", ".join('"' + column.name.replace('"', '""') + '"' for column in columns)
    options = ["format binary"] if copy.format == "parquet" else []
    if skip:
        options += ["on_error ignore", "log_verbosity verbose"]
    return f"copy {copy.table} ({names}) from stdin" + (f" ({', '.join(options)})" if options else "")


_ESCAPED = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _line(values: Sequence[str | None]) -> str:
    """Returns a record in PostgreSQL's text format."""
    fields = (
        r"\N" if value is None else value.translate(_ESCAPES) if _ESCAPED.search(value) else value for value in values
    )
    return "\t".join(fields) + "\n"
