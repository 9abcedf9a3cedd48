"""The state machine with the pipeline's own commands, from the sources through the stand-in of Redshift to silver."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.sources.postgres import PostgresServer

ROOT = Path(__file__).parents[3]
COUNTS = """
    select (select count(*) from silver.venda), (select count(*) from silver.venda_rejeitada),
        (select count(*) from silver.funcionario), (select count(*) from silver.categoria)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sandbox and everything that the pipeline leaves are kept."""
    return tmp_path_factory.mktemp("pipeline")


def started(folder: Path, given: str, settings: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Starts `python -m sandbox stepfunctions` on that folder."""
    environment = os.environ | {
        "SANDBOX_DIR": str(folder / "sandbox"),
        "SANDBOX_SALES": "2000",
        "EXTRACT_WORK": str(folder / "work"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", "stepfunctions", "--input", given],
        cwd=ROOT, env=environment | settings, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def execution(folder: Path, given: str, settings: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Runs it to its end."""
    process = started(folder, given, settings)
    output, errors = process.communicate(timeout=400)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def counts(folder: Path) -> tuple[int, ...]:
    """Returns the rows of silver: sales, rejected sales, employees and categories."""
    with (
        PostgresServer(folder / "sandbox" / "postgres") as server,
        closing(server.connect("dev")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(COUNTS)
        (row,) = cursor.fetchall()
        return tuple(row)


@dataclass(frozen=True)
class First:
    """The first execution, of everything, and what was in silver after it."""

    done: "subprocess.CompletedProcess[str]"
    counts: tuple[int, ...]


@pytest.fixture(scope="module")
def first(folder: Path) -> First:
    done = execution(folder, "{}", {"TODAY": "2026-01-10"})
    assert done.returncode == 0, done.stdout + done.stderr
    return First(done, counts(folder))


def test_all_sources_come_through_to_silver(first: First) -> None:
    assert first.done.stderr == ""
    steps = [line.split(" s  ")[1] for line in first.done.stdout.splitlines() if " s  " in line]
    loads = [f"Load the source: run --source {source}" for source in ("api", "parquet", "postgres")]
    assert sorted(steps[4:10]) == sorted([*loads, *(f"{load}: done" for load in loads)])
    assert steps[10:] == ["Build: build", "Build: build: done", "SUCCEEDED"]
    sales, rejected, employees, categories = first.counts
    assert (sales + rejected, employees, categories) == (2000, 9, 10)


def test_the_docs_and_results_of_the_execution_are_published(first: First, folder: Path) -> None:
    (name,) = re.findall(r"execution (\S+),", first.done.stdout)
    artifacts = folder / "sandbox" / "artifacts"
    assert (artifacts / "docs" / "index.html").exists()
    assert json.loads((artifacts / "runs" / name / "summary.json").read_text())["ok"] is True


def test_an_extract_that_fails_does_not_keep_the_others_from_silver(first: First, folder: Path) -> None:
    done = execution(
        folder, '{"sources": ["api", "postgres"]}', {"TODAY": "2026-01-12", "EMPLOYEES_API_TIMEOUT": "soon"}
    )
    assert done.returncode == 1, done.stdout + done.stderr
    (log,) = re.findall(r"run --source api: failed with exit code 2, see (\S+)", done.stdout)
    assert "EMPLOYEES_API_TIMEOUT: expected seconds below 3600" in (folder / "sandbox" / "tasks" / log).read_text()
    assert "Build: build: done" in done.stdout
    assert "FAILED: ExtractFailed: extract api: Essential container in task exited, exit code 2" in done.stdout
    assert "source parquet" not in done.stdout
    after = counts(folder)
    assert after[0] > first.counts[0]
    assert after[2:] == first.counts[2:]


def test_what_was_wrong_with_the_input_is_told(tmp_path: Path) -> None:
    done = execution(tmp_path, '{"source": ["api"]}', {"TODAY": "2026-01-12"})
    assert done.returncode == 1
    assert "FAILED: BadInput: input: expected {} or an object of sources, full_refresh or backfill" in done.stdout
    assert done.stderr == ""


def test_a_stop_stops_the_execution_and_its_tasks(tmp_path: Path) -> None:
    process = started(tmp_path, '{"sources": ["parquet"]}', {"TODAY": "2026-01-12"})
    assert process.stdout is not None
    for line in process.stdout:
        if "run --source parquet" in line:
            break
    process.terminate()
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output.splitlines()[-1], errors) == (130, "execution stopped", "")
