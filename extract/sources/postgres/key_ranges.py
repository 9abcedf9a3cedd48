"""Ranges of a key's first column: the parts in which a table is backfilled or loaded by several tasks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from extract.sql import literal, quote

KEYS = 1_000_000  # in a range of whole numbers
DAYS = 31  # in a range of dates


@dataclass(frozen=True)
class KeyRange:
    """The values of a column from `first`, included, to `end`, excluded, or to `last`, included; None is no limit.

    They are SQL: a literal without a type, which PostgreSQL reads as one of the column's type, or an expression.
    """

    column: str
    first: str | None = None
    end: str | None = None
    last: str | None = None

    @property
    def condition(self) -> str:
        """The condition on a row; a null is in no range."""
        column = quote(self.column)
        parts = [
            f"{column} >= {self.first}" if self.first is not None else f"{column} is not null",
            *([f"{column} < {self.end}"] if self.end is not None else []),
            *([f"{column} <= {self.last}"] if self.last is not None else []),
        ]
        return f"({' and '.join(parts)})"


def split_numbers(column: str, first: int, last: int) -> Iterator[tuple[str, KeyRange]]:
    """Yields ranges of whole numbers from `first` to `last`, included, each with its name for people."""
    for start in range(first, last + 1, KEYS):
        end = min(start + KEYS - 1, last)
        yield f"{column} {start} to {end}", KeyRange(column, literal(str(start)), last=literal(str(end)))


def split_days(column: str, first: date, last: date) -> Iterator[tuple[str, KeyRange]]:
    """Yields ranges of days from `first` to `last`, included, each with its name; a timestamp counts by its day."""
    for offset in range(0, (last - first).days + 1, DAYS):
        start = first + timedelta(offset)
        end = min(start + timedelta(DAYS - 1), last)
        yield f"{column} {start} to {end}", KeyRange(column, literal(str(start)), f"{literal(str(end))}::date + 1")
