"""`python -m extract drop`: a valid file is copied to today's folder, others are refused."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.python.helpers.world import World

CATEGORIES = pa.table({"id": [1, 2, 3], "nome_categoria": ["Bebidas", "Padaria", "Hortifrúti"]})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "from a mail" / "Categoria.parquet"
    path.parent.mkdir()
    pq.write_table(CATEGORIES, path)
    return path


def test_the_next_run_reads_it(world: World, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TODAY", "2024-03-05")

    outcome = world.main(["drop", str(file)])

    assert outcome.code == 0, outcome.output
    assert f"put to file://{world.drop}/2024-03-05/categoria.parquet; the next run reads it" in outcome.output
    assert world.run("parquet").status("parquet.categoria") == "ok"
    assert world.query("select count(*) from raw_parquet.categoria where _file_date = '2024-03-05'") == [(3,)]


def test_the_same_file_again_replaces_the_first(world: World, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TODAY", "2024-01-01")  # where the world has put its file

    assert world.main(["drop", str(file)]).code == 0
    assert pq.read_table(world.drop / "2024-01-01" / "categoria.parquet").num_rows == 3


def test_without_today_the_current_date_is_used(world: World, file: Path) -> None:
    before = {folder.name for folder in world.drop.iterdir()}

    assert world.main(["drop", str(file)]).code == 0

    (new,) = {folder.name for folder in world.drop.iterdir()} - before
    assert new > "2026-01-01"


def test_the_settings_of_the_warehouse_are_not_needed(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET", "prod")

    assert world.main(["drop", str(file)]).code == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("clientes.parquet", CATEGORIES, "its table, categoria.parquet, got clientes.parquet; rename it"),
        ("categoria.csv", CATEGORIES, "its table, categoria.parquet, got categoria.csv; rename it"),
        ("categoria.parquet", b"id;nome_categoria\n", "expected a whole Parquet file"),
        ("categoria.parquet", pa.table({"id": [1]}), "column nome_categoria is missing"),
        ("categoria.parquet", CATEGORIES.slice(0, 0), "got a file without rows"),
        ("categoria.parquet", None, "no such file"),
    ],
)
def test_a_file_that_the_loader_cannot_read_is_refused(
    world: World, tmp_path: Path, name: str, content: pa.Table | bytes | None, said: str
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        pq.write_table(content, path)
    before = sorted(world.drop.rglob("*"))

    outcome = world.main(["drop", str(path)])

    assert outcome.code == 2
    assert said in outcome.output
    assert sorted(world.drop.rglob("*")) == before


def test_a_mistyped_drop_is_not_created(world: World, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mistyped = world.drop.with_name("dropp")
    monkeypatch.setenv("PARQUET_DROP", str(mistyped))

    outcome = world.main(["drop", str(file)])

    assert outcome.code == 2
    assert f"{mistyped}: no such folder; create it, or correct PARQUET_DROP" in outcome.output
    assert not mistyped.exists()
