"""The keys of a source table compared with those that the loads show: what is gone, and what was never read.

Neither `xmin` nor a cursor sees a deletion, and a cursor sees no change behind its lag. What is gone arrives as a row
with its key and `_deleted`; what is missing is read. A run does this by itself if the number of rows shows that it is
due, and `python -m extract reconcile` for every table. It does not see another change behind a cursor's lag.

A key that is one whole number is compared by ranges, each with its fingerprint; only ranges that differ are asked for
their keys. This costs a scan of the source. Any other key is loaded from the source into `<table>_source_keys` and
compared in the warehouse. This costs a scan of the source, a load of all keys, and a join.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from extract.declarations import PostgresTable
from extract.errors import ExtractError
from extract.reading import Limits, Reading, State
from extract.settings import Settings
from extract.sources.postgres.columns import SourceColumn
from extract.sources.postgres.read import FurtherRead
from extract.sources.postgres.snapshot import Snapshot, open_snapshot
from extract.sql import literal, quote
from extract.warehouse.fingerprint import fingerprint
from extract.warehouse.raw_tables import RawTable

RANGES = 1000  # of the keys, compared at once
RANGES_AT_ONCE = 20  # of those that differ, whose keys are in memory together
MISSING_AT_ONCE = 10_000  # keys that are named to the source; if more are missing, the table is read as a whole

Query = Callable[[str], list[tuple[Any, ...]]]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class SourceKeys:
    """The read of all keys of a table into `<table>_source_keys`."""

    table_of_keys: PostgresTable
    mode: str = "keys"
    replaces: bool = True

    @property
    def table(self) -> PostgresTable:
        """The raw table of the keys."""
        table = self.table_of_keys
        return replace(
            table, name=table.source_keys, mode="full", relation_name=table.relation_name or table.name,
            columns=(), cursor=None, lag=None, dist=None, sort=None,
        )  # fmt: skip

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:  # noqa: ARG002  it has no state
        """Opens one snapshot of the table and gives its keys.

        Raises:
            ExtractError: as the table's own read.
        """
        with open_snapshot(self.table_of_keys, settings, limits) as snapshot:
            keys = replace(snapshot, table=self.table, columns=snapshot.key)
            yield keys.reading(snapshot.has_key, {}, None, counted=snapshot.has_key)


@dataclass(frozen=True)
class Reconciliation(FurtherRead):
    """The read of what differs. If the key is not one whole number, SourceKeys was loaded just before."""

    raw: RawTable
    query: Query  # runs in the warehouse
    minimum_share: float = 0  # of the keys that must still exist
    mode: str = "reconcile"

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table and gives what differs; the state stays as it is.

        Raises:
            ExtractError: as the table's own read, or if more is gone than may be.
        """
        with open_snapshot(self.table, settings, limits) as snapshot:
            if self.raw.has_whole_number_key:
                gone, missing = self.compare_ranges(snapshot)
                self.check_share(len(gone))
            else:
                self.check_share(self.query(f"select count(*) from ({self.gone_keys}) as gone")[0][0])
                gone, missing = self.query(self.gone_keys), self.query(self.missing_keys)
            condition = "true" if len(missing) > MISSING_AT_ONCE else f"({keys_condition(snapshot, missing)})"
            condition = f"({condition} or not {snapshot.has_key})"
            yield snapshot.reading(condition, state, None, arrow_keys(snapshot, gone))

    @property
    def source_keys(self) -> str:
        """The raw table of the source's keys in SQL."""
        return SourceKeys(self.table).table.relation

    @property
    def gone_keys(self) -> str:
        """A query of the keys that the loads show and the source no longer has."""
        return self._left_only(f"({self.raw.current_keys})", self.source_keys)

    @property
    def missing_keys(self) -> str:
        """A query of the keys that the source has and no load shows."""
        return self._left_only(self.source_keys, f"({self.raw.current_keys})")

    def _left_only(self, left: str, right: str) -> str:
        key = [quote(name) for name in self.table.key]
        on = " and ".join(f"one.{name} = other.{name}" for name in key)
        return (
            f"select {', '.join(f'one.{name}' for name in key)} from {left} as one left join {right} as other on {on}"
            f" where other.{key[0]} is null"
        )

    def check_share(self, gone: int) -> None:
        """Refuses to delete most of a table, which may have been emptied or be that of another database.

        Raises:
            ExtractError: with the counts and the command that accepts it.
        """
        if not gone:
            return
        ((loaded,),) = self.query(f"select count(*) from ({self.raw.current_keys}) as keys")
        if loaded - gone < self.minimum_share * loaded:
            raise ExtractError(
                f"{self.table.full_name}: expected at least {self.minimum_share:.0%} of the {loaded:,} keys loaded "
                f"before to exist still (MINIMUM_SHARE), {gone:,} are gone; none of them was deleted. "
                "If that is right: python -m extract reconcile"
            )

    def compare_ranges(self, snapshot: Snapshot) -> tuple[list[Key], list[Key]]:
        """Returns the keys that are gone from the source and those that no load has brought, in order."""
        (column,) = snapshot.key
        at_source = f"select {column.sql}::bigint as key {snapshot.from_rows} and {snapshot.has_key}"
        loaded = f"select cast({self.raw.key} as bigint) as key from ({self.raw.current_keys}) as loaded"

        def ask_source(sql: str) -> list[tuple[Any, ...]]:
            snapshot.cursor.execute(sql)
            return list(snapshot.cursor.fetchall())

        ends = [*ask_source(bounds(at_source)), *self.query(bounds(loaded))]
        firsts, lasts = zip(*[(0, 0), *(found for found in ends if found[0] is not None)], strict=True)
        width = max((int(max(lasts)) - int(min(firsts))) // RANGES, 1)
        theirs = fingerprints(at_source, width, ask_source)
        ours = fingerprints(loaded, width, self.query)
        different = sorted(r for r in theirs.keys() | ours.keys() if theirs.get(r) != ours.get(r))
        gone: list[Key] = []
        missing: list[Key] = []
        for at in range(0, len(different), RANGES_AT_ONCE):
            chosen = ", ".join(map(str, different[at : at + RANGES_AT_ONCE]))
            within = f"select key from ({{}}) as keys where key - mod(key, {width}) in ({chosen})"
            source_keys = {key for (key,) in ask_source(within.format(at_source))}
            raw_keys = {key for (key,) in self.query(within.format(loaded))}
            gone += [(key,) for key in sorted(raw_keys - source_keys)]
            missing += [(key,) for key in sorted(source_keys - raw_keys)]
        return gone, missing


def bounds(keys: str) -> str:
    """Returns a query of the least and the greatest key."""
    return f"select min(key), max(key) from ({keys}) as keys"


def fingerprints(keys: str, width: int, query: Query) -> dict[int, tuple[int, ...]]:
    """Returns the fingerprint of each range of keys, by its first key; the two ranges beside zero are one."""
    columns = ", ".join(fingerprint("key"))
    rows = query(f"select key - mod(key, {width}), {columns} from ({keys}) as keys group by 1")
    return {int(first): tuple(map(int, numbers)) for first, *numbers in rows}


def keys_condition(snapshot: Snapshot, keys: Sequence[Key]) -> str:
    """Returns the condition at the source that a row has one of these keys."""
    if not keys:
        return "false"
    columns = ", ".join(column.sql for column in snapshot.key)
    rows = (", ".join(map(key_literal, snapshot.key, key)) for key in keys)
    return f"({columns}) in ({', '.join(f'({row})' for row in rows)})"


def key_literal(column: SourceColumn, value: Any) -> str:
    """Returns a value of a key, as the warehouse returned it, as a literal of PostgreSQL."""
    return literal(f"\\x{to_bytes(value).hex()}" if column.kind == "bytea" else str(value))


def to_bytes(value: bytes | str) -> bytes:
    """Returns a binary value; Redshift's clients return VARBYTE as hexadecimal text."""
    return bytes.fromhex(value.removeprefix("\\x")) if isinstance(value, str) else value


def arrow_keys(snapshot: Snapshot, keys: Sequence[Key]) -> pa.Table:
    """Returns keys that the warehouse returned in the types of the raw table."""
    schema = snapshot.read_schema()
    fields = [schema.field(name) for name in snapshot.table.key]
    columns = []
    for number, field in enumerate(fields):
        values = [key[number] for key in keys]
        columns.append(pa.array(map(to_bytes, values) if pa.types.is_binary(field.type) else values, field.type))
    return pa.table(columns, schema=pa.schema(fields))
