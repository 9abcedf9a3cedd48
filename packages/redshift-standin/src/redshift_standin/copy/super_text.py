"""SUPER between JSON in files and the form in which the database has it."""

from redshift_standin.copy.json_values import compact, parse_json


def to_database(text: str) -> str | None:
    """Returns the text of the database for JSON, None for null.

    Raises:
        ValueError: it is not JSON.
    """
    return None if parse_json(text) is None else text


def to_binary(text: str) -> bytes | None:
    """Returns the binary form of the database for JSON: jsonb's version and its text.

    Raises:
        ValueError: it is not JSON.
    """
    value = to_database(text)
    return None if value is None else b"\x01" + value.encode()


def from_database(text: str) -> str:
    """Returns JSON without blanks, as Redshift writes it."""
    return compact(text)
