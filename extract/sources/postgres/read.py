"""Tables of a Postgres database → `raw_<source>.<table>`.

    one repeatable-read snapshot: columns, count, rows → COPY (binary) → Arrow record batches → Parquet

| mode   | what a run reads                          | at the source       | does not see            |
| ------ | ----------------------------------------- | ------------------- | ----------------------- |
| full   | everything; replaces the raw table        | whole table         | -                       |
| cursor | rows whose cursor is at most `lag` behind | index on the cursor | changes behind the lag  |
|        | the greatest one seen; appended           |                     | and deletions           |
| xmin   | rows written by transactions that were    | scan of the table   | deletions               |
|        | not over at the last run; appended        |                     |                         |

In the modes that append, rows without a key or a cursor are read by every run: they cannot be distinguished from new
ones. extract/load/reconcile.py finds what a mode does not see.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from extract.declarations import PostgresTable
from extract.errors import ExtractError
from extract.reading import Limits, OwnRead, Reading, State
from extract.settings import Settings
from extract.sources.postgres.plan import Plan
from extract.sources.postgres.session import one, transaction_bounds
from extract.sources.postgres.snapshot import Snapshot, open_snapshot
from extract.sql import literal

log = logging.getLogger("extract")

# PostgreSQL's transaction ids on rows have 32 bits; those of snapshots are extended to 64 (xid8).
XID_RANGE = 2**32

# The types of a cursor from which a lag can be subtracted.
TIMES = ("date", "timestamp without time zone", "timestamp with time zone")
NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")


@dataclass(frozen=True)
class PostgresRead(OwnRead):
    """The read that every run makes of a Postgres table."""

    table: PostgresTable

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table; count, watermark and rows are all taken in it.

        Raises:
            ExtractError: as `open_snapshot`, or if the mode cannot read this relation; while reading, if the source
                breaks off.
        """
        with open_snapshot(self.table, settings, limits) as snapshot:
            condition, next_state, watermark = new_rows(snapshot, state)
            yield snapshot.reading(condition, next_state, watermark)


@dataclass(frozen=True)
class FurtherRead:
    """A read of another kind than the table's own, which is appended to the same raw table."""

    table: PostgresTable

    @property
    def replaces(self) -> bool:
        """False: what was loaded before stays."""
        return False


def new_rows(snapshot: Snapshot, state: State) -> tuple[str, State, str | None]:
    """Returns the condition on the rows to read, the state after that, and the watermark to show.

    Raises:
        ExtractError: if the mode cannot read this relation.
    """
    match snapshot.table.mode:
        case "xmin":
            return rows_since_transaction(snapshot, state)
        case "cursor":
            return rows_since_cursor(snapshot, state)
        case _:
            return "true", {}, None


def check_transaction_ids(snapshot: Snapshot) -> None:
    """Checks that the rows of the relation have the id of the transaction that wrote them.

    Raises:
        ExtractError: if they have not.
    """
    if snapshot.facts.kind not in ("r", "p", "m"):
        raise ExtractError(
            f"{snapshot.table.full_name}: expected a table to read in mode xmin, got a view or a foreign table, "
            "whose rows have no transaction id; declare mode full or cursor"
        )


def rows_since_transaction(snapshot: Snapshot, state: State) -> tuple[str, State, str | None]:
    """Returns condition, state and watermark of the mode xmin."""
    check_transaction_ids(snapshot)
    lower, upper = transaction_bounds(snapshot.cursor)
    next_state: dict[str, Any] = {"xmin": lower, "history": snapshot.facts.history}
    since, history = state.get("xmin"), state.get("history", {})
    if plan := Plan.from_state(state):  # its ranges are loaded: this run closes it
        since, history = plan.since, plan.history
        next_state["plan"] = None
    if since is None:
        return "true", next_state, str(lower)
    if reason := xmin_unusable_reason(since, upper, history, snapshot.facts.history):
        log.warning("%s: read as a whole: %s", snapshot.table.full_name, reason)
        return "true", next_state, str(lower)
    written = written_between(since, upper, "xmin::text::bigint")
    return f"({written} or not {snapshot.has_key})", next_state, str(lower)


def rows_since_cursor(snapshot: Snapshot, state: State) -> tuple[str, State, str | None]:
    """Returns condition, state and watermark of the mode cursor.

    Raises:
        ExtractError: if the lag does not go with the cursor's type.
    """
    table = snapshot.table
    assert table.cursor  # noqa: S101  checked with the declaration
    column = snapshot.find(table.cursor).sql
    last = state.get("cursor")
    # The cursor of a dead letter, such as an infinite date, is no watermark.
    greatest, kind = one(
        snapshot.cursor,
        f"select (max({column}) filter (where {snapshot.is_loadable}))::text, pg_typeof(max({column}))::text"
        f" {snapshot.from_rows}",
    )
    fitting = kind in TIMES if isinstance(table.lag, timedelta) else kind in NUMBERS or table.lag == 0
    if not fitting:
        expected = "a time such as 1 day" if kind in TIMES else "a whole number" if kind in NUMBERS else "0"
        raise ExtractError(f"{table.full_name}: lag: expected {expected}: cursor {table.cursor} is a {kind}")
    if last is None:
        return "true", {"cursor": greatest} if greatest is not None else {}, greatest
    lag = f"interval '{table.lag.total_seconds()} seconds'" if isinstance(table.lag, timedelta) else str(table.lag)
    from_last = f"{literal(last)}::{kind}" + ("" if table.lag == 0 else f" - {lag}")
    condition = f"({column} >= {from_last} or {column} is null or not {snapshot.has_key})"
    # A source whose greatest row was deleted goes on from the watermark it had.
    (watermark,) = one(
        snapshot.cursor,
        f"select greatest({literal(last)}::{kind}, {literal(greatest or last)}::{kind})::text",
    )
    return condition, {"cursor": watermark}, watermark


def xmin_unusable_reason(since: int, upper: int, before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Returns why the rows' transaction ids do not show what was written since the last run; None if they do."""
    # Ahead of the snapshot: the database was restored. A whole cycle behind: 32 bits are ambiguous.
    if not upper - XID_RANGE < since <= upper:
        return (
            f"its transaction ids are at {upper}, those of the last run were at {since}: another or a restored "
            "database, or more ids since then than 32 bits can distinguish"
        )
    if before.get("database") != now.get("database"):
        return f"the database is {now.get('database')}, that of the last run was {before.get('database')}"
    if not set(now["relations"]) <= set(before.get("relations", ())):
        return "the table or one of its partitions is another one than in the last run"
    if new := sorted(set(now["unwritten"]) - set(before.get("unwritten", ()))):
        return f"all rows have a value in {', '.join(new)} that no transaction has written into them"
    return None


def written_between(since: int, upper: int, xid: str) -> str:
    """Returns the condition that a row's transaction id lies in [since, upper), two 64-bit ids.

    `xid` is the row's id as a number of 32 bits, which is unambiguous as long as the two are less than a cycle apart.
    """
    return f"mod({xid} - {since % XID_RANGE} + {XID_RANGE}, {XID_RANGE}) < {upper - since}"
