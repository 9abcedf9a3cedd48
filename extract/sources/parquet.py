"""Files of the Parquet drop → `raw_<source>.<table>`.

    <drop>/<YYYY-MM-DD>/<table>.parquet → each file once → appended with its path and date

Every file is the whole table on its date, so all are kept and bronze takes the newest. A file is identified by its
content: with other content it is read again. A file that cannot be loaded is copied to `<drop>/_rejected/` with a
JSON file that says why, and does not stop the others.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from extract.declarations import ParquetTable, Source
from extract.errors import ExtractError
from extract.reading import Limits, OwnRead, Reading, State
from extract.settings import DropSettings, Settings
from extract.types import arrow_type, characters

REJECTED = "_rejected"
LONGEST_PATH = 1024  # bytes, S3's limit for a key


@dataclass(frozen=True)
class DropFile:
    """A file found in the drop: its path below the drop, its date and table as the path says."""

    path: str
    etag: str | None = None  # where the store has one

    @property
    def folder(self) -> str:
        """Everything before the file's name."""
        return str(PurePosixPath(self.path).parent)

    @property
    def table(self) -> str:
        """The table's name: the file's, without ending and case."""
        return PurePosixPath(self.path).stem.lower()

    @property
    def day(self) -> date:
        """The date of the folder.

        Raises:
            ValueError: if the folder is no date written YYYY-MM-DD.
        """
        day = date.fromisoformat(self.folder)
        if day.isoformat() != self.folder:
            raise ValueError(self.folder)
        return day


@dataclass(frozen=True)
class ParquetRead(OwnRead):
    """The read that every run makes of a table of the drop; `declared` are the names of all tables of its source."""

    table: ParquetTable
    declared: tuple[str, ...]

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:  # noqa: ARG002  lengths are declared
        """Gives the rows of the files that were not read yet.

        `state["files"]` maps the path of each file that was read to its fingerprint and number of rows.
        `rows_source` counts the rows of all files that were ever loaded, each as it was last.

        Raises:
            ExtractError: if the drop cannot be listed or has no file at all.
        """
        drop = Drop.open(settings.of(self.table.source, DropSettings).url, self.table.source)
        seen: dict[str, dict[str, Any]] = dict(state.get("files", {}))
        files, faults = self.choose(drop.files())
        notes = [drop.reject(file, fault) for file, fault in faults]
        fresh: list[DropFile] = []
        for file in files:
            try:
                fingerprint = drop.fingerprint(file)
                if seen.get(file.path, {}).get("fingerprint") != fingerprint:
                    seen[file.path] = {"fingerprint": fingerprint, "rows": self.check(drop, file)}
                    fresh.append(file)
            except ExtractError as error:
                notes.append(drop.reject(file, str(error)))
            except OSError as error:
                notes.append(f"{drop.source.name}: {file.path}: cannot be read: {error}; the next run tries again")
        yield Reading(
            schema=self.raw_schema,
            batches=(batch for file in fresh for batch in self.batches(drop, file)),
            rows_source=sum(file["rows"] for file in seen.values()),
            state={"files": seen},
            watermark=max((file.folder for file in files), default=None),
            text_lengths=self.lengths | {"_file_path": LONGEST_PATH},
            notes=tuple(notes),
        )

    @property
    def raw_schema(self) -> pa.Schema:
        """The columns of the files, then the path and date of the file each row came from."""
        columns = [(column.name, arrow_type(column.data_type)) for column in self.table.columns]
        return pa.schema([*columns, ("_file_path", pa.string()), ("_file_date", pa.date32())])

    @property
    def declared_schema(self) -> pa.Schema:
        """The columns that every file must have."""
        return pa.schema(list(self.raw_schema)[:-2])

    @property
    def lengths(self) -> dict[str, int]:
        """The most characters of each text that has a limit."""
        lengths = {column.name: characters(column.data_type) for column in self.table.columns}
        return {name: length for name, length in lengths.items() if length}

    def choose(self, found: Sequence[DropFile]) -> tuple[list[DropFile], list[tuple[DropFile, str]]]:
        """Returns the files of this table, and those in the wrong place or of a wrong name with what is wrong.

        Raises:
            ExtractError: if there is no file for this table.
        """
        declared = self.declared
        twins = Counter((file.folder, file.table) for file in found if file.path.lower().endswith(".parquet"))
        files: list[DropFile] = []
        faults: list[tuple[DropFile, str]] = []
        for file in found:
            # A file that belongs to no table is reported once, with the first table.
            if file.table != self.table.name and (file.table in declared or self.table.name != declared[0]):
                continue
            try:
                _ = file.day
            except ValueError:
                faults.append((file, f"expected a folder YYYY-MM-DD, got {file.folder!r}; move it to its date's"))
                continue
            if not file.path.lower().endswith(".parquet"):
                faults.append((file, "expected a name that ends with .parquet"))
            elif file.table not in declared:
                faults.append(
                    (
                        file,
                        f"no table is called {file.table!r}: expected {', '.join(declared)}; rename it, or "
                        "declare the table",
                    )
                )
            elif twins[file.folder, file.table] > 1:
                faults.append(
                    (
                        file,
                        f"{twins[file.folder, file.table]} files of {file.table} for {file.folder}: "
                        "expected one; keep the right one",
                    )
                )
            else:
                files.append(file)
        if not files and not faults:
            raise ExtractError(
                f"{self.table.full_name}: no file in the drop: expected at least one "
                f"<PARQUET_DROP>/<YYYY-MM-DD>/{self.table.name}.parquet; check {self.table.source.settings}_DROP"
            )
        return files, faults

    def check(self, drop: "Drop", file: DropFile) -> int:
        """Returns the file's number of rows, once every page of it was read and fits the declared columns.

        Raises:
            ExtractError: with what was expected of the file and what came.
            OSError: if the store does not give it.
        """
        if drop.size(file) == 0:
            raise ExtractError("expected a Parquet file, got 0 bytes")
        keys: list[pa.Table] = []
        try:
            with drop.parquet(file) as parquet:
                self.check_columns(parquet.schema_arrow)
                for batch in parquet.iter_batches():
                    batch.validate(full=True)  # of a text its UTF-8 too
                    self.check_values(batch)
                    keys.append(self.key_of(batch))
                if parquet.metadata.num_rows == 0:
                    raise ExtractError("expected the whole table, got a file without rows")
        except (pa.ArrowException, OSError) as error:
            if not is_content_error(error):
                raise
            raise ExtractError(f"expected a whole Parquet file, got: {error}") from error
        return self.check_key(pa.concat_tables(keys))

    def check_columns(self, schema: pa.Schema) -> None:
        """Raises ExtractError unless the file has the declared columns, each of a type that fits, and no other."""
        faults = []
        for column in self.declared_schema:
            if (times := schema.names.count(column.name)) != 1:
                faults.append(f"column {column.name} is {f'there {times} times' if times else 'missing'}")
            elif not fits(actual := schema.field(column.name).type, column.type):
                faults.append(f"column {column.name}: expected {column.type}, got {actual}")
        declared = self.declared_schema.names
        faults += [f"column {name} is not declared" for name in schema.names if name not in declared]
        if faults:
            expected = ", ".join(f"{column.name} {column.type}" for column in self.declared_schema)
            raise ExtractError(f"{'; '.join(faults)}; expected the columns {expected}")

    def check_values(self, batch: pa.RecordBatch) -> None:
        """Raises ExtractError for a value that is missing and for a text longer than its column."""
        for name in self.declared_schema.names:
            if missing := batch[name].null_count:
                raise ExtractError(f"column {name}: expected a value in every row, got {missing} without")
        for name, length in self.lengths.items():
            longest = pc.max(pc.utf8_length(batch[name].cast(pa.string()))).as_py() or 0
            if longest > length:
                raise ExtractError(f"column {name}: expected at most {length} characters, got {longest}")

    def key_of(self, batch: pa.RecordBatch) -> pa.Table:
        """Returns the columns of the key, in the types of the raw table."""
        columns = {name: batch[name].cast(self.raw_schema.field(name).type) for name in self.table.key}
        return pa.table(columns) if columns else pa.table({"row": pa.nulls(batch.num_rows)})

    def check_key(self, keys: pa.Table) -> int:
        """Returns the number of rows; raises ExtractError for a key that occurs twice."""
        if self.table.key:
            counts = keys.group_by(list(self.table.key)).aggregate([([], "count_all")])
            if counts.num_rows < keys.num_rows:
                most = counts.sort_by([("count_all", "descending")]).slice(0, 1).to_pylist()[0]
                times = most.pop("count_all")
                key, value = ", ".join(most), ", ".join(map(str, most.values()))
                raise ExtractError(f"column {key}: expected each value once, got {value} in {times} rows")
        return int(keys.num_rows)

    def batches(self, drop: "Drop", file: DropFile) -> Iterator[pa.RecordBatch]:
        """Gives the rows of one file in the shape of `raw_schema`."""
        with drop.parquet(file) as parquet:
            for batch in parquet.iter_batches(columns=self.declared_schema.names):
                columns = [batch[column.name].cast(column.type) for column in self.declared_schema]
                path = pa.repeat(file.path, batch.num_rows)
                day = pa.repeat(pa.scalar(file.day), batch.num_rows)
                yield pa.record_batch([*columns, path, day], schema=self.raw_schema)


def is_content_error(error: Exception) -> bool:
    """True for an error of Arrow about the content, which may be a bare OSError; a store's has a number."""
    return isinstance(error, pa.ArrowException) or (type(error) is OSError and error.errno is None)


def fits(actual: pa.DataType, expected: pa.DataType) -> bool:
    """True if every value of the one type is a value of the other: `int32` fits `int64`, not the reverse."""
    if pa.types.is_dictionary(actual):
        actual = actual.value_type
    if pa.types.is_integer(expected) and pa.types.is_signed_integer(actual):
        return bool(actual.bit_width <= expected.bit_width)
    if pa.types.is_string(expected):
        return bool(pa.types.is_string(actual) or pa.types.is_large_string(actual))
    return bool(actual == expected)


@dataclass(frozen=True)
class Drop:
    """The drop folder of a source, local or on S3."""

    source: Source
    fs: Any  # fsspec has no types
    root: str

    @classmethod
    def open(cls, url: str, source: Source) -> "Drop":
        """Returns the drop at a folder or `s3://bucket/prefix`."""
        fs, root = fsspec.core.url_to_fs(url)
        return cls(source, fs, root.rstrip("/"))

    def files(self) -> list[DropFile]:
        """Returns every file below the drop in the order of the paths, but what starts with `.` or `_`.

        Raises:
            ExtractError: if there is no such folder, or it cannot be listed.
        """
        setting = f"{self.source.settings}_DROP"
        try:
            self.fs.invalidate_cache()
            if not self.fs.isdir(self.root):
                raise ExtractError(f"{self.source.name}: no folder {self.root}: expected the drop; check {setting}")
            found = self.fs.find(self.root, detail=True)
        except OSError as error:
            raise ExtractError(
                f"{self.source.name}: {self.root} cannot be listed: {error}; check {setting}"
            ) from error
        paths = {name[len(self.root) :].lstrip("/"): info for name, info in found.items()}
        return [
            DropFile(path, str(info.get("ETag", "")).strip('"') or None)
            for path, info in sorted(paths.items())
            if not any(part.startswith((".", "_")) for part in PurePosixPath(path).parts)
        ]

    def fingerprint(self, file: DropFile) -> str:
        """Returns what identifies the content of a file: its ETag, or the SHA-256 of its content."""
        if file.etag:
            return file.etag
        with self.fs.open(f"{self.root}/{file.path}") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def size(self, file: DropFile) -> int:
        """Returns the file's size in bytes."""
        return int(self.fs.size(f"{self.root}/{file.path}"))

    @contextmanager
    def parquet(self, file: DropFile) -> Iterator[pq.ParquetFile]:
        """Opens a file; its schema and metadata are read, its rows only when asked for."""
        with self.fs.open(f"{self.root}/{file.path}") as stream, pq.ParquetFile(stream) as parquet:
            yield parquet

    def reject(self, file: DropFile, reason: str) -> str:
        """Copies a file to `_rejected/` with a JSON file that says why; returns the line for the run's report.

        The copy's name has the content's fingerprint, so a file that stays in the drop is copied once. One that
        cannot be copied is only reported.
        """
        path = PurePosixPath(file.path)
        try:
            mark = hashlib.sha256(self.fingerprint(file).encode()).hexdigest()[:8]
            copy = f"{self.root}/{REJECTED}/{path.with_name(f'{path.stem}.{mark}{path.suffix}')}"
            if not self.fs.exists(f"{copy}.json"):
                self.fs.makedirs(copy.rsplit("/", 1)[0], exist_ok=True)
                self.fs.copy(f"{self.root}/{file.path}", copy)
                note = {"file": file.path, "reason": reason, "rejected_at": datetime.now(UTC).isoformat()}
                with self.fs.open(f"{copy}.json", "w", encoding="utf-8") as stream:
                    json.dump(note, stream, ensure_ascii=False, indent=2)
        except OSError as error:
            return f"{self.source.name}: {file.path}: {reason} (not copied: {error})"
        return f"{self.source.name}: {file.path}: {reason} (copied to {copy[len(self.root) + 1 :]})"
