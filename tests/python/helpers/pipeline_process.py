"""The whole pipeline as a user runs it, in processes of its own and away from the project's own files."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.python.helpers import ROOT


def pipeline_environment(folder: Path, target: str, today: str) -> dict[str, str]:
    """Returns the settings of a demo of 20,000 sales that keeps everything in `folder`."""
    return {
        "DBT_TARGET": target,
        "SANDBOX_DIR": str(folder / "sandbox"),
        "SANDBOX_SALES": "20000",
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "EXTRACT_WORK": str(folder / "work"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "TODAY": today,
    }


def run_pipeline(folder: Path, target: str, today: str) -> tuple[int, list[dict[str, Any]]]:
    """Runs the sandbox, the extract and the build on a day; returns the exit code and the JSON log lines.

    Called again with a later day, it goes on from what is in `folder`.
    """
    command = [sys.executable, "-m", "sandbox", "run", "--", sys.executable, "-m", "extract", "run", "--build"]
    environment = os.environ | pipeline_environment(folder, target, today)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
