"""SUPER as the database stores it (catalog/functions/super.sql): a string is itself, all else is marked JSON."""

import json
from typing import Any

from redshift_standin.json_values import Number, json_text, refuse_constant

_MARK = "\x01"


def to_stored(text: str) -> str | None:
    """Returns the stored form of JSON, None for null.

    Raises:
        ValueError: it is not valid JSON, or an object has a name twice.
    """
    value = json.loads(
        text, parse_float=_number, parse_int=Number, parse_constant=refuse_constant, object_pairs_hook=_pairs
    )
    if value is None:
        return None
    if isinstance(value, str) and not isinstance(value, Number) and not value.startswith(_MARK):
        return value
    return _MARK + json_text(value, ":")


def to_client(stored: bytes) -> bytes:
    """Returns the JSON of a stored value."""
    if stored[:1] == _MARK.encode():
        return stored[1:]
    return json.dumps(stored.decode(), ensure_ascii=False).encode()


def _number(text: str) -> Number:
    """Returns a decimal as written, and a floating-point number in Redshift's form."""
    if "e" not in text.lower():
        return Number(text)
    digits, _, exponent = f"{float(text)!r}".partition("e")
    sign = "-" if digits.startswith("-") else ""
    whole, _, fraction = digits.lstrip("-").partition(".")
    every = (whole + fraction).lstrip("0")
    if not every:
        return Number("0e+0")
    power = int(exponent or 0) + len(whole) - 1 - (len(whole + fraction) - len(every))
    first, rest = every[0], every[1:].rstrip("0")
    return Number(f"{sign}{first}{'.' + rest if rest else ''}e{power:+d}")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a name twice")
    return found
