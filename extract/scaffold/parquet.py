"""What a Parquet file says of its table."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from extract.declarations import Column
from extract.errors import ExtractError
from extract.names import normalize
from extract.scaffold.found import FILES, FoundColumn, FoundTable, name_columns, renamed
from extract.sources.parquet.bounds import is_memory_error, memory_limit, open_parquet, read_batches
from extract.sources.parquet.types import ANY_TEXT, declared_type, plain_type
from extract.sources.parquet.values import comparable, convert, problems
from extract.types import MOST_COLUMNS

MOST_MEMORY = 512 * 10**6  # bytes that looking at a file may take

REASON = "Each file is read once; the newest date is the current state."


def read_file(file: Path) -> FoundTable:
    """Returns the table that a file contains; its name is the file's.

    Raises:
        ExtractError: if it is no Parquet file, or has a column that cannot be loaded.
    """
    if not file.is_file():
        raise ExtractError(f"{file}: no such file: expected a Parquet file")
    try:
        name = normalize(file.stem)
    except ValueError as error:
        raise ExtractError(f"{file}: {error}; rename the file") from error
    try:
        with memory_limit(MOST_MEMORY), file.open("rb") as stream, open_parquet(stream) as parquet:
            schema = parquet.schema_arrow
            if faults := find_faults(schema):
                raise ExtractError("; ".join(faults))
            named = name_columns(schema.names)
            types = find_types(parquet)
            key = find_key(parquet, types, named, name)
    except ExtractError as error:
        raise ExtractError(f"{file}: {error}") from error
    except (pa.ArrowException, OSError, MemoryError) as error:
        got = f"one that takes more than {MOST_MEMORY:,} bytes of memory: " if is_memory_error(error) else ""
        raise ExtractError(f"{file}: expected a Parquet file, got: {got}{error}") from error
    columns = [
        FoundColumn(
            named[field.name],
            types[field.name],
            types[field.name],
            origin=f"Column `{field.name}` ({short_name(field.type)}) of the file.",
            at_source=field.name,
            nullable=field.nullable,
        )
        for field in schema
    ]
    columns += [FoundColumn(FILES[0], "varchar(4096)", "varchar(4096)"), FoundColumn(FILES[1], "date", "date")]
    return FoundTable(name, f"Parquet file {file.name}", "", columns, key, "files", REASON, renamed(named))


def find_faults(schema: pa.Schema) -> list[str]:
    """Returns what is wrong with the columns of a file."""
    found = {
        f"column {name!r} is there {times} times; give each a name of its own"
        for name, times in Counter(schema.names).items()
        if times > 1
    }
    unknown = [field for field in schema if declared_type(field.type) is None]
    if len(schema) > MOST_COLUMNS:
        return [f"expected at most {MOST_COLUMNS:,} columns, which the warehouse takes, got {len(schema):,}"]
    return [
        *sorted(found),
        *(f"column {f.name!r}: {f.type} cannot be loaded; write the file without" for f in unknown),
    ]


def find_types(parquet: pq.ParquetFile) -> dict[str, str]:
    """Returns the type to declare for each column: of timestamps with more digits than a warehouse has, a text."""
    types = {field.name: str(declared_type(field.type)) for field in parquet.schema_arrow}
    precise = [field.name for field in parquet.schema_arrow if str(plain_type(field.type)).startswith("timestamp[ns")]
    for values in read_columns(parquet, precise):
        for name, array in values.items():
            if any(number for _, number in problems(array, Column(name, types[name]))):
                types[name] = ANY_TEXT
    return types


def find_key(
    parquet: pq.ParquetFile, types: Mapping[str, str], named: Mapping[str, str], name: str
) -> tuple[str, ...]:
    """Returns the column that is called like a key and has each value once; none if no column is like that."""
    names = ("id", f"id_{name}", f"{name}_id")
    candidates = [at_source for key in names for at_source, loaded in named.items() if loaded == key]
    found: dict[str, list[pa.Array]] = {candidate: [] for candidate in candidates}
    for values in read_columns(parquet, candidates):
        for candidate, array in values.items():
            found[candidate].append(comparable(convert(array, Column(candidate, types[candidate]))))
    for candidate, arrays in found.items():
        column = pa.chunked_array(arrays)
        if column.null_count == 0 and pc.count_distinct(column).as_py() == len(column):
            return (named[candidate],)
    return ()


def read_columns(parquet: pq.ParquetFile, names: Sequence[str]) -> Iterator[dict[str, pa.Array]]:
    """Yields some columns of a file by their names, batch by batch; nothing is read if there are none."""
    if names:
        for batch in read_batches(parquet, names):
            yield {name: batch.column(name) for name in names}


def short_name(actual: pa.DataType) -> str:
    """Returns a type for people; of a nested one not all that is in it."""
    return str(plain_type(actual)).split("<")[0]
