"""Types that a statement names in casts, in columns and before strings. Those that Redshift lacks are refused."""

import re
from collections.abc import Iterator

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.absent import TYPES
from redshift_standin.sql.text import plain

_NAME = r'(?:"x*"|[\w#]+)'
_CAST = re.compile(r"\b(?:try_)?cast\s*\(|[()]|\bas\b\s*")
_STEP = re.compile(r"[(),]|\bas\b")
_COLUMNS = re.compile(
    rf"\s*create\s+(?:(?:local\s+)?temp(?:orary)?\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:{_NAME}\s*\.\s*)*({_NAME})\s*\("
)
_COLUMN = re.compile(rf"\s*(?!(?:constraint|primary|unique|foreign|like|check)\b)({_NAME})\s+(?=\w)")
_ALTERED = re.compile(
    rf"\s*alter\s+table\s+(?:{_NAME}\s*\.\s*)*({_NAME})\s+(?:add\s+(?:column\s+)?(?!constraint\b|primary\b|unique\b|foreign\b)"
    rf"({_NAME})\s+|alter\s+(?:column\s+)?({_NAME})\s+type\s+)(?=\w)"
)
_ARRAY = re.compile(r"[^,)]*\[")
_FIELDS = re.compile(r"\s+(?:year|month|day|hour|minute|second)\b")
_BEFORE_TEXT = re.compile(r"(?<![\w.\"])(numeric|decimal|dec|uuid|jsonb?|bytea|inet|money|xml)\s+(?=')")
# Types of the catalogue's columns: casts to them run on the leader node.
_CATALOGUES = {
    "oid", "name", "regclass", "regproc", "regtype", "xid", "cid", "aclitem", "int2vector", "oidvector", "unknown",
}  # fmt: skip
_NOT_HERE = {"abstime", "geometry", "geography", "hllsketch"}
_TYPE = re.compile(
    r"(?P<schema>(?:pg_catalog|information_schema)\s*\.\s*)?(?P<name>\w+)(?P<length>(?:\s+varying)?\s*\()?"
)
_NO_PRECISION = {"numeric", "decimal", "dec"}


def check_types(sql: str) -> str:
    """Returns a statement in which `numeric` has Redshift's default precision, and DATETIME is TIMESTAMP.

    Raises:
        RedshiftError: for a type that Redshift does not have.
    """
    changes: dict[tuple[int, int], str] = {}
    for found, column in find_types(sql):
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
    for (start, end), new in sorted(changes.items(), reverse=True):
        sql = sql[:start] + new + sql[end:]
    return sql


def _refuses_column(found: re.Match[str]) -> bool:
    """Returns whether Redshift has a type, but not for columns: an array, and an interval without its fields."""
    rest = found.string[found.end("name") :]
    return bool(_ARRAY.match(rest)) or (found["name"] == "interval" and not _FIELDS.match(rest))


def _whole_name(found: re.Match[str]) -> str:
    """Returns the name of a type as PostgreSQL prints it."""
    name = found["name"]
    rest = found.string[found.end("name") :]
    if name == "bit" and re.match(r"\s+varying\b", rest):
        name = "bit varying"
    return name + ("[]" if _ARRAY.match(rest) else "")


def find_types(sql: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yields each type that a statement names without quotes, and the column of which it is the type, if any.

    The groups of the match are `schema`, `name` (the first word of the type) and `length`.
    """
    text = plain(sql)
    for place, column in _find_places(sql, text):
        if found := _TYPE.match(text, place):
            yield found, column


def _find_places(sql: str, text: str) -> Iterator[tuple[int, str]]:
    """Yields the start of each type, and the column of which it is the type, if any."""
    yield from ((found.end(), "") for found in re.finditer(r"::\s*", text))
    yield from ((found.start(), "") for found in _BEFORE_TEXT.finditer(text))
    if "cast" in text:
        yield from ((place, "") for place in _find_casts(text))
    if added := _ALTERED.match(text):
        yield added.end(), f"{_name(sql, added, 1)}.{_name(sql, added, 2 if added[2] else 3)}"
    elif begun := _COLUMNS.match(text):
        starts = [begun.end(), *(step.end() for step in _top_level(text, begun.end()) if step[0] == ",")]
        for column in filter(None, (_COLUMN.match(text, start) for start in starts)):
            yield column.end(), f"{_name(sql, begun, 1)}.{_name(sql, column, 1)}"


def _name(sql: str, found: re.Match[str], group: int) -> str:
    """Returns a name as Redshift stores it."""
    return sql[slice(*found.span(group))].strip('"').lower()


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
