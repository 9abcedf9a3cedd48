"""What make passes on: arguments as they were typed, settings of .env after those of the command line."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.python.helpers import ROOT

# In place of Python: shows its arguments and a setting, and runs the check of .env for real.
PYTHON = """#!/bin/sh
case "$*" in
  *extract.env_file*) exec python3 -m extract.env_file .env;;
  *) printf '%s\\n' "$@" "TODAY=$TODAY";;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile in a folder of its own, with an installation that is complete."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "extract").mkdir()
    for module in ("env_file.py", "visible.py"):
        shutil.copy(ROOT / "extract" / module, tmp_path / "extract")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def make(clone: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs make as if nothing of it had to be installed."""
    environment = {name: value for name, value in os.environ.items() if name != "TODAY"}
    return subprocess.run(
        ["make", "-o", ".venv/.ready", *arguments],  # noqa: S607  as a person calls it
        cwd=clone, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


ODD = "a b`touch X`$HOME$(shell touch Y)${shell touch W}$(touch V)'\";touch Z #\\\n&{{ x }} ç"
"""What a shell or make would run or change, if one of them read it."""

TARGETS = {
    "run": "SANDBOX_SALES", "run-stepfunctions": "INPUT", "remove": "TABLE", "drop": "FILE", "run-aws": "INPUT",
    "backfill": "FROM", "replay": "TABLE", "soak": "SOAK", "bench": "BENCH_ROWS", "extract": "WAREHOUSE_PATH",
}  # fmt: skip
TARGETS_OF_ADD = [
    ("add", name) for name in ("SOURCE", "TABLE", "KIND", "KEY", "MODE", "CURSOR", "NAME", "ONLY_RAW", "UPDATE")
]


NO_ARGUMENTS = ("SOAK", "BENCH_ROWS", "WAREHOUSE_PATH", "SANDBOX_SALES", "ONLY_RAW", "UPDATE")
ONLY_TYPED = ("KIND", "KEY", "MODE", "CURSOR", "NAME")


@pytest.mark.parametrize("how", ["typed", "exported"])
@pytest.mark.parametrize(("target", "name"), [*TARGETS.items(), *TARGETS_OF_ADD])
def test_a_value_reaches_the_program_as_it_was_typed(
    clone: Path, monkeypatch: pytest.MonkeyPatch, target: str, name: str, how: str
) -> None:
    words = {"SOURCE": "s", "TABLE": "t", "FROM": "f", "TO": "t"} | ({name: ODD} if how == "typed" else {})
    if how == "exported":
        words.pop(name, None)
        monkeypatch.setenv(name, ODD)
    stub = f'#!/bin/sh\nprintf %s "${name}" > value\nprintf "%s\\0" "$@" > arguments\n'
    (clone / ".venv" / "bin" / "python").write_text(stub)
    before = {path.name for path in clone.iterdir()}
    done = make(clone, "-o.venv/.bench", target, *map("=".join, words.items()))

    assert done.returncode == 0, done
    assert (clone / "value").read_text() == ODD
    assert {path.name for path in clone.iterdir()} - before == {"value", "arguments"}
    if name not in NO_ARGUMENTS and (how == "typed" or name not in ONLY_TYPED):
        assert ODD in (clone / "arguments").read_text().split("\0")


def test_programs_may_be_in_folders_of_any_name(clone: Path) -> None:
    folder = clone / "my programs; touch X"
    folder.mkdir()
    for name, text in (("python3", 'echo "venv: $@"; exit 7'), ("check", 'echo "$TERRAFORM"')):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    (clone / "infra").mkdir()
    (folder / "check").rename(clone / "infra" / "check")
    for file in ("requirements/dev.txt", "packages/redshift-standin/pyproject.toml"):
        (clone / file).parent.mkdir(parents=True)
        (clone / file).touch()

    done = make(clone, "-o.venv-infra/.ready", "infra-check", f"TERRAFORM={folder}/terraform")
    assert done.stdout == f"{folder}/terraform\n"
    done = subprocess.run(
        ["make", ".venv/.ready", f"PYTHON={folder}/python3"],  # noqa: S607
        cwd=clone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("venv: -c import sys")
    assert not (clone / "X").exists()


def test_a_file_s_name_is_passed_on_as_it_was_typed(clone: Path) -> None:
    name = "a b`touch X`$HOME$(shell touch Y)'\";touch Z.parquet"
    done = make(clone, "drop", f"FILE={name}")

    assert done.stdout.splitlines()[-3:-1] == ["--", name], done
    assert not {"X", "Y", "Z.parquet"} & {path.name for path in clone.iterdir()}


@pytest.mark.parametrize(
    ("target", "missing"),
    [("add", "SOURCE TABLE"), ("drop", "FILE"), ("backfill", "SOURCE TABLE FROM TO"), ("replay", "SOURCE TABLE")],
)
def test_variables_that_are_missing_are_all_named(clone: Path, target: str, missing: str) -> None:
    done = make(clone, target)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"make {target} needs {missing}: for example make {target} ")


def test_the_options_of_add_are_passed_on_as_they_were_typed(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "of-this-machine")
    done = make(clone, "add", "SOURCE=postgres", 'TABLE="Id Venda".*', "KEY=a,b")

    assert done.stdout.splitlines()[:-1] == [
        "-m", "sandbox", "run", "--", ".venv/bin/python", "-m", "extract", "add", "--key", "a,b", "--", "postgres",
        '"Id Venda".*',
    ]  # fmt: skip


@pytest.mark.parametrize("target", ["run", "run-stepfunctions"])
def test_the_command_line_goes_before_the_env_file(clone: Path, target: str) -> None:
    (clone / ".env").write_text("TODAY=2026-01-01\n")

    assert make(clone, target).stdout.splitlines()[-1] == "TODAY=2026-01-01"
    assert make(clone, target, "TODAY=2027-01-31").stdout.splitlines()[-1] == "TODAY=2027-01-31"


def test_an_env_file_that_a_shell_would_misread_stops_everything(clone: Path) -> None:
    (clone / ".env").write_text("PASSWORD = segredo\n")
    done = make(clone, "run")

    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == ".env, line 1: blanks around the = of PASSWORD; write PASSWORD=value"
    assert "segredo" not in done.stderr


def test_the_code_of_the_command_is_in_the_last_line(clone: Path) -> None:
    (clone / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 130\n")
    done = make(clone, "run")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("Error 130")


def test_an_installation_shows_its_progress_and_its_failure(clone: Path) -> None:
    for folder in ("requirements", "packages/redshift-standin"):
        (clone / folder).mkdir(parents=True)
    (clone / "requirements" / "dev.txt").write_text("a==1\nb==2\n")
    (clone / "packages" / "redshift-standin" / "pyproject.toml").write_text("")
    pip = "#!/bin/sh\nprintf 'Collecting a==1\\nCollecting b==2\\nInstalling collected packages: a, b\\n'; exit 3\n"
    (clone / ".venv" / "bin" / "python").write_text(pip)
    python = clone / "python3"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    command = f"make PYTHON={python} .venv/.ready"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],  # noqa: S607  the same
        cwd=clone, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "downloading 2 of about 2: b==2" in done.stdout
    assert "installing 2 packages" in done.stdout
    assert "Error 3" in done.stdout
    assert done.returncode == 2
