"""Files of the drop: where they are, which table they belong to, and where those that cannot be loaded are kept.

<drop>/<YYYY-MM-DD>/<table>.parquet            the whole table on that date
<drop>/<YYYY-MM-DD>/<table>/<any>.parquet      a part of it: all files of the folder are the whole table
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Any, Literal

import fsspec
import pyarrow.parquet as pq

from extract.declarations import Source
from extract.errors import ExtractError
from extract.names import normalize
from extract.sources.parquet.bounds import open_parquet

REJECTED = "_rejected"
UNFINISHED = "_temporary"  # in the folder of a table while Hadoop's committers, Spark's too, write to it


@dataclass(frozen=True)
class DropFile:
    """A file found in the drop: its path below the drop."""

    path: str
    etag: str | None = None  # where the store has one

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders and the name of the file."""
        return PurePosixPath(self.path).parts

    @property
    def is_parquet(self) -> bool:
        """True if the file's name says so."""
        return self.path.lower().endswith(".parquet")

    @property
    def is_part(self) -> bool:
        """True if the file is in a table's folder."""
        return len(self.parts) > 2

    @property
    def place(self) -> str:
        """The path of what is a whole table: of the file, or of the table's folder."""
        return "/".join(self.parts[:2]) if self.is_part else self.path

    @property
    def table(self) -> str:
        """The table's name: that of the file without its ending, or of the folder, as it is in raw."""
        name = self.parts[1] if self.is_part else PurePosixPath(self.path).stem
        try:
            return normalize(name)
        except ValueError:
            return name


@dataclass(frozen=True)
class DailyTable:
    """All files that a table has on one date, in the order of their paths. Together they are the whole table."""

    files: tuple[DropFile, ...]

    @property
    def table(self) -> str:
        """The table's name."""
        return self.files[0].table

    @property
    def folder(self) -> str:
        """The folder of the date."""
        return str(PurePosixPath(self.files[0].place).parent)

    @property
    def place(self) -> str:
        """The path of its file; of several files that of the table, which is their folder's."""
        return self.files[0].path if len(self.files) == 1 else f"{self.folder}/{self.table}"

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

    @property
    def is_unfinished(self) -> bool:
        """True while a program is writing files of it."""
        return any(UNFINISHED in file.parts for file in self.files)

    def find_fault(self, declared: tuple[str, ...]) -> str | None:
        """Returns what is wrong with the places and names of the files; None if nothing is."""
        try:
            _ = self.day
        except ValueError:
            return f"expected a folder YYYY-MM-DD, got {self.folder!r}; move it to its date's"
        if other := next((file for file in self.files if not file.is_parquet), None):
            return f"expected a name that ends with .parquet{self.naming(other)}"
        if self.table not in declared:
            return (
                f"no table is called {self.table!r}: expected {', '.join(declared)}; rename it, or declare the table"
            )
        places = {file.place for file in self.files}
        if len(places) > 1:
            return f"{len(places)} files of {self.table} for {self.folder}: expected one; keep the right one"
        if deep := next((file for file in self.files if len(file.parts) > 3), None):
            return (
                f"expected all files directly in the folder{self.naming(deep)}; values in the names of folders are "
                "not read: write the table without partitions"
            )
        return None

    def naming(self, file: DropFile) -> str:
        """Returns the name of one of several files, to add to what is wrong with it."""
        return f", got {'/'.join(file.parts[2:]) or file.path}" if len(self.files) > 1 else ""


def group_files(files: Iterable[DropFile]) -> list[DailyTable]:
    """Returns the files by date and table. A file beside the tables' that is no Parquet file stands alone."""
    groups: defaultdict[tuple[str, str], list[DropFile]] = defaultdict(list)
    for file in files:
        name = file.table if file.is_parquet or file.is_part else file.path
        groups[str(PurePosixPath(file.place).parent), name].append(file)
    return [DailyTable(tuple(group)) for group in groups.values()]


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

        What a program is writing to the folder of a table is returned too.

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
        return self._to_files(found)

    def files_of(self, day: date) -> list[DropFile]:
        """Returns the files of one date.

        Raises:
            OSError: if they cannot be listed.
        """
        return self._to_files(self.fs.find(f"{self.root}/{day}", detail=True))

    def _to_files(self, found: Mapping[str, Mapping[str, Any]]) -> list[DropFile]:
        paths = {
            name[len(self.root) :].lstrip("/"): info
            for name, info in found.items()
            if not name.endswith("/")  # S3's console makes an object to show a folder
        }
        return [
            DropFile(path, str(info.get("ETag", "")).strip('"') or None)
            for path, info in sorted(paths.items())
            if not is_hidden(PurePosixPath(path).parts)
        ]

    def fingerprint(self, daily: DailyTable) -> str:
        """Returns what identifies the content of a table on one date: of several files, their paths too."""
        contents = [self.fingerprint_file(file) for file in daily.files]
        if len(contents) == 1:
            return contents[0]
        lines = [f"{file.path} {content}\n" for file, content in zip(daily.files, contents, strict=True)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def fingerprint_file(self, file: DropFile) -> str:
        """Returns what identifies the content of a file: its ETag, or the SHA-256 of its content."""
        if file.etag:
            return file.etag
        with self.fs.open(f"{self.root}/{file.path}") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def size(self, file: DropFile) -> int:
        """Returns the file's size in bytes."""
        return int(self.fs.size(f"{self.root}/{file.path}"))

    @contextmanager
    def parquet(self, file: DropFile, unit: Literal["us", "ns"] = "us") -> Iterator[pq.ParquetFile]:
        """Opens a file; its schema and metadata are read, its rows only when asked for.

        Raises:
            ExtractError: if its metadata is too long.
        """
        with self.fs.open(f"{self.root}/{file.path}") as stream, open_parquet(stream, unit) as parquet:
            yield parquet

    def reject(self, daily: DailyTable, reason: str) -> str:
        """Copies the files to `_rejected/` with one JSON file that says why; returns the line for the run's report.

        The copy's name has the content's fingerprint, so what stays in the drop is copied once. What cannot be copied
        is only reported.
        """
        place = PurePosixPath(daily.place)
        try:
            mark = hashlib.sha256(self.fingerprint(daily).encode()).hexdigest()[:8]
            if len(daily.files) == 1:
                kept = f"{REJECTED}/{place.with_name(f'{place.stem}.{mark}{place.suffix}')}"
                copies = {daily.files[0].path: kept}
            else:
                kept = f"{REJECTED}/{place}.{mark}"
                copies = {file.path: f"{kept}/{'/'.join(file.parts[1:])}" for file in daily.files}
            if not self.fs.exists(f"{self.root}/{kept}.json"):
                for path, copy in copies.items():
                    self.fs.makedirs(f"{self.root}/{copy}".rsplit("/", 1)[0], exist_ok=True)
                    self.fs.copy(f"{self.root}/{path}", f"{self.root}/{copy}")
                note = {"file": daily.place, "reason": reason, "rejected_at": datetime.now(UTC).isoformat()}
                with self.fs.open(f"{self.root}/{kept}.json", "w", encoding="utf-8") as stream:
                    json.dump(note, stream, ensure_ascii=False, indent=2)
        except OSError as error:
            return f"{self.source.name}: {daily.place}: {reason} (not copied: {error})"
        return f"{self.source.name}: {daily.place}: {reason} (copied to {kept})"


def has_int96(parquet: pq.ParquetFile) -> bool:
    """Returns whether a file has timestamps of 96 bits."""
    return any(parquet.schema.column(place).physical_type == "INT96" for place in range(len(parquet.schema)))


def is_hidden(parts: tuple[str, ...]) -> bool:
    """Returns whether a part of a path starts with `.` or `_`, but for what a program is writing for a table."""
    hidden = [part for part in parts if part.startswith((".", "_"))]
    return bool(hidden) and not (len(parts) > 2 and parts[2] == UNFINISHED and hidden[0] == UNFINISHED)
