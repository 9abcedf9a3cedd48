"""`python -m extract build` as a container runs it: what it publishes, and how the next attempt completes it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.python.helpers import PATIENCE, ROOT
from tests.python.helpers.raw_layer import RawLayer, Sale

pytestmark = pytest.mark.slow

OLD_PAGE = "the page of an earlier build"
RUN = "manual-2025-06-15_1"
SECRET = "segredo-de-todos"  # noqa: S105


@dataclass(frozen=True)
class Attempt:
    """The exit code of `extract build`, and what it logs about dbt."""

    code: int
    built: dict[str, Any]


@dataclass(frozen=True)
class Container:
    """A container of one run: its disk is its own; the warehouse and the artifacts outlive it."""

    warehouse: Path
    artifacts: Path
    disk: Path

    @property
    def environment(self) -> dict[str, str]:
        """Returns the settings, with a secret in each place that has one."""
        return os.environ | {
            "WAREHOUSE_PATH": str(self.warehouse),
            "EXTRACT_WORK": str(self.disk / "work"),
            "DBT_TARGET_PATH": str(self.disk / "target"),
            "DBT_LOG_PATH": str(self.disk),
            "SOURCE_POSTGRES_PASSWORD": SECRET,
            "EMPLOYEES_API_KEY": SECRET,
            "REDSHIFT_PASSWORD": SECRET,
            "ARTIFACTS_URL": str(self.artifacts),
            "RUN_ID": RUN,
            "TODAY": "2025-06-15",
        }

    def build(self) -> Attempt:
        """Runs `extract build` to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "extract", "build"],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        (built,) = [line for line in lines if line["message"] == "dbt build"]
        return Attempt(done.returncode, built)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("build")


def new_warehouse(folder: Path) -> RawLayer:
    """Returns a warehouse with one row per raw table. All have one path: with another one dbt parses again."""
    raw = RawLayer.create(folder / "warehouse.duckdb")
    raw.employees(1, {1: "Ana"})
    raw.sales(1, [Sale(1)])
    raw.categories(1, date(2025, 6, 15), {1: "Livros"})
    return raw


@pytest.fixture(scope="module")
def attempts(folder: Path) -> list[Attempt]:
    """A first attempt in which one data test fails, and a second one after the data was corrected."""
    raw = new_warehouse(folder)
    raw.query("update ops.extract_runs set rows_loaded = 2 where table_name = 'venda'")
    first = Container(raw.path, folder / "artifacts", folder / "disk0").build()
    raw.query("update ops.extract_runs set rows_loaded = 1 where table_name = 'venda'")
    return [first, Container(raw.path, folder / "artifacts", folder / "disk1").build()]


def test_failed_build_publishes_its_results(folder: Path, attempts: list[Attempt]) -> None:
    failed, _ = attempts

    assert failed.code == 1
    assert failed.built["published"] == f"{folder}/artifacts/runs/{RUN}"
    assert [text.split(":")[0] for text in failed.built["messages"]] == ["fail last_extract_matches_raw"]


def test_next_attempt_of_a_run_builds_only_what_failed(attempts: list[Attempt]) -> None:
    _, succeeded = attempts

    assert succeeded.code == 0, succeeded.built
    assert sum(succeeded.built["counts"].values()) < 20


@pytest.mark.usefixtures("attempts")
def test_docs_are_published_when_the_build_has_succeeded(folder: Path) -> None:
    published = folder / "artifacts" / "runs" / RUN

    assert json.loads((published / "summary.json").read_text())["ok"]
    assert "silver_venda" in (folder / "artifacts" / "docs" / "index.html").read_text()
    assert {file.name for file in published.iterdir()} == {
        "manifest.json", "run_results.json", "sources.json", "catalog.json", "dbt.log", "summary.json",
    }  # fmt: skip
    assert "last_extract_matches_raw" in (published / "dbt.log").read_text()


@pytest.mark.usefixtures("attempts")
def test_log_has_statements_and_results_and_no_secret(folder: Path) -> None:
    log = (folder / "disk0" / "dbt.log").read_text()

    assert '"warehouse"."bronze"."venda' in log
    assert "FAIL 1 last_extract_matches_raw" in log
    assert SECRET not in log


@pytest.mark.usefixtures("attempts")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_next_attempt_completes_a_stopped_build(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    raw = new_warehouse(folder)
    stopped, next_one = (Container(raw.path, tmp_path / "artifacts", tmp_path / f"disk{n}") for n in range(2))
    for container in (stopped, next_one):  # parsed once for the whole module
        (container.disk / "target").mkdir(parents=True)
        shutil.copy(folder / "disk0" / "target" / "partial_parse.msgpack", container.disk / "target")

    with subprocess.Popen(
        [sys.executable, "-m", "extract", "--debug", "build"],
        cwd=ROOT, env=stopped.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        assert started.stdout
        next(line for line in started.stdout if "dbt build: " in line and "started" not in line)  # a node is built
        started.send_signal(number)
        _, errors = started.communicate(timeout=PATIENCE)

    if number == signal.SIGTERM:
        assert (started.returncode, errors) == (130, "stopped; run again to continue\n")
        assert list((stopped.disk / "work").iterdir()) == []
    assert started.returncode != 0
    assert not (tmp_path / "artifacts").exists()
    completed = next_one.build()
    assert completed.code == 0, completed.built
    assert raw.query("select count(*) from silver.venda") == [(1,)]
