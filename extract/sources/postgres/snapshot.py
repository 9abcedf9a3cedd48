"""One consistent view of a PostgreSQL table, and its rows as a reading.

The session that has the snapshot counts rows and looks for dead letters, while others under the same snapshot read
the rows (stream.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from adbc_driver_manager.dbapi import Cursor
from adbc_driver_manager.dbapi import Error as AdbcError

from extract.declarations import DELETED, RESERVED, PostgresTable
from extract.errors import ExtractError, PassingError
from extract.names import normalize
from extract.reading import DEAD_LETTER, Limits, Reading, State, letter_key
from extract.settings import PostgresSettings, Settings
from extract.sources.postgres.columns import SourceColumn, convert
from extract.sources.postgres.locks import explain_locks
from extract.sources.postgres.session import one, session
from extract.sources.postgres.stream import Stream
from extract.sql import literal, quote
from extract.types import arrow_type

# In the modes that append, a deletion is a row too: its key, and true here.
DELETED_FIELD = pa.field(DELETED, pa.bool_())

NOT_UTF8 = 'invalid byte sequence for encoding "UTF8"'

RANGE_BYTES = 64 << 20  # of a table at least, for a session of its own to read it


@contextmanager
def open_snapshot(table: PostgresTable, settings: Settings, limits: Limits) -> Iterator["Snapshot"]:
    """Opens one consistent view of a table.

    Raises:
        ExtractError: if the database cannot be reached or refuses the user, or the table or a column that the
            declaration names does not exist.
        PassingError: if others lock the table.
    """
    connection = settings.of(table.source, PostgresSettings)
    with explain_locks(table, connection), session(connection) as cursor, ExitStack() as closing:
        columns = read_columns(cursor, table, connection)
        yield Snapshot(table, connection, cursor, read_facts(cursor, table, columns), columns, limits, closing)


def read_columns(cursor: Cursor, table: PostgresTable, settings: PostgresSettings) -> list[SourceColumn]:
    """Returns the columns of a table that are read, in its order; one of a domain has the type below it.

    Raises:
        ExtractError: if the table does not exist or may not be read, lacks a column that the declaration names, or
            has two columns that get the same name.
    """
    where = f"{table.full_name}: {table.source_relation} in database {settings.database}"
    cursor.execute(
        "select a.attname, t.typname, case when d.typtype = 'd' then d.typtypmod else a.atttypmod end,"
        " has_column_privilege(c.oid, a.attnum, 'select'), has_schema_privilege(n.oid, 'usage')"
        " from pg_class c"
        " join pg_namespace n on n.oid = c.relnamespace"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " join pg_type d on d.oid = a.atttypid"
        " join pg_type t on t.oid = case when d.typtype = 'd' then d.typbasetype else d.oid end"
        f" where n.nspname = {literal(table.schema)} and c.relname = {literal(table.relation_name or table.name)}"
        " and c.relkind in ('r', 'p', 'v', 'm', 'f')"
        " order by a.attnum"
    )
    rows = cursor.fetchall()
    if not rows:
        raise ExtractError(
            f"{where}: no such table; check its relation in the declaration and {table.source.settings}_DATABASE"
        )
    if not rows[0][4]:
        raise ExtractError(
            f"{where}: user {settings.user} may not use the schema; "
            f"grant usage on schema {quote(table.schema)} to {quote(settings.user)}"
        )
    names = [row[0] for row in rows]
    if unknown := [name for name in (*table.exclude, *table.rename) if name not in names]:
        raise ExtractError(f"{where}: columns: no column {unknown[0]}; the table has {', '.join(names)}")
    read = [row for row in rows if row[0] not in table.exclude]
    if forbidden := [name for name, _, _, may_select, _ in read if not may_select]:
        raise ExtractError(
            f"{where}: user {settings.user} may not read {', '.join(forbidden)}; grant select on "
            f"{table.source_relation} to {quote(settings.user)}, or exclude these columns in the declaration"
        )
    columns = [
        SourceColumn(name, loaded_name(name, table, where), kind, modifier) for name, kind, modifier, _, _ in read
    ]
    check_names(columns, table, where)
    return columns


def loaded_name(name: str, table: PostgresTable, where: str) -> str:
    """Returns the name in raw of a column at the source.

    Raises:
        ExtractError: if it cannot have one.
    """
    try:
        return table.rename.get(name) or normalize(name)
    except ValueError as error:
        raise ExtractError(f"{where}: column {name!r}: {error}; rename it: columns: {{rename: …}}") from error


def check_names(columns: Sequence[SourceColumn], table: PostgresTable, where: str) -> None:
    """Checks that each column has a name of its own, and that those of the declaration exist.

    Raises:
        ExtractError: naming the columns.
    """
    by_name: dict[str, str] = {}
    for column in columns:
        if column.loaded in RESERVED:
            raise ExtractError(
                f"{where}: column {column.name}: the loaders need the name {column.loaded}; rename it: "
                f"columns: {{rename: {{{column.name}: …}}}}"
            )
        if (other := by_name.setdefault(column.loaded, column.name)) != column.name:
            raise ExtractError(
                f"{where}: columns {other!r} and {column.name!r} would both be {column.loaded} in raw; rename one: "
                f"columns: {{rename: {{{column.name}: …}}}}"
            )
    needed = [*(("key", name) for name in table.key), ("cursor", table.cursor), ("date", table.date)]
    for role, name in needed:
        if name and name not in by_name:
            raise ExtractError(
                f"{where}: its {role} column {name} is missing; it has {', '.join(by_name)}. Nothing was loaded"
            )


@dataclass(frozen=True)
class Facts:
    """What a source's catalogue says of a table and of the database it is in."""

    kind: str  # pg_class.relkind
    size: int  # bytes
    pages: int
    scans_ranges: bool  # whether a range of row places is read without the rest of the table
    key_is_unique: bool  # whether an index says so
    history: Mapping[str, Any]  # what must stay the same for the transaction ids on rows to show what is new


def read_facts(cursor: Cursor, table: PostgresTable, columns: Sequence[SourceColumn]) -> Facts:
    """Returns the facts of a table that exists.

    https://www.postgresql.org/docs/current/catalogs.html
    """
    relation = literal(table.source_relation)
    key = ", ".join(literal(column.name) for column in columns if column.loaded in table.key)
    kind, size, pages, scans_ranges, key_is_unique = one(
        cursor,
        "select c.relkind::text, s.size, s.size / current_setting('block_size')::bigint,"
        " c.relkind in ('r', 'm') and current_setting('server_version_num')::integer >= 140000,"
        # Unique already by some columns of the key is unique by all of them. An expression has number 0: no column.
        " exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid"
        " and i.indpred is null and not exists (select from unnest(i.indkey[0:i.indnkeyatts - 1]) as k(attnum)"
        " left join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum"
        f" where a.attname is null or a.attname not in ({key or 'null'})))"
        " from pg_class c cross join lateral"
        " (select case when c.relkind in ('r', 'm') then pg_relation_size(c.oid) else 0 end as size) as s"
        f" where c.oid = {relation}::regclass",
    )
    return Facts(kind, size, pages, scans_ranges, key_is_unique and bool(key), read_history(cursor, relation))


def read_history(cursor: Cursor, relation: str) -> dict[str, Any]:
    """Returns what must stay the same for the transaction ids on a relation's rows to show what is new.

    After a failover or a restored backup the same id may occur twice; the system identifier or the timeline differs
    then. An attached partition and a table that takes the name of another change the relations. Columns whose values
    no transaction wrote into the rows (a default added with the column, a generated value) are listed too.
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
            # A replica follows its primary to another timeline before its own checkpoint says so. Only those who may
            # read all statistics see what it receives.
            "select format('system %s, timeline %s', (select system_identifier from pg_control_system()),"
            " greatest((select timeline_id from pg_control_checkpoint()),"
            " (select max(received_tli) from pg_stat_wal_receiver)))",
        )
    return found


@dataclass(frozen=True)
class Snapshot:
    """One consistent view of a table at the source; `closing` ends what reads it."""

    table: PostgresTable
    settings: PostgresSettings
    cursor: Cursor
    facts: Facts
    columns: list[SourceColumn]
    limits: Limits
    closing: ExitStack

    @property
    def scope(self) -> str:
        """The condition on the rows that belong to the table: the filter of its declaration."""
        return f"({self.table.filter})" if self.table.filter else "true"

    @property
    def from_rows(self) -> str:
        """The FROM clause of its rows, to which conditions can be added with AND."""
        return f"from {self.table.source_relation} where {self.scope}"

    def find(self, loaded: str) -> SourceColumn:
        """Returns the column with this name in raw."""
        return next(column for column in self.columns if column.loaded == loaded)

    @property
    def key(self) -> list[SourceColumn]:
        """The columns of the key."""
        return [self.find(name) for name in self.table.key]

    @property
    def has_key(self) -> str:
        """The condition under which a row has a whole key that can be loaded."""
        conditions = [f"{column.sql} is not null" for column in self.key]
        conditions += [f"{fault} is not true" for column in self.key for fault, _ in column.faults(self.limits)]
        return f"({' and '.join(conditions) or 'false'})"

    @property
    def faults(self) -> list[tuple[str, str]]:
        """The conditions under which a row is a dead letter, each with what is expected instead."""
        return [fault for column in self.columns for fault in column.faults(self.limits)]

    @property
    def is_dead_letter(self) -> str:
        """The condition under which a row is a dead letter: false or null for every other row."""
        return f"({' or '.join(condition for condition, _ in self.faults) or 'false'})"

    @property
    def is_loadable(self) -> str:
        """The condition under which a row is no dead letter."""
        return f"{self.is_dead_letter} is not true" if self.faults else "true"

    def read_schema(self) -> pa.Schema:
        """Returns the columns in Arrow's types."""
        selected = ", ".join(column.expression for column in self.columns)
        self.cursor.execute(f"select {selected} {self.from_rows} and false")
        with self.cursor.fetch_record_batch() as none:
            return pa.schema([column.field(none.schema) for column in self.columns])

    def reading(
        self,
        condition: str,
        state: State,
        watermark: str | None,
        gone: pa.Table | None = None,
        counted: str = "true",
    ) -> Reading:
        """Returns a reading of the rows under a condition, and of the keys that are `gone` from the source.

        Other sessions read the rows while this one counts: all of the table, or those under the condition `counted`.
        """
        schema = self.read_schema()
        (exported,) = one(self.cursor, "select pg_export_snapshot()")
        rows = f"select {', '.join(column.expression for column in self.columns)} {self.from_rows}"
        stream = Stream(
            self.table.full_name,
            [f"{rows} and {part} and {condition} and {self.is_loadable}" for part in self.parts()],
            lambda: session(self.settings, exported),
        )
        self.closing.callback(stream.close)
        # Dead letters are few, so they are looked for first: the condition costs more.
        rows_source, rows_dead_letter, rows_repeated = one(
            self.cursor,
            f"select count(*), count(*) filter (where {self.is_dead_letter} and {condition}), {self.repeated_rows}"
            f" {self.from_rows} and {counted}",
        )
        return Reading(
            schema=schema if self.table.replaces else schema.append(DELETED_FIELD),
            batches=self.batches(stream, schema, condition if rows_dead_letter else "false", gone),
            rows_source=rows_source,
            rows_repeated=rows_repeated,
            state=state,
            watermark=watermark,
            text_lengths={column.loaded: column.length for column in self.columns if column.length},
            reals=frozenset(column.loaded for column in self.columns if column.kind == "float4"),
            notes=tuple(self.notes(rows_dead_letter, rows_repeated, counted)),
            rows_dead_letter=rows_dead_letter,
            dead_letters=self.dead_letters(condition, schema) if rows_dead_letter else iter(()),
            rows_deleted=0 if gone is None else gone.num_rows,
            declared=pa.schema([(column.name, arrow_type(column.data_type)) for column in self.table.columns])
            or None,
            takes_new_columns=self.table.new_columns == "take",
        )

    def notes(self, rows_dead_letter: int, rows_repeated: int, counted: str) -> Iterator[str]:
        """Yields what a person has to know of rows that are not loaded."""
        if rows_dead_letter:
            yield (
                f"{self.table.full_name}: {rows_dead_letter:,} rows have values that the warehouse cannot hold; "
                f"{self.table.dataset}.{self.table.dead_letters} has each with its reason. A row that is changed at "
                "the source is loaded by the next run"
            )
        if rows_repeated:
            yield (
                f"{self.table.full_name}: {rows_repeated:,} rows have the key of another row, such as "
                f"{', '.join(self.table.key)} = {self.repeated_key(counted)}; one row of each key is kept. Make the "
                "key unique at the source, best by a unique index, or declare another key"
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

    @property
    def repeated_rows(self) -> str:
        """The number of rows whose key another row has too, as an aggregate."""
        if self.facts.key_is_unique or not self.table.key:
            return "0"
        key = ", ".join(column.sql for column in self.key)
        return f"count(*) filter (where {self.has_key}) - count(distinct ({key})) filter (where {self.has_key})"

    def repeated_key(self, counted: str) -> str:
        """Returns a key that several of the rows under a condition have."""
        key = ", ".join(column.sql for column in self.key)
        (example,) = one(
            self.cursor,
            f"select min({key_text(self.key)}) from (select {key} {self.from_rows} and {counted} and {self.has_key}"
            f" group by {key} having count(*) > 1 limit 1) as repeated",
        )
        return str(example)

    def batches(
        self, stream: Stream, schema: pa.Schema, dead_letters: str, gone: pa.Table | None
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows in the table's schema, then a row for each key that is gone or that is now a dead letter.

        A row that was loaded once and is a dead letter now must not stay as it was.

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
                if NOT_UTF8 in str(error):  # the server itself finds it, and will the next time
                    raise ExtractError(
                        f"{self.table.full_name}: expected texts in UTF-8, got in a row after the first "
                        f"{rows:,}: {error}. The database keeps whatever bytes it is given (SQL_ASCII): correct "
                        "those texts there, they are among the rows where a text ~ '[^[:ascii:]]'. Nothing was loaded"
                    ) from error
                raise PassingError(
                    f"{self.table.full_name}: the source broke off after {rows:,} rows: {error}. "
                    "Nothing was loaded; run again"
                ) from error
            try:
                arrays = [convert(batch[field.name], field) for field in schema]
            except ValueError as error:
                raise ExtractError(
                    f"{self.table.full_name}: between rows {rows:,} and {rows + batch.num_rows:,}: {error}. "
                    "Nothing was loaded"
                ) from error
            rows += batch.num_rows
            converted = pa.record_batch(arrays, schema=schema)
            yield converted if self.table.replaces else mark(converted, deleted=None)
        for keys in gone.to_batches() if gone is not None else ():
            yield deletions(keys, schema)
        if dead_letters != "false" and not self.table.replaces:
            key = ", ".join(column.expression for column in self.key)
            self.cursor.execute(
                f"select {key} {self.from_rows} and {self.is_dead_letter} and {dead_letters} and {self.has_key}"
            )
            for keys in self.cursor.fetch_record_batch():
                yield deletions(keys, schema)

    def dead_letters(self, condition: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yields the dead letters under a condition, with the row as the source writes it in JSON.

        Where the warehouse cannot hold a text as long as such a row may be, its long values are cut and say how long
        they were; the key finds the row at the source.
        """
        alias = quote("the row")
        fields = ", ".join(f"{column.in_json} as {quote(column.name)}" for column in self.columns)
        row = f"(select to_jsonb({alias}) from (select {fields}) as {alias})"
        if self.limits.text:
            row = (
                "(select jsonb_object_agg(e.key, case when octet_length(e.value::text) > 1000 then to_jsonb("
                "left(e.value::text, 200) || '… (' || octet_length(e.value::text) || ' bytes)') else e.value end)"
                f" from jsonb_each({row}) as e)"
            )
        reasons = ", ".join(f"case when {fault} then {literal(expected)} end" for fault, expected in self.faults)
        values = [f"case when {self.has_key} then {column.value} end" for column in self.key]
        values += [
            f"left({key_text(self.key)}, 250)" if self.key else "null::text",
            f"{row}::text", f"left(concat_ws('; ', {reasons}), 500)",
        ]  # fmt: skip
        self.cursor.execute(
            f"select {', '.join(values)} from {self.table.source_relation}"
            f" where {self.scope} and {self.is_dead_letter} and {condition}"
        )
        keys = [schema.field(column.loaded).with_name(letter_key(n)) for n, column in enumerate(self.key)]
        letters = pa.schema([*keys, *DEAD_LETTER])
        for batch in self.cursor.fetch_record_batch():
            columns = [convert(batch.column(n), letters.field(n)) for n in range(len(letters))]
            yield pa.record_batch(columns, schema=letters)


def key_text(key: Sequence[SourceColumn]) -> str:
    """Returns the SQL of a key's values for people: the value, or those of several columns with commas between."""
    if len(key) == 1:
        return f"{key[0].sql}::text"
    return f"concat_ws(', ', {', '.join(f'{column.sql}::text' for column in key)})"


def deletions(keys: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Returns rows of the table's schema that say that the source no longer has these keys."""
    columns = [
        convert(keys[field.name], field) if field.name in keys.schema.names else pa.nulls(keys.num_rows, field.type)
        for field in schema
    ]
    return mark(pa.record_batch(columns, schema=schema), deleted=True)


def mark(batch: pa.RecordBatch, *, deleted: bool | None) -> pa.RecordBatch:
    """Returns the batch with the column that says whether its rows are deletions."""
    marks = pa.nulls(batch.num_rows, pa.bool_()) if deleted is None else pa.repeat(deleted, batch.num_rows)
    return batch.append_column(DELETED_FIELD, marks)
