"""TOP as LIMIT."""

import re

from redshift_standin.sql.statement import Statement

_TOP = re.compile(r"(\bselect\s+(?:(?:distinct|all)\s+)?)top\s+(\d+)\b", re.IGNORECASE)
_STEP = re.compile(r"[()]|\b(?:union|intersect|except|minus|order\s+by|limit|offset)\b", re.IGNORECASE)
_AFTER_OPERATOR = re.compile(r"\b(?:union|intersect|except|minus)\s+(?:all\s+|distinct\s+)?\Z", re.IGNORECASE)


def limit(statement: Statement) -> Statement:
    """Returns a statement with LIMIT at the end of each query that has TOP."""
    if not statement.has("top"):
        return statement
    code = statement.code
    for found in reversed(list(_TOP.finditer(code))):
        is_operand = bool(_AFTER_OPERATOR.search(code, max(0, found.start() - 40), found.start()))
        end, before_operator = _end(code, found.end(), is_operand=is_operand)
        query = f"{found[1]}{code[found.end() : end].strip()} limit {found[2]}"
        query = f"({query}) " if is_operand or before_operator else query
        code = code[: found.start()] + query + code[end:]
    return statement.with_code(code)


def _end(code: str, start: int, *, is_operand: bool) -> tuple[int, bool]:
    """Returns where a query ends, and whether a set operator follows. An operand ends before the whole's ORDER BY."""
    depth = 0
    for step in _STEP.finditer(code, start):
        depth += {"(": 1, ")": -1}.get(step[0], 0)
        if depth < 0:
            return step.start(), False
        if depth == 0 and step[0] not in "()":
            is_operator = step[0][:5].lower() not in ("order", "limit", "offse")
            if is_operator or is_operand:
                return step.start(), is_operator
    return len(code), False
