"""Checks an .env file before a shell reads it: `python -m extract.env_file .env`.

A shell runs what it does not take for an assignment: `A = b` is the command `A`, `A=b c` is the command `c`. So every
line must be an assignment with quotes where they are needed. A value may be a secret and is never printed.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from extract.visible import visible

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ASSIGNMENT = re.compile(
    r"""(export\s+)?[A-Za-z_]\w*=('[^']*'|"([^"\\]|\\.)*"|\\.|[^\s'"\\;&|<>()`])*(\s+\#.*|\s*)""", re.ASCII
)
BLANKS = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)(?:\s+=|=[ \t]+[^\s#])", re.ASCII)
NAME = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=", re.ASCII)


def find_problems(content: bytes) -> Iterator[str]:
    """Yields what is wrong with the file, each problem with its line."""
    if content.startswith(BYTE_ORDER_MARK):
        yield "line 1: byte order mark before the first character; save the file as UTF-8 without it"
        content = content.removeprefix(BYTE_ORDER_MARK)
    windows = [number for number, line in enumerate(content.split(b"\n"), start=1) if line.endswith(b"\r")]
    if windows:
        yield f"line {windows[0]}: Windows line ending (CRLF); save the file with Unix line endings (LF)"
    for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#") or ASSIGNMENT.fullmatch(text):
            continue
        if blanks := BLANKS.match(text):
            yield f"line {number}: blanks around the = of {blanks[1]}; write {blanks[1]}=value"
        elif name := NAME.match(text):
            yield f"line {number}: the value of {name[1]} needs quotes; write {name[1]}='value'"
        else:
            yield f"line {number}: expected NAME=value or a comment"


def main() -> int:
    """Prints the problems of the file that the first argument names; returns 2 if it has any, else 0."""
    file = Path(sys.argv[1])
    problems = list(find_problems(file.read_bytes()))
    for problem in problems:
        print(visible(f"{file}, {problem}"), file=sys.stderr)  # noqa: T201
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
