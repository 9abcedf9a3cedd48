"""A full disk, a folder that cannot be written to, a damaged file: where, and what to do, once, from doctor too."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest

from extract.disk import find_fault
from extract.errors import ExtractError, reason
from extract.settings import read_settings
from extract.warehouse.lock import file_lock
from extract.warehouse.targets import open_warehouse
from tests.python.helpers.world import World

NEVER = 1 << 62  # bytes, of which no disk has that many free
NOBODY = 65_534


def test_a_disk_that_fills_up_is_named_with_its_folder(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # of a write, without a path

    monkeypatch.setattr("extract.load.runner.dlt_source", fill)
    monkeypatch.setattr("extract.disk.LITTLE", NEVER)
    outcome = world.run("parquet")

    work = world.environment["EXTRACT_WORK"]
    assert outcome.code == 1
    assert f"parquet.categoria: {work}: the disk is full (" in outcome.output
    assert "MiB free): free some space, or set EXTRACT_WORK to another place. Nothing was loaded" in outcome.output
    said = world.main(["doctor"]).words
    assert f"{work}: the disk is full (" in said
    assert "or set WAREHOUSE_PATH to another place" in said


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder in which this user may read and not write, with the lock of another user's DuckDB file."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "warehouse.duckdb.lock").touch(0o444)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:  # who may write everywhere
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


def test_a_work_folder_that_cannot_be_written_to(closed: Path) -> None:
    settings = read_settings([], {"EXTRACT_WORK": str(closed / "work")})
    with (
        pytest.raises(
            ExtractError, match=f"{closed}/work: user .* may not write to {closed}, of user .*: grant that"
        ),
        open_warehouse(settings),
    ):
        pass
    assert "or set EXTRACT_WORK to another place" in str(find_fault("EXTRACT_WORK", settings.work))  # as doctor asks


def test_a_lock_file_of_another_user(closed: Path) -> None:
    with (
        pytest.raises(
            ExtractError, match=f"duckdb.lock: user .* may not write to {closed}/warehouse.duckdb.lock, of"
        ),
        file_lock(closed / "warehouse.duckdb", "run"),
    ):
        pass


def test_a_duckdb_file_of_another_user(closed: Path) -> None:
    warehouse = closed / "warehouse.duckdb.lock"  # any file that may not be written to
    with pytest.raises(duckdb.Error) as refused:
        duckdb.connect(str(warehouse))

    remedy = (
        "let this user read and write the warehouse's file and its folder, or set WAREHOUSE_PATH to another place"
    )
    assert reason("warehouse", refused.value).endswith(remedy)
    assert "may not write to" in str(find_fault("WAREHOUSE_PATH", warehouse))  # as doctor asks


def test_a_file_with_a_damaged_block_is_said_once_with_the_remedy(world: World) -> None:
    world.run("parquet")
    whole = world.warehouse.read_bytes()
    half = len(whole) // 2
    world.warehouse.write_bytes(whole[:half] + b"x" * half)
    remedy = "put back a copy of it, or move it away and run again, which reads the sources from their beginning"
    doctor = world.main(["doctor"])
    outcome = world.run()

    assert doctor.code == outcome.code == 1
    assert doctor.output.count(remedy) == 1
    assert outcome.output.count(remedy) == 1, outcome.output


# Ends without writing what it has changed into the file itself.
DIE = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("create table x as select range from range(10000)")
os._exit(0)
"""


def test_a_damaged_log_beside_the_file_can_be_moved_away(world: World) -> None:
    world.run("parquet")
    subprocess.run([sys.executable, "-c", DIE, world.warehouse], check=True)
    log = world.warehouse.with_name(f"{world.warehouse.name}.wal")
    whole = log.read_bytes()
    half = len(whole) // 2
    log.write_bytes(whole[:half] + bytes(byte ^ 255 for byte in whole[half : half + 16]) + whole[half + 16 :])
    outcome = world.run("parquet")

    remedy = "that WAREHOUSE_PATH names is damaged: put back a copy of both, or move the log away"
    assert outcome.code == 2
    assert outcome.output.count(remedy) == 1, outcome.output
    log.unlink()
    assert world.run("parquet").code == 0
    assert world.query("select count(*) from raw_parquet.categoria") == [(2,)]


def test_a_warehouse_of_another_kind(world: World) -> None:
    world.warehouse.write_bytes(b"SQLite format 3\0" + bytes(4080))
    outcome = world.run("parquet")

    assert outcome.code == 2
    assert "WAREHOUSE_PATH names a damaged file or one of another kind" in outcome.output


def test_a_warehouse_that_is_a_folder(world: World) -> None:
    world.warehouse.mkdir()
    outcome = world.run()

    assert outcome.code == 2
    assert "Is a directory; WAREHOUSE_PATH names a damaged file or one of another kind" in outcome.output
