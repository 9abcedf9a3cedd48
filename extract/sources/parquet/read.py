"""Files of the Parquet drop → `raw_<source>.<table>`.

    the files of a table on one date → each content once → appended with path and date

They are the whole table on that date, so all dates are kept and bronze takes the newest. Files are identified by
their content: if one of them changes, comes or goes, all of that date are read again in one load, which replaces what
was loaded for the date before. If one cannot be loaded, none of that date is: all are copied to `<drop>/_rejected/`
with a JSON file that says why. Other dates and tables are not affected.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyarrow as pa

from extract.declarations import RESERVED, Column, ParquetTable
from extract.errors import ExtractError
from extract.names import normalize
from extract.reading import Limits, OwnRead, Reading, State
from extract.settings import DropSettings, Settings
from extract.sources.parquet.files import DailyTable, Drop, DropFile, group_files, has_int96
from extract.sources.parquet.seen import FINGERPRINT, Seen
from extract.sources.parquet.store import UNFINISHED
from extract.sources.parquet.types import declared_type, fits, raw_type
from extract.sources.parquet.values import add_problems, comparable, convert, finer_problem, problems, to_words
from extract.types import characters

LONGEST_PATH = 1024  # bytes, S3's limit for a key


@dataclass(frozen=True)
class ParquetRead(OwnRead):
    """The read that every run makes of a table of the drop; `declared` are the names of all tables of its source."""

    table: ParquetTable
    declared: tuple[str, ...]

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:  # noqa: ARG002  of every target
        """Gives the rows of the dates that were not read yet, or had other files.

        The state has what was read, as `Seen` describes. `rows_source` counts the rows of all dates that were ever
        loaded, each as it was last.

        Raises:
            ExtractError: if the drop cannot be listed or has no file at all.
        """
        drop = Drop.open(settings.of(self.table.source, DropSettings).url, self.table.source)
        seen = Seen.from_state(self.table.name, state)
        dates, faults = self.choose(drop.files())
        notes = [drop.reject(daily, fault) for daily, fault in faults]
        fresh: list[DailyTable] = []
        for daily in seen.find_due(drop, dates):
            try:
                if daily.is_unfinished:
                    hint = f"the next run tries again; remove {UNFINISHED} if no program writes any more"
                    notes.append(f"{drop.source.name}: {daily.place}: is being written; {hint}")
                    continue
                if seen.has_stamp(daily):
                    continue
                fingerprint = drop.fingerprint(daily)[:FINGERPRINT]
                rows = seen.rows_of(daily, fingerprint)
                if rows is None:
                    rows = self.check(drop, daily)
                    fresh.append(daily)
                seen.add(daily, fingerprint, rows)
            except ExtractError as error:
                notes.append(drop.reject(daily, str(error)))
            except OSError as error:
                notes.append(f"{drop.source.name}: {daily.place}: cannot be read: {error}; the next run tries again")
        seen.fold(dates)
        yield Reading(
            schema=self.raw_schema,
            batches=(batch for daily in fresh for file in daily.files for batch in self.batches(drop, daily, file)),
            rows_source=seen.rows,
            state=seen.as_state(),
            watermark=max((daily.folder for daily in dates), default=None),
            text_lengths=self.lengths | {"_file_path": LONGEST_PATH},
            notes=tuple(notes),
        )

    @property
    def columns(self) -> list[Column]:
        """The columns that every file must have; none of the key may be null."""
        return [replace(c, nullable=c.nullable and c.name not in self.table.key) for c in self.table.columns]

    @property
    def raw_schema(self) -> pa.Schema:
        """The columns of the files, then the path and date of the file each row came from."""
        columns = [(column.name, raw_type(column.data_type)) for column in self.table.columns]
        return pa.schema([*columns, ("_file_path", pa.string()), ("_file_date", pa.date32())])

    @property
    def lengths(self) -> dict[str, int]:
        """The most characters of each text that has a limit."""
        lengths = {column.name: characters(column.data_type) for column in self.table.columns}
        return {name: length for name, length in lengths.items() if length}

    def choose(self, found: Sequence[DropFile]) -> tuple[list[DailyTable], list[tuple[DailyTable, str]]]:
        """Returns the dates of this table, and the files in the wrong place or of a wrong name with what is wrong.

        Raises:
            ExtractError: if there is no file for this table.
        """
        dates: list[DailyTable] = []
        faults: list[tuple[DailyTable, str]] = []
        for daily in group_files(found):
            # A file that belongs to no table is reported once, with the first table.
            if daily.table == self.table.name or (
                daily.table not in self.declared and self.table.name == self.declared[0]
            ):
                fault = None if daily.is_unfinished else daily.find_fault(self.declared)
                if fault:
                    faults.append((daily, fault))
                else:
                    dates.append(daily)
        if not dates and not faults:
            raise ExtractError(
                f"{self.table.full_name}: no file in the drop: expected at least one "
                f"<PARQUET_DROP>/<YYYY-MM-DD>/{self.table.name}.parquet; check {self.table.source.settings}_DROP"
            )
        return dates, faults

    def check(self, drop: Drop, daily: DailyTable) -> int:
        """Returns the number of rows, once every page of every file was read and fits the declared columns.

        Raises:
            ExtractError: with what was expected of the files and what came.
            OSError: if the store does not give them.
        """
        keys = [self.key_schema.empty_table()]
        for file in daily.files:
            try:
                keys += self.check_file(drop, file)
            except ExtractError as error:
                name = f"{'/'.join(file.parts[2:])}: " if len(daily.files) > 1 else ""
                raise ExtractError(f"{name}{error}") from error
        together = pa.concat_tables(keys)
        if not together.num_rows:
            files = f"{len(daily.files)} files" if len(daily.files) > 1 else "a file"
            raise ExtractError(f"expected the whole table, got {files} without rows")
        self.check_key(together)
        return int(together.num_rows)

    def check_file(self, drop: Drop, file: DropFile) -> list[pa.Table]:
        """Returns the keys of a file, once it was read and fits the declared columns.

        Raises:
            ExtractError: with what was expected of the file and what came.
            OSError: if the store does not give it.
        """
        if drop.size(file) == 0:
            raise ExtractError("expected a Parquet file, got 0 bytes")
        found: dict[str, dict[str, int]] = {column.name: {} for column in self.table.columns}
        try:
            with drop.parquet(file) as parquet:
                places = self.find_columns(parquet.schema_arrow)
                names = {name: called(parquet.schema_arrow.names[place], name) for name, place in places.items()}
                keys = []
                for batch in parquet.iter_batches():
                    for column in self.columns:
                        add_problems(found[column.name], problems(batch.column(places[column.name]), column))
                    if not any(found.values()):
                        keys.append(self.key_of(batch, places))
                if has_int96(parquet):
                    self.check_int96(drop, file, places, found)
        except (pa.ArrowException, OSError) as error:
            if not is_content_error(error):
                raise
            raise ExtractError(f"expected a whole Parquet file, got: {error}") from error
        if faults := [f"column {names[name]}: {text}" for name, texts in found.items() for text in to_words(texts)]:
            raise ExtractError("; ".join(faults))
        return keys

    def check_int96(
        self, drop: Drop, file: DropFile, places: Mapping[str, int], found: Mapping[str, dict[str, int]]
    ) -> None:
        """Adds timestamps of 96 bits that have parts of a microsecond to the problems that were found."""
        with drop.parquet(file, "us") as micro, drop.parquet(file, "ns") as nano:
            for batch, finer in zip(micro.iter_batches(), nano.iter_batches(), strict=True):
                for name, place in places.items():
                    add_problems(found[name], [finer_problem(batch.column(place), finer.column(place))])

    def find_columns(self, schema: pa.Schema) -> dict[str, int]:
        """Returns where a file has each declared column.

        Raises:
            ExtractError: unless it has each once, of a type that fits, and no other.
        """
        faults: list[str] = []
        places: dict[str, int] = {}
        declared = {column.name: column.data_type for column in self.table.columns}
        for place, field in enumerate(schema):
            if field.name in self.table.exclude:
                continue
            try:
                name = self.table.rename.get(field.name) or normalize(field.name)
            except ValueError as error:
                faults.append(f"column {field.name!r}: {error}; rename it: columns: {{rename: …}}")
                continue
            if name in RESERVED:
                faults.append(
                    f"column {field.name!r}: the loaders need the name {name}; rename it: columns: {{rename: …}}"
                )
            elif name not in declared:
                faults.append(f"column {called(field.name, name)} is not declared")
            elif name not in places:
                places[name] = place
                faults += type_fault(field, name, declared[name])
            elif schema.names[places[name]] == field.name:
                faults.append(f"column {name} is there {schema.names.count(field.name)} times")
            else:
                faults.append(
                    f"columns {schema.names[places[name]]!r} and {field.name!r} would both be {name} in raw; rename "
                    f"one: columns: {{rename: {{{field.name}: …}}}}"
                )
        faults += [f"column {name} is missing" for name in declared if name not in places]
        if faults:
            expected = ", ".join(f"{name} {data_type}" for name, data_type in declared.items())
            raise ExtractError(f"{'; '.join(dict.fromkeys(faults))}; expected the columns {expected}")
        return places

    @property
    def key_columns(self) -> list[Column]:
        """The columns of the key."""
        return [column for name in self.table.key for column in self.table.columns if column.name == name]

    @property
    def key_schema(self) -> pa.Schema:
        """The columns of the key by their numbers; of a table without one a column of nulls, to count the rows."""
        types = [raw_type(column.data_type) for column in self.key_columns] or [pa.null()]
        return pa.schema([(str(number), kind) for number, kind in enumerate(types)])

    def key_of(self, batch: pa.RecordBatch, places: Mapping[str, int]) -> pa.Table:
        """Returns the columns of the key; keys that a warehouse takes for equal are the same."""
        values = [comparable(convert(batch.column(places[column.name]), column)) for column in self.key_columns]
        return pa.Table.from_arrays(values or [pa.nulls(batch.num_rows)], schema=self.key_schema)

    def check_key(self, keys: pa.Table) -> None:
        """Raises ExtractError for a key that occurs twice."""
        if not self.table.key:
            return
        counts = keys.group_by(keys.schema.names).aggregate([([], "count_all")])
        if counts.num_rows < keys.num_rows:
            most = counts.sort_by([("count_all", "descending")]).slice(0, 1).to_pylist()[0]
            times = most.pop("count_all")
            value = ", ".join(map(str, most.values()))
            blanks = any(map(pa.types.is_string, keys.schema.types))
            raise ExtractError(
                f"column {', '.join(self.table.key)}: expected each value once, got {value} in {times} rows"
                f"{', of which the blanks at the end do not count' if blanks else ''}"
            )

    def batches(self, drop: Drop, daily: DailyTable, file: DropFile) -> Iterator[pa.RecordBatch]:
        """Gives the rows of one file in the shape of `raw_schema`."""
        with drop.parquet(file) as parquet:
            places = self.find_columns(parquet.schema_arrow)
            for batch in parquet.iter_batches():
                columns = [convert(batch.column(places[column.name]), column) for column in self.table.columns]
                path = pa.repeat(file.path, batch.num_rows)
                day = pa.repeat(pa.scalar(daily.day), batch.num_rows)
                yield pa.record_batch([*columns, path, day], schema=self.raw_schema)


def called(at_source: str, name: str) -> str:
    """Returns a column's name, with that in the file if it is another one."""
    return name if at_source == name else f"{name} ({at_source!r})"


def type_fault(field: pa.Field, name: str, data_type: str) -> Iterator[str]:
    """Yields what is wrong with the type of a column, and what to do about it."""
    if fits(field.type, data_type):
        return
    remedy = declared_type(field.type)
    yield f"column {called(field.name, name)}: expected {data_type}, got {field.type}" + (
        f" (to declare it: {remedy})" if remedy else ", which cannot be loaded; exclude it: columns: {exclude: …}"
    )


def is_content_error(error: Exception) -> bool:
    """True for an error of Arrow about the content, which may be a bare OSError; a store's has a number."""
    return isinstance(error, pa.ArrowException) or (type(error) is OSError and error.errno is None)
