"""Types that a statement names in casts, in columns and before strings. Those that Redshift lacks are refused."""

import re
from collections.abc import Iterator
from itertools import pairwise

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.absent import TYPES
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import MARK, NAME, unquote_name

# Each alternative begins with a character, so that the search is quick.
_CAST = re.compile(r"cast(?<!\wcast)\s*\(|try_cast(?<!\wtry_cast)\s*\(|\(|\)|as(?<!\was)\b\s*")
_COLONS = re.compile(r"::\s*")
_STEP = re.compile(r"[(),]|\bas\b")
_COLUMNS = re.compile(
    rf"\s*create\s+(?:(?:local\s+)?temp(?:orary)?\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:{NAME}\s*\.\s*)*({NAME})\s*\("
)
_COLUMN = re.compile(rf"\s*(?!(?:constraint|primary|unique|foreign|like|check)\b)({NAME})\s+(?=\w)")
_ALTERED = re.compile(
    rf"\s*alter\s+table\s+(?:{NAME}\s*\.\s*)*({NAME})\s+(?:add\s+(?:column\s+)?(?!constraint\b|primary\b|unique\b|foreign\b)"
    rf"({NAME})\s+|alter\s+(?:column\s+)?({NAME})\s+type\s+)(?=\w)"
)
_ARRAY = re.compile(r"[^,)]*\[")
_VARYING = re.compile(r"\s+varying\b")
_FIELDS = re.compile(r"\s+(?:year|month|day|hour|minute|second)\b")
_TYPED_TEXTS = {"numeric", "decimal", "dec", "uuid", "json", "jsonb", "bytea", "inet", "money", "xml"}
_BEFORE_TEXT = re.compile(rf"(?<![\w.\0])(?:{'|'.join(sorted(_TYPED_TEXTS))})\s+(?P<text>{MARK})")
# Types of the catalogue's columns: casts to them run on the leader node.
_CATALOGUES = {
    "oid", "name", "regclass", "regproc", "regtype", "xid", "cid", "aclitem", "int2vector", "oidvector", "unknown",
}  # fmt: skip
_NOT_HERE = {"abstime", "geometry", "geography", "hllsketch"}
_TYPE = re.compile(
    r"(?P<schema>(?:pg_catalog|information_schema)\s*\.\s*)?(?P<name>\w+)(?P<length>(?:\s+varying)?\s*\()?"
)
_NO_PRECISION = {"numeric", "decimal", "dec"}


def check_types(statement: Statement) -> Statement:
    """Returns a statement in which `numeric` has Redshift's default precision, and DATETIME is TIMESTAMP.

    Raises:
        RedshiftError: for a type that Redshift does not have.
    """
    changes: dict[tuple[int, int], str] = {}
    for found, column in find_types(statement):
        name = found["name"]
        if column and (name not in TYPES or _refuses_column(found)):
            raise RedshiftError("0A000", f'Column "{column}" has unsupported type "{_whole_name(found)}".')
        if name in _NOT_HERE:
            raise not_implemented(f"the type {name}")
        if name not in TYPES and not (found["schema"] or name in _CATALOGUES):
            raise RedshiftError("42704", f'Column has unsupported type "{name}".')
        if name == "interval" and column:
            # PostgreSQL has one type for both of Redshift's: clients would see neither.
            raise not_implemented("a column of type INTERVAL YEAR TO MONTH or DAY TO SECOND")
        if name in _NO_PRECISION and not found["length"]:
            changes[found.end("name"), found.end("name")] = "(18,0)"
        elif name == "datetime":
            changes[found.span("name")] = "timestamp"
    code = statement.code
    for (start, end), new in sorted(changes.items(), reverse=True):
        code = code[:start] + new + code[end:]
    return statement.with_code(code)


def _refuses_column(found: re.Match[str]) -> bool:
    """Returns whether Redshift has a type, but not for columns: an array, and an interval without its fields."""
    code, end = found.string, found.end("name")
    return bool(_ARRAY.match(code, end)) or (found["name"] == "interval" and not _FIELDS.match(code, end))


def _whole_name(found: re.Match[str]) -> str:
    """Returns the name of a type as PostgreSQL prints it."""
    name = found["name"]
    code, end = found.string, found.end("name")
    if name == "bit" and _VARYING.match(code, end):
        name = "bit varying"
    return name + ("[]" if _ARRAY.match(code, end) else "")


def find_types(statement: Statement) -> Iterator[tuple[re.Match[str], str]]:
    """Yields each type that a statement names without quotes, and the column of which it is the type, if any.

    The groups of the match are `schema`, `name` (the first word of the type) and `length`.
    """
    for place, column in _find_places(statement):
        if found := _TYPE.match(statement.lower, place):
            yield found, column


def _find_places(statement: Statement) -> Iterator[tuple[int, str]]:
    """Yields the start of each type, and the column of which it is the type, if any."""
    code = statement.lower
    if statement.has("::"):
        yield from ((found.end(), "") for found in _COLONS.finditer(code))
    if any(word in _TYPED_TEXTS and after[0] == "\0" for word, after in pairwise(statement.tokens)):
        for found in _BEFORE_TEXT.finditer(code):
            if not statement.is_name(found["text"]):
                yield found.start(), ""
    if statement.has("cast", "try_cast"):
        yield from ((place, "") for place in _find_casts(code))
    if not statement.text.startswith(("create ", "alter ")):
        return
    if added := _ALTERED.match(code):
        yield added.end(), f"{_name(statement, added, 1)}.{_name(statement, added, 2 if added[2] else 3)}"
    elif begun := _COLUMNS.match(code):
        starts = [begun.end(), *(step.end() for step in _top_level(code, begun.end()) if step[0] == ",")]
        for column in filter(None, (_COLUMN.match(code, start) for start in starts)):
            yield column.end(), f"{_name(statement, begun, 1)}.{_name(statement, column, 1)}"


def _name(statement: Statement, found: re.Match[str], group: int) -> str:
    return unquote_name(statement.show(found[group]))


def _find_casts(text: str) -> Iterator[int]:
    """Yields the start of the type in each cast."""
    open_ones: list[tuple[bool, int]] = []  # whether it is a cast, and the end of its last `as`
    for step in _CAST.finditer(text):
        if step[0].endswith("("):
            open_ones.append((len(step[0]) > 1, 0))
        elif step[0] == ")":
            is_cast, last = open_ones.pop() if open_ones else (False, 0)
            if is_cast and last:
                yield last
        elif open_ones:
            open_ones[-1] = open_ones[-1][0], step.end()
    yield from (last for is_cast, last in open_ones if is_cast and last)


def _top_level(text: str, place: int) -> Iterator[re.Match[str]]:
    """Yields each comma and `as` between the parenthesis that ends at `place` and the closing one."""
    depth = 1
    for step in _STEP.finditer(text, place):
        depth += {"(": 1, ")": -1}.get(step[0], 0)
        if depth == 0:
            return
        if depth == 1 and step[0] in (",", "as"):
            yield step
