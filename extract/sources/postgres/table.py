"""Sales database → `raw_postgres.venda`.

    one repeatable-read snapshot: columns, count, rows → COPY (binary) → Arrow record batches → Parquet

    python -m extract run --source postgres

A table is an entry in TABLES: its name, key and mode.

| mode   | what a run reads                          | at the source       | does not see            |
| ------ | ----------------------------------------- | ------------------- | ----------------------- |
| full   | everything; replaces the raw table        | whole table         | -                       |
| cursor | rows whose cursor is at most `lag` behind | index on the cursor | changes behind the lag  |
|        | the greatest one seen; appended           |                     | and deletions           |
| xmin   | rows written by transactions that were    | scan of the table   | deletions               |
|        | not over at the last run; appended        |                     |                         |

`venda` has no "updated at" column and old sales are corrected, so it is read by `xmin`. In the modes that
append, rows without a key or cursor are read by every run: they cannot be told from new ones. What a mode does not
see, extract/reconcile.py finds. A row with a value that no warehouse holds goes to `<table>_dead_letter` as it is.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import pyarrow as pa
from adbc_driver_manager.dbapi import Cursor

from extract.errors import ExtractError
from extract.reading import Limits, Reading, State, TableName
from extract.settings import PostgresSettings, Settings
from extract.sources.postgres.columns import SourceColumn
from extract.sources.postgres.session import one, session, transaction_bounds
from extract.sources.postgres.snapshot import Snapshot, facts
from extract.sql import literal, quote

log = logging.getLogger("extract")

# PostgreSQL's transaction ids on rows have 32 bits; those of snapshots are counted on in 64 (xid8).
XID_RANGE = 2**32


@dataclass(frozen=True)
class PostgresTable(TableName):
    """A table of the source database.

    Raises:
        ValueError: for a mode that lacks what it needs.
    """

    name: str
    key: str
    mode: Literal["full", "cursor", "xmin"]
    schema: str = "public"
    cursor: str | None = None
    lag: int | timedelta | None = None
    date: str | None = None  # the column that a backfill by dates goes by
    new_columns: Literal["take", "refuse"] = "take"
    columns: pa.Schema | None = None  # those that its models need, as they have to be at its first load
    dist: str | None = None  # how Redshift spreads and orders the raw table, where it is large
    sort: str | None = None
    source: str = "postgres"

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError(f"{self.name}: a table needs a key: without it a row read twice is two rows")
        if (self.mode == "cursor") != (self.cursor is not None and self.lag is not None):
            raise ValueError(f"{self.name}: `cursor` and `lag` go with the mode cursor, and it needs both")

    @property
    def replaces(self) -> bool:
        """True in mode full."""
        return self.mode == "full"

    @contextmanager
    def read(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table; count, watermark and rows are all taken in it.

        Raises:
            ExtractError: if the database cannot be reached or refuses the user, or the table or one of its
                key and cursor columns is not there; while reading, if the source breaks off.
        """
        with self.snapshot(settings, limits) as snapshot:
            if self.mode == "xmin":
                self.check_ids(snapshot)
            condition, next_state, watermark = self.what_is_new(snapshot, state)
            yield snapshot.reading(condition, next_state, watermark)

    @contextmanager
    def snapshot(self, settings: Settings, limits: Limits) -> Iterator[Snapshot]:
        """Opens one consistent view of the table.

        Raises:
            ExtractError: if the database cannot be reached or refuses the user, or the table or one of its
                key and cursor columns is not there.
        """
        assert settings.postgres  # noqa: S101  read_settings gives what a source needs
        with session(settings.postgres) as cursor, ExitStack() as closing:
            columns = self.source_columns(cursor, settings.postgres)
            yield Snapshot(self, settings.postgres, cursor, facts(cursor, self), columns, limits, closing)

    def check_ids(self, snapshot: Snapshot) -> None:
        """Looks whether the table's rows bear the id of the transaction that wrote them.

        Raises:
            ExtractError: if they do not.
        """
        if snapshot.facts.kind not in ("r", "p", "m"):
            raise ExtractError(
                f"postgres.{self.name}: expected a table to read in mode xmin, got a view or a foreign one, "
                "whose rows bear no transaction's id; read it in mode full or cursor"
            )

    def source_columns(self, cursor: Cursor, settings: PostgresSettings) -> list[SourceColumn]:
        """Returns the table's columns in its order; one of a domain has the type beneath.

        Raises:
            ExtractError: if the table is not there or may not be read, or lacks its key or cursor column.
        """
        where = f"postgres.{self.name}: {self.schema}.{self.name} in database {settings.database}"
        cursor.execute(
            "select a.attname, t.typname, case when d.typtype = 'd' then d.typtypmod else a.atttypmod end,"
            " has_table_privilege(c.oid, 'select')"
            " from pg_class c"
            " join pg_namespace n on n.oid = c.relnamespace"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
            " join pg_type d on d.oid = a.atttypid"
            " join pg_type t on t.oid = case when d.typtype = 'd' then d.typbasetype else d.oid end"
            f" where n.nspname = {literal(self.schema)} and c.relname = {literal(self.name)}"
            " and c.relkind in ('r', 'p', 'v', 'm', 'f')"
            " order by a.attnum"
        )
        rows = cursor.fetchall()
        if not rows:
            raise ExtractError(
                f"{where}: no such table; check its name in extract/sources/postgres.py and SOURCE_POSTGRES_DATABASE"
            )
        if not rows[0][3]:
            raise ExtractError(
                f"{where}: user {settings.user} may not read it; "
                f"grant select on {self.schema}.{self.name} to {settings.user}"
            )
        columns = [SourceColumn(name, kind, modifier) for name, kind, modifier, _ in rows]
        names = [column.name for column in columns]
        for role, needed in (("key", self.key), ("cursor", self.cursor)):
            if needed and needed not in names:
                raise ExtractError(
                    f"{where}: its {role} column {needed} is missing; the table has {', '.join(names)}. "
                    "Nothing was loaded"
                )
        return columns

    def what_is_new(self, snapshot: Snapshot, state: State) -> tuple[str, State, str | None]:
        """Returns the condition on the rows to read, the state after that, and the watermark to show."""
        no_key = f"{quote(self.key)} is null"
        if self.mode == "xmin":
            lower, upper = transaction_bounds(snapshot.cursor)
            next_state: dict[str, Any] = {"xmin": lower, "history": snapshot.facts.history}
            since, history = state.get("xmin"), state.get("history", {})
            if plan := state.get("plan"):  # its ranges are loaded (extract/fan_out.py): this run closes it
                since, history = plan["since"], plan["history"]
                next_state["plan"] = None
            if since is None:
                return "true", next_state, str(lower)
            if reason := why_ids_do_not_tell(since, upper, history, snapshot.facts.history):
                log.warning("%s.%s: read whole: %s", self.source, self.name, reason)
                return "true", next_state, str(lower)
            written = written_between(since, upper, "xmin::text::bigint")
            return f"({written} or {no_key})", next_state, str(lower)
        if self.mode == "cursor":
            assert self.cursor  # noqa: S101  checked when the table was made
            column = quote(self.cursor)
            last = state.get("cursor")
            # The cursor of a row that is set aside, such as an infinite date, is no watermark.
            greatest, kind = one(
                snapshot.cursor,
                f"select (max({column}) filter (where {snapshot.fits}))::text, pg_typeof(max({column}))::text"
                f" from {snapshot.relation}",
            )
            if last is None:
                return "true", {"cursor": greatest} if greatest is not None else {}, greatest
            lag = (
                f"interval '{self.lag.total_seconds()} seconds'" if isinstance(self.lag, timedelta) else str(self.lag)
            )
            condition = f"({column} >= {literal(last)}::{kind} - {lag} or {column} is null or {no_key})"
            # A source whose greatest row was deleted goes on from the watermark it had.
            (watermark,) = one(
                snapshot.cursor,
                f"select greatest({literal(last)}::{kind}, {literal(greatest or last)}::{kind})::text",
            )
            return condition, {"cursor": watermark}, watermark
        return "true", {}, None


@dataclass(frozen=True)
class FurtherRead(TableName):
    """A read of another kind than the table's own, loaded into the same raw table, to which it appends."""

    table: PostgresTable

    @property
    def source(self) -> str:
        """The table's source."""
        return self.table.source

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def key(self) -> str:
        """The table's key."""
        return self.table.key

    @property
    def replaces(self) -> bool:
        """False: what was loaded before stays."""
        return False


def why_ids_do_not_tell(since: int, upper: int, before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Returns why the ids on the rows do not tell what was written since the last run; None if they do."""
    # Ahead of the snapshot: the database was restored. A whole turn behind: 32 bits cannot tell.
    if not upper - XID_RANGE < since <= upper:
        return (
            f"its transaction ids are at {upper}, those of the last run were at {since}: another or a restored "
            "database, or more ids since then than 32 bits tell apart"
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

    `xid` is the row's id as a number of 32 bits, which holds as long as the two are not a whole turn apart.
    """
    return f"mod({xid} - {since % XID_RANGE} + {XID_RANGE}, {XID_RANGE}) < {upper - since}"


TABLES = (
    PostgresTable(
        "venda",
        key="id_venda",
        mode="xmin",
        date="data_venda",
        columns=pa.schema(
            {
                "id_venda": pa.int32(),
                "id_funcionario": pa.int32(),
                "id_categoria": pa.int32(),
                "data_venda": pa.date32(),
                "venda": pa.float64(),
            }
        ),
        dist="id_venda",
        sort="_dlt_load_id",
    ),
)
