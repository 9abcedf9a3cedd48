"""CONVERT(type, value) and TRY_CAST(value AS type), which PostgreSQL lacks."""

import re
from collections.abc import Callable

from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import quote

_CALL = {name: re.compile(rf"(?<![\w.]){name}\s*\(", re.IGNORECASE) for name in ("convert", "try_cast")}
_STEP = re.compile(r"[(),]|\bas\b", re.IGNORECASE)


def convert(statement: Statement) -> Statement:
    """Returns a statement with CAST in place of each CONVERT."""
    return statement.change(rewrite_convert) if statement.has("convert") else statement


def try_cast(statement: Statement) -> Statement:
    """Returns a statement, with PostgreSQL's types, in which a function converts in place of each TRY_CAST."""
    return statement.change(rewrite_try_cast) if statement.has("try_cast") else statement


def rewrite_convert(masked: str) -> str:
    """Returns masked code with CAST in place of each CONVERT."""

    def replace(arguments: str, steps: list[re.Match[str]]) -> str | None:
        if len(steps) != 1 or steps[0][0] != ",":
            return None  # PostgreSQL's function of three arguments
        return f"cast({arguments[steps[0].end() :].strip()} as {arguments[: steps[0].start()].strip()})"

    return _replace_calls(masked, "convert", replace)


def rewrite_try_cast(masked: str) -> str:
    """Returns masked code, with PostgreSQL's types, in which a function converts in place of each TRY_CAST."""

    def replace(arguments: str, steps: list[re.Match[str]]) -> str | None:
        if not steps or steps[-1][0].lower() != "as":
            return None
        value, kind = arguments[: steps[-1].start()].strip(), arguments[steps[-1].end() :].strip()
        return f"rs.try_cast({value}, null::{kind}, {quote(kind)})"

    return _replace_calls(masked, "try_cast", replace)


def _replace_calls(masked: str, name: str, replace: Callable[[str, list[re.Match[str]]], str | None]) -> str:
    """Returns masked code with each call replaced, inner ones first.

    `replace` gets the arguments, and the commas and `as` between them; where it returns None the call stays.
    """
    unclosed = len(masked)  # the first call that does not end, so that none ends that contains it
    for call in reversed(list(_CALL[name].finditer(masked))):
        depth, steps = 1, []
        for step in _STEP.finditer(masked, call.end(), unclosed):
            depth += {"(": 1, ")": -1}.get(step[0], 0)
            if depth == 0:
                arguments = masked[call.end() : step.start()]
                inner = [found for found in _STEP.finditer(arguments) if found.start() + call.end() in steps]
                if (new := replace(arguments, inner)) is not None:
                    masked = masked[: call.start()] + new + masked[step.end() :]
                break
            if depth == 1 and step[0] not in "()":
                steps.append(step.start())
        else:
            unclosed = call.start()
    return masked
