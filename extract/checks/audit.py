"""Whether every row is accounted for: `python -m extract audit`, and at the end of every run.

    rows at the source = rows that raw tells of       in the snapshot of the last run
    rows landed        = rows loaded                  of every load
    rows of raw        = rows of bronze               a row per key, without those that the source has no more
    rows of bronze     = rows of silver + rejected

Each comparison is two counts and a query that shows what differs. Where the key is a whole number it is two sums as
well, so that one key too few and another too many do not pass for none. What was set aside because it does not fit is
counted with raw: its table of dead letters is a place too. A table that was there and is gone does not agree either.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from extract.reading import Table
from extract.transform.build import Models, target_folder
from extract.warehouse.raw_tables import RawTable, raw_table
from extract.warehouse.targets import Warehouse

# Of two sets of keys with the same number, sum and sum of squares neither has one key or two that the other has not.
# The remainder keeps the square of a bigint within 64 bits; it changes no key below two thousand million.
PRIME = 2_147_483_647
WHOLE_NUMBERS = ("smallint", "integer", "bigint")

RUNS = "ops.extract_runs"
# What these read is a part, and the source may have gone on since the last run.
PARTIAL = "('backfill', 'plan', 'range', 'replay')"

Relations = Collection[tuple[str, str]]


@dataclass(frozen=True)
class Comparison:
    """Two counts of the same rows, and a query of the warehouse that shows which ones differ."""

    table: str
    what: str
    expected: int
    found: int
    query: str
    same: bool = True  # False where it is not the same rows, however many

    @property
    def ok(self) -> bool:
        """True where the counts are the same, and of the same rows."""
        return self.expected == self.found and self.same


@dataclass(frozen=True)
class Load:
    """A completed load: what its run says it landed and what raw has of it.

    Where its run was killed before it could record it, it has none: its rows are there, and the next run goes on.
    """

    table: str
    load_id: str
    loaded: int
    run_id: str | None
    mode: str | None
    landed: int | None

    @property
    def recorded(self) -> bool:
        """True where its run is known."""
        return self.run_id is not None

    @property
    def ok(self) -> bool:
        """True unless a count differs."""
        return self.landed in (None, self.loaded)


@dataclass(frozen=True)
class LastRun:
    """The rows at the source in the last recorded run that counted them, and its load."""

    rows_source: int | None = None
    load_id: str | None = None


@dataclass(frozen=True)
class RawUntil(RawTable):
    """A raw table as it was after one of its loads."""

    until: str = ""

    @property
    def completed_loads(self) -> str:
        """A query of the ids of its completed loads until then."""
        return f"{super().completed_loads} and load_id <= '{self.until}'"


@dataclass(frozen=True)
class Side:
    """What is compared: two queries of `n`, `total` and `squares`, and the query that shows the difference.

    The last two are null where only the number is known. `none` is a query of something that has to be 0 as well.
    """

    what: str
    expected: str
    found: str
    query: str
    none: str | None = None


def audit(tables: Sequence[Table], models: Mapping[str, Models], warehouse: Warehouse) -> list[Comparison]:
    """Returns the comparisons of every table that was ever loaded, as far as there are models of it."""
    existing = warehouse.tables()
    if ("ops", "extract_runs") not in existing:
        raw = any((table.dataset, table.name) in existing for table in tables)
        return [absent(RUNS, "ops", "extract_runs")] if raw else []
    last_runs = recorded(warehouse)
    comparisons: list[Comparison] = []
    for table in tables:
        name, dataset = table.full_name, table.dataset
        is_there = (dataset, table.name) in existing
        if not is_there and name not in last_runs:
            continue  # it was never loaded
        if any(layer for one in models.values() for layer in (one.bronze, one.silver)):
            comparisons += [absent(name, *relation) for relation in modelled(table.name) if relation not in existing]
        if is_there:
            last = last_runs.get(name, LastRun())
            comparisons += compare(raw_table(table, warehouse), last, models.get(table.name, Models()), warehouse)
        else:
            comparisons.append(absent(name, dataset, table.name))
    return comparisons


def recorded(warehouse: Warehouse) -> dict[str, LastRun]:
    """Returns the last run of each table that has a record of a load."""
    rows = warehouse.query(
        "select last.source, last.table_name, runs.rows_source, last.load_id"
        f" from (select source, table_name, max(case when mode not in {PARTIAL} then load_id end) as load_id"
        f" from {RUNS} where status <> 'failed' group by source, table_name) as last left join {RUNS} as runs"
        " on runs.source = last.source and runs.table_name = last.table_name and runs.load_id = last.load_id"
    )
    return {f"{source}.{name}": LastRun(rows_source, load_id) for source, name, rows_source, load_id in rows}


def modelled(table: str) -> Iterator[tuple[str, str]]:
    """Gives schema and name of each relation that the project, as dbt parsed it last, makes of a table."""
    manifest = json.loads((target_folder() / "manifest.json").read_text())
    names = (f"bronze_{table}", f"silver_{table}", f"silver_{table}_rejeitada")
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["name"] in names:
            yield node["schema"], node["alias"]


def absent(table: str, schema: str, relation: str) -> Comparison:
    """Returns the comparison of a relation that has to be there and is not."""
    query = f"select table_name from information_schema.tables where table_schema = '{schema}'"
    return Comparison(table, f"{schema}.{relation} is there", 1, 0, query)


def compare(raw: RawTable, last: LastRun, models: Models, warehouse: Warehouse) -> list[Comparison]:
    """Returns the comparisons of one table, all counted by one query."""
    sides = list(sides_of(raw, last, models, warehouse))
    # What two of them ask for is asked once: to tell a large table's keys apart is most of the work.
    asked = list(dict.fromkeys(sql for side in sides for sql in (side.expected, side.found, side.none) if sql))
    views = ", ".join(f"side_{number} as ({sql})" for number, sql in enumerate(asked))
    columns = ", ".join(f"side_{number}.{name}" for number in range(len(asked)) for name in ("n", "total", "squares"))
    joined = " cross join ".join(f"side_{number}" for number in range(len(asked)))
    (row,) = warehouse.query(f"with {views} select {columns} from {joined}")
    numbers = [None if number is None else int(number) for number in row]
    answers = {sql: (numbers[3 * at] or 0, numbers[3 * at + 1 : 3 * at + 3]) for at, sql in enumerate(asked)}
    comparisons = []
    for side in sides:
        (expected, theirs), (found, ours) = answers[side.expected], answers[side.found]
        same = None in (*theirs, *ours) or theirs == ours
        if side.none:
            same = same and answers[side.none][0] == 0
        name = raw.table.full_name
        comparisons.append(Comparison(name, side.what, expected, found, side.query, same))
    return comparisons


def sides_of(raw: RawTable, last: LastRun, models: Models, warehouse: Warehouse) -> Iterator[Side]:
    """Gives what is to be compared of one table."""
    key = raw.key
    then = as_of(raw, last, warehouse)
    if then:
        # To tell the keys apart costs a hash of all: it is done where bronze is compared with them anyway.
        told = keys_of(then) if models.bronze and not is_whole(raw) else count(then.rows_of_source)
        yield Side("source = raw", count(f"select {last.rows_source}"), told, then.rows_of_source)
    loads = f"{loads_of(raw)} where rows_landed is not null"
    yield Side(
        "landed = loaded",
        f"select coalesce(sum(rows_landed), 0) as n, 0 as total, 0 as squares from ({loads}) as loads",
        # No load may have too many rows for another that has too few.
        "select coalesce(sum(loaded), 0) as n, count(case when rows_landed <> loaded then 1 end) as total,"
        f" 0 as squares from ({loads}) as loads",
        f"{loads} order by load_id",
    )
    if not models.bronze:
        return
    # A dead letter is not in bronze, and what is in bronze of an earlier version of it stays.
    raw = replace(raw, has_dead_letters=False)
    bronze = f"select {key} from {models.bronze}"
    newer = newer_than_bronze(raw, models.bronze)
    yield Side(
        "raw = bronze",
        keys_of(raw),
        fingerprint(raw, bronze),
        f"{unpaired(key, bronze, f'({raw.keys_of_bronze})')} union all select {key}, 2 from ({newer}) as newer",
        none=count(f"select count(*) from ({newer}) as newer"),
    )
    if models.silver:
        rejected = f" union all select {key} from {models.rejected}" if models.rejected else ""
        judged = f"select {key} from {models.silver}{rejected}"
        yield Side(
            f"bronze = silver{' + rejected' if rejected else ''}",
            fingerprint(raw, bronze),
            fingerprint(raw, judged),
            unpaired(key, bronze, judged),
        )


def is_whole(raw: RawTable) -> bool:
    """Returns whether raw has what the source has now, and not what the loads tell of each key."""
    return raw.table.replaces or raw.table.mode == "files"


def as_of(raw: RawTable, last: LastRun, warehouse: Warehouse) -> RawTable | None:
    """Returns the raw table as it was after its last run, for what the source had is known for then.

    None where that is past: what a later load without a record has replaced.
    """
    ((newest,),) = warehouse.query(raw.last_load)
    if last.load_id is None or (newest and newest > last.load_id and is_whole(raw)):
        return None
    if not newest or newest <= last.load_id:
        return raw
    return RawUntil(raw.table, raw.has_dead_letters, raw.key_type, until=last.load_id)


def loads_of(raw: RawTable) -> str:
    """Returns a query of the loads whose rows are in raw, with what was landed and what is loaded.

    A load whose run was killed before it could be recorded has no run and nothing landed.
    """
    of_table = f"source = '{raw.table.source}' and table_name = '{raw.table.name}'"
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
            f"{loads_of(raw_table(table, warehouse))} order by loads.load_id desc limit {number}"
        )
    ]


def newer_than_bronze(raw: RawTable, bronze: str) -> str:
    """Returns a query of the keys of completed loads that are newer than every row of bronze.

    A key that was deleted since is none: where bronze missed the deletion, it has a key too many. A table that is
    read by files is not asked: its newest load may bring an older file.
    """
    key = raw.key
    newer = (
        f"{key} is not null and _dlt_load_id in ({raw.completed_loads})"
        f" and _dlt_load_id > (select coalesce(max(_dlt_load_id), '') from {bronze})"
    )
    if raw.table.mode == "files":
        newer += " and 1 = 0"
    elif not raw.table.replaces:
        deleted = f"select {key} from {raw.relation} where {newer} and _deleted"
        newer += f" and _deleted is null and {key} not in ({deleted})"
    return f"select {key} from {raw.relation} where {newer}"


def count(query: str) -> str:
    """Returns the query of a number as that of one side, of which nothing else is known."""
    return f"select ({query}) as n, cast(null as bigint) as total, cast(null as bigint) as squares"


def keys_of(raw: RawTable) -> str:
    """Returns the query of the keys that raw tells of; rows without one are counted only."""
    if is_whole(raw):
        return fingerprint(raw, raw.keys_of_bronze, "key")
    return fingerprint(raw, raw.current_keys, "key", f" + ({raw.rows_without_key})")


def fingerprint(raw: RawTable, keys: str, key: str = "", more: str = "") -> str:
    """Returns the query of the number of keys, their sum and that of their squares, in one scan of them."""
    key = key or raw.key
    kind = raw.key_type.lower()
    if kind not in WHOLE_NUMBERS:
        return count(f"select count(*){more} from ({keys}) as keys")
    number = f"cast({key} as bigint)"
    short = f"mod({number}, {PRIME})" if kind == "bigint" else number
    return (
        f"select count(*){more} as n, coalesce(sum({number}), 0) as total,"
        f" coalesce(sum({short} * {short}), 0) as squares from ({keys}) as keys"
    )


def unpaired(key: str, one: str, other: str) -> str:
    """Returns a query of the keys that are not once in each of two queries, with how often they are there."""
    both = f"{one} union all {other}"
    return f"select {key}, count(*) from ({both}) as both_sides group by {key} having count(*) <> 2"
