"""Reports words that the project does not use, with the word to use instead; exits with 1 if there are any.

    python tests/lint/check_words.py

Reads every tracked text file of the current folder. Words are whole and in any case. An underscore ends a word, so
names of functions and tests are checked too. Two words may stand on two lines.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

WORDS = {
    r"mend(?:s|ed|ing)?": "fix",
    r"anew": "again, re-create or rebuild",
    r"misfits?": "dead letter",
    r"unfit": "dead letter",
    r"told": "logged, reported, shown or distinguished",
    r"tells": "logs, reports, shows or distinguishes",
    r"blotted": "redacted",
    r"small letters": "lowercase",
    r"went well": "succeeded",
    r"set aside": "dead letter or rejected file",
}

ALLOWED_NAMES = {
    "set_aside",  # a column of ops.extract_runs: stored in every warehouse
}
ALLOWED_FILES = {
    "tests/lint/check_words.py",  # lists the words
    "tests/python/unit/test_check_words.py",  # tests them
}
NOT_PROSE = ("requirements/*.txt", "*/package-lock.json", "LICENSE")  # written by tools, or not by this project

LETTER = r"[^\W\d_]"
BETWEEN = r"[\s_#*/-]+"  # blanks, a line break with the mark of a comment, or an underscore
PATTERN = re.compile(
    "|".join(rf"(?<!{LETTER})({word.replace(' ', BETWEEN)})(?!{LETTER})" for word in WORDS), re.IGNORECASE
)
NAME = re.compile(r"\w+")


def find_words(text: str) -> Iterator[tuple[int, str, str]]:
    """Yields the line, the word and what to use instead, for each word that the project does not use."""
    names = [name.span() for name in NAME.finditer(text) if name.group() in ALLOWED_NAMES]
    for found in PATTERN.finditer(text):
        if any(start <= found.start() < end for start, end in names):
            continue
        assert found.lastindex  # one group for each word
        instead = list(WORDS.values())[found.lastindex - 1]
        yield text.count("\n", 0, found.start()) + 1, " ".join(found.group().split()), instead


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Yields the path and the text of each tracked file that people write."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout  # noqa: S607
    for path in filter(None, listed.split("\0")):
        file = Path(path)
        if path in ALLOWED_FILES or any(PurePosixPath(path).match(pattern) for pattern in NOT_PROSE):
            continue
        if not file.is_file() or b"\0" in (content := file.read_bytes()):
            continue
        yield path, content.decode(errors="replace")


def main() -> int:
    """Prints a line for each word found; returns the exit code."""
    found = 0
    for path, text in tracked_texts():
        for line, word, instead in find_words(text):
            print(f"{path}:{line}: {word!r}: use {instead}")  # noqa: T201
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
