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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import pyarrow as pa
from adbc_driver_manager.dbapi import Cursor
from adbc_driver_manager.dbapi import Error as AdbcError

from extract.errors import ExtractError
from extract.reading import DEAD_LETTER, Limits, Reading, State, dead_letter_table
from extract.settings import PostgresSettings, Settings
from extract.sources.postgres_columns import SourceColumn, convert
from extract.sources.postgres_session import connect, literal, one, quote, transaction_bounds

log = logging.getLogger("extract")

# In the modes that append, a deletion is a row too: its key, and true here.
DELETED = pa.field("_deleted", pa.bool_())

# PostgreSQL's transaction ids on rows have 32 bits; those of snapshots are counted on in 64 (xid8).
XID_RANGE = 2**32


@dataclass(frozen=True)
class PostgresTable:
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
            condition, next_state, watermark = self.what_is_new(snapshot, state)
            yield snapshot.reading(condition, next_state, watermark)

    @contextmanager
    def snapshot(self, settings: Settings, limits: Limits) -> "Iterator[Snapshot]":
        """Opens one consistent view of the table.

        Raises:
            ExtractError: if the database cannot be reached or refuses the user, or the table or one of its
                key and cursor columns is not there.
        """
        assert settings.postgres  # noqa: S101  read_settings gives what a source needs
        with connect(settings.postgres) as connection, connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
            yield Snapshot(self, cursor, self.source_columns(cursor, settings.postgres), limits)

    def source_columns(self, cursor: Cursor, settings: PostgresSettings) -> "list[SourceColumn]":
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

    def what_is_new(self, snapshot: "Snapshot", state: State) -> tuple[str, State, str | None]:
        """Returns the condition on the rows to read, the state after that, and the watermark to show."""
        no_key = f"{quote(self.key)} is null"
        if self.mode == "xmin":
            lower, upper = transaction_bounds(snapshot.cursor)
            since = state.get("xmin")
            next_state = {"xmin": lower}
            # Ahead of the snapshot: the database was restored. A whole turn behind: 32 bits cannot tell.
            if since is not None and not upper - XID_RANGE < since <= upper:
                log.warning(
                    "%s.%s: read whole: its transaction ids are at %d, those of the last run were at %d: another or a"
                    " restored database, or more ids since then than 32 bits tell apart",
                    self.source,
                    self.name,
                    upper,
                    since,
                )
                since = None
            if since is None:
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
class Snapshot:
    """One consistent view of a table at the source."""

    table: PostgresTable
    cursor: Cursor
    columns: list[SourceColumn]
    limits: Limits

    @property
    def relation(self) -> str:
        """The table's name in SQL."""
        return f"{quote(self.table.schema)}.{quote(self.table.name)}"

    @property
    def faults(self) -> list[tuple[str, str]]:
        """The conditions under which a row does not fit, each with what is expected instead."""
        return [fault for column in self.columns for fault in column.faults(self.limits)]

    @property
    def unfit(self) -> str:
        """The condition under which a row does not fit: false or null for every row that does."""
        return f"({' or '.join(condition for condition, _ in self.faults) or 'false'})"

    @property
    def fits(self) -> str:
        """The condition under which a row fits."""
        return f"{self.unfit} is not true" if self.faults else "true"

    def reading(self, condition: str, state: State, watermark: str | None, gone: pa.Array | None = None) -> Reading:
        """Returns a reading of the rows under a condition, and of the keys that are `gone` from the source."""
        # The rows that do not fit are few, so they are looked for first: the condition costs more.
        rows_source, rows_unfit = one(
            self.cursor,
            f"select count(*), count(*) filter (where {self.unfit} and {condition}) from {self.relation}",
        )
        selected = ", ".join(column.expression for column in self.columns)
        self.cursor.execute(f"select {selected} from {self.relation} where {condition} and {self.fits}")
        reader = self.cursor.fetch_record_batch()
        schema = pa.schema([column.field(reader.schema) for column in self.columns])
        set_aside: tuple[str, ...] = ()
        if rows_unfit:
            place = f"raw_{self.table.source}.{dead_letter_table(self.table.name)}"
            set_aside = (
                f"{self.table.source}.{self.table.name}: {rows_unfit:,} rows do not fit; {place} has each with its "
                "reason. Mend them at the source, and the next run brings them",
            )
        return Reading(
            schema=schema if self.table.replaces else schema.append(DELETED),
            batches=self.batches(reader, schema, gone),
            rows_source=rows_source,
            state=state,
            watermark=watermark,
            text_lengths={column.name: column.length for column in self.columns if column.length},
            set_aside=set_aside,
            rows_dead_letter=rows_unfit,
            dead_letters=self.dead_letters(condition) if rows_unfit else iter(()),
            rows_deleted=0 if gone is None else len(gone),
            declared=self.table.columns,
            takes_new_columns=self.table.new_columns == "take",
            dist=self.table.dist,
            sort=self.table.sort,
        )

    def batches(
        self, reader: pa.RecordBatchReader, schema: pa.Schema, gone: pa.Array | None
    ) -> Iterator[pa.RecordBatch]:
        """Gives the rows in the table's schema, then a row for each key that is gone.

        Raises:
            ExtractError: if the source breaks off or a value does not fit its column.
        """
        rows = 0
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                break
            except (OSError, pa.ArrowException, AdbcError) as error:
                raise ExtractError(
                    f"postgres.{self.table.name}: the source broke off after {rows:,} rows: {error}. "
                    "Nothing was loaded; run again"
                ) from error
            try:
                arrays = [convert(batch[field.name], field) for field in schema]
            except ValueError as error:
                raise ExtractError(
                    f"postgres.{self.table.name}: between rows {rows:,} and {rows + batch.num_rows:,}: {error}. "
                    "Nothing was loaded"
                ) from error
            rows += batch.num_rows
            converted = pa.record_batch(arrays, schema=schema)
            yield converted if self.table.replaces else marked(converted, deleted=None)
        if gone is not None and len(gone):
            columns = [
                gone.cast(field.type) if field.name == self.table.key else pa.nulls(len(gone), field.type)
                for field in schema
            ]
            yield marked(pa.record_batch(columns, schema=schema), deleted=True)

    def dead_letters(self, condition: str) -> Iterator[pa.RecordBatch]:
        """Gives the rows under a condition that do not fit, as the source writes them in JSON.

        Where the warehouse holds no text as long as such a row may be, its long values are cut and say how long they
        were; the key finds the row at the source.
        """
        row = "to_jsonb(t)"
        if self.limits.text:
            row = (
                "(select jsonb_object_agg(e.key, case when octet_length(e.value::text) > 1000 then to_jsonb("
                "left(e.value::text, 200) || '… (' || octet_length(e.value::text) || ' bytes)') else e.value end)"
                " from jsonb_each(to_jsonb(t)) as e)"
            )
        reasons = ", ".join(f"case when {fault} then {literal(expected)} end" for fault, expected in self.faults)
        self.cursor.execute(
            f"select {quote(self.table.key)}::text as key, {row}::text as row,"
            f" left(concat_ws('; ', {reasons}), 500) as reason"
            f" from {self.relation} as t where {self.unfit} and {condition}"
        )
        for batch in self.cursor.fetch_record_batch():
            yield pa.record_batch([batch[name] for name in DEAD_LETTER.names], schema=DEAD_LETTER)


@dataclass(frozen=True)
class FurtherRead:
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


def marked(batch: pa.RecordBatch, *, deleted: bool | None) -> pa.RecordBatch:
    """Returns the batch with the column that says whether its rows are deletions."""
    marks = pa.nulls(batch.num_rows, DELETED.type) if deleted is None else pa.repeat(deleted, batch.num_rows)
    return batch.append_column(DELETED, marks)


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
