"""SQL as text: code is separated from strings, quoted names and comments."""

import re
from collections.abc import Callable

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
    return (
        rf"'(?:[^'\\]++|''|\\.)*+(?:'{end})"
        rf'|"(?:[^"]++|"")*+(?:"{end})'
        rf"|(?<![{_INSIDE_NAMES}])(?P<open>\${tag}\$).*?(?:(?P=open){end})"
        rf"|{comment}|--[^\r\n]*+"
    )


# Everything that is not code. A backslash escapes the next character in every string, as on Redshift. What is not
# closed goes to the end.
HIDDEN = re.compile(_hidden(r"|\\?\Z"), re.DOTALL)
_CLOSED = re.compile(_hidden(), re.DOTALL)
COMMENTS = r"(?:\s|/\*(?:[^*]|\*(?!/))*+\*/)*+"  # a pattern: white space and comments
MARK = "\0\\d+\0"  # a pattern: what stands for hidden text in masked code
NAME = f"(?:{MARK}|\\w+)"  # of a name in masked code
_MARK = re.compile("\0(\\d+)\0")


def change_code(sql: str, change: Callable[[str], str]) -> str:
    r"""Returns `sql` with `change` applied to its code alone.

    `change` gets the code with a mark of the form `\0n\0` for each string, quoted name, dollar quote and comment.
    Each mark that it leaves is replaced by the original text.
    """
    hidden: list[str] = []

    def hide(found: re.Match[str]) -> str:
        hidden.append(found.group(0))
        return f"\0{len(hidden) - 1}\0"

    masked = HIDDEN.sub(hide, sql.replace("\0", ""))
    return _MARK.sub(lambda mark: hidden[int(mark.group(1))], change(masked))


def check_closed(hidden: str) -> None:
    """Checks the last string, quoted name or comment of a text.

    Raises:
        RedshiftError: it is not closed, so that PostgreSQL might read the text in another way.
    """
    if not _CLOSED.fullmatch(hidden):
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


def without_comments(sql: str) -> str:
    """Returns SQL with a blank in place of each comment."""
    return HIDDEN.sub(lambda found: " " if found[0][0] in "/-" else found[0], sql)


def code(sql: str) -> str:
    """Returns the code alone, in lowercase, with one blank for each string, quoted name, comment and white space."""
    found = ""

    def keep(masked: str) -> str:
        nonlocal found
        found = " ".join(_MARK.sub(" ", masked).lower().split())
        return masked

    change_code(sql, keep)
    return found


def plain(sql: str) -> str:
    """Returns a statement in lowercase and of the same length: comments are blanks, quoted text is `x`."""

    def blank_out(found: re.Match[str]) -> str:
        quote = found[0][0]
        if quote in "/-":
            return " " * len(found[0])
        quote = '"' if quote == '"' else "'"
        return quote + "x" * (len(found[0]) - 2) + quote

    emptied_sql = HIDDEN.sub(blank_out, sql)
    return emptied_sql.lower() if len(emptied_sql.lower()) == len(sql) else emptied_sql


def words(sql: str) -> str:
    """Returns the words of a statement joined by blanks, in lowercase: a string is '' and a quoted name ""."""
    found = re.findall(r"'x*'|\"x*\"|::|[\w#]+|\S", plain(sql))
    return " ".join(word[0] * 2 if word[0] in "'\"" else word for word in found)


def statements(sql: str) -> list[str]:
    """Returns the statements of a script, without those that consist of white space and comments."""
    parts: list[str] = []
    cut = "\0;;"  # no mark, nor the beginning of one before digits
    outside_parts = change_code(sql, lambda masked: masked.replace(";", cut)).split(cut)
    parts += [part.strip() for part in outside_parts if code(part)]
    return parts


_TAG = re.compile(r"(?:create|alter|drop|refresh) materialized view|(?:create|alter|drop) \w+|\w+")


def tag(statement: str) -> str:
    """Returns the command tag with which a server confirms a statement."""
    text = re.sub(r"^create or replace\b", "create", code(statement))
    found = _TAG.match(text)
    return found[0].upper() if found else ""
