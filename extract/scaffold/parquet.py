"""What a Parquet file says of its table."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from extract.errors import ExtractError
from extract.names import normalize
from extract.scaffold.found import FILES, MADE, FoundColumn, FoundTable, text_type

REASON = "Each file is read once; the newest date is the current state."


def read_file(file: Path) -> FoundTable:
    """Returns the table that a file contains; its name is the file's.

    Raises:
        ExtractError: if it is no Parquet file, or has a column that cannot be loaded.
    """
    if not file.is_file():
        raise ExtractError(f"{file}: no such file: expected a Parquet file")
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise ExtractError(f"{file}: expected a Parquet file, got: {error}") from error
    problems = []
    columns = []
    for field in table.schema:
        data_type = type_of(field.type)
        if data_type is None:
            problems.append(f"column {field.name}: {field.type} cannot be loaded")
        elif normalize(field.name) != field.name or field.name in MADE:
            problems.append(f"column {field.name!r}: expected a name such as {normalize(field.name)}")
        else:
            origin = f"Column `{field.name}` ({field.type}) of the file."
            columns.append(FoundColumn(field.name, data_type, data_type, origin=origin))
    if problems:
        raise ExtractError(f"{file}: {'; '.join(problems)}; write the file without, or with other names")
    columns += [FoundColumn(FILES[0], "varchar(4096)", "varchar(4096)"), FoundColumn(FILES[1], "date", "date")]
    name = normalize(file.stem)
    return FoundTable(name, f"Parquet file {file.name}", "", columns, find_key(table, name), "files", REASON)


def find_key(table: pa.Table, name: str) -> tuple[str, ...]:
    """Returns the column that is called like a key and has each value once; none if no column is like that."""
    for column in ("id", f"id_{name}", f"{name}_id"):
        if column in table.column_names:
            values = table[column]
            if values.null_count == 0 and pc.count_distinct(values).as_py() == len(values):
                return (column,)
    return ()


def type_of(arrow: pa.DataType) -> str | None:
    """Returns the type of a column, None for one that cannot be loaded."""
    if pa.types.is_dictionary(arrow):
        arrow = arrow.value_type
    if pa.types.is_decimal(arrow):
        return f"numeric({arrow.precision}, {arrow.scale})" if arrow.precision <= 38 and arrow.scale >= 0 else None
    if pa.types.is_timestamp(arrow):
        return "timestamptz" if arrow.tz else "timestamp"
    if pa.types.is_string(arrow) or pa.types.is_large_string(arrow):
        return text_type(None)
    names = {
        pa.int8(): "smallint", pa.int16(): "smallint", pa.int32(): "integer", pa.int64(): "bigint",
        pa.float32(): "real", pa.float64(): "double precision", pa.bool_(): "boolean", pa.date32(): "date",
        pa.binary(): "varbinary", pa.large_binary(): "varbinary",
    }  # fmt: skip
    return names.get(arrow)
