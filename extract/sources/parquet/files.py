"""Files of the drop: where they are, which table they belong to, and where those that cannot be loaded are kept.

<drop>/<YYYY-MM-DD>/<table>.parquet            the whole table on that date
<drop>/<YYYY-MM-DD>/<table>/<any>.parquet      a part of it: all files of the folder are the whole table
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal

import pyarrow.parquet as pq

from extract.declarations import Source
from extract.errors import ExtractError
from extract.names import normalize
from extract.sources.parquet.bounds import open_parquet
from extract.sources.parquet.store import REJECTED, UNFINISHED, Entry, Store, open_store, shorten, split
from extract.visible import visible


@dataclass(frozen=True)
class DropFile(Entry):
    """A file found in the drop, or something else that is in the place of one."""

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The folders and the name of the file."""
        return split(self.path)

    @property
    def folder(self) -> str:
        """The folder of the date; `.` for a file beside the dates."""
        return self.parts[0] if len(self.parts) > 1 else "."

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

    @cached_property
    def table(self) -> str:
        """The table's name: that of the file without its ending, or of the folder, as it is in raw."""
        name = self.parts[1] if self.is_part else PurePosixPath(self.parts[-1]).stem
        try:
            return normalize(name)
        except ValueError:
            return name

    @cached_property
    def entry_fault(self) -> str | None:
        """What is wrong with the entry itself, wherever it is; None if nothing is."""
        if not self.fault and visible(self.path) != self.path:
            return "expected a name in UTF-8 without control characters; rename it"
        return self.fault


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
        return self.files[0].folder

    @property
    def place(self) -> str:
        """The path of its file, for people; of several files that of the table, which is their folder's."""
        return visible(self.files[0].path if len(self.files) == 1 else f"{self.folder}/{self.table}")

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

    @cached_property
    def stamp(self) -> str | None:
        """What stays the same as long as the files and their contents do; None if that is not certain."""
        stamps = [f"{file.path} {file.stamp}\n" for file in self.files if file.stamp]
        if len(stamps) < len(self.files):
            return None
        return hashlib.sha256("".join(stamps).encode()).hexdigest()[:16]

    @property
    def is_unfinished(self) -> bool:
        """True while a program is writing files of it."""
        return any(UNFINISHED in file.parts for file in self.files)

    def find_fault(self, declared: tuple[str, ...]) -> str | None:
        """Returns what is wrong with the places and names of the files; None if nothing is."""
        if odd := next((file for file in self.files if file.entry_fault), None):
            return f"{odd.entry_fault}{self.naming(odd)}"
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
        return f", got {visible('/'.join(file.parts[2:]) or file.path)}" if len(self.files) > 1 else ""


def group_files(files: Iterable[DropFile]) -> list[DailyTable]:
    """Returns the files by date and table.

    Beside the tables' files, what is no Parquet file stands alone, and so does an entry that is odd in itself: it
    keeps no file out that is in order. In a table's folder it may be a part of the table.
    """
    groups: defaultdict[tuple[str, str], list[DropFile]] = defaultdict(list)
    for file in files:
        belongs = file.is_part or (file.is_parquet and not file.entry_fault)
        groups[file.folder, file.table if belongs else f"/{file.path}"].append(file)
    return [DailyTable(tuple(group)) for group in groups.values()]


@dataclass(frozen=True)
class Drop:
    """The drop folder of a source, local or on S3."""

    source: Source
    store: Store

    @classmethod
    def open(cls, url: str, source: Source) -> "Drop":
        """Returns the drop at a folder or `s3://bucket/prefix`."""
        return cls(source, open_store(url))

    def files(self) -> list[DropFile]:
        """Returns every file below the drop in the order of the paths, but what starts with `.` or `_`.

        What a program is writing to the folder of a table is returned too.

        Raises:
            ExtractError: if there is no such folder, or it cannot be listed.
        """
        setting = f"{self.source.settings}_DROP"
        name, root = self.source.name, self.store.root
        try:
            return self._find()
        except FileNotFoundError as error:
            raise ExtractError(f"{name}: no folder {root}: expected the drop; check {setting}") from error
        except OSError as error:
            raise ExtractError(f"{name}: {root} cannot be listed: {error}; check {setting}") from error

    def files_of(self, day: date) -> list[DropFile]:
        """Returns the files of one date.

        Raises:
            OSError: if they cannot be listed.
        """
        try:
            return self._find(str(day))
        except FileNotFoundError:
            return []

    def _find(self, under: str = "") -> list[DropFile]:
        files = (DropFile(**vars(entry)) for entry in self.store.find(under))
        return sorted(files, key=lambda file: file.path)

    def fingerprint(self, daily: DailyTable) -> str:
        """Returns what identifies the content of a table on one date: of several files, their paths too."""
        contents = [self.fingerprint_file(file) for file in daily.files]
        if len(contents) == 1:
            return contents[0]
        lines = [f"{visible(file.path)} {content}\n" for file, content in zip(daily.files, contents, strict=True)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def fingerprint_file(self, file: DropFile) -> str:
        """Returns what identifies the content of a file: its ETag, or the SHA-256 of its content."""
        if file.etag or file.fault:
            return file.etag or str(file.fault)
        with self.store.open(file.path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def size(self, file: DropFile) -> int:
        """Returns the file's size in bytes."""
        return self.store.size(file.path)

    @contextmanager
    def parquet(self, file: DropFile, unit: Literal["us", "ns"] = "us") -> Iterator[pq.ParquetFile]:
        """Opens a file; its schema and metadata are read, its rows only when asked for.

        Raises:
            ExtractError: if its metadata is too long.
        """
        with self.store.open(file.path) as stream, open_parquet(stream, unit) as parquet:
            yield parquet

    def reject(self, daily: DailyTable, reason: str) -> str:
        """Copies the files to `_rejected/` with one JSON file that says why; returns the line for the run's report.

        The copy's name has the content's fingerprint, so what stays in the drop is copied once. Of what is no file,
        nothing is copied. What cannot be copied is only reported.
        """
        place = PurePosixPath(daily.place)
        files = [file for file in daily.files if not file.fault]
        try:
            mark = hashlib.sha256(self.fingerprint(daily).encode()).hexdigest()[:8]
            if len(daily.files) == 1:
                kept = shorten(f"{REJECTED}/{place.with_name(f'{place.stem}.{mark}{place.suffix}')}")
                copies = {file.path: kept for file in files}
            else:
                kept = shorten(f"{REJECTED}/{place}.{mark}")
                copies = {file.path: shorten(visible(f"{kept}/{'/'.join(file.parts[1:])}")) for file in files}
            if not self.store.exists(f"{kept}.json"):
                for path, copy in copies.items():
                    self.store.copy(path, copy)
                note = {
                    "file": daily.place,
                    "reason": visible(reason),
                    "rejected_at": datetime.now(UTC).isoformat(),
                }
                self.store.write(f"{kept}.json", json.dumps(note, ensure_ascii=False, indent=2).encode())
        except OSError as error:
            return f"{self.source.name}: {daily.place}: {reason} (not copied: {error})"
        where = f"copied to {kept}" if copies else f"noted in {kept}.json"
        return f"{self.source.name}: {daily.place}: {reason} ({where})"


def has_int96(parquet: pq.ParquetFile) -> bool:
    """Returns whether a file has timestamps of 96 bits."""
    return any(parquet.schema.column(place).physical_type == "INT96" for place in range(len(parquet.schema)))
