"""Types that a statement names in casts, in columns and before strings. Those that Redshift lacks are refused."""

import re
from collections.abc import Iterator

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.absent import TYPES
from redshift_standin.sql.text import plain

_NAME = r'(?:"x*"|[\w#]+)'
_CAST = re.compile(r"\b(?:try_)?cast\s*\(|[()]|\bas\b\s*")
_STEP = re.compile(r"[(),]|\bas\b")
_COLUMNS = re.compile(
    rf"\s*create\s+(?:(?:local\s+)?temp(?:orary)?\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:{_NAME}\s*\.\s*)*{_NAME}\s*\("
)
_COLUMN = re.compile(rf"\s*(?!(?:constraint|primary|unique|foreign|like|check)\b)({_NAME})\s+(?=\w)")
_ALTERED = re.compile(
    rf"\s*alter\s+table\s+(?:{_NAME}\s*\.\s*)*{_NAME}\s+(?:add\s+(?:column\s+)?(?!constraint\b|primary\b|unique\b|foreign\b)"
    rf"{_NAME}\s+|alter\s+(?:column\s+)?{_NAME}\s+type\s+)(?=\w)"
)
_BEFORE_TEXT = re.compile(r"(?<![\w.\"])(numeric|decimal|dec|uuid|jsonb?|bytea|inet|money|xml)\s+(?=')")
# Types of the catalogue's columns: casts to them run on the leader node.
_CATALOGUES = {
    "oid", "name", "regclass", "regproc", "regtype", "xid", "cid", "aclitem", "int2vector", "oidvector", "unknown",
    "abstime",
}  # fmt: skip
_TYPE = re.compile(
    r"(?P<schema>(?:pg_catalog|information_schema)\s*\.\s*)?(?P<name>\w+)(?P<length>(?:\s+varying)?\s*\()?"
)
_NO_PRECISION = {"numeric", "decimal", "dec"}


def check_types(sql: str) -> str:
    """Returns a statement in which `numeric` has Redshift's default precision.

    Raises:
        RedshiftError: for a type that Redshift does not have.
    """
    ends = []
    for found, column in find_types(sql):
        name = found["name"]
        if name not in TYPES and (column or not (found["schema"] or name in _CATALOGUES)):
            raise RedshiftError("42704", f'Column has unsupported type "{name}".')
        if name in _NO_PRECISION and not found["length"]:
            ends.append(found.end("name"))
    for end in sorted(set(ends), reverse=True):
        sql = f"{sql[:end]}(18,0){sql[end:]}"
    return sql


def find_types(sql: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Yields each type that a statement names without quotes, and whether it is the type of a column.

    The groups of the match are `schema`, `name` (the first word of the type) and `length`.
    """
    text = plain(sql)
    for place, column in _find_places(text):
        if found := _TYPE.match(text, place):
            yield found, column


def _find_places(text: str) -> Iterator[tuple[int, bool]]:
    """Yields the start of each type, and whether it is the type of a column."""
    yield from ((found.end(), False) for found in re.finditer(r"::\s*", text))
    yield from ((found.start(), False) for found in _BEFORE_TEXT.finditer(text))
    if "cast" in text:
        yield from ((place, False) for place in _find_casts(text))
    if added := _ALTERED.match(text):
        yield added.end(), True
    elif begun := _COLUMNS.match(text):
        starts = [begun.end(), *(step.end() for step in _top_level(text, begun.end()) if step[0] == ",")]
        for column in filter(None, (_COLUMN.match(text, start) for start in starts)):
            yield column.end(), True


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
