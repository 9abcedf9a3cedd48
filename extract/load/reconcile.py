"""The keys of a source table compared with those that the loads tell of: what is gone, and what was never read.

    key ranges with their counts and sums, at both sides → only where they differ: the keys → one load

    python -m extract reconcile

Neither `xmin` nor a cursor sees a deletion, and a cursor sees no change behind its lag. So both sides are asked for
the number of keys, their sum and the sum of their remainders, by ranges of the key; only ranges that differ are asked
for their keys. What is gone arrives as a row with its key and `_deleted`; what is missing is read. A run does this by
itself where its counts say that it is due; a column that a row changed behind a cursor's lag is what it cannot see.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from extract.errors import ExtractError
from extract.reading import Limits, Reading, State
from extract.settings import Settings
from extract.sources.postgres.snapshot import Snapshot
from extract.sources.postgres.table import FurtherRead
from extract.sql import quote
from extract.warehouse.raw_tables import RawTable

RANGES = 1000  # of the keys, compared at once
RANGES_AT_ONCE = 20  # of those that differ, whose keys are held in memory together

# Keys are squared and shifted a few times modulo a prime, so that sets of the same number and sum differ in the sum
# of what comes of it; a linear mix would only repeat the sum. Below 2**31 squared no engine's bigint overflows.
PRIME, SHIFTS = 2_147_483_647, (1_103_515_245, 12_345, 714_025)

Query = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Reconciliation(FurtherRead):
    """The reconciliation of a table that is read by what is new: it is loaded like the table itself."""

    raw: RawTable
    query: Query  # asks the warehouse
    minimum_share: float = 0  # of the keys that must still be there
    mode: str = "reconcile"

    @contextmanager
    def read(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table and gives what differs; the state stays as it is.

        Raises:
            ExtractError: as the table's own read, if its key is no whole number, or if more is gone than may be.
        """
        with self.table.snapshot(settings, limits) as snapshot:
            kind = next(column.kind for column in snapshot.columns if column.name == self.key)
            if kind not in ("int2", "int4", "int8"):
                raise ExtractError(
                    f"{self.full_name}: expected whole numbers as key to compare by, got {self.key} {kind}; "
                    "read the table in mode full"
                )
            gone, missing = self.differences(snapshot)
            self.check_share(len(gone))
            key = quote(self.key)
            condition = f"({key} = any('{{{', '.join(map(str, missing))}}}'::bigint[]) or {key} is null)"
            yield snapshot.reading(condition, state, None, pa.array(gone, pa.int64()))

    def check_share(self, gone: int) -> None:
        """Refuses to take out most of a table, which may have been emptied or be that of another database.

        Raises:
            ExtractError: with the counts and the command that accepts it.
        """
        if not gone:
            return
        ((held,),) = self.query(f"select count(*) from ({self.raw.current_keys}) as keys")
        if held - gone < self.minimum_share * held:
            raise ExtractError(
                f"{self.full_name}: expected at least {self.minimum_share:.0%} of the {held:,} keys loaded "
                f"before to be there still (MINIMUM_SHARE), {gone:,} are gone; none of them was taken out. "
                "If that is right: python -m extract reconcile"
            )

    def differences(self, snapshot: Snapshot) -> tuple[list[int], list[int]]:
        """Returns the keys that are gone from the source and those that no load has brought, in order."""
        at_source = (
            f"select {quote(self.key)}::bigint as key from {snapshot.relation} where {quote(self.key)} is not null"
        )

        def ask_source(sql: str) -> list[tuple[Any, ...]]:
            snapshot.cursor.execute(sql)
            return list(snapshot.cursor.fetchall())

        ends = [*ask_source(bounds(at_source)), *self.query(bounds(self.raw.current_keys))]
        firsts, lasts = zip(*[(0, 0), *(found for found in ends if found[0] is not None)], strict=True)
        width = max((int(max(lasts)) - int(min(firsts))) // RANGES, 1)
        theirs = fingerprints(at_source, width, ask_source)
        ours = fingerprints(self.raw.current_keys, width, self.query)
        different = sorted(r for r in theirs.keys() | ours.keys() if theirs.get(r) != ours.get(r))
        gone: list[int] = []
        missing: list[int] = []
        for at in range(0, len(different), RANGES_AT_ONCE):
            chosen = ", ".join(map(str, different[at : at + RANGES_AT_ONCE]))
            within = f"select key from ({{}}) as keys where key - mod(key, {width}) in ({chosen})"
            source_keys = {key for (key,) in ask_source(within.format(at_source))}
            raw_keys = {key for (key,) in self.query(within.format(self.raw.current_keys))}
            gone += sorted(raw_keys - source_keys)
            missing += sorted(source_keys - raw_keys)
        return gone, missing


def bounds(keys: str) -> str:
    """Returns a query of the least and the greatest key."""
    return f"select min(key), max(key) from ({keys}) as keys"


def fingerprints(keys: str, width: int, query: Query) -> dict[int, tuple[int, int, int]]:
    """Returns each range's number of keys, their sum and the sum of their remainders.

    A range is named by its first key. It is whole numbers and `mod` alone, in which all engines agree; the ranges on
    both sides of zero are one.
    """
    mixed = f"mod(key, {PRIME})"
    for shift in SHIFTS:
        mixed = f"mod({mixed} * {mixed} + {shift}, {PRIME})"
    rows = query(
        f"select key - mod(key, {width}), count(*), sum(key), sum({mixed})"
        f" from (select cast(key as bigint) as key from ({keys}) as keys) as numbers group by 1"
    )
    return {int(first): (int(count), int(total), int(mixture)) for first, count, total, mixture in rows}
