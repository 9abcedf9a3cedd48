"""A build whose warehouse is unreachable ends with the reason and how to fix it, without a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.python.helpers import PATIENCE, ROOT
from tests.python.helpers.redshift_target import RedshiftTarget

pytestmark = pytest.mark.slow

HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def build(folder: Path, settings: Mapping[str, str], *command: str) -> tuple[int, str]:
    """Runs `python -m extract build`; returns its exit code, and its messages and errors."""
    environment = os.environ | {
        "EXTRACT_WORK": str(folder / "work"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "RETRY_SECONDS": "0",
        "DBT_TARGET": "local",
        **settings,
    }
    done = subprocess.run(
        [sys.executable, "-m", "extract", *(command or ("build",))],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, "\n".join([*(text for line in lines for text in line.get("messages", ())), done.stderr])


def test_a_file_that_another_program_has_open(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        code, said = build(tmp_path, {"WAREHOUSE_PATH": str(warehouse)})
        holder.communicate()

    assert code == 2
    assert "Could not set lock on file" in said
    assert "close the program that has the warehouse's file open" in said


def test_a_file_that_is_no_warehouse(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    warehouse.write_bytes(b"not a database at all" * 1000)
    code, said = build(tmp_path, {"WAREHOUSE_PATH": str(warehouse)})

    assert code == 2
    assert "not a valid DuckDB database file" in said
    assert "move it away" in said


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = {"WAREHOUSE_PATH": str(tmp_path / "file" / "warehouse.duckdb")}
    code, said = build(tmp_path, settings, "replay", "--source", "postgres", "--table", "venda")

    assert code == 2
    assert "WAREHOUSE_PATH" in said
    assert str(tmp_path / "file") in said


def test_a_port_that_nobody_listens_on(redshift: RedshiftTarget, tmp_path: Path) -> None:
    code, said = build(tmp_path, redshift.environment | {"DBT_TARGET": "prod", "REDSHIFT_PORT": "1"})

    assert code == 2
    assert said.count("error:") == 1
    assert "Connection refused" in said
    assert "check REDSHIFT_HOST and REDSHIFT_PORT" in said
