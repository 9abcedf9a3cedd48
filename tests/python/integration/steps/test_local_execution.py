"""`python -m sandbox.aws.execution`, which `make run-stepfunctions` runs: its machine has the declared sources."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from extract.declarations import Source
from tests.python.helpers import PATIENCE, ROOT
from tests.python.helpers.own_project import declare_in

pytestmark = pytest.mark.slow

CRM = Source("crm", "postgres", "CRM")


def execute(project: Path, given: str = "{}") -> "subprocess.CompletedProcess[str]":
    """Runs an execution with the declarations of a project."""
    command = [sys.executable, "-m", "sandbox.aws.execution", "--input", given, "--logs", str(project / "logs")]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | {"DBT_PROJECT_DIR": str(project)},
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip


def test_without_a_declared_source_it_succeeds_at_once(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    done = execute(tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("succeeded in 0:")
    assert "Load the source" not in done.stdout


def test_it_knows_the_declared_sources_and_no_others(tmp_path: Path) -> None:
    declare_in(tmp_path, CRM, {"conta": {"mode": "full"}})
    done = execute(tmp_path, '{"sources": ["postgres"]}')

    assert done.returncode == 1
    assert 'sources: expected a list of declared sources (crm), got ["postgres"]' in done.stdout.splitlines()[-1]


def test_wrong_declarations_start_nothing(tmp_path: Path) -> None:
    declare_in(tmp_path, CRM, {"conta": {"mode": "fast"}})
    done = execute(tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "table conta: mode: expected one of full, cursor, xmin, got 'fast'" in done.stderr
