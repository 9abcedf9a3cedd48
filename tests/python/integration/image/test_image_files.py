"""The files of the image: no others are in it, and they run the pipeline on a read-only file system."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.python.helpers import ROOT

PROJECT = {"certificates", "dbt_project.yml", "extract", "macros", "models", "profiles.yml", "seeds", "snapshots"}


def matches(pattern: str, path: str) -> bool:
    """True if a line of .dockerignore matches the path or a folder above it."""
    expression = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(f"{expression}(?:/.*)?", path) is not None


def in_context(path: str) -> bool:
    """True if the path is sent to the build: as Docker documents, the last line that matches decides."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    last = [line for line in lines if line and not line.startswith("#") and matches(line.lstrip("!"), path)]
    return not last or last[-1].startswith("!")


@pytest.fixture(scope="module")
def context() -> list[str]:
    """The files in the build's context that git tracks; what `make remove` has deleted is not committed yet."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    return [path for path in tracked.stdout.splitlines() if in_context(path) and (ROOT / path).exists()]


def test_the_image_contains_the_loaders_and_the_dbt_project_and_nothing_else(context: list[str]) -> None:
    assert {path.split("/")[0] for path in context} == PROJECT | {"requirements", "tests"}
    assert {path for path in context if path.startswith("requirements/")} == {"requirements/container.txt"}
    assert {path.split("/")[1] for path in context if path.startswith("tests/")} == {"data"}


@pytest.mark.parametrize(
    "path",
    [
        "sandbox/business.py", "tests/python/conftest.py", ".env", ".git/config", ".local/warehouse.duckdb",
        ".venv/bin/python", "deploy/__main__.py", "infra/terraform.tfvars", "extract/__pycache__/run.cpython-311.pyc",
        "requirements/dev.txt",
    ],
)  # fmt: skip
def test_the_image_never_contains(path: str) -> None:
    assert not in_context(path)


def test_no_file_of_the_loaders_and_the_project_is_missing(context: list[str]) -> None:
    for folder in ("extract", "macros", "models", "seeds", "snapshots", "tests/data"):
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {path for path in here if "__pycache__" not in path} == {
            path for path in context if path.startswith(f"{folder}/")
        }


def test_both_stages_have_the_same_pinned_base_and_the_lock_has_hashes() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert len(set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))) == 1
    assert re.search(r"^FROM python:\d+\.\d+\.\d+-slim-\w+ AS packages$", text, re.MULTILINE)
    assert "--require-hashes" in text
    assert re.search(r"^USER [1-9]\d*$", text, re.MULTILINE)


def test_the_linter_accepts_the_dockerfile() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


# Imports every module of the loaders but the client of DuckDB, and finds no DuckDB.
WITHOUT_DUCKDB = """
import importlib, pkgutil, sys
sys.modules["duckdb"] = None
import extract
for module in pkgutil.walk_packages(extract.__path__, "extract."):
    if not module.name.endswith((".duckdb_files", ".__main__")):
        importlib.import_module(module.name)
"""


def test_the_loaders_need_no_duckdb_to_load_redshift() -> None:
    """Development has DuckDB, the image has not: requirements/container.txt."""
    assert "duckdb==" not in (ROOT / "requirements" / "container.txt").read_text()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DUCKDB], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def image(context: list[str], tmp_path: Path) -> Iterator[Path]:
    """A folder with the context in `app`, which is read-only, and `scratch`, which is writable."""
    folder = tmp_path / "image"
    for path in context:
        (folder / "app" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / "app" / path)
    for path in [folder / "app", *(folder / "app").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    (folder / "scratch").mkdir()
    yield folder
    for path in [folder / "app", *(path for path in (folder / "app").rglob("*") if path.is_dir())]:
        path.chmod(0o755)  # so that pytest can remove it


def environment_of_the_dockerfile(scratch: Path) -> dict[str, str]:
    """The environment of the image, with this folder for scratch."""
    text = (ROOT / "Dockerfile").read_text()
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)", text, re.MULTILINE)
    pairs = dict(pair.split("=", 1) for pair in block.replace("\\\n", " ").split())
    del pairs["PATH"]
    return {name: value.replace("/scratch", str(scratch)) for name, value in pairs.items()}


EXTRACT = [sys.executable, "-m", "extract", "run", "--build"]


@pytest.mark.slow
def test_these_files_run_the_pipeline_without_privileges_and_write_only_to_scratch(image: Path) -> None:
    scratch = image / "scratch"
    own = environment_of_the_dockerfile(scratch) | {
        "DBT_TARGET": "local",  # the warehouse is DuckDB, which the development packages contain
        "WAREHOUSE_PATH": str(scratch / "warehouse.duckdb"),
        "ARTIFACTS_URL": str(scratch / "artifacts"),
        "RUN_ID": "image",
    }
    before = sorted((image / "app").rglob("*"))
    changes_folder = ["sh", "-c", 'cd "$0" && exec "$@"', str(image / "app"), "env"]
    command = [*changes_folder, *(f"{name}={value}" for name, value in own.items()), *EXTRACT]
    if os.geteuid() == 0:  # root can write anywhere, except without its capabilities
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--", *command]
    sandbox = Path(tempfile.mkdtemp())  # the user that PostgreSQL runs as cannot read pytest's folders
    sandbox.chmod(0o755)
    settings = {"SANDBOX_DIR": str(sandbox / "sandbox"), "SANDBOX_SALES": "500", "DBT_TARGET": "local"}

    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "run", "--", *command],
        cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    shutil.rmtree(sandbox)

    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = [json.loads(line) for line in done.stdout.splitlines() if '"message": "dbt build"' in line]
    assert built["ok"]
    assert built["published"] == str(scratch / "artifacts" / "runs" / "image")
    assert sorted((image / "app").rglob("*")) == before
    assert (scratch / "target" / "static_index.html").exists()
