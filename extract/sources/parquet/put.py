"""Putting files into the Parquet drop: `python -m extract drop categoria.parquet`.

They are checked first as the loader would check them, so that a wrong one is refused at once.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from extract.declarations import Declarations, ParquetTable, Source
from extract.errors import ExtractError
from extract.settings import DropSettings
from extract.sources.parquet.files import DailyTable, Drop, DropFile, group_files
from extract.sources.parquet.read import ParquetRead
from extract.sources.parquet.store import Folder


def put_files(
    files: Sequence[Path], bounds: DropSettings, source: Source, day: date, declarations: Declarations
) -> Iterator[str]:
    """Copies Parquet files to `<drop>/<day>/<table>.parquet` of a source; yields the address of each copy.

    An existing file is replaced, and the next run reads it again. No file is copied unless all can be.

    Raises:
        ExtractError: if a file or the folder of the drop does not exist, a file's name is no table's, its contents
            are not those of its table, or the table has another file on that date.
        OSError: if the drop cannot be written to.
    """
    drop = bounds.url
    target = Drop.open(drop, source)
    if isinstance(target.store, Folder) and not target.store.root.is_dir():  # S3 has no folders
        raise ExtractError(f"{drop}: no such folder; create it, or correct {source.settings}_DROP")
    tables = [table for table in declarations.select([source.name]).tables if isinstance(table, ParquetTable)]
    chosen: dict[str, Path] = {}
    problems: list[str] = []
    for file in files:
        try:
            path = choose_place(file, target, day, tables, bounds)
            if path in chosen:
                raise ExtractError(f"{chosen[path]} and this file are both the table {Path(path).stem}; give one")
            chosen[path] = file
        except ExtractError as error:
            problems.append(f"{file}: {error}")
    if problems:
        raise ExtractError("\n  ".join([*problems[:-1], f"{problems[-1]}; nothing was put into the drop"]))
    for path, file in chosen.items():
        yield target.store.put(file, path)


def choose_place(file: Path, target: Drop, day: date, tables: Sequence[ParquetTable], bounds: DropSettings) -> str:
    """Returns the path in the drop for a file that the loader can load.

    Raises:
        ExtractError: naming the fault of the file, or the table's other file in the drop.
    """
    source = target.source
    if file.is_dir():
        raise ExtractError(f"expected a file; copy a folder of files to <{source.settings}_DROP>/{day}/<table>/")
    if file.is_symlink():
        raise ExtractError(f"expected a file, got a link to {file.readlink()}; give the file itself")
    if not file.is_file():
        got = "no regular file" if file.exists() else "no such file"
        raise ExtractError(f"expected a Parquet file to put into the drop, got {got}")
    table = next((table for table in tables if table.name == DropFile(file.name).table), None)
    if table is None or file.suffix.lower() != ".parquet":
        expected = ", ".join(f"{table.name}.parquet" for table in tables)
        raise ExtractError(f"expected a file named after its table, {expected}, got {file.name}; rename it")
    read = ParquetRead(table, tuple(table.name for table in tables))
    read.check(Drop(source, Folder(file.absolute().parent)), DailyTable((DropFile(file.name),)), bounds)
    # A name that starts with a digit has an underscore in raw, with which the loader would not read the file.
    path = f"{day}/{re.sub('^_(?=[0-9])', '', table.name)}.parquet"
    try:
        found = target.files_of(day)
    except NotADirectoryError as error:
        raise ExtractError(f"{target.store.root}: {error}; remove it") from error
    for daily in group_files(found):
        if daily.table == table.name and {one.path for one in daily.files} != {path}:
            raise ExtractError(
                f"{daily.place} is the table {table.name} on {day}, and would be a second one beside {path}; remove "
                "it from the drop first"
            )
    return path
