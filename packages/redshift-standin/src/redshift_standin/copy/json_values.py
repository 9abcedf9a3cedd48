"""Values of JSON, with numbers as they are written."""

import json
from typing import Any


class Number(str):
    """A number with a fraction as written in the file: a float would change it."""


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are not JSON


DECODER = json.JSONDecoder(parse_float=Number, parse_constant=_no_constant)


def parse_json(text: str) -> Any:
    """Returns the value of JSON.

    Raises:
        ValueError: it is not JSON.
    """
    return DECODER.decode(text)


def compact(text: str) -> str:
    """Returns JSON without blanks."""
    return json_text(parse_json(text), ":") if ": " in text or ", " in text else text


def json_text(value: Any, colon: str = ": ") -> str:
    """Returns a value as JSON, with numbers as they were written."""
    if isinstance(value, dict):
        pairs = (
            f"{json.dumps(name, ensure_ascii=False)}{colon}{json_text(item, colon)}" for name, item in value.items()
        )
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(item, colon) for item in value) + "]"
    return value if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)
