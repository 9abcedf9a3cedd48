"""Values of JSON, with numbers as they are written."""

import json
from typing import Any


class Number(str):
    """A number as it is written: a float would change it."""


def refuse_constant(constant: str) -> Any:
    """Raises ValueError: NaN and Infinity are not JSON."""
    raise ValueError(f"{constant} is not JSON")


DECODER = json.JSONDecoder(parse_float=Number, parse_constant=refuse_constant)


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
