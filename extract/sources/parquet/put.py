"""Putting a file into the Parquet drop: `python -m extract drop categoria.parquet`.

The file is checked first as the loader would check it, so that a wrong one is refused at once.
"""

import posixpath
import re
from datetime import date
from pathlib import Path

from extract.declarations import Declarations, ParquetTable, Source
from extract.errors import ExtractError
from extract.places import writable
from extract.settings import DropSettings
from extract.sources.parquet.files import DailyTable, Drop, DropFile, group_files
from extract.sources.parquet.read import ParquetRead


def put_file(file: Path, bounds: DropSettings, source: Source, day: date, declarations: Declarations) -> str:
    """Copies a Parquet file to `<drop>/<day>/<table>.parquet` of a source; returns the place of the copy.

    An existing file is replaced, and the next run reads it again.

    Raises:
        ExtractError: if the file or the folder of the drop does not exist, the file's name is no table's, its
            contents are not those of its table, or the table has another file on that date.
        OSError: if the drop cannot be written to.
    """
    if file.is_dir():
        raise ExtractError(
            f"{file}: expected a file; copy a folder of files to <{source.settings}_DROP>/{day}/<table>/"
        )
    if not file.is_file():
        raise ExtractError(f"{file}: no such file; expected a Parquet file to put into the drop")
    drop = bounds.url
    fs, root = writable(drop)
    if not drop.startswith("s3://") and not fs.isdir(root):  # S3 has no folders
        raise ExtractError(f"{drop}: no such folder; create it, or correct {source.settings}_DROP")
    tables = [table for table in declarations.select([source.name]).tables if isinstance(table, ParquetTable)]
    table = next((table for table in tables if table.name == DropFile(file.name).table), None)
    if table is None or file.suffix.lower() != ".parquet":
        expected = ", ".join(f"{table.name}.parquet" for table in tables)
        raise ExtractError(f"{file}: expected a file named after its table, {expected}, got {file.name}; rename it")
    try:
        read = ParquetRead(table, tuple(table.name for table in tables))
        read.check(Drop.open(str(file.absolute().parent), source), DailyTable((DropFile(file.name),)), bounds)
    except ExtractError as error:
        raise ExtractError(f"{file}: {error}; nothing was put into the drop") from error
    # A name that starts with a digit has an underscore in raw, with which the loader would not read the file.
    path = f"{day}/{re.sub('^_(?=[0-9])', '', table.name)}.parquet"
    for daily in group_files(Drop.open(drop, source).files_of(day)):
        if daily.table == table.name and {one.path for one in daily.files} != {path}:
            raise ExtractError(
                f"{drop}: {daily.place} is the table {table.name} on {day}, and would be a second one beside {path}; "
                "remove it first. Nothing was put into the drop"
            )
    place = posixpath.join(root, path)
    fs.put_file(str(file), place)
    return str(fs.unstrip_protocol(place))
