"""The project runs in a folder of any name: no shell, no SQL and no template reads its path."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.python.helpers import ROOT

NAME = "vendas $HOME $(touch X) 'q' \"{{ x }}\" & ç [1] #;y"


@pytest.mark.slow
def test_the_pipeline_runs_in_a_folder_of_any_name(tmp_path: Path) -> None:
    project = tmp_path / NAME
    project.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True)  # noqa: S607
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("docs/", "tests/python/", "infra/")):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    settings = {"SANDBOX_SALES": "100", "TODAY": "2026-01-10"}
    command = [sys.executable, "-m", "sandbox", "run", "--", sys.executable, "-m", "extract", "run", "--build"]
    done = subprocess.run(
        command, cwd=project, env=os.environ | settings, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "counts agree" in done.stdout + done.stderr
    assert (project / "target" / "static_index.html").is_file()
    assert not list(tmp_path.rglob("X"))
