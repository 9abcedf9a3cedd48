"""Functions of any number of arguments of any type: their arguments become SUPERs, which is what the database's take.

`array(1, 'a')` becomes `rs.array(array[rs.to_array(1), rs.to_array('a')])`, `array_contains(a, 1)` becomes
`rs.array_contains(rs.to_array(a), rs.to_array(1))`.
"""

import re

from redshift_standin.sql.refusals import reads_catalogue_only
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import arguments

_FUNCTIONS = ("array", "object", "array_contains", "array_position", "array_positions")
_CALL = re.compile(
    r"(?<![\w.])(?P<named>(?:into|table|exists|view|as|references|with|update)\s+)?"
    rf"({'|'.join(_FUNCTIONS)})\s*\(",
    re.IGNORECASE,
)
_LISTS = {"array", "object"}


def call_functions(statement: Statement) -> Statement:
    """Returns a statement with the calls rewritten. In one of the catalogue alone they are PostgreSQL's."""
    if statement.has(*_FUNCTIONS) and not reads_catalogue_only(statement):
        return statement.change(rewrite_calls)
    return statement


def rewrite_calls(masked: str) -> str:
    """Returns masked code with the calls rewritten."""
    done, place = "", 0
    while found := next((call for call in _CALL.finditer(masked, place) if not call["named"]), None):
        name = found[2].lower()
        given_ones, end = arguments(masked, found.end())
        if end < 0:  # PostgreSQL reports the parenthesis that is missing
            break
        made = "rs.to_object" if name == "object" else "rs.to_array"
        given = ", ".join(f"{made}({rewrite_calls(argument).strip()})" for argument in given_ones)
        if name in _LISTS and given:
            given = f"array[{given}]"
        done += f"{masked[place : found.start()]}rs.{name}({given})"
        place = end
    return done + masked[place:]
