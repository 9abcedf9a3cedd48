"""SQL as text: code is separated from strings, quoted names and comments."""

import re
from functools import cache

from redshift_standin.errors import RedshiftError, not_implemented

_INSIDE_NAMES = r"\w$\x80-\U0010ffff"  # the characters that continue a name, as PostgreSQL reads them
_DEEPEST = 8  # comments in comments


def _comment() -> str:
    """Returns the pattern of a comment in `/*`, which may contain others. It has no groups."""
    comment = r"/\*(?:[^/*]++|\*(?!/)|/(?!\*))*+\*/"
    for _ in range(_DEEPEST):
        comment = rf"/\*(?:[^/*]++|\*(?!/)|/(?!\*)|{comment})*+\*/"
    return comment


COMMENT = _comment()


def _hidden(end: str = "") -> str:
    """Returns the pattern of what is not code. It reads each character once, whatever the text is.

    `end` is a further alternative for what closes a string; with it, what is not closed is found too.
    """
    comment = COMMENT + (r"|/\*.*+" if end else "")
    tag = r"(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*+)?+"
    # Each alternative begins with a character, so that the search skips code.
    return (
        rf"'(?:[^'\\]++|''|\\.)*+(?:'{end})"
        rf'|"(?:[^"]++|"")*+(?:"{end})'
        rf"|\$(?<![{_INSIDE_NAMES}]\$)(?P<tag>{tag})\$.*?(?:\$(?P=tag)\${end})"
        rf"|{comment}|--[^\r\n]*+"
    )


# Everything that is not code. A backslash escapes the next character in every string, as on Redshift. What is not
# closed goes to the end.
HIDDEN = re.compile(_hidden(r"|\\?\Z"), re.DOTALL)
_CLOSED = re.compile(_hidden(), re.DOTALL)
MARK = "\0\\d+\0"  # a pattern: what stands for hidden text in the code of a statement
NAME = f"(?:{MARK}|[\\w$#]+)"  # of a name there
RELATION = rf"(?:{NAME}\s*\.\s*)*{NAME}"


def is_closed(hidden: str) -> bool:
    """Returns whether a string, quoted name or comment is closed; only the last one of a text may not be."""
    return bool(_CLOSED.fullmatch(hidden))


def check_closed(hidden: str) -> None:
    """Checks the last string, quoted name or comment of a text.

    Raises:
        RedshiftError: it is not closed, so that PostgreSQL might read the text in another way.
    """
    if not is_closed(hidden):
        kind = {"'": "quoted string", '"': "quoted identifier", "/": "/* comment", "$": "dollar-quoted string"}[
            hidden[0]
        ]
        raise RedshiftError("42601", f'unterminated {kind} at or near "{hidden[:100]}"')


def quote(value: str) -> str:
    """Returns a string literal of PostgreSQL."""
    return "'" + value.replace("'", "''") + "'"


_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def to_standard(literal: str) -> str:
    """Returns PostgreSQL's literal for a string literal of Redshift: only its E'…' strings have escapes.

    Raises:
        RedshiftError: for the character 0, which PostgreSQL's texts cannot contain.
    """
    if "\\" not in literal:
        return literal

    def unescape(found: re.Match[str]) -> str:
        if found[1].strip("0") == "":
            raise not_implemented("a text with the character 0")
        return chr(int(found[1], 8)) if found[1][0] in "01234567" else _ESCAPES.get(found[1], found[1])

    value = _ESCAPE.sub(lambda found: unescape(found).replace("'", "''").replace("\\", "\0"), literal[1:-1])
    return f"E'{value.replace(chr(0), chr(92) * 2)}'" if "\0" in value else f"'{value}'"


@cache
def call_of(name: str) -> re.Pattern[str]:
    """Returns the pattern of a function's name before a parenthesis in lowercase code.

    It begins with the name, so that the search is quick.
    """
    return re.compile(rf"({name})(?<!\w{name})\s*\(")


_PARENTHESIS = re.compile(r"[()]")


def closing(code: str, start: int) -> int | None:
    """Returns the place of the parenthesis that closes the one before `start`, None if none does."""
    depth = 1
    for found in _PARENTHESIS.finditer(code, start):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.start()
    return None


_STEP = re.compile(r"[()\[\],]")


def arguments(code: str, start: int) -> tuple[list[str], int]:
    """Returns the arguments of a call that opens before `start`, and the place after it: -1 if it does not end."""
    found, depth, place = [], 1, start
    for step in _STEP.finditer(code, start):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(step[0], 0)
        if depth == 0 or (depth == 1 and step[0] == ","):
            found.append(code[place : step.start()])
            place = step.end()
        if depth == 0:
            return ([] if len(found) == 1 and not found[0].strip() else found), step.end()
    return [], -1


def quote_name(name: str) -> str:
    """Returns a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def unquote_name(name: str) -> str:
    """Returns a name, which may be quoted, as Redshift stores it."""
    name = name.strip()
    return (name[1:-1].replace('""', '"') if name.startswith('"') else name).lower()


_TAG = re.compile(r"(?:create|alter|drop|refresh) materialized view|(?:create|alter|drop) \w+|\w+")


def tag(text: str) -> str:
    """Returns the command tag with which a server confirms a statement; `text` is its code in lowercase."""
    found = _TAG.match(re.sub(r"^create or replace\b", "create", text))
    return found[0].upper() if found else ""
