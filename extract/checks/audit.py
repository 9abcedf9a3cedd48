"""Whether every row is accounted for: `python -m extract audit`, and at the end of every run.

    rows at the source = rows that raw shows          in the snapshot of the last run
    rows landed        = rows loaded                  of every load
    rows of raw        = rows of bronze               a row per key, without those that the source no longer has
    rows of bronze     = rows of silver + rejected

No value of raw is cut or rounded by bronze.
Each comparison is two counts and a query that shows what differs. A key that is one whole number is compared by its
fingerprint too, and any other key by the keys themselves, so that one key too few and another too many do not cancel
out. Dead letters count with raw. A table that existed and is gone does not agree either.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from extract.checks.narrowed import Types, is_real_of_a_double, read_types, select_narrowed
from extract.declarations import DELETED, Table
from extract.load.history import AUDIT_RESULTS, append_history
from extract.load.widening import DOUBLE
from extract.settings import Settings
from extract.sql import literal, quote
from extract.transform.lineage import Models
from extract.warehouse.fingerprint import fingerprint
from extract.warehouse.raw_tables import RawTable, read_raw_table
from extract.warehouse.targets import Warehouse

RUNS = "ops.extract_runs"
# What these read is a part, and the source may have gone on since the last run.
PARTIAL = "('backfill', 'plan', 'range', 'replay')"


@dataclass(frozen=True)
class Comparison:
    """Two counts of the same rows, and a query of the warehouse that shows which ones differ.

    `behind` is true if the second side only lacks loads that it has not processed yet.
    """

    table: str
    what: str
    expected: int
    found: int
    query: str
    same: bool = True  # False if they are not the same rows, whatever their number
    behind: bool = False

    @property
    def ok(self) -> bool:
        """True if the counts are equal, and of the same rows."""
        return self.expected == self.found and self.same


@dataclass(frozen=True)
class Load:
    """A completed load: what its run landed, and what raw has of it.

    A load whose run was killed before it could record it has no run: its rows exist, and the next run goes on.
    """

    table: str
    load_id: str
    loaded: int
    run_id: str | None
    mode: str | None
    landed: int | None

    @property
    def recorded(self) -> bool:
        """True if its run is known."""
        return self.run_id is not None

    @property
    def ok(self) -> bool:
        """True unless the counts differ."""
        return self.landed in (None, self.loaded)


@dataclass(frozen=True)
class LastRun:
    """The rows at the source in the last recorded run that counted them, and its load."""

    rows_source: int | None = None
    load_id: str | None = None


@dataclass(frozen=True)
class Side:
    """What is compared: queries of `n`, `total` and `mixed`, and the query that shows the difference.

    The last two are null if only the number is known. `differences` is a query whose `n` must be 0 as well; `newer`
    one of the rows that the second side has not processed yet.
    """

    what: str
    expected: str
    found: str
    query: str
    differences: str | None = None
    newer: str | None = None


def audit(tables: Sequence[Table], models: Mapping[str, Models], warehouse: Warehouse) -> list[Comparison]:
    """Returns the comparisons of every table that was ever loaded, as far as its models are built.

    `models` are by the full names of the tables.
    """
    existing = warehouse.tables()
    if ("ops", "extract_runs") not in existing:
        raw = any((table.dataset, table.name) in existing for table in tables)
        return [missing_relation(RUNS, "ops", "extract_runs")] if raw else []
    last_runs = read_last_runs(warehouse)
    comparisons: list[Comparison] = []
    schemas = {relation[0] for built in models.values() for relation in built.declared[:1]}
    types = read_types(sorted(schemas | {table.dataset for table in tables}), warehouse)
    for table in tables:
        exists = (table.dataset, table.name) in existing
        if not exists and table.full_name not in last_runs:
            continue  # it was never loaded
        built = models.get(table.full_name, Models())
        if any(one.bronze or one.silver for one in models.values()):
            comparisons += [
                missing_relation(table.full_name, *relation)
                for relation in built.declared
                if relation not in existing
            ]
        if exists:
            last = last_runs.get(table.full_name, LastRun())
            comparisons += compare(read_raw_table(table, warehouse), last, built, warehouse)
            comparisons += compare_values(table, built, types, warehouse)
        else:
            comparisons.append(missing_relation(table.full_name, table.dataset, table.name))
    return comparisons


def record_audit(comparisons: Sequence[Comparison], settings: Settings, warehouse: Warehouse) -> None:
    """Appends the comparisons to `ops.audit_results`.

    Raises:
        NotRecordedError: if they could not be appended.
    """
    now = datetime.now(UTC)
    rows = [
        {
            "audited_at": now,
            "table_name": one.table,
            "what": one.what,
            "expected": one.expected,
            "found": one.found,
            "agrees": one.ok,
        }
        for one in comparisons
    ]
    append_history(warehouse, AUDIT_RESULTS, settings, rows)


def read_last_runs(warehouse: Warehouse) -> dict[str, LastRun]:
    """Returns the last run of each table that has a record of a load, by the table's full name."""
    rows = warehouse.query(
        "select last.source, last.table_name, runs.rows_source, last.load_id"
        f" from (select source, table_name, max(case when mode not in {PARTIAL} then load_id end) as load_id"
        f" from {RUNS} where status <> 'failed' group by source, table_name) as last left join {RUNS} as runs"
        " on runs.source = last.source and runs.table_name = last.table_name and runs.load_id = last.load_id"
    )
    return {f"{source}.{name}": LastRun(rows_source, load_id) for source, name, rows_source, load_id in rows}


def missing_relation(table: str, schema: str, relation: str) -> Comparison:
    """Returns the comparison of a relation that must exist and does not."""
    query = f"select table_name from information_schema.tables where table_schema = {literal(schema)}"
    return Comparison(table, f"{schema}.{relation} exists", 1, 0, query)


def compare(raw: RawTable, last: LastRun, models: Models, warehouse: Warehouse) -> list[Comparison]:
    """Returns the comparisons of one table, all counted by one query."""
    sides = list(list_sides(raw, last, models, warehouse))
    # A count that two sides need is made once: grouping a large table by its key is most of the work.
    queries = list(
        dict.fromkeys(
            sql for side in sides for sql in (side.expected, side.found, side.differences, side.newer) if sql
        )
    )
    views = ", ".join(f"side_{number} as ({sql})" for number, sql in enumerate(queries))
    columns = ", ".join(f"side_{number}.{name}" for number in range(len(queries)) for name in ("n", "total", "mixed"))
    joined = " cross join ".join(f"side_{number}" for number in range(len(queries)))
    (row,) = warehouse.query(f"with {views} select {columns} from {joined}")
    numbers = [None if number is None else int(number) for number in row]
    counts = {sql: (numbers[3 * at] or 0, numbers[3 * at + 1 : 3 * at + 3]) for at, sql in enumerate(queries)}
    return [to_comparison(raw.table, side, counts) for side in sides]


def compare_values(
    table: Table, models: Models, types: Mapping[tuple[str, str], Types], warehouse: Warehouse
) -> Iterator[Comparison]:
    """Yields the rows of raw with a value that bronze does not keep, if bronze has a type that may not."""
    if not models.bronze:
        return
    bronze, raw = types.get(models.declared[0], {}), types.get((table.dataset, table.name), {})
    some = any(is_real_of_a_double(raw[name], bronze[name]) for name in raw.keys() & bronze.keys())
    query = select_narrowed(table.relation, raw, bronze, find_doubles(table, warehouse) if some else ())
    if query:
        ((rows,),) = warehouse.query(f"select count(*) from ({query}) as narrowed")
        yield Comparison(table.full_name, "values that bronze does not keep", 0, rows, query)


def find_doubles(table: Table, warehouse: Warehouse) -> set[str]:
    """Returns the columns that are a double precision at the source, and no real, as the last load recorded it."""
    schemas = warehouse.pipeline(table.dataset, table.name).schemas
    columns = schemas[table.name].get_table_columns(table.name) if table.name in schemas else {}
    return {n for n, words in columns.items() if words["data_type"] == "double" and words.get("precision") == DOUBLE}


def to_comparison(table: Table, side: Side, counts: Mapping[str, tuple[int, list[int | None]]]) -> Comparison:
    """Returns the comparison of a side, given the counts of each query."""
    (expected, left), (found, right) = counts[side.expected], counts[side.found]
    same = None in (*left, *right) or left == right
    if side.differences:
        same = same and counts[side.differences][0] == 0
    behind = bool(side.newer and counts[side.newer][0])
    return Comparison(table.full_name, side.what, expected, found, side.query, same and not behind, behind)


def list_sides(raw: RawTable, last: LastRun, models: Models, warehouse: Warehouse) -> Iterator[Side]:
    """Yields what is compared of one table."""
    then = raw_at(raw, last, warehouse)
    if then:
        at_source = count(f"select {last.rows_source}")
        yield Side("source = raw", at_source, count(then.rows_of_source), then.rows_of_source)
    loads = f"{select_loads(raw)} where rows_landed is not null"
    yield Side(
        "landed = loaded",
        f"select coalesce(sum(rows_landed), 0) as n, 0 as total, 0 as mixed from ({loads}) as loads",
        # A load with too many rows must not make up for one with too few.
        "select coalesce(sum(loaded), 0) as n, count(case when rows_landed <> loaded then 1 end) as total,"
        f" 0 as mixed from ({loads}) as loads",
        f"{loads} order by load_id",
    )
    if not models.bronze:
        return
    # A dead letter is not in bronze, where an earlier version of its row stays.
    raw = replace(raw, has_dead_letters=False)
    bronze = f"select {raw.key or '1 as row_count'} from {models.bronze}"
    newer = newer_than_bronze(raw, models.bronze)
    yield keys_side(
        raw, "raw = bronze", raw.keys_of_bronze, bronze, without_key=not is_whole(raw),
        newer=f"select {raw.key or '1'}, 2 from ({newer}) as newer",
    )  # fmt: skip
    if models.silver:
        rejected = f" union all select {raw.key or '1'} from {models.rejected}" if models.rejected else ""
        judged = f"select {raw.key or '1 as row_count'} from {models.silver}{rejected}"
        yield keys_side(raw, f"bronze = silver{' + rejected' if rejected else ''}", bronze, judged)


def keys_side(
    raw: RawTable, what: str, expected: str, found: str, *, without_key: bool = False, newer: str | None = None
) -> Side:
    """Returns the comparison of two queries of keys.

    `without_key` adds the rows without a key in the last load to the number of the first one.
    """
    more = f" + ({raw.rows_without_key})" if without_key else ""
    shown = unpaired(raw, expected, found)
    query = f"{shown} union all {newer}" if newer else shown
    newer = count(f"select count(*) from ({newer}) as newer") if newer else None
    if raw.has_whole_number_key:
        key = quote(raw.table.key[0])
        return Side(what, fingerprinted(expected, key, more), fingerprinted(found, key), query, newer=newer)
    differences = count(f"select count(*) from ({shown}) as differences") if raw.table.key else None
    left = count(f"select count(*){more} from ({expected}) as keys")
    right = count(f"select count(*) from ({found}) as keys")
    return Side(what, left, right, query, differences, newer)


def is_whole(raw: RawTable) -> bool:
    """Returns whether raw has what the source has now, instead of versions of each key."""
    return raw.table.replaces or raw.table.mode == "files"


def raw_at(raw: RawTable, last: LastRun, warehouse: Warehouse) -> RawTable | None:
    """Returns the raw table as it was after the last run, in which the rows of the source were counted.

    None if that is past: a later load without a record has replaced it.
    """
    ((newest,),) = warehouse.query(raw.last_load)
    if last.load_id is None or (newest and newest > last.load_id and is_whole(raw)):
        return None
    return raw if not newest or newest <= last.load_id else replace(raw, until=last.load_id)


def select_loads(raw: RawTable) -> str:
    """Returns a query of the loads whose rows are in raw, with what was landed and what is loaded.

    A load whose run was killed before it could be recorded has no run and nothing landed.
    """
    of_table = f"source = {literal(raw.table.source.name)} and table_name = {literal(raw.table.name)}"
    first = f"(select {'max' if raw.table.replaces else 'min'}(_dlt_load_id) from {raw.relation})"
    return (
        "select loads.load_id, run_id, mode, rows_landed, coalesce(counted.n, 0) as loaded"
        f" from (select load_id from {RUNS} where {of_table} and load_id >= {first}"
        f" union {raw.completed_loads} and load_id >= {first}) as loads"
        f" left join (select load_id, run_id, mode, rows_landed from {RUNS} where {of_table}) as runs"
        " on loads.load_id = runs.load_id"
        f" left join (select _dlt_load_id, count(*) as n from {raw.relation} group by _dlt_load_id) as counted"
        " on loads.load_id = counted._dlt_load_id"
    )


def last_loads(tables: Sequence[Table], warehouse: Warehouse, number: int = 10) -> list[Load]:
    """Returns the last loads of each table, the newest first."""
    existing = warehouse.tables()
    if ("ops", "extract_runs") not in existing:
        return []
    return [
        Load(table.full_name, load_id, int(rows), run_id, mode, landed)
        for table in tables
        if (table.dataset, table.name) in existing
        for load_id, run_id, mode, landed, rows in warehouse.query(
            f"{select_loads(read_raw_table(table, warehouse))} order by loads.load_id desc limit {number}"
        )
    ]


def newer_than_bronze(raw: RawTable, bronze: str) -> str:
    """Returns a query of the keys of completed loads that are newer than every row of bronze.

    A row of bronze does not count if its load has another id since (redate). A key that was deleted since does not
    count either: if bronze missed the deletion, it has a key too many. A table of files is not asked: its newest load
    may bring an older file.
    """
    key = raw.key or "1 as row_count"
    newest = f"select coalesce(max(_dlt_load_id), '') from {bronze} where {raw.is_completed}"
    newer = f"{raw.is_completed} and _dlt_load_id > ({newest})"
    rows = f"select {key} from {raw.relation} where {newer}"
    if raw.table.mode == "files":
        return f"{rows} and 1 = 0"
    if raw.table.replaces:
        return rows
    return (
        f"select {key} from ({raw.versions}) as versions where {newer} group by {raw.key} having max({DELETED}) = 0"
    )


def count(query: str) -> str:
    """Returns the query of a number as that of a side of which nothing else is known."""
    return f"select ({query}) as n, cast(null as bigint) as total, cast(null as bigint) as mixed"


def fingerprinted(keys: str, key: str, more: str = "") -> str:
    """Returns the query of the fingerprint of keys, in one scan of them; `more` is added to their number."""
    number, total, mixed = fingerprint(key)
    return f"select {number}{more} as n, {total} as total, {mixed} as mixed from ({keys}) as keys"


def unpaired(raw: RawTable, one: str, other: str) -> str:
    """Returns a query of the keys that are not once in each of two queries, with how often they occur."""
    key = raw.key or "row_count"
    having = "having count(*) <> 2" if raw.table.key else ""
    return f"select {key}, count(*) from ({one} union all {other}) as both_sides group by {key} {having}"
