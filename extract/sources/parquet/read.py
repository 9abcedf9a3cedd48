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
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from extract.declarations import RESERVED, Column, ParquetTable
from extract.errors import ExtractError
from extract.names import listed, normalize
from extract.reading import Limits, OwnRead, Reading, State, real_columns
from extract.settings import DropSettings, Settings
from extract.sources.batches import combined
from extract.sources.parquet.bounds import FileSize, is_memory_error, memory_limit, read_batches
from extract.sources.parquet.files import DailyTable, Drop, DropFile, group_files, has_int96
from extract.sources.parquet.seen import FINGERPRINT, Seen
from extract.sources.parquet.store import UNFINISHED
from extract.sources.parquet.types import declared_type, fits, plain_type, raw_type
from extract.sources.parquet.values import add_problems, comparable, convert, finer_problem, problems, to_words
from extract.types import characters

COUNTED = 512 << 20  # bytes of rows, after which a file with something wrong is not read any further
PIECES = 64  # of keys, which are put together then: small ones leave gaps in the memory
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
        bounds = settings.of(self.table.source, DropSettings)
        drop = Drop.open(bounds.url, self.table.source)
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
                    rows = self.check(drop, daily, bounds)
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
            reals=real_columns(self.table.columns),
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

    def check(self, drop: Drop, daily: DailyTable, bounds: DropSettings) -> int:
        """Returns the number of rows, once every page of every file was read and fits the declared columns.

        Raises:
            ExtractError: with what was expected of the files and what came.
            OSError: if the store does not give them.
        """
        try:
            with memory_limit(bounds.most_memory):
                return self.check_files(drop, daily, bounds)
        except (MemoryError, OSError) as error:
            if not is_memory_error(error):
                raise
            raise ExtractError(
                f"expected to check it in {bounds.most_memory:,} bytes of memory, it takes more ({error}); write its "
                f"texts shorter, its pages smaller or its rows into fewer dates, or raise {bounds.prefix}_MEMORY_MB"
            ) from error

    def check_files(self, drop: Drop, daily: DailyTable, bounds: DropSettings) -> int:
        """Returns the number of rows, as `check`; the memory is limited around it.

        Raises:
            MemoryError: if that is not enough. An OSError may be one too.
        """
        size = FileSize(bounds, self.raw_schema, self.key_schema)
        keys = [self.key_schema.empty_table()]
        for file in daily.files:
            try:
                keys += self.check_file(drop, file, size)
            except ExtractError as error:
                name = f"{'/'.join(file.parts[2:])}: " if len(daily.files) > 1 else ""
                raise ExtractError(f"{name}{error}") from error
        if not size.read_rows:
            files = f"{len(daily.files)} files" if len(daily.files) > 1 else "a file"
            raise ExtractError(f"expected the whole table, got {files} without rows")
        if self.table.key:
            together = pa.concat_tables(keys).combine_chunks()
            keys.clear()  # they are there twice
            self.check_key(together)
        return size.read_rows

    def check_file(self, drop: Drop, file: DropFile, size: FileSize) -> list[pa.Table]:
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
                names = {name: called(place, name) for name, place in places.items()}
                size.judge(parquet.metadata, places.values())
                keys = []
                for batch in read_batches(parquet, places.values()):
                    size.add(batch)
                    for column in self.columns:
                        add_problems(found[column.name], problems(batch.column(places[column.name]), column))
                    is_wrong = any(found.values())
                    if is_wrong and size.read > COUNTED:
                        break
                    if self.table.key and not is_wrong:
                        keys.append(self.key_of(batch, places))
                        if len(keys) == PIECES:
                            keys = [pa.concat_tables(keys).combine_chunks()]
                if has_int96(parquet):
                    self.check_int96(drop, file, places, found)
        except (pa.ArrowException, OSError) as error:
            if is_memory_error(error) or not is_content_error(error):
                raise
            raise ExtractError(f"expected a whole Parquet file, got: {error}") from error
        if faults := [f"column {names[name]}: {text}" for name, texts in found.items() for text in to_words(texts)]:
            raise ExtractError("; ".join(faults))
        size.compare_rows()
        return keys

    def check_int96(
        self, drop: Drop, file: DropFile, places: Mapping[str, str], found: Mapping[str, dict[str, int]]
    ) -> None:
        """Adds timestamps of 96 bits that have parts of a microsecond to the problems that were found."""
        with drop.parquet(file, "us") as micro, drop.parquet(file, "ns") as nano:
            columns = places.values()
            for batch, finer in zip(read_batches(micro, columns), read_batches(nano, columns), strict=True):
                for name, place in places.items():
                    add_problems(found[name], [finer_problem(batch.column(place), finer.column(place))])

    def find_columns(self, schema: pa.Schema) -> dict[str, str]:
        """Returns the name of each declared column in a file.

        Raises:
            ExtractError: unless it has each once, of a type that fits, and no other.
        """
        faults: list[str] = []
        places: dict[str, str] = {}
        declared = {column.name: column.data_type for column in self.table.columns}
        for field in schema:
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
                places[name] = field.name
                faults += type_fault(field, name, declared[name])
            elif places[name] == field.name:
                faults.append(f"column {name} is there {schema.names.count(field.name)} times")
            else:
                faults.append(
                    f"columns {places[name]!r} and {field.name!r} would both be {name} in raw; rename "
                    f"one: columns: {{rename: {{{field.name}: …}}}}"
                )
        faults += [f"column {name} is missing" for name in declared if name not in places]
        if faults:
            expected = [f"{name} {data_type}" for name, data_type in declared.items()]
            raise ExtractError(f"{listed(dict.fromkeys(faults), '; ')}; expected the columns {listed(expected)}")
        return places

    @property
    def key_columns(self) -> list[Column]:
        """The columns of the key."""
        return [column for name in self.table.key for column in self.table.columns if column.name == name]

    @property
    def key_schema(self) -> pa.Schema:
        """The columns of the key by their numbers."""
        types = [raw_type(column.data_type) for column in self.key_columns]
        return pa.schema([(str(number), kind) for number, kind in enumerate(types)])

    def key_of(self, batch: pa.RecordBatch, places: Mapping[str, str]) -> pa.Table:
        """Returns the columns of the key; keys that a warehouse takes for equal are the same."""
        values = [comparable(convert(batch.column(places[column.name]), column)) for column in self.key_columns]
        return pa.Table.from_arrays(values, schema=self.key_schema)

    def check_key(self, keys: pa.Table) -> None:
        """Raises ExtractError for a key that occurs twice."""
        repeated = repeated_rows(keys)
        if repeated.num_rows:
            counts = repeated.group_by(keys.schema.names).aggregate([([], "count_all")])
            most = counts.sort_by([("count_all", "descending")]).slice(0, 1).to_pylist()[0]
            times = most.pop("count_all") + 1
            value = ", ".join(map(str, most.values()))
            blanks = any(map(pa.types.is_string, keys.schema.types))
            raise ExtractError(
                f"column {', '.join(self.table.key)}: expected each value once, got {value} in {times} rows"
                f"{', of which the blanks at the end do not count' if blanks else ''}"
            )

    def batches(self, drop: Drop, daily: DailyTable, file: DropFile) -> Iterator[pa.RecordBatch]:
        """Gives the rows of one file in the shape of `raw_schema`."""
        return combined(self.converted(drop, daily, file))

    def converted(self, drop: Drop, daily: DailyTable, file: DropFile) -> Iterator[pa.RecordBatch]:
        """Gives the rows of one file as they are read."""
        with drop.parquet(file) as parquet:
            places = self.find_columns(parquet.schema_arrow)
            for batch in read_batches(parquet, places.values()):
                columns = [convert(batch.column(places[column.name]), column) for column in self.table.columns]
                path = pa.repeat(file.path, batch.num_rows)
                day = pa.repeat(pa.scalar(daily.day), batch.num_rows)
                yield pa.record_batch([*columns, path, day], schema=self.raw_schema)


def repeated_rows(keys: pa.Table) -> pa.Table:
    """Returns the rows that are the same as another one, without one of each; sorted, because hashing takes more."""
    in_order = keys.sort_by([(name, "ascending") for name in keys.schema.names])
    same = [same_as_before(column) for column in in_order.columns]
    return in_order.slice(1).filter(reduce(pc.and_, same))


def same_as_before(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns of each value but the first whether it is that before it."""
    before, value = column.slice(0, len(column) - 1), column.slice(1)
    if pa.types.is_floating(column.type):
        return pc.or_(pc.equal(before, value), pc.and_(pc.is_nan(before), pc.is_nan(value)))
    return pc.equal(before, value)


def called(at_source: str, name: str) -> str:
    """Returns a column's name, with that in the file if it is another one."""
    return name if at_source == name else f"{name} ({at_source!r})"


def type_fault(field: pa.Field, name: str, data_type: str) -> Iterator[str]:
    """Yields what is wrong with the type of a column, and what to do about it."""
    if fits(field.type, data_type):
        return
    remedy = declared_type(field.type)
    yield f"column {called(field.name, name)}: expected {data_type}, got {plain_type(field.type)}" + (
        f" (to declare it: {remedy})" if remedy else ", which cannot be loaded; exclude it: columns: {exclude: …}"
    )


def is_content_error(error: Exception) -> bool:
    """True for an error of Arrow about the content, which may be a bare OSError; a store's has a number."""
    return isinstance(error, pa.ArrowException) or (type(error) is OSError and error.errno is None)
