"""DECODE and NVL2 as CASE."""

import re

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import MARK, RELATION, arguments

_CALL = re.compile(r"(?<![\w.])(decode|nvl2)\s*\(", re.IGNORECASE)
_SIMPLE = re.compile(RELATION)
_LITERAL = re.compile(rf"{MARK}|\d+(?:\.\d*)?")


def choose(statement: Statement) -> Statement:
    """Returns a statement with CASE in place of each call.

    Raises:
        RedshiftError: for a wrong number of arguments.
    """
    if not statement.has("decode", "nvl2"):
        return statement
    code, end_of_code = statement.code, len(statement.code)
    for call in reversed(list(_CALL.finditer(code))):  # inner ones first
        given, end = arguments(code[:end_of_code], call.end())
        if end < 0:
            end_of_code = call.start()  # neither does one end that contains it
            continue
        made = _decode(statement, given) if call[1].lower() == "decode" else _nvl2(given)
        if made:
            code = code[: call.start()] + made + code[end:]
            end_of_code += len(made) - (end - call.start())
    return statement.with_code(code)


def _nvl2(given: list[str]) -> str:
    if len(given) != 3:
        raise RedshiftError("42601", "NVL2 takes three arguments")
    value, present, missing = (one.strip() for one in given)
    return f"case when {_operand(value)} is not null then {present} else {missing} end"


def _decode(statement: Statement, given: list[str]) -> str:
    """Returns CASE, empty for PostgreSQL's function of two arguments. Nulls are equal here."""
    value, *rest = (one.strip() for one in given) if given else ("",)
    if len(rest) < 2:
        return ""
    branches = "".join(
        f" when {_equals(statement, _operand(value), _operand(searched))} then {result}"
        for searched, result in zip(rest[::2], rest[1::2], strict=False)
    )
    default = f" else {rest[-1]}" if len(rest) % 2 else ""
    return f"case{branches}{default} end"


def _equals(statement: Statement, value: str, searched: str) -> str:
    if searched.lower() == "null":
        return f"{value} is null"
    literal = _LITERAL.fullmatch(searched)
    if literal and not (searched[0] == "\0" and statement.is_name(searched)):
        return f"{value} = {searched}"
    return f"({value} = {searched} or ({value} is null and {searched} is null))"


def _operand(value: str) -> str:
    return value if _SIMPLE.fullmatch(value) else f"({value})"
