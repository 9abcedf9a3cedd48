"""Records of JSON: objects or arrays one after another, each on one line or on several."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from redshift_standin.copy.load_errors import INVALID_JSON, NO_JSON_ELEMENT
from redshift_standin.copy.statement import Column, Copy
from redshift_standin.copy.values import RejectedError
from redshift_standin.errors import RedshiftError
from redshift_standin.json_values import DECODER, Number, json_text

_LARGEST = 4 * 1024 * 1024  # bytes of a document
_PART = re.compile(r"""\[\s*'((?:[^'\\]|\\.)*)'\s*\] | \[\s*(\d+)\s*\] | \.([^.'\[\]]+)""", re.VERBOSE)
Path = tuple[str | int, ...]

# The number of its last line, the text of the record, and the document, or why it cannot be loaded.
Read = tuple[int, str, Any]


_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]]', re.DOTALL)
_SPACE = re.compile(r"\s*")


def read_documents(lines: Iterable[str]) -> Iterator[Read]:
    """Yields the documents of a file."""
    pending = ""
    number = 0
    for number, line in enumerate(lines, 1):
        text = pending + line if pending else line
        place = _space(text, 0)
        while place < len(text):
            try:
                document, end = DECODER.raw_decode(text, place)
            except ValueError:
                if text[place] in "{[" and not _is_closed(text, place) and len(text) - place < _LARGEST:
                    break  # it goes on in the next line
                end = _end_of_wrong(text, place)
                yield number, text[place:end], RejectedError(*INVALID_JSON)
            except RecursionError:
                end = len(text)
                yield number, text[place:], RejectedError(*INVALID_JSON)
            else:
                right = isinstance(document, (dict, list)) and end - place <= _LARGEST
                yield number, text[place:end], document if right else RejectedError(*INVALID_JSON)
            place = _space(text, end)
        pending = text[place:]
    if pending.strip():
        yield number, pending, RejectedError(*INVALID_JSON)


def _space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _is_closed(text: str, place: int) -> bool:
    """Returns whether the brackets that open at a place are closed in the text."""
    depth = 0
    for found in _BRACKETS.finditer(text, place):
        if found[0] in "{[":
            depth += 1
        elif found[0] in "}]":
            depth -= 1
            if not depth:
                return True
    return False


def _end_of_wrong(text: str, place: int) -> int:
    """Returns where the next document after one that is not JSON may begin."""
    depth = 0
    for found in _BRACKETS.finditer(text, place):
        if found[0] in "{[":
            if not depth and found.start() > place:
                return found.start()
            depth += 1
        elif found[0] in "}]":
            depth -= 1
            if depth <= 0:
                return found.end()
    return len(text)


def field_reader(copy: Copy, columns: list[Column], paths: list[Path] | None) -> Callable[[Any], list[str | None]]:
    """Returns the function that takes the columns' values from a document; it raises RejectedError."""
    if copy.whole:
        return lambda document: [json_text(document)]
    if paths is not None:
        return lambda document: [
            _text(_follow(document, path), column) for path, column in zip(paths, columns, strict=True)
        ]

    def read(document: Any) -> list[str | None]:
        if not isinstance(document, dict):
            raise RejectedError(*INVALID_JSON)
        if copy.ignore_case:
            document = {name.lower(): value for name, value in document.items()}
        return [_text(document.get(column.key), column) for column in columns]

    return read


def _follow(document: Any, path: Path) -> Any:
    for part in path:
        if isinstance(part, int):
            if not isinstance(document, list) or part >= len(document):
                raise RejectedError(*NO_JSON_ELEMENT)
            document = document[part]
        elif isinstance(document, dict):
            document = document.get(part)
        else:
            return None
    return document


def parse_paths(body: bytes, columns: list[Column]) -> list[Path] | None:
    """Returns the paths of a JSONPaths file, None if it has another key: COPY then goes by the names.

    Raises:
        RedshiftError: it is no JSONPaths file, or has not a path for each column.
    """
    try:
        document = json.loads(body)
    except ValueError:
        raise RedshiftError("XX000", "Invalid JSONPath format: the file is not a JSON object") from None
    if not isinstance(document, dict):
        raise RedshiftError("XX000", "Invalid JSONPath format: the file is not a JSON object")
    if "jsonpaths" not in document:
        return None
    given = document["jsonpaths"]
    if not isinstance(given, list) or not all(isinstance(path, str) and path for path in given):
        raise RedshiftError("XX000", "Invalid JSONPath format: an element is empty or not a string")
    if len(given) != len(columns):
        raise RedshiftError(
            "XX000",
            f"Number of jsonpaths and the number of columns should match. JSONPath size: {len(given)}, "
            f"Number of columns in table or column list: {len(columns)}",
        )
    brackets = {"['" in path for path in given if "." in path or "['" in path}
    if len(brackets) > 1:
        raise RedshiftError("XX000", "Invalid JSONPath format: bracket and dot notation are mixed")
    return [_parse_path(path) for path in given]


def _parse_path(path: str) -> Path:
    text = path.strip()
    found: list[str | int] = []
    place = 1
    while text.startswith("$") and place < len(text) and (part := _PART.match(text, place)):
        found.append(int(part[2]) if part[2] else part[3] or re.sub(r"\\(.)", r"\1", part[1]))
        place = part.end()
    if not found or place < len(text):
        raise RedshiftError("XX000", f"Invalid JSONPath format: {path}")
    return tuple(found)


def _text(value: Any, column: Column) -> str | None:
    if value is None or isinstance(value, Number) or (isinstance(value, str) and column.type != "super"):
        return value
    return json_text(value) if isinstance(value, (dict, list, bool)) or column.type == "super" else str(value)
