"""The check for words that the project does not use."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / "lint" / "check_words.py"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty git repository."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)  # noqa: S607
    return tmp_path


def check(repository: Path, name: str, content: bytes) -> tuple[int, str]:
    """Returns the exit code and the output of the check over one tracked file."""
    file = repository / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    subprocess.run(["git", "add", "--all"], cwd=repository, check=True)  # noqa: S607
    done = subprocess.run([sys.executable, CHECK], cwd=repository, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Mend it.", "Mend"),
        ("mending, mended", "mended"),
        ("built anew", "anew"),
        ("def test_a_mended_row():", "mended"),
        ("a MISFIT", "MISFIT"),
        ("# rows that are set\n    # aside", "set # aside"),
        ("the run\nwent\nwell", "went well"),
    ],
)
def test_a_forbidden_word_is_reported_with_its_line(repository: Path, text: str, word: str) -> None:
    code, output = check(repository, "a.py", f"\n{text}\n".encode())
    assert code == 1
    assert repr(word) in output
    assert "a.py:" in output


def test_the_line_and_the_replacement_are_shown(repository: Path) -> None:
    assert check(repository, "a.md", b"One.\nThe table is built anew.\n") == (
        1,
        "a.md:2: 'anew': use again, re-create or rebuild\n",
    )


@pytest.mark.parametrize(
    "text",
    [
        "recommend, amendment, a tell, telling, anewly",
        "A emenda da venda foi toldada; misfitá; o contoldo.",
        "select set_aside from ops.extract_runs where run.set_aside > 0",
        "set the value aside",
    ],
)
def test_other_words_pass(repository: Path, text: str) -> None:
    assert check(repository, "a.md", text.encode()) == (0, "")


def test_only_tracked_text_that_people_write_is_read(repository: Path) -> None:
    assert check(repository, "picture.png", b"anew\0") == (0, "")
    assert check(repository, "requirements/dev.txt", b"anew==1.0\n") == (0, "")
    (repository / "untracked.md").write_text("anew")
    done = subprocess.run([sys.executable, CHECK], cwd=repository, check=False, capture_output=True, text=True)
    assert done.returncode == 0
