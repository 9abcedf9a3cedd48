"""Functions of any number of arguments of any type: their arguments become SUPERs, which is what the database's take.

`array(1, 'a')` becomes `rs.array(array[rs.to_array(1), rs.to_array('a')])`, `array_contains(a, 1)` becomes
`rs.array_contains(rs.to_array(a), rs.to_array(1))`.
"""

import re

_CALL = re.compile(
    r"(?<![\w.])(?P<named>(?:into|table|exists|view|as|references|with|update)\s+)?"
    r"(array|object|array_contains|array_positions?)\s*\(",
    re.IGNORECASE,
)
_STEP = re.compile(r"[()\[\],]")
_LISTS = {"array", "object"}


def rewrite_calls(masked: str) -> str:
    """Returns masked code with the calls rewritten."""
    done, place = "", 0
    while found := next((call for call in _CALL.finditer(masked, place) if not call["named"]), None):
        name = found[2].lower()
        arguments, end = _arguments(masked, found.end())
        if end < 0:  # PostgreSQL reports the parenthesis that is missing
            break
        made = "rs.to_object" if name == "object" else "rs.to_array"
        given = ", ".join(f"{made}({rewrite_calls(argument).strip()})" for argument in arguments)
        if name in _LISTS and given:
            given = f"array[{given}]"
        done += f"{masked[place : found.start()]}rs.{name}({given})"
        place = end
    return done + masked[place:]


def _arguments(masked: str, start: int) -> tuple[list[str], int]:
    """Returns the arguments of a call and the place after it, -1 if it does not end."""
    arguments, depth, place = [], 1, start
    for step in _STEP.finditer(masked, start):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(step[0], 0)
        if depth == 0 or (depth == 1 and step[0] == ","):
            arguments.append(masked[place : step.start()])
            place = step.end()
        if depth == 0:
            return ([] if len(arguments) == 1 and not arguments[0].strip() else arguments), step.end()
    return [], -1
