"""What a Postgres database says of its tables and views."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from adbc_driver_manager.dbapi import Cursor

from extract.declarations import PostgresTable, Source
from extract.errors import ExtractError
from extract.scaffold.found import (
    FoundColumn,
    FoundTable,
    name_columns,
    normalized,
    quote_if_needed,
    renamed,
    text_type,
)
from extract.settings import PostgresSettings
from extract.sources.postgres.columns import SourceColumn
from extract.sources.postgres.session import session
from extract.sources.postgres.snapshot import read_columns
from extract.sql import literal

KINDS = {"r": "Table", "p": "Partitioned table", "v": "View", "m": "Materialized view", "f": "Foreign table"}
XMIN = ("r", "p", "m")  # kinds whose rows say which transaction wrote them

SAME = {
    "int2": "smallint", "int4": "integer", "int8": "bigint", "float8": "double precision", "bool": "boolean",
    "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz", "bytea": "varbinary",
}  # fmt: skip


@dataclass(frozen=True)
class Relation:
    """A table or view in the catalogue."""

    oid: int
    schema: str
    name: str
    kind: str
    comment: str
    is_populated: bool

    @property
    def sql(self) -> str:
        """Its name as a declaration writes it."""
        return f"{quote_if_needed(self.schema)}.{quote_if_needed(self.name)}"


def find_tables(
    source: Source, settings: PostgresSettings, patterns: Sequence[str]
) -> Iterator[tuple[str, FoundTable | ExtractError]]:
    """Yields each table that the patterns name, or why it cannot be read.

    A pattern is `venda`, `vendas.cliente` or `public.*`.

    Raises:
        ExtractError: if the database cannot be reached, or a pattern names no table.
    """
    with session(settings) as cursor:
        chosen: dict[int, Relation] = {}
        relations = read_relations(cursor)
        for pattern in patterns:
            chosen |= {relation.oid: relation for relation in choose(pattern, relations, settings)}
        names = name_tables([*chosen.values()])
        for relation, name in zip(chosen.values(), names, strict=True):
            try:
                yield relation.sql, read_table(cursor, relation, name, source, settings)
            except ExtractError as error:
                yield relation.sql, error


def read_relations(cursor: Cursor) -> list[Relation]:
    """Returns all tables and views but the system's, those of extensions, and single partitions."""
    cursor.execute(
        "select c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text,"
        " coalesce(obj_description(c.oid, 'pg_class'), ''), c.relispopulated"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        f" where c.relkind in ({', '.join(map(literal, KINDS))}) and not c.relispartition"
        " and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'"
        " and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid"
        " and d.deptype = 'e')"
        " order by n.nspname, c.relname"
    )
    return [Relation(*row) for row in cursor.fetchall()]


def choose(pattern: str, relations: Sequence[Relation], settings: PostgresSettings) -> list[Relation]:
    """Returns the relations that a pattern names.

    Raises:
        ExtractError: if it names none.
    """
    part = r'("(?:[^"]|"")+"|[^".]+)'
    found = re.fullmatch(rf"(?:{part}\.)?{part}", pattern.strip())
    if not found:
        raise ExtractError(f"{pattern}: expected a table such as venda, vendas.cliente or public.*")
    schema, name = found[1] or "public", found[2]
    chosen = [r for r in relations if matches(schema, r.schema) and matches(name, r.name)]
    if not chosen:
        near = [r.sql for r in relations if name.strip('"').lower() in (r.name.lower(), normalized(r.name))]
        known = near or sorted({f"{quote_if_needed(r.schema)}.*" for r in relations})
        raise ExtractError(
            f"{pattern}: no such table or view in database {settings.database}; "
            f"it has {', '.join(known) if known else 'none that this user can see'}"
        )
    return chosen


def matches(pattern: str, name: str) -> bool:
    """Returns whether a part of a pattern names this schema or table; a part in quotes is a name."""
    if pattern.startswith('"'):
        return pattern[1:-1].replace('""', '"') == name
    return fnmatchcase(name, pattern) or pattern == name


def name_tables(relations: Sequence[Relation]) -> list[str]:
    """Returns the name of each relation in raw: its own, after its schema's unless that is public."""
    names: list[str] = []
    for relation in relations:
        name = normalized(relation.name) or f"tabela_{relation.oid}"
        if relation.schema != "public":
            name = f"{normalized(relation.schema) or 'schema'}_{name}"
        copies = [taken for taken in names if taken == name or re.fullmatch(rf"{re.escape(name)}_\d+", taken)]
        names.append(f"{name}_{len(copies) + 1}" if name in names else name)
    return names


def read_table(
    cursor: Cursor, relation: Relation, name: str, source: Source, settings: PostgresSettings
) -> FoundTable:
    """Returns what the catalogue says of a table.

    Raises:
        ExtractError: if it cannot be read.
    """
    if not relation.is_populated:
        raise ExtractError(f"it has never been populated; refresh materialized view {relation.sql}, then add it")
    cursor.execute(
        "select a.attname::text, t.typname::text, case when d.typtype = 'd' then d.typtypmod else a.atttypmod end,"
        " a.attnotnull or d.typnotnull, coalesce(col_description(a.attrelid, a.attnum), ''),"
        " format_type(a.atttypid, a.atttypmod), exists (select from pg_index i where i.indrelid = a.attrelid"
        " and i.indkey[0] = a.attnum and i.indpred is null and i.indisvalid)"
        " from pg_attribute a"
        " join pg_type d on d.oid = a.atttypid"
        " join pg_type t on t.oid = case when d.typtype = 'd' then d.typbasetype else d.oid end"
        f" where a.attrelid = {relation.oid} and a.attnum > 0 and not a.attisdropped order by a.attnum"
    )
    rows = cursor.fetchall()
    names = name_columns([row[0] for row in rows])
    columns = []
    for column, kind, modifier, not_null, comment, written, is_indexed in rows:
        loaded = names[column]
        raw_type, data_type = column_types(SourceColumn(column, loaded, kind, modifier))
        origin = f"Column `{column}` ({written}{', not null' if not_null else ''}) of the source."
        columns.append(FoundColumn(loaded, raw_type, data_type, comment, origin, column, is_indexed=is_indexed))
    key = tuple(names[column] for column in read_key(cursor, relation))
    mode, reason = choose_mode(relation, key)
    rename = renamed(names)
    table = PostgresTable(
        name, mode, source, schema=relation.schema, relation_name=relation.name, rename=rename, key=key
    )
    read_columns(cursor, table, settings)  # says what the user may not read
    what = f"{KINDS[relation.kind]} {relation.sql}"
    place = (relation.schema, relation.name)
    return FoundTable(name, what, relation.comment, columns, key, mode, reason, rename, place)


def read_key(cursor: Cursor, relation: Relation) -> list[str]:
    """Returns the columns of the primary key, else of the smallest unique index that every row is in; else none."""
    cursor.execute(
        "select array_to_string(array(select a.attname::text from unnest(i.indkey[0:i.indnkeyatts - 1])"
        " with ordinality as k(attnum, n) join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum"
        " order by k.n), chr(1))"
        f" from pg_index i where i.indrelid = {relation.oid} and i.indisunique and i.indisvalid and i.indpred is null"
        " and not exists (select from unnest(i.indkey[0:i.indnkeyatts - 1]) as k(attnum)"
        " left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum"
        " where a.attnotnull is not true)"
        " order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1"
    )
    row = cursor.fetchone()
    return str(row[0]).split("\x01") if row else []


def choose_mode(relation: Relation, key: Sequence[str]) -> tuple[str, str]:
    """Returns how a table is best read, and why."""
    if relation.kind not in XMIN:
        return (
            "full",
            f"A {KINDS[relation.kind].lower()} does not say when a row was written: each run reads it whole.",
        )
    if not key:
        return (
            "full",
            "It has no key, neither a primary key nor a unique index without nulls: each run reads it whole.",
        )
    return "xmin", "Each run reads the rows that were written since the last one, whatever wrote them."


def column_types(column: SourceColumn) -> tuple[str, str]:
    """Returns the types of a column in raw, and in bronze and silver."""
    if column.kind in SAME:
        return SAME[column.kind], SAME[column.kind]
    if column.kind == "float4":
        return "real", "real"
    if column.decimal:
        decimal = f"numeric({column.decimal.precision}, {column.decimal.scale})"
        return decimal, decimal
    # Bronze's is not shorter than raw's: Redshift would cut what does not fit, without an error.
    return text_type(column.length), text_type(column.length)
