"""One consistent view of a PostgreSQL table, and its rows as a reading.

The session that holds the snapshot counts and looks for what does not fit, while others under the same snapshot read
the rows (postgres_stream.py).
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from adbc_driver_manager.dbapi import Cursor
from adbc_driver_manager.dbapi import Error as AdbcError

from extract.errors import ExtractError, PassingError
from extract.reading import DEAD_LETTER, Limits, Reading, State, dead_letter_table
from extract.settings import PostgresSettings
from extract.sources.postgres.columns import SourceColumn, convert
from extract.sources.postgres.session import one, session
from extract.sources.postgres.stream import Stream
from extract.sql import literal, quote

if TYPE_CHECKING:
    from extract.sources.postgres.table import PostgresTable

# In the modes that append, a deletion is a row too: its key, and true here.
DELETED = pa.field("_deleted", pa.bool_())

NO_UTF8 = 'invalid byte sequence for encoding "UTF8"'

RANGE_BYTES = 64 << 20  # of a table at least, for a session of its own to read it


@dataclass(frozen=True)
class Facts:
    """What a source's catalogue says of a table and of the database it is in."""

    kind: str  # pg_class.relkind
    size: int  # bytes
    pages: int
    scans_ranges: bool  # whether a range of row places is read without the rest of the table
    key_is_unique: bool  # whether an index says so
    history: Mapping[str, Any]  # what must stay the same for the transaction ids on rows to tell what is new


def facts(cursor: Cursor, table: "PostgresTable") -> Facts:
    """Returns the facts of a table that is there.

    https://www.postgresql.org/docs/current/catalogs.html
    """
    relation = literal(f"{quote(table.schema)}.{quote(table.name)}")
    kind, size, pages, scans_ranges, key_is_unique = one(
        cursor,
        "select c.relkind::text, s.size, s.size / current_setting('block_size')::bigint,"
        " c.relkind in ('r', 'm') and current_setting('server_version_num')::integer >= 140000,"
        " exists (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]"
        " where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1"
        f" and a.attname = {literal(table.key)})"
        " from pg_class c cross join lateral"
        " (select case when c.relkind in ('r', 'm') then pg_relation_size(c.oid) else 0 end as size) as s"
        f" where c.oid = {relation}::regclass",
    )
    return Facts(kind, size, pages, scans_ranges, key_is_unique, history(cursor, relation))


def history(cursor: Cursor, relation: str) -> dict[str, Any]:
    """Returns what must stay the same for the transaction ids on a relation's rows to tell what is new.

    A failover or a restored backup may give the same id twice: it has another system identifier or timeline. A
    partition that is attached, a table that takes another's name, and a column whose values no transaction wrote into
    the rows (a default that was added with it, a value that is generated) show in the relations and these columns.
    """
    relations, unwritten, asked = one(
        cursor,
        f"with recursive tree as (select {relation}::regclass::oid as oid"
        " union all select i.inhrelid from pg_inherits i join tree on i.inhparent = tree.oid)"
        " select (select string_agg(oid::text, ' ' order by oid) from tree),"
        " coalesce((select string_agg(attname, ' ' order by attnum) from pg_attribute"
        f" where attrelid = {relation}::regclass and attnum > 0 and (atthasmissing or attgenerated <> '')), ''),"
        " has_function_privilege('pg_control_system()', 'execute')"
        " and has_function_privilege('pg_control_checkpoint()', 'execute')",
    )
    found = {"relations": relations.split(), "unwritten": unwritten.split()}
    if asked:
        (found["database"],) = one(
            cursor,
            # A replica follows its primary to another timeline before its own checkpoint says so. What it receives
            # is shown to those alone who may read all statistics.
            "select format('system %s, timeline %s', (select system_identifier from pg_control_system()),"
            " greatest((select timeline_id from pg_control_checkpoint()),"
            " (select max(received_tli) from pg_stat_wal_receiver)))",
        )
    return found


@dataclass(frozen=True)
class Snapshot:
    """One consistent view of a table at the source; what reads it is ended by `closing`."""

    table: "PostgresTable"
    settings: PostgresSettings
    cursor: Cursor
    facts: Facts
    columns: list[SourceColumn]
    limits: Limits
    closing: ExitStack

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

    def reading(
        self,
        condition: str,
        state: State,
        watermark: str | None,
        gone: pa.Array | None = None,
        counted: str = "true",
    ) -> Reading:
        """Returns a reading of the rows under a condition, and of the keys that are `gone` from the source.

        The rows are on their way while this session counts: all there are, or those under the condition `counted`.
        """
        rows = f"select {', '.join(column.expression for column in self.columns)} from {self.relation}"
        self.cursor.execute(f"{rows} where false")
        with self.cursor.fetch_record_batch() as none:
            schema = pa.schema([column.field(none.schema) for column in self.columns])
        (exported,) = one(self.cursor, "select pg_export_snapshot()")
        name = self.table.full_name
        stream = Stream(
            name,
            [f"{rows} where {part} and {condition} and {self.fits}" for part in self.parts()],
            lambda: session(self.settings, exported),
        )
        self.closing.callback(stream.close)
        key = quote(self.table.key)
        # The rows that do not fit are few, so they are looked for first: the condition costs more.
        rows_source, rows_unfit, rows_repeated = one(
            self.cursor,
            f"select count(*), count(*) filter (where {self.unfit} and {condition}),"
            f" {'0' if self.facts.key_is_unique else f'count({key}) - count(distinct {key})'} from {self.relation}"
            f" where {counted}",
        )
        set_aside = []
        if rows_unfit:
            place = f"{self.table.dataset}.{dead_letter_table(self.table.name)}"
            set_aside.append(
                f"{name}: {rows_unfit:,} rows do not fit; {place} has each with its reason. Mend them at the source, "
                "and the next run brings them"
            )
        if rows_repeated:
            set_aside.append(
                f"{name}: {rows_repeated:,} rows share their key with another one, such as {self.table.key} "
                f"{self.repeated_key(counted)}: expected each key once; one row of each is taken. Mend the source, "
                "best by a unique index, which also saves counting the keys"
            )
        return Reading(
            schema=schema if self.table.replaces else schema.append(DELETED),
            batches=self.batches(stream, schema, condition if rows_unfit else "false", gone),
            rows_source=rows_source,
            rows_repeated=rows_repeated,
            state=state,
            watermark=watermark,
            text_lengths={column.name: column.length for column in self.columns if column.length},
            set_aside=tuple(set_aside),
            rows_dead_letter=rows_unfit,
            dead_letters=self.dead_letters(condition) if rows_unfit else iter(()),
            rows_deleted=0 if gone is None else len(gone),
            declared=self.table.columns,
            takes_new_columns=self.table.new_columns == "take",
            dist=self.table.dist,
            sort=self.table.sort,
        )

    def parts(self) -> list[str]:
        """Returns the conditions on a row's place by which readers share the table: every row is under one of them.

        PostgreSQL scans a range of places alone since version 14; in a table of partitions places repeat.
        https://www.postgresql.org/docs/release/14.0/
        """
        parts = min(self.settings.readers, self.facts.size // RANGE_BYTES)
        if parts < 2 or not self.facts.scans_ranges:
            return ["true"]
        starts = [self.facts.pages * part // parts for part in range(parts)]
        froms = ["true", *(f"ctid >= '({start},0)'" for start in starts[1:])]
        return [*(f"{a} and ctid < '({end},0)'" for a, end in zip(froms, starts[1:], strict=False)), froms[-1]]

    def repeated_key(self, counted: str) -> str:
        """Returns a key that several of the rows under a condition have."""
        key = quote(self.table.key)
        (example,) = one(
            self.cursor,
            f"select min({key}::text) from (select {key} from {self.relation} where {counted} group by {key}"
            f" having count({key}) > 1 limit 1) as repeated",
        )
        return str(example)

    def batches(
        self, stream: Stream, schema: pa.Schema, misfits: str, gone: pa.Array | None
    ) -> Iterator[pa.RecordBatch]:
        """Gives the rows in the table's schema, then a row for each key that is gone or whose row does not fit.

        A row that fitted once and does not any more must not stay as it was: its dead letter is what is true of it.

        Raises:
            PassingError: if the source breaks off.
            ExtractError: if a value does not fit its column.
        """
        rows = 0
        arriving = stream.batches()
        while True:
            try:
                batch = next(arriving)
            except StopIteration:
                break
            except (OSError, pa.ArrowException, AdbcError, PassingError) as error:
                if NO_UTF8 in str(error):  # the server itself finds it, and will the next time
                    raise ExtractError(
                        f"postgres.{self.table.name}: expected texts in UTF-8, got in a row after the first "
                        f"{rows:,}: {error}. The database keeps whatever bytes it is given (SQL_ASCII): mend those "
                        "texts there, they are among the rows where a text ~ '[^[:ascii:]]'. Nothing was loaded"
                    ) from error
                raise PassingError(
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
            yield self.marks(gone, schema)
        if misfits != "false" and not self.table.replaces:
            key = quote(self.table.key)
            self.cursor.execute(
                f"select {key} from {self.relation} where {self.unfit} and {misfits} and {key} is not null"
            )
            for batch in self.cursor.fetch_record_batch():
                yield self.marks(batch.column(0), schema)

    def marks(self, keys: pa.Array, schema: pa.Schema) -> pa.RecordBatch:
        """Returns a row for each key that says that the table has it no more."""
        columns = [
            keys.cast(field.type) if field.name == self.table.key else pa.nulls(len(keys), field.type)
            for field in schema
        ]
        return marked(pa.record_batch(columns, schema=schema), deleted=True)

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


def marked(batch: pa.RecordBatch, *, deleted: bool | None) -> pa.RecordBatch:
    """Returns the batch with the column that says whether its rows are deletions."""
    marks = pa.nulls(batch.num_rows, DELETED.type) if deleted is None else pa.repeat(deleted, batch.num_rows)
    return batch.append_column(DELETED, marks)
