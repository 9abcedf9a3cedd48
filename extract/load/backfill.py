"""Rows of a source table read again: a backfill by ranges, and the replay of dead letters.

    python -m extract backfill --source postgres --table venda --from 2024-01-01 --to 2024-12-31
    python -m extract replay --source postgres --table venda --dead-letters

A backfill goes by the first column of the key, or by the table's date, in ranges that are a load each. How far it
came is stored with the rows, so a backfill that was stopped goes on from there when it is started again.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from extract.declarations import PostgresTable
from extract.errors import ExtractError
from extract.load.reconcile import Key, keys_condition
from extract.reading import Limits, Reading, State
from extract.settings import Settings
from extract.sources.postgres.key_ranges import KeyRange, split_days, split_numbers
from extract.sources.postgres.read import FurtherRead
from extract.sources.postgres.snapshot import open_snapshot
from extract.sql import literal
from extract.types import split_type
from extract.warehouse.raw_tables import RawTable
from extract.warehouse.targets import Warehouse

log = logging.getLogger("extract")


@dataclass(frozen=True)
class Backfill(FurtherRead):
    """The read of the rows in one range and of those without a key; the table goes on from where it was."""

    range: KeyRange
    watermark: str
    state: State = field(default_factory=dict)
    position: str = ""  # of the range among those of the backfill
    mode: str = "backfill"

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table; as the table's own read."""
        log.info("%s: %s: %s", self.table.full_name, self.position, self.watermark)
        with open_snapshot(self.table, settings, limits) as snapshot:
            column = snapshot.find(self.range.column).name
            rows = KeyRange(column, self.range.first, self.range.end, self.range.last).condition
            yield snapshot.reading(
                f"({rows} or not {snapshot.has_key})", dict(state) | dict(self.state), self.watermark
            )


@dataclass(frozen=True)
class DeadLetterReplay(FurtherRead):
    """The read of the rows with some keys and of those without one; the state stays as it is."""

    keys: tuple[Key, ...]
    mode: str = "replay"

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table; as the table's own read."""
        with open_snapshot(self.table, settings, limits) as snapshot:
            yield snapshot.reading(f"({keys_condition(snapshot, self.keys)} or not {snapshot.has_key})", state, None)


def plan_backfill(table: PostgresTable, first: str, last: str, state: State) -> list[Backfill]:
    """Returns the reads of a backfill from `first` to `last`, both included, that were not loaded yet.

    Raises:
        ExtractError: if the table cannot be read by them.
    """
    if table.replaces:
        raise ExtractError(f"{table.full_name}: every run reads all of it (mode full); run it instead")
    ranges = split_range(table, first, last)
    asked = [first, last]
    before = state.get("backfill") or {}
    done = before["done"] if before.get("asked") == asked else 0
    return [
        Backfill(
            table,
            range=part,
            watermark=name,
            state={"backfill": {"asked": asked, "done": number} if number < len(ranges) else None},
            position=f"range {number} of {len(ranges)}",
        )
        for number, (name, part) in enumerate(ranges, start=1)
        if number > done
    ]


def split_range(table: PostgresTable, first: str, last: str) -> list[tuple[str, KeyRange]]:
    """Returns the ranges of a backfill, each with its name for people.

    Two dates are of the table's date, if it declares one; two whole numbers, and all else, of the key's first column.

    Raises:
        ExtractError: if the first value is above the last, or these are dates and the table declares none.
    """
    what, column = table.full_name, table.key[0]
    if is_number(first) and is_number(last):
        ranges = list(split_numbers(column, int(first), int(last)))
    elif is_date(first) and is_date(last):
        by = table.date or (column if has_date_key(table) else None)
        if by is None:
            raise ExtractError(
                f"{what}: got two dates, and the declaration names no date; declare date: <column>, or "
                "give two values of its key"
            )
        ranges = list(split_days(by, date.fromisoformat(first), date.fromisoformat(last)))
    elif is_number(first) != is_number(last) or is_date(first) != is_date(last):
        raise ExtractError(f"{what}: expected two values of the same kind, got {first!r} and {last!r}")
    elif expected := expected_values(table):
        raise ExtractError(f"{what}: expected {expected}, got {first!r} and {last!r}")
    else:
        ranges = [(f"{column} {first} to {last}", KeyRange(column, literal(first), last=literal(last)))]
    if not ranges:
        raise ExtractError(f"{what}: expected a first value that is not above the last, got {first} and {last}")
    return ranges


def expected_values(table: PostgresTable) -> str | None:
    """Returns what the values of a range must be, if the key's first column is declared as a number or a date."""
    types = {column.name: split_type(column.data_type)[0] for column in table.columns}
    dates = f", or two dates YYYY-MM-DD of {table.date}" if table.date else ""
    if types.get(table.key[0]) in ("int16", "int32", "int64"):
        return f"two whole numbers of {table.key[0]}{dates}"
    if types.get(table.key[0]) == "date32":
        return f"two dates YYYY-MM-DD of {table.key[0]}"
    return None


def has_date_key(table: PostgresTable) -> bool:
    """Returns whether the key's first column is declared as a date or a timestamp."""
    types = {column.name: split_type(column.data_type)[0] for column in table.columns}
    return types.get(table.key[0]) in ("date32", "timestamp", "timestamptz")


def is_number(text: str) -> bool:
    """Returns whether a text is a whole number."""
    return text.removeprefix("-").isdecimal() and text.isascii()


def is_date(text: str) -> bool:
    """Returns whether a text is a date YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def find_dead_letters(table: PostgresTable, raw: RawTable, warehouse: Warehouse) -> list[DeadLetterReplay]:
    """Returns the read of the keys of all dead letters whose row no later load has brought or deleted."""
    keys = warehouse.query(raw.waiting_letters()) if raw.has_dead_letters else []
    return [DeadLetterReplay(table, tuple(keys))] if keys else []
