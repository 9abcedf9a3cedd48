"""An .env that a shell would misread is refused with its line, and no value is shown."""

import pytest

from extract.env_file import find_problems
from tests.python.helpers import ROOT


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"A=1\nTODAY = x", "line 2: blanks around the = of TODAY; write TODAY=value"),
        (b"TODAY= x", "line 1: blanks around the = of TODAY; write TODAY=value"),
        (b"TODAY=\r\nA=1\r\n", "line 1: Windows line ending (CRLF); save the file with Unix line endings (LF)"),
        (
            b"\xef\xbb\xbfTODAY=",
            "line 1: byte order mark before the first character; save the file as UTF-8 without it",
        ),
        (b"PASSWORD=a b", "line 1: the value of PASSWORD needs quotes; write PASSWORD='value'"),
        (b"PASSWORD=a&b", "line 1: the value of PASSWORD needs quotes; write PASSWORD='value'"),
        (b"PASSWORD='a", "line 1: the value of PASSWORD needs quotes; write PASSWORD='value'"),
        (b"# comment\n\nrm -r x", "line 3: expected NAME=value or a comment"),
    ],
)
def test_a_line_that_a_shell_would_misread(content: bytes, problem: str) -> None:
    assert list(find_problems(content)) == [problem]


@pytest.mark.parametrize(
    "line",
    ["A=", "A=1 # comment", "export A='a & b'", 'A="a b"', "A=a#b", "A=$HOME/x", "# A = b", "  A=1"],
)
def test_a_line_that_a_shell_reads(line: str) -> None:
    assert list(find_problems(line.encode())) == []


def test_the_example_is_right() -> None:
    assert list(find_problems((ROOT / ".env.example").read_bytes())) == []
