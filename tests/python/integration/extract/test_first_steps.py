"""Commands where nothing is loaded yet, and where the disk or the file of the warehouse is at fault."""

import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.python.helpers import ROOT
from tests.python.helpers.world import World

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("command", ["audit", "build"])
def test_nothing_is_loaded_yet(world: World, command: str) -> None:
    outcome = world.main([command])

    assert (outcome.code, outcome.output) == (2, "error: nothing loaded yet: run make run, in AWS make run-aws\n")
    assert not list(world.warehouse.parent.glob("warehouse*"))


@pytest.mark.parametrize("command", ["audit", "build"])
def test_a_warehouse_without_a_load(world: World, command: str) -> None:
    duckdb.connect(str(world.warehouse)).close()
    outcome = world.main([command])

    assert (outcome.code, outcome.output) == (2, "error: nothing loaded yet: run make run, in AWS make run-aws\n")


@pytest.mark.parametrize("share", [0.5, 0.001])
def test_a_truncated_warehouse_is_one_error_with_advice(world: World, share: float) -> None:
    assert world.run().code == 0
    truncate(world.warehouse, share)
    outcome = world.run()

    assert outcome.code == 2
    assert outcome.output.count("\n") == 1
    assert "WAREHOUSE_PATH names a damaged file" in outcome.output
    (found,) = [line for line in world.main(["doctor"]).lines if line["check"] == "warehouse"]
    assert not found["ok"]
    assert "WAREHOUSE_PATH names a damaged file" in found["message"]


def test_doctor_finds_a_truncated_file_that_opens(world: World) -> None:
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute("create table t as select i, hash(i)::varchar as s from range(300000) as r(i)")
    with duckdb.connect(str(world.warehouse)) as connection:  # its metadata is in the middle of the file now
        connection.execute(
            "drop table t; checkpoint; create table t as select hash(i)::varchar from range(9) as r(i)"
        )
    whole = world.warehouse.stat().st_size
    truncate(world.warehouse, (whole - 4096) / whole)
    (found,) = [line for line in world.main(["doctor"]).lines if line["check"] == "warehouse"]

    assert not found["ok"]


def test_a_file_from_which_much_was_deleted_is_whole(world: World) -> None:
    """DuckDB cuts free blocks off the end of the file and still counts them."""
    assert world.run().code == 0
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute("create table t as select hash(i)::varchar as s from range(300000) as r(i)")
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute("drop table t")
    blocks = "select block_size * total_blocks from pragma_database_size()"
    assert world.warehouse.stat().st_size < world.query(blocks)[0][0]

    assert world.run().code == 0
    (found,) = [line for line in world.main(["doctor"]).lines if line["check"] == "warehouse"]
    assert found["ok"]


def truncate(file: Path, share: float) -> None:
    """Cuts the end of a file off."""
    with file.open("r+b") as opened:
        opened.truncate(int(file.stat().st_size * share))


def test_no_dead_letters_to_replay(world: World) -> None:
    assert world.run("postgres").code == 0
    outcome = world.main(["replay", "--source", "postgres", "--table", "venda", "--dead-letters"])

    assert outcome.code == 0
    assert "postgres.venda: no dead letters to replay" in outcome.output


def test_a_work_folder_that_cannot_be_written_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRACT_WORK", "/proc/work")
    outcome = world.run()

    assert outcome.code == 2
    assert outcome.output.count("\n") == 1
    assert "set EXTRACT_WORK to another place" in outcome.output


@pytest.mark.usefixtures("world")
def test_a_full_disk() -> None:
    """A limit on the size of files is met as a full disk is: by the write."""

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [sys.executable, "-m", "extract", "run"],
        cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=limit_files,
    )  # fmt: skip

    assert done.returncode == 2
    assert (done.stdout + done.stderr).count("\n") == 1
    assert "free some space, then run again" in done.stderr


def test_help_is_quick() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "extract", "--help"], cwd=ROOT, check=True, capture_output=True)
    loaded = subprocess.run(
        [sys.executable, "-c", "import extract.__main__, sys; print(*sys.modules)"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip

    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before.ru_utime < 2
    assert not {"dlt", "dbt", "duckdb", "pyarrow", "rich", "boto3"} & set(loaded)
