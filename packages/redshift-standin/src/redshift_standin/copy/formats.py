"""DATEFORMAT and TIMEFORMAT: dates and times as text, and as PostgreSQL reads them.

https://docs.aws.amazon.com/redshift/latest/dg/r_DATEFORMAT_and_TIMEFORMAT_strings.html
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from redshift_standin.errors import RedshiftError, not_implemented

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PARTS = {
    "YYYY": r"(?P<year>\d{4})", "YY": r"(?P<short>\d{2})", "MM": r"(?P<month>\d{1,2})",
    "MON": r"(?P<name>[A-Za-z]{3,9})", "DD": r"(?P<day>\d{1,2})", "HH24": r"(?P<hour>\d{1,2})",
    "HH12": r"(?P<hour12>\d{1,2})", "HH": r"(?P<hour>\d{1,2})", "MI": r"(?P<minute>\d{1,2})",
    "SS": r"(?P<second>\d{1,2})(?:\.(?P<fraction>\d{1,6})\d*)?", "AM": r"(?P<half>[AaPp][Mm])",
    "PM": r"(?P<half>[AaPp][Mm])",
}  # fmt: skip
_PART = re.compile("|".join(sorted(_PARTS, key=len, reverse=True)), re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a timestamp without time zone
DEFAULT_TIME = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?: \d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d+)?)?)?\s*")
DEFAULT_TIME_ZONE = re.compile(DEFAULT_TIME.pattern + r"(?:[+-]\d{1,2}(?::?\d{2})?)?\s*")
ISO = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?")


@dataclass(frozen=True)
class Format:
    """A format, as a pattern with a group for each part."""

    pattern: re.Pattern[str]

    def parse(self, value: str) -> datetime:
        """Returns the time that a value is.

        Raises:
            ValueError: the value is not of the format, or no day of the calendar.
        """
        found = self.pattern.fullmatch(value.strip())
        if not found:
            raise ValueError(value)
        part = found.groupdict()
        name = part.get("name")
        month = _MONTHS.index(name[:3].lower()) + 1 if name else int(part.get("month") or 1)
        year = int(part.get("year") or _whole_year(part.get("short")))
        hour = int(part.get("hour") or part.get("hour12") or 0)
        if half := part.get("half"):
            if not 1 <= hour <= 12:
                raise ValueError(value)
            hour = hour % 12 + (12 if half[0] in "pP" else 0)
        fraction = int((part.get("fraction") or "").ljust(6, "0"))
        return datetime(  # noqa: DTZ001 - a timestamp without time zone
            year, month, int(part.get("day") or 1), hour, int(part.get("minute") or 0), int(part.get("second") or 0),
            fraction,
        )  # fmt: skip


def _whole_year(short: str | None) -> int:
    if not short:
        raise ValueError("no year")
    return int(short) + (2000 if int(short) < 70 else 1900)


def compile_format(text: str) -> Format:
    """Returns a format.

    Raises:
        RedshiftError: it has a part that Redshift does not know, or twice the same.
    """
    place, pattern = 0, ""
    for found in _PART.finditer(text):
        pattern += _separator(text, text[place : found.start()]) + _PARTS[found[0].upper()]
        place = found.end()
    pattern += _separator(text, text[place:])
    try:
        return Format(re.compile(pattern))
    except re.error:
        raise RedshiftError("22023", f"Invalid DATEFORMAT or TIMEFORMAT: {text}") from None


def _separator(text: str, separator: str) -> str:
    if re.search(r"[^\WTt_]|_", separator):
        raise not_implemented(f"the date or time format '{text}'")
    return re.escape(separator)


def from_epoch(value: str, unit: str) -> str:
    """Returns the time that a number of seconds or milliseconds since 1970 is.

    Raises:
        ValueError: it is no number, or too large.
    """
    if not re.fullmatch(r"-?\d+(\.\d+)?", value):
        raise ValueError(value)
    whole, _, fraction = value.lstrip("-").partition(".")
    micros = int(whole) * 1_000_000 + int(fraction[:6].ljust(6, "0") if fraction else 0)
    if unit == "epochmillisecs":
        micros //= 1000
    try:
        return str(_EPOCH + timedelta(microseconds=-micros if value.startswith("-") else micros))
    except OverflowError as error:
        raise ValueError(value) from error
