"""`python -m extract build` as a container runs it: what it publishes, and how its next attempt goes on."""

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.python.helpers import ROOT
from tests.python.helpers.raw_layer import RawLayer, Sale

OLD_PAGE = "the page of an earlier build"
RUN = "manual-2025-06-15_1"
SECRET = "segredo-de-todos"  # noqa: S105  of nobody


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, dict[str, Any]]]]:
    """A first attempt in which one data test fails, and one after it was mended: artifacts, codes and outcomes."""
    folder = tmp_path_factory.mktemp("build")
    raw = RawLayer.create(folder / "warehouse.duckdb")
    raw.employees(1, {1: "Ana"})
    raw.sales(1, [Sale(1)])
    raw.categories(1, date(2025, 6, 15), {1: "Livros"})
    raw.query("update ops.extract_runs set rows_loaded = 2 where table_name = 'venda'")
    (folder / "disk0" / "target").mkdir(parents=True)
    (folder / "disk0" / "target" / "static_index.html").write_text(OLD_PAGE)
    done = [attempt(folder, 0)]
    raw.query("update ops.extract_runs set rows_loaded = 1 where table_name = 'venda'")
    return folder / "artifacts", [*done, attempt(folder, 1)]


def environment(folder: Path, number: int) -> dict[str, str]:
    """The settings of one attempt on a disk of its own."""
    return os.environ | {
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "EXTRACT_WORK": str(folder / f"disk{number}" / "work"),
        "DBT_TARGET_PATH": str(folder / f"disk{number}" / "target"),
        "DBT_LOG_PATH": str(folder / f"disk{number}"),
        "SOURCE_POSTGRES_PASSWORD": SECRET,
        "EMPLOYEES_API_KEY": SECRET,
        "REDSHIFT_PASSWORD": SECRET,
        "ARTIFACTS_URL": str(folder / "artifacts"),
        "RUN_ID": RUN,
        "TODAY": "2025-06-15",
    }


def attempt(folder: Path, number: int) -> tuple[int, dict[str, Any]]:
    """One attempt; its exit code and what it says of dbt."""
    done = subprocess.run(
        [sys.executable, "-m", "extract", "build"],
        cwd=ROOT, env=environment(folder, number), capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    (built,) = [line for line in lines if line["message"] == "dbt build"]
    return done.returncode, built


def test_a_failed_build_says_so_and_publishes_its_results(
    attempts: tuple[Path, list[tuple[int, dict[str, Any]]]],
) -> None:
    artifacts, ((code, built), _) = attempts

    assert code == 1
    assert built["published"] == f"{artifacts}/runs/{RUN}"
    assert [text.split(":")[0] for text in built["messages"]] == ["fail last_extract_matches_raw"]


def test_the_page_stays_until_the_new_one_is_ready(
    attempts: tuple[Path, list[tuple[int, dict[str, Any]]]],
) -> None:
    artifacts, _ = attempts

    assert (artifacts.parent / "disk0" / "target" / "static_index.html").read_text() == OLD_PAGE
    target = artifacts.parent / "disk1" / "target"
    assert "silver_venda" in (target / "static_index.html").read_text()
    assert not list(target.glob("docs-*"))


def test_the_next_attempt_of_the_run_builds_only_what_failed(
    attempts: tuple[Path, list[tuple[int, dict[str, Any]]]],
) -> None:
    _, (_, (code, built)) = attempts

    assert code == 0, built
    assert sum(built["counts"].values()) < 10


def test_docs_are_published_once_the_build_went_well(attempts: tuple[Path, list[tuple[int, dict[str, Any]]]]) -> None:
    artifacts, _ = attempts

    summary = json.loads((artifacts / "runs" / RUN / "summary.json").read_text())
    assert summary["ok"]
    assert "silver_venda" in (artifacts / "docs" / "index.html").read_text()
    assert {file.name for file in (artifacts / "runs" / RUN).iterdir()} == {
        "manifest.json", "run_results.json", "sources.json", "catalog.json", "dbt.log", "summary.json",
    }  # fmt: skip
    assert "last_extract_matches_raw" in (artifacts / "runs" / RUN / "dbt.log").read_text()


def test_the_log_tells_what_was_executed_and_no_secret(
    attempts: tuple[Path, list[tuple[int, dict[str, Any]]]],
) -> None:
    artifacts, _ = attempts
    first = (artifacts.parent / "disk0" / "dbt.log").read_text()

    assert '"warehouse"."bronze"."venda' in first  # the statements
    assert "FAIL 1 last_extract_matches_raw" in first  # and what came of them
    assert SECRET not in first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_was_stopped_or_killed_is_whole_after_the_next_attempt(
    tmp_path: Path, number: signal.Signals
) -> None:
    raw = RawLayer.create(tmp_path / "warehouse.duckdb")
    raw.employees(1, {1: "Ana"})
    raw.sales(1, [Sale(1)])
    raw.categories(1, date(2025, 6, 15), {1: "Livros"})

    with subprocess.Popen(
        [sys.executable, "-m", "extract", "--debug", "build"],
        cwd=ROOT, env=environment(tmp_path, 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        assert started.stdout
        next(line for line in started.stdout if "dbt build: " in line and "started" not in line)  # a node is done
        started.send_signal(number)
        _, said = started.communicate(timeout=60)

    if number == signal.SIGTERM:
        assert (started.returncode, said) == (130, "stopped; run again to continue\n")
        assert list((tmp_path / "disk0" / "work").iterdir()) == []
    assert started.returncode != 0
    assert not (tmp_path / "artifacts").exists()
    code, built = attempt(tmp_path, 1)
    assert code == 0, built
    assert raw.query("select count(*) from silver.venda") == [(1,)]
