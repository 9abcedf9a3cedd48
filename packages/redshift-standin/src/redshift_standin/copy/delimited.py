"""Records of text with delimiters, of CSV, and of text with fixed widths."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, islice

from redshift_standin.copy.load_errors import DELIMITER_NOT_FOUND, EXTRA_COLUMNS, NO_END_QUOTE
from redshift_standin.copy.statement import Column, Copy
from redshift_standin.copy.values import RejectedError

csv.field_size_limit(16 * 1024 * 1024)  # the largest SUPER; Python's own limit is 128 kB
_BAD_QUOTES = (1214, "Invalid quote formatting for CSV")

# The number of the line, the text of the record, and its fields, or why it has none.
Read = tuple[int, str, list[str] | RejectedError]


def read_records(copy: Copy, lines: Iterable[str]) -> Iterator[Read]:
    """Yields the records of a file."""
    if copy.format == "csv":
        found = _csv(copy, lines)
    elif copy.format == "fixedwidth":
        found = _numbered(lines, _fixed_splitter(copy.widths))
    elif copy.escape:
        found = _escaped(lines, _quoted_splitter(copy) if copy.remove_quotes else _escape_splitter(copy))
    elif copy.remove_quotes:
        found = _numbered(lines, _quoted_splitter(copy))
    else:
        delimiter = copy.delimiter
        found = _numbered(lines, lambda line: line.split(delimiter))
    return islice(found, copy.ignore_header, None)


def fit(copy: Copy, fields: Sequence[str], columns: Sequence[Column]) -> list[str | None]:
    """Returns as many fields as there are columns; None is NULL.

    Raises:
        RejectedError: there are more, or fewer without FILLRECORD.
    """
    null = copy.null
    found: list[str | None] = [None if field == null else field for field in fields]
    surplus = len(found) - len(columns)
    if surplus == 1 and copy.format == "text" and fields[-1] == "":  # a delimiter at the end of the line
        return found[:-1]
    if surplus > 0:
        raise RejectedError(*EXTRA_COLUMNS, len(columns) - 1)
    if surplus < 0:
        if not copy.fill:
            raise RejectedError(*DELIMITER_NOT_FOUND, max(len(fields) - 1, 0))
        found += ["" if column.type == "character varying" else None for column in columns[len(found) :]]
    return found


def _numbered(lines: Iterable[str], split: Callable[[str], list[str]]) -> Iterator[Read]:
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        try:
            yield number, text, split(text)
        except RejectedError as rejected:
            yield number, text, rejected


def _escaped(lines: Iterable[str], split: Callable[[str], list[str]]) -> Iterator[Read]:
    """Yields records whose line feeds may be escaped."""
    whole = ""
    number = 0
    for number, line in enumerate(lines, 1):
        whole += line
        text = whole.removesuffix("\n")
        if _ends_escaped(text) and text != whole:
            continue
        if text.endswith("\r") and not _ends_escaped(text[:-1]):
            text = text[:-1]
        try:
            yield number, text, split(text)
        except RejectedError as rejected:
            yield number, text, rejected
        whole = ""
    if whole:
        yield number, whole, RejectedError(*DELIMITER_NOT_FOUND)


def _ends_escaped(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def _escape_splitter(copy: Copy) -> Callable[[str], list[str]]:
    field = re.compile(
        rf"((?:[^{re.escape(copy.delimiter)}\\]|\\.)*\\?)(?:{re.escape(copy.delimiter)}|\Z)", re.DOTALL
    )

    def split(text: str) -> list[str]:
        if "\\" not in text:
            return text.split(copy.delimiter)
        found = field.findall(text)
        if len(found) > 1 and not text.endswith(copy.delimiter):
            found.pop()  # the pattern also matches the empty text at the end
        return [_unescape(one, copy.null) for one in found]

    return split


def _unescape(field: str, null: str) -> str:
    return field if field == null else _ESCAPE.sub(r"\1", field)


def _quoted_splitter(copy: Copy) -> Callable[[str], list[str]]:
    """Returns a function that splits a line whose fields may be in quotation marks, which are removed."""
    delimiter = re.escape(copy.delimiter)
    one = r"\\.|." if copy.escape else "."
    quoted = re.compile(rf"(['\"])((?:{one})*?)\1({delimiter}|\Z)", re.DOTALL)
    plain = re.compile(
        rf"((?:[^{delimiter}\\]|\\.)*)({delimiter}|\Z)" if copy.escape else rf"(.*?)({delimiter}|\Z)", re.DOTALL
    )

    def split(text: str) -> list[str]:
        fields, place = [], 0
        while True:
            if text[place : place + 1] in ("'", '"'):
                found = quoted.match(text, place)
                value, end = (found[2], found[3]) if found else ("", "")
            else:
                found = plain.match(text, place)
                value, end = (found[1], found[2]) if found else ("", "")
            if not found:
                raise RejectedError(*NO_END_QUOTE)
            fields.append(_unescape(value, copy.null) if copy.escape else value)
            place = found.end()
            if not end:
                return fields

    return split


def _fixed_splitter(widths: Sequence[int]) -> Callable[[str], list[str]]:
    ends = list(accumulate(widths))
    starts = [0, *ends[:-1]]

    def split(text: str) -> list[str]:
        if len(text) > ends[-1] and text[ends[-1] :].strip():
            raise RejectedError(*EXTRA_COLUMNS, len(ends) - 1)
        return [text[start:end] for start, end in zip(starts, ends, strict=True) if start < len(text)]

    return split


def _csv(copy: Copy, lines: Iterable[str]) -> Iterator[Read]:
    """Yields the records of CSV; white space before a quotation mark is text for Python's reader, not for `_Csv`."""
    spaced = _Csv(copy)
    taken: list[str] = []

    def take() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    source = take()
    reader = csv.reader(source, delimiter=copy.delimiter, quotechar=copy.quote, strict=True)
    number = 0
    while True:
        taken.clear()
        fields: list[str] | RejectedError
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            fields = RejectedError(*_BAD_QUOTES)
        text = "".join(taken)
        if spaced.concerns(text):
            while (found := spaced.split(text)) is None and next(source, None) is not None:
                text = "".join(taken)
            fields = RejectedError(*_BAD_QUOTES) if found is None else found
        number += len(taken)
        yield number, text.rstrip("\r\n"), fields


class _Csv:
    """Splits records of CSV in which white space surrounds quotation marks."""

    def __init__(self, copy: Copy) -> None:
        delimiter, quote = re.escape(copy.delimiter), re.escape(copy.quote)
        blank = "[ \\t]" if copy.delimiter != "\t" else " "
        self._quote = copy.quote
        self._spaced = re.compile(
            rf"(?:^|{delimiter}){blank}+{quote}|{quote}{blank}+(?:{delimiter}|\r?\n|\Z)", re.MULTILINE
        )
        self._field = re.compile(
            rf"{blank}*{quote}((?:[^{quote}]|{quote}{quote})*){quote}{blank}*({delimiter}|\r?\n?\Z)"
            rf"|([^{delimiter}{quote}\r\n][^{delimiter}\r\n]*|)({delimiter}|\r?\n?\Z)"
        )

    def concerns(self, text: str) -> bool:
        """Returns whether a record may have such white space."""
        return self._quote in text and self._spaced.search(text) is not None

    def split(self, text: str) -> list[str] | None:
        """Returns the fields, None for a record that has no end or no form."""
        fields, place = [], 0
        while found := self._field.match(text, place):
            quoted = found[1] is not None
            fields.append(found[1].replace(self._quote * 2, self._quote) if quoted else found[3])
            place = found.end()
            if (found[2] if quoted else found[4]).strip("\r\n") == "":
                return fields
        return None
