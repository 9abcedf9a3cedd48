"""A full disk, a folder that cannot be written to, a damaged file: where, and what to do, once, from doctor too."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tests.python.helpers.world import World

NEVER = 1 << 62  # bytes, of which no disk has that many free


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


def test_a_work_folder_that_cannot_be_written_to(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    monkeypatch.setenv("EXTRACT_WORK", str(closed / "work"))
    monkeypatch.setattr("os.access", lambda path, _mode: Path(path) != closed)  # root may write everywhere
    monkeypatch.setattr("pathlib.Path.mkdir", refuse(closed / "work", Path.mkdir))
    outcome = world.run("parquet")

    assert outcome.code == 2
    assert f"error: {closed}/work: user " in outcome.output
    assert f"may not write to {closed}: grant that, or set EXTRACT_WORK to another place" in outcome.output
    assert f"may not write to {closed}: grant that" in world.main(["doctor"]).words


def refuse(folder: Path, make: Any) -> Any:
    """Returns `mkdir` of a machine on which nothing can be made in a folder."""

    def mkdir(path: Path, *given: Any, **options: Any) -> None:
        if folder in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        make(path, *given, **options)

    return mkdir


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


def test_a_warehouse_that_is_a_folder(world: World) -> None:
    world.warehouse.mkdir()
    outcome = world.run()

    assert outcome.code == 2
    assert "Is a directory; WAREHOUSE_PATH names a damaged file or one of another kind" in outcome.output
