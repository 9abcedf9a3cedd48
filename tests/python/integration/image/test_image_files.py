"""What goes into the image, and that it is enough: the same files run the pipeline where nothing can be written."""

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

PROJECT = {"dbt_project.yml", "extract", "macros", "models", "profiles.yml", "seeds", "snapshots"}


def matches(pattern: str, path: str) -> bool:
    """True where a line of .dockerignore names the path or a folder above it."""
    expression = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(f"{expression}(?:/.*)?", path) is not None


def in_context(path: str) -> bool:
    """True where the path is sent to the build: the last line that matches decides, as Docker documents it."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    last = [line for line in lines if line and not line.startswith("#") and matches(line.lstrip("!"), path)]
    return not last or last[-1].startswith("!")


@pytest.fixture(scope="module")
def context() -> list[str]:
    """The files in the build's context, of those that git has."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    return [path for path in tracked.stdout.splitlines() if in_context(path)]


def test_the_image_holds_the_loaders_and_the_dbt_project_and_nothing_else(context: list[str]) -> None:
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
def test_it_never_holds(path: str) -> None:
    assert not in_context(path)


def test_nothing_of_the_loaders_and_the_project_is_left_out(context: list[str]) -> None:
    for folder in ("extract", "macros", "models", "seeds", "snapshots", "tests/data"):
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {path for path in here if "__pycache__" not in path} == {
            path for path in context if path.startswith(f"{folder}/")
        }


def test_both_stages_are_of_one_pinned_base_and_the_lock_is_hashed() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert len(set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))) == 1
    assert re.search(r"^FROM python:\d+\.\d+\.\d+-slim-\w+ AS packages$", text, re.MULTILINE)
    assert "--require-hashes" in text
    assert re.search(r"^USER [1-9]\d*$", text, re.MULTILINE)


def test_the_dockerfile_is_as_its_linter_wants_it() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def image(context: list[str], tmp_path: Path) -> Iterator[Path]:
    """A folder with the context in `app`, which may not be written to, and `scratch`, which may."""
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
    """The image's own environment, with its folder for scratch where this one's is."""
    text = (ROOT / "Dockerfile").read_text()
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)", text, re.MULTILINE)
    pairs = dict(pair.split("=", 1) for pair in block.replace("\\\n", " ").split())
    del pairs["PATH"]
    return {name: value.replace("/scratch", str(scratch)) for name, value in pairs.items()}


EXTRACT = [sys.executable, "-m", "extract", "run", "--build"]


def test_these_files_run_the_pipeline_without_rights_and_write_to_scratch_alone(image: Path) -> None:
    scratch = image / "scratch"
    own = environment_of_the_dockerfile(scratch) | {
        "DBT_TARGET": "local",  # DuckDB stands in for the warehouse: the development packages have it
        "WAREHOUSE_PATH": str(scratch / "warehouse.duckdb"),
        "ARTIFACTS_URL": str(scratch / "artifacts"),
        "RUN_ID": "image",
    }
    before = sorted((image / "app").rglob("*"))
    changes_folder = ["sh", "-c", 'cd "$0" && exec "$@"', str(image / "app"), "env"]
    command = [*changes_folder, *(f"{name}={value}" for name, value in own.items()), *EXTRACT]
    if os.geteuid() == 0:  # root may write anywhere, unless it is without its capabilities
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--", *command]
    sandbox = Path(tempfile.mkdtemp())  # pytest's folders are closed to the user that PostgreSQL runs as
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
