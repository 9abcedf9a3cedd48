"""A table of the drop in several files: all of a date are loaded, or none is."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from extract.checks.audit import audit
from extract.declarations import Column, ParquetTable
from extract.reading import Limits, State
from extract.settings import read_settings
from extract.sources.parquet.read import ParquetRead
from extract.warehouse.raw_tables import read_raw_table
from extract.warehouse.targets import open_warehouse
from tests.python.helpers.declared import PARQUET, declare
from tests.python.helpers.world import World

COLUMNS = (Column("id", "bigint"), Column("nome", "varchar(400)"))
PEDIDO = ParquetTable("pedido", "files", PARQUET, ("id",), COLUMNS)
DAY = "2024-02-01/pedido"


def pedidos(*ids: int | None, nome: str | None = None) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64()), "nome": pa.array([nome] * len(ids), pa.string())})


@pytest.fixture
def orders(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A table of two files."""
    declare(monkeypatch, PEDIDO)
    (world.drop / "2024-01-01/categoria.parquet").unlink()
    world.put(f"{DAY}/part-0.parquet", pedidos(1, 2))
    world.put(f"{DAY}/parte dois.parquet", pedidos(3))
    return world


def newest() -> list[int]:
    """Returns the keys that bronze must have, and checks that raw has as many rows as the files."""
    with open_warehouse(read_settings([PARQUET])) as warehouse:
        assert [comparison.ok for comparison in audit([PEDIDO], {}, warehouse)] == [True, True]
        return sorted(key for (key,) in warehouse.query(read_raw_table(PEDIDO, warehouse).keys_of_bronze))


def read(state: State) -> tuple[State, list[str], set[str]]:
    """Returns what a run reads: the state after it, its notes, and the files."""
    with ParquetRead(PEDIDO, ("pedido",)).open(read_settings([PARQUET]), state, Limits()) as reading:
        files = {file for batch in reading.batches for file in batch["_file_path"].to_pylist()}
        return reading.state, list(reading.notes), files


def rejected(world: World) -> dict[str, str]:
    """Returns place and reason of each dead letter."""
    notes = [json.loads(path.read_text()) for path in (world.drop / "_rejected").rglob("*.json")]
    return {note["file"]: note["reason"] for note in notes}


def test_all_files_of_a_folder_are_the_table(orders: World) -> None:
    orders.put(f"{DAY}/part-2.parquet", pedidos())  # programs write files without rows
    orders.put(f"{DAY}/_SUCCESS", b"")
    orders.put(f"{DAY}/.part-0.parquet.crc", b"x")
    assert orders.run("parquet").code == 0
    assert newest() == [1, 2, 3]
    assert orders.query("select distinct _file_path from raw_parquet.pedido order by 1") == [
        (f"{DAY}/part-0.parquet",),
        (f"{DAY}/parte dois.parquet",),
    ]
    assert orders.run("parquet").code == 0
    assert orders.query("select count(*) from raw_parquet.pedido") == [(3,)]


@pytest.mark.parametrize(
    "change",
    ["removed", *(pytest.param(one, marks=pytest.mark.slow) for one in ("replaced", "added", "renamed", "one file"))],
)
def test_a_date_whose_files_changed_is_read_again_and_leaves_no_old_row(orders: World, change: str) -> None:
    orders.run("parquet")
    part = orders.drop / DAY / "parte dois.parquet"
    if change == "replaced":
        orders.put(f"{DAY}/part-0.parquet", pedidos(1, 7))
    elif change == "removed":
        part.unlink()
    elif change == "added":
        orders.put(f"{DAY}/part-9.parquet", pedidos(9))
    elif change == "renamed":
        part.rename(part.with_name("z.parquet"))
    else:
        for file in (orders.drop / DAY).iterdir():
            file.unlink()
        (orders.drop / DAY).rmdir()
        orders.put(f"{DAY}.parquet", pedidos(8))
    assert orders.run("parquet").code == 0
    expected = {
        "replaced": [1, 3, 7],
        "removed": [1, 2],
        "added": [1, 2, 3, 9],
        "renamed": [1, 2, 3],
        "one file": [8],
    }
    assert newest() == expected[change]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("part-1.parquet", b"PAR1", "part-1.parquet: expected a whole Parquet file"),
        ("part-1.parquet", pedidos(2), "column id: expected each value once, got 2 in 2 rows"),
        ("part-1.parquet", pedidos(None, None, 5), "part-1.parquet: column id: expected a value in every row, got 2"),
        ("part-1.parquet", pedidos(5, nome="a\0"), "part-1.parquet: column nome: expected texts without NUL"),
        ("part-1.parquet", pa.table({"id": [5]}), "part-1.parquet: column nome is missing"),
        ("leia-me.txt", b"x", "expected a name that ends with .parquet, got leia-me.txt"),
        ("dia=1/part-1.parquet", pedidos(5), "expected all files directly in the folder, got dia=1/part-1.parquet"),
        ("../Pedido.parquet", pedidos(5), "2 files of pedido for 2024-02-01: expected one"),
    ],
)
def test_one_file_that_cannot_be_loaded_keeps_the_date_out(
    orders: World, name: str, content: bytes | pa.Table, reason: str
) -> None:
    orders.put("2024-01-31/pedido.parquet", pedidos(1))
    bad = orders.put(f"{DAY}/{name}", content)
    state, (note,), files = read({})
    assert files == {"2024-01-31/pedido.parquet"}
    assert note.startswith(f"parquet: 2024-02-01/pedido: {reason}")
    ((place, said),) = rejected(orders).items()
    assert (place, said.startswith(reason)) == ("2024-02-01/pedido", True)
    copies = {path.name for path in (orders.drop / "_rejected/2024-02-01").rglob("*") if path.is_file()}
    assert copies >= {"part-0.parquet", "parte dois.parquet", Path(name).name}

    bad.unlink()
    _, notes, files = read(state)
    assert (notes, files) == ([], {f"{DAY}/part-0.parquet", f"{DAY}/parte dois.parquet"})


def test_a_rejected_date_leaves_the_table_as_it_was(orders: World) -> None:
    orders.run("parquet")
    orders.put(f"{DAY}/part-0.parquet", pedidos(None, 9))
    orders.put("2024-02-02/pedido/part-0.parquet", pedidos(4))
    orders.put("2024-02-02/pedido/part-1.parquet", pedidos(4))
    outcome = orders.run("parquet")
    assert outcome.code == 1
    assert outcome.status("parquet.pedido") == "partial"
    assert newest() == [1, 2, 3]


def test_a_folder_that_a_program_is_writing_to_waits(orders: World) -> None:
    writing = orders.put(f"{DAY}/_temporary/0/part-7.parquet", b"PAR")
    orders.put("2024-01-31/pedido.parquet", pedidos(1))
    state, notes, files = read({})
    assert [note.split(";")[0] for note in notes] == [f"parquet: {DAY}: is being written"]
    assert files == {"2024-01-31/pedido.parquet"}
    assert not (orders.drop / "_rejected").exists()

    writing.unlink()
    _, notes, files = read(state)
    assert (notes, len(files)) == ([], 2)


def test_files_without_rows_are_no_table(orders: World) -> None:
    orders.put("2024-03-01/pedido/a.parquet", pedidos())
    orders.put("2024-03-01/pedido/b.parquet", pedidos())
    read({})
    assert rejected(orders) == {"2024-03-01/pedido": "expected the whole table, got 2 files without rows"}


def test_drop_makes_no_second_table_of_a_date(orders: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = orders.put("../elsewhere/Pedido.parquet", pedidos(1))
    monkeypatch.setenv("TODAY", "2024-02-01")
    outcome = orders.main(["drop", str(file)])
    assert outcome.code == 2
    assert f"{DAY} is the table pedido on 2024-02-01, and would be a second one" in outcome.output
    assert not (orders.drop / f"{DAY}.parquet").exists()
    monkeypatch.setenv("TODAY", "2024-02-02")
    assert orders.main(["drop", str(file)]).code == 0
    assert orders.main(["drop", str(tmp_path)]).code == 2
