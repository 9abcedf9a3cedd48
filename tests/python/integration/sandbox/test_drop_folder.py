"""The drop folder contains one file for each date on which the categories changed."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.sources import drop

FIRST = {date(2017, 1, 1): {1: "Alimentos", 2: "Móveis"}}
SECOND = {date(2026, 3, 1): {1: "Alimentos", 2: "Móveis e decoração", 99: "Vale-presente"}}


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_each_list_is_one_file_under_its_date(tmp_path: Path) -> None:
    drop.bring_forward(tmp_path / "drop", FIRST | SECOND)
    assert files(tmp_path / "drop") == ["2017-01-01/categoria.parquet", "2026-03-01/categoria.parquet"]


def test_a_file_has_the_ids_and_the_names(tmp_path: Path) -> None:
    drop.bring_forward(tmp_path, SECOND)
    table = pq.read_table(tmp_path / "2026-03-01" / "categoria.parquet")
    assert table.schema.remove_metadata() == pa.schema({"id": pa.int64(), "nome_categoria": pa.string()})
    assert table.to_pydict() == {"id": [1, 2, 99], "nome_categoria": [*SECOND[date(2026, 3, 1)].values()]}


def test_an_existing_file_is_not_written_again(tmp_path: Path) -> None:
    drop.bring_forward(tmp_path, FIRST)
    before = (tmp_path / "2017-01-01" / "categoria.parquet").stat()
    drop.bring_forward(tmp_path, FIRST | SECOND)
    after = (tmp_path / "2017-01-01" / "categoria.parquet").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_write_that_was_killed_leaves_nothing_that_looks_like_a_file(tmp_path: Path) -> None:
    left = tmp_path / "2017-01-01" / "categoria.unfinished"
    left.parent.mkdir()
    left.write_bytes(b"PAR1")
    drop.bring_forward(tmp_path, FIRST)
    assert files(tmp_path) == ["2017-01-01/categoria.parquet"]
