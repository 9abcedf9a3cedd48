"""Rows of a source table read once more: a backfill by ranges, and the replay of dead letters.

    python -m extract backfill --source postgres --table venda --from 2024-01-01 --to 2024-12-31
    python -m extract replay --source postgres --table venda --dead-letters

A backfill goes by the key, or by the table's date, in ranges that are a load each. How far it came is stored with the
rows, so a backfill that was stopped goes on from there when it is asked for again.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta

from extract.errors import ExtractError
from extract.reading import Limits, Reading, State
from extract.settings import Settings
from extract.sources.postgres.table import FurtherRead, PostgresTable
from extract.sql import literal, quote
from extract.warehouse.raw_tables import RawTable
from extract.warehouse.targets import Warehouse

log = logging.getLogger("extract")

DAYS = 31  # of a range of dates
KEYS = 1_000_000  # of a range of keys


@dataclass(frozen=True)
class Reread(FurtherRead):
    """A read of the rows under one condition and of those without a key; the table goes on from where it was."""

    mode: str
    condition: str
    watermark: str | None = None
    state: State = field(default_factory=dict)
    number: str | None = None  # of a backfill's ranges, this one

    @contextmanager
    def read(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table; as the table's own read."""
        if self.number:
            log.info("%s.%s: %s: %s", self.source, self.name, self.number, self.watermark)
        with self.table.snapshot(settings, limits) as snapshot:
            condition = f"({self.condition} or {quote(self.key)} is null)"
            yield snapshot.reading(condition, dict(state) | dict(self.state), self.watermark)


def backfill(table: PostgresTable, first: str, last: str, state: State) -> list[Reread]:
    """Returns the reads of a backfill from `first` to `last`, both inclusive, that are still to be made.

    Raises:
        ExtractError: if they are neither two dates nor two whole numbers, or the table cannot be read by them.
    """
    if table.replaces:
        raise ExtractError(f"{table.full_name}: every run reads all of it (mode full): run it instead")
    ranges = planned(table, first, last)
    asked = [first, last]
    before = state.get("backfill") or {}
    done = before["done"] if before.get("asked") == asked else 0
    return [
        Reread(
            table,
            mode="backfill",
            condition=part.condition,
            watermark=part.name,
            state={"backfill": {"asked": asked, "done": number} if number < len(ranges) else None},
            number=f"range {number} of {len(ranges)}",
        )
        for number, part in enumerate(ranges, start=1)
        if number > done
    ]


@dataclass(frozen=True)
class Range:
    """A part of a backfill: its name for people, ends included, and the condition on its rows."""

    name: str
    condition: str


def keys(column: str, start: int, end: int) -> Range:
    """Returns the range of the keys from one to another."""
    return Range(
        f"{column} {start} to {end}", f"{quote(column)} between {literal(str(start))} and {literal(str(end))}"
    )


def days(column: str, start: date, end: date) -> Range:
    """Returns the range of the days from one to another; of a timestamp, the last one until its midnight."""
    return Range(
        f"{column} {start} to {end}",
        f"({quote(column)} >= {literal(start.isoformat())}"
        f" and {quote(column)} < {literal(end.isoformat())}::date + 1)",
    )


def planned(table: PostgresTable, first: str, last: str) -> list[Range]:
    """Returns the ranges of a backfill.

    Raises:
        ExtractError: if these are neither two dates nor two whole numbers, or the table has no such column.
    """
    what = table.full_name
    try:
        if first.lstrip("-").isdigit():
            low, high = int(first), int(last)
            starts = range(low, high + 1, KEYS)
            ranges = [keys(table.key, start, min(start + KEYS - 1, high)) for start in starts]
        else:
            begin, end = date.fromisoformat(first), date.fromisoformat(last)
            if not table.date:
                raise ExtractError(
                    f"{what}: has no date to go by; give two keys, or name its date in its list of tables"
                )
            begins = [begin + timedelta(day) for day in range(0, (end - begin).days + 1, DAYS)]
            ranges = [days(table.date, start, min(start + timedelta(DAYS - 1), end)) for start in begins]
    except ValueError as error:
        raise ExtractError(
            f"{what}: expected two dates YYYY-MM-DD or two whole numbers, got {first!r} and {last!r}"
        ) from error
    if not ranges:
        raise ExtractError(f"{what}: expected a first value that is not above the last, got {first} and {last}")
    return ranges


def dead_letters(table: PostgresTable, raw: RawTable, warehouse: Warehouse) -> list[Reread]:
    """Returns the read of the keys of all dead letters whose row no later load has brought or deleted."""
    if not raw.has_dead_letters:
        return []
    waiting = warehouse.query(f"{raw.waiting} order by key")
    if not waiting:
        return []
    keys = ", ".join(literal(key) for (key,) in waiting)
    return [Reread(table, mode="replay", condition=f"{quote(table.key)}::text in ({keys})")]
