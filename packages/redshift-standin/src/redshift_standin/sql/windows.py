"""Aggregate and window functions whose form PostgreSQL lacks: LISTAGG, MEDIAN, percentiles, IGNORE NULLS.

A call becomes one of the functions of `catalog/functions/windows.sql` around an aggregate that PostgreSQL has in
groups and in windows alike. WITHIN GROUP (ORDER BY …) OVER (…) is an order of the window there.
https://docs.aws.amazon.com/redshift/latest/dg/c_Window_functions.html
"""

import re

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import call_of, closing

_SORTING = {"listagg", "median", "percentile_cont", "percentile_disc"}
_VALUES = {"first_value", "last_value", "nth_value", "lag", "lead"}
_FRAMED = {
    "avg", "count", "max", "min", "sum", "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop",
}  # fmt: skip
_RANKS = {"rank", "dense_rank", "ntile", "row_number", "percent_rank", "cume_dist"}
_NAMES = _SORTING | _VALUES | _FRAMED | _RANKS | {"ratio_to_report"}
# Without one of them there is nothing to do.
_WORDS = ("over", "approximate", "listagg", "median", "percentile_cont", "percentile_disc")
_WITHIN = re.compile(r"\s*within\s+group\s*\(\s*order\s+by\b", re.IGNORECASE)
_OVER = re.compile(r"\s*over\s*\(", re.IGNORECASE)
_NULLS = re.compile(r"\s*\b(ignore|respect)\s+nulls\b\s*", re.IGNORECASE)
_APPROXIMATE = re.compile(r"\bapproximate\s+(?=(?:count|percentile_disc)\s*\()", re.IGNORECASE)
_ORDER_BY = re.compile(r"\border\s+by\b", re.IGNORECASE)
_FRAME = re.compile(r"\brows\b", re.IGNORECASE)
_DIRECTION = re.compile(r"\s+(asc|desc)\b(?=\s*(?:nulls\s+\w+\s*)?$)", re.IGNORECASE)
_NULLS_PLACE = re.compile(r"\s+nulls\s+(first|last)\s*$", re.IGNORECASE)
_COMMA = re.compile(r"[(),]")
_SELECT = re.compile(r"[()]|\bselect\b", re.IGNORECASE)
_WHOLE = "rows between unbounded preceding and unbounded following"
_BEFORE = "rows between unbounded preceding and 1 preceding"
_TYPES = {"rank": "integer", "dense_rank": "integer", "ntile": "bigint"}


def write_windows(statement: Statement) -> Statement:
    """Returns a statement in which each such call has PostgreSQL's form.

    Raises:
        RedshiftError: as for `rewrite_windows`.
    """
    return statement.change(rewrite_windows) if statement.has(*_WORDS) else statement


def rewrite_windows(masked: str) -> str:
    """Returns masked code in which each such call has PostgreSQL's form.

    Raises:
        RedshiftError: for a form that Redshift refuses, such as an ordered aggregate window without a frame.
    """
    if masked.count("(") != masked.count(")"):
        return masked  # PostgreSQL reports the syntax error
    masked = _APPROXIMATE.sub("", masked)
    orders: dict[int, str] = {}
    lower = Statement(masked).lower
    calls = [found for name in _NAMES if name in lower for found in call_of(name).finditer(lower)]
    for found in sorted(calls, key=re.Match.start, reverse=True):  # a call in another one's arguments comes first
        name = found[1]
        if masked.startswith(".", found.start() - 1):
            continue
        end = closing(masked, found.end())
        if end is None:
            continue
        arguments = masked[found.end() : end]
        order, over, nulls, end = _read_clauses(masked, end + 1)
        if name in _SORTING and over is None:
            _check_order(orders, masked, found.start(), order if name != "median" else arguments)
        if new := _replacement(name, arguments.strip(), order, over, nulls):
            masked = f"{masked[: found.start()]}{new}{masked[end:]}"
    return masked


def _read_clauses(masked: str, place: int) -> tuple[str | None, str | None, str | None, int]:
    """Returns the order within the group, the window, IGNORE or RESPECT, and where the clauses end."""
    order = over = nulls = None
    if (within := _WITHIN.match(masked, place)) and (end := closing(masked, within.end())) is not None:
        order, place = masked[within.end() : end].strip(), end + 1
    if found := _NULLS.match(masked, place):
        nulls, place = found[1].lower(), found.end()
    if (found := _OVER.match(masked, place)) and (end := closing(masked, found.end())) is not None:
        over, place = masked[found.end() : end].strip(), end + 1
    return order, over, nulls, place


def _replacement(name: str, arguments: str, order: str | None, over: str | None, nulls: str | None) -> str | None:
    """Returns what stands for a call, None if the call stays as it is."""
    if name == "listagg":
        return _listagg(arguments, order, over)
    if name == "median":
        return f"rs.median(rs.sorted({arguments}){_window(over, None)})"
    if name.startswith("percentile_"):
        key = order or ""
        down = bool((found := _DIRECTION.search(key)) and found[1].lower() == "desc")
        value = _DIRECTION.sub("", _NULLS_PLACE.sub("", key))
        return f"rs.{name}(rs.sorted({value}){_window(over, None)}, {arguments}, {str(down).lower()})"
    if over is None:
        return None
    if name == "ratio_to_report":
        _refuse_frame(name, over, order_too=True)
        return f"rs.ratio_to_report(({arguments})::float8, sum(({arguments})::float8){_window(over, None)})"
    if name in _VALUES:
        return _value(name, arguments, over, nulls)
    ordered, framed = bool(_top(_ORDER_BY, over)), bool(_top(_FRAME, over))
    if name in _RANKS:
        _refuse_frame(name, over)
        cast = f"::{_TYPES[name]}" if name in _TYPES else ""
        return f"{name}({arguments}) over ({over}){cast}" if cast else None
    if ordered and not framed:
        raise _needs_frame()
    return None


def _listagg(arguments: str, order: str | None, over: str | None) -> str:
    distinct = re.match(r"(distinct|all)\b", arguments, re.IGNORECASE)
    value, *rest = _split(arguments[distinct.end() :] if distinct else arguments)
    delimiter = rest[0].strip() if rest else "''"
    text = f"nullif(({value.strip()})::text, '')"
    inside = f" order by {order}" if order and over is None else ""
    window = _window(over, order)
    if distinct and distinct[1].lower() == "distinct":
        return f"rs.listagg(rs.different({text}{inside}){window}, {delimiter})"
    return f"rs.listagg(string_agg({text}, {delimiter}{inside}){window})"


def _value(name: str, arguments: str, over: str, nulls: str | None) -> str | None:
    if found := _NULLS.search(arguments):
        if found.end() != len(arguments):
            return None
        nulls, arguments = found[1].lower(), arguments[: found.start()]
    value, *rest = (part.strip() for part in _split(arguments))
    if name in ("lag", "lead"):
        if len(rest) > 1:
            raise RedshiftError("0A000", f"Default parameter not be supported for window function {name}")
        _refuse_frame(name, over)
    elif _top(_ORDER_BY, over) and not _top(_FRAME, over):
        raise _needs_frame()
    if nulls != "ignore":
        return f"{name}({arguments}) over ({over})" if nulls else None
    if name in ("first_value", "last_value"):
        return f"rs.{name}({value}) over ({over})"
    if name == "nth_value":
        return f"rs.nth_value(rs.filled({value}) over ({over}), {rest[0] if rest else 1})"
    window = _reversed(over) if name == "lead" else over
    if not rest or rest[0] == "1":
        return f"rs.{name}(rs.last_value({value}) over ({window} {_BEFORE}))"
    return f"rs.{name}(rs.filled({value}) over ({window} {_BEFORE}), {rest[0]}, {value})"


def _window(over: str | None, order: str | None) -> str:
    """Returns the OVER of a function whose window has no order of its own but that of WITHIN GROUP."""
    if over is None:
        return ""
    if _top(_ORDER_BY, over) or _top(_FRAME, over):
        raise RedshiftError("42601", "this window function takes PARTITION BY only: no ORDER BY and no frame in OVER")
    return f" over ({over} order by {order} {_WHOLE})" if order else f" over ({over})"


def _reversed(over: str) -> str:
    """Returns a window in the opposite order."""
    found = _top(_ORDER_BY, over)
    if not found:
        return over
    keys = []
    for key in _split(over[found.end() :]):
        place = _NULLS_PLACE.search(key)
        rest = _NULLS_PLACE.sub("", key)
        direction = _DIRECTION.search(rest)
        down = bool(direction and direction[1].lower() == "desc")
        first = place[1].lower() == "first" if place else down
        value = _DIRECTION.sub("", rest).strip()
        keys.append(f"{value} {'asc' if down else 'desc'} nulls {'last' if first else 'first'}")
    return f"{over[: found.end()]} {', '.join(keys)}"


def _check_order(orders: dict[int, str], masked: str, place: int, order: str | None) -> None:
    """Raises an error if two functions of one SELECT sort their groups differently, as far as the text shows."""
    if order is None or "\0" in order:
        return
    order = re.sub(r"\s+asc\b", "", " ".join(order.lower().split()))
    if orders.setdefault(_select_of(masked, place), order) != order:
        raise RedshiftError("0A000", "within group ORDER BY clauses for aggregate functions must be the same")


def _select_of(masked: str, place: int) -> int:
    """Returns the place of the SELECT whose list or clause has the text at `place`."""
    depth = 0
    for found in reversed(list(_SELECT.finditer(masked, 0, place))):
        if found[0] == ")":
            depth += 1
        elif found[0] == "(":
            depth = max(depth - 1, 0)
        elif depth == 0:
            return found.start()
    return -1


def _needs_frame() -> RedshiftError:
    return RedshiftError("42601", "Aggregate window functions with an ORDER BY clause require a frame clause")


def _refuse_frame(name: str, over: str, *, order_too: bool = False) -> None:
    if _top(_FRAME, over) or (order_too and _top(_ORDER_BY, over)):
        what = "a frame clause or ORDER BY" if order_too else "a frame clause"
        raise RedshiftError("42601", f"window function {name} does not take {what}")


def _split(text: str) -> list[str]:
    """Returns the parts between the commas that are outside parentheses."""
    parts, depth, start = [], 0, 0
    for found in _COMMA.finditer(text):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if found[0] == "," and depth == 0:
            parts.append(text[start : found.start()])
            start = found.end()
    return [*parts, text[start:]]


def _top(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Returns the first match that is outside parentheses."""
    for found in pattern.finditer(text):
        before = text[: found.start()]
        if before.count("(") == before.count(")"):
            return found
    return None
