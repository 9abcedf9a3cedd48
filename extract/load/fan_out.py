"""A first load of a very large table by many tasks at once: each reads a range of its keys.

    plan: bounds of the ranges, and the oldest transaction that may be under way   → a load with no rows, its state
    range 1 … range n: the keys between two bounds, each in a snapshot of its own  → a load each, held back
    run: lets the ranges' loads be read, and reads what was written since the plan → the table goes on as ever

    python -m extract plan --source postgres --table venda --ranges 16
    python -m extract range --source postgres --table venda --number 1
    python -m extract run --source postgres

A row that was there at the plan is read by the range of its key. What is written later, wherever its key goes, bears
the id of a transaction that was not over at the plan, and the run reads it. What is deleted meanwhile the run finds
by its count. So the snapshots need have nothing in common.

Loads that overlap in time may be completed in another order than that of their ids, and models read only loads that
are newer than what they hold. So the ranges' loads are held back until all of them are there.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any
from uuid import uuid4

import pyarrow as pa

from extract.errors import ExtractError
from extract.reading import DEAD_LETTER, Limits, Reading, State, Table
from extract.settings import Settings
from extract.sources.postgres.session import one, transaction_bounds
from extract.sources.postgres.snapshot import Snapshot
from extract.sources.postgres.table import FurtherRead, PostgresTable, why_ids_do_not_tell
from extract.sql import literal, quote
from extract.warehouse.targets import Warehouse

log = logging.getLogger("extract")

SAMPLE_BYTES = 32 << 20  # of a table, for the bounds: a row takes 28 of them or more, so about a million rows at most

COMPLETED, HELD = 0, 2  # a load's status in _dlt_loads; dlt knows the first, and nobody reads a load of another


@dataclass(frozen=True)
class Plan:
    """How a table's keys are divided, and since when the run that closes the plan has to read what was written.

    Neighbouring ranges meet at the `bounds`, the keys as text; a bound belongs to the range above it. Bounds may be
    the same, or too few, as those of an empty table: ranges without a place between two have no rows.
    """

    id: str
    since: int
    history: Mapping[str, Any]
    ranges: int
    bounds: tuple[str, ...]
    columns: tuple[str, ...]  # that the raw table has: tasks that run at once must not add any

    def condition(self, key: str, number: int) -> str:
        """Returns the condition on the key of the rows of a range, which are numbered from 1.

        A bound has no type of its own in it, so PostgreSQL takes it for one of the key's.
        """
        if number > len(self.bounds) + 1:
            return "false"
        column = quote(key)
        first = f"{column} >= {literal(self.bounds[number - 2])}" if number > 1 else f"{column} is not null"
        end = f" and {column} < {literal(self.bounds[number - 1])}" if number <= len(self.bounds) else ""
        return f"({first}{end})"

    def name(self, number: int) -> str:
        """Returns the name of a range, as its record in `ops.extract_runs` has it."""
        return f"plan {self.id}, range {number} of {self.ranges}"


def plan_of(state: State) -> Plan | None:
    """Returns the plan that a table's state holds; None where there is none, or it was closed."""
    plan = state.get("plan")
    return Plan(**plan | {"bounds": tuple(plan["bounds"]), "columns": tuple(plan["columns"])}) if plan else None


@dataclass(frozen=True)
class Planning(FurtherRead):
    """The load that stores a plan: it makes all tables that the ranges need, so that no two of them make one at once.

    Of rows it has those without a key, as every load has. A plan that is there already is kept, with the ranges that
    are loaded, where it has as many ranges and still tells what is new.
    """

    ranges: int
    mode: str = "plan"

    @contextmanager
    def read(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table and gives the plan as the next state.

        Raises:
            ExtractError: as the table's own read.
        """
        with self.table.snapshot(settings, limits) as snapshot:
            self.table.check_ids(snapshot)
            plan = self.kept(plan_of(state), snapshot) or self.made(snapshot)
            no_key = f"{quote(self.key)} is null"
            next_state = dict(state) | {"plan": asdict(plan)}
            watermark = f"plan {plan.id}, {plan.ranges} ranges"
            reading = snapshot.reading(no_key, next_state, watermark, counted=no_key)
            none = pa.RecordBatch.from_pylist([], schema=DEAD_LETTER)
            yield replace(reading, dead_letters=chain([none], reading.dead_letters))

    def kept(self, plan: Plan | None, snapshot: Snapshot) -> Plan | None:
        """Returns the plan that is there if it can be gone on with."""
        if plan is None or plan.ranges != self.ranges:
            return None
        _, upper = transaction_bounds(snapshot.cursor)
        if why_ids_do_not_tell(plan.since, upper, plan.history, snapshot.facts.history):
            return None
        log.info("%s.%s: goes on with plan %s", self.source, self.name, plan.id)
        return replace(plan, columns=tuple(column.name for column in snapshot.columns))

    def made(self, snapshot: Snapshot) -> Plan:
        """Returns a new plan, whose ranges have about the same number of rows in a sample of the table."""
        since, _ = transaction_bounds(snapshot.cursor)
        oids = ", ".join(snapshot.facts.history["relations"])
        (size,) = one(
            snapshot.cursor,
            f"select coalesce(sum(pg_relation_size(oid::regclass)), 0)::bigint from unnest(array[{oids}]::oid[]) oid",
        )
        percent = min(100 * SAMPLE_BYTES / max(size, 1), 100)
        shares = ", ".join(str(number / self.ranges) for number in range(1, self.ranges))
        key = quote(self.key)
        snapshot.cursor.execute(
            "select bound::text from unnest("
            f"(select percentile_disc(array[{shares}]::float8[]) within group (order by {key})"
            f" from {snapshot.relation} tablesample system ({percent:.9f}) where {key} is not null))"
            " with ordinality as bounds(bound, place) order by place"
        )
        return Plan(
            id=uuid4().hex,  # not the run's: one that plans twice must not take the first plan's ranges for its own
            since=since,
            history=snapshot.facts.history,
            ranges=self.ranges,
            bounds=tuple(bound for (bound,) in snapshot.cursor.fetchall()),
            columns=tuple(column.name for column in snapshot.columns),
        )


@dataclass(frozen=True)
class KeyRange(FurtherRead):
    """The rows of one range of a plan; the table's state stays as it is."""

    plan: Plan
    number: int
    mode: str = "range"

    @contextmanager
    def read(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table, of which only the range is read and counted.

        Raises:
            ExtractError: as the table's own read, or if the table has columns that it had not at the plan.
        """
        with self.table.snapshot(settings, limits) as snapshot:
            if new := [column.name for column in snapshot.columns if column.name not in self.plan.columns]:
                raise ExtractError(
                    f"{self.full_name}: expected the columns of its plan, got {', '.join(new)} as well; "
                    f"plan again, which takes them and keeps the ranges that are loaded: {command_of_plan(self)} "
                    f"--ranges {self.plan.ranges}. Nothing was loaded"
                )
            condition = self.plan.condition(self.key, self.number)
            yield snapshot.reading(condition, state, self.plan.name(self.number), counted=condition)


def due_range(table: PostgresTable, number: int, state: State, warehouse: Warehouse) -> list[KeyRange]:
    """Returns the read of one range of the table's plan; none if it is loaded already.

    Raises:
        ExtractError: if the table has no plan, or the plan no range of that number.
    """
    what = table.full_name
    plan = plan_of(state)
    if plan is None:
        raise ExtractError(
            f"{what}: has no plan, or a run has closed it; make one: {command_of_plan(table)} --ranges 16"
        )
    if not 1 <= number <= plan.ranges:
        raise ExtractError(f"{what}: expected a number from 1 to {plan.ranges}, as its plan has ranges, got {number}")
    if number in loaded_ranges(plan, table, warehouse):
        log.info("%s: %s is loaded already", what, plan.name(number))
        return []
    return [KeyRange(table, plan, number)]


def loaded_ranges(plan: Plan, table: Table, warehouse: Warehouse) -> dict[int, str]:
    """Returns the numbers of the ranges that are loaded and recorded, each with its load's id.

    A load whose process died before it could hold it back and record it is held back now: its range counts as
    missing and is loaded again.
    """
    if ("ops", "extract_runs") not in warehouse.tables():
        return {}
    dataset = table.dataset
    strays = warehouse.query(
        f"select load_id from {dataset}._dlt_loads where schema_name = {literal(table.name)} and status = {COMPLETED}"
        f" and load_id > (select max(_dlt_load_id) from {dataset}._dlt_pipeline_state"  # that of the plan
        f" where pipeline_name = {literal(f'{dataset}_{table.name}')})"
        " and load_id not in (select load_id from ops.extract_runs where load_id is not null)"
    )
    if strays:
        set_status([load_id for (load_id,) in strays], COMPLETED, HELD, table, warehouse)
    numbers = {plan.name(number): number for number in range(1, plan.ranges + 1)}
    rows = warehouse.query(
        f"select runs.watermark, runs.load_id from ops.extract_runs as runs"
        f" join {dataset}._dlt_loads as loads"
        f" on loads.load_id = runs.load_id and loads.status in ({COMPLETED}, {HELD})"
        f" where runs.source = {literal(table.source)} and runs.table_name = {literal(table.name)}"
        " and runs.mode = 'range' and runs.status <> 'failed'"
    )
    return {numbers[name]: load_id for name, load_id in rows if name in numbers}


def hold(table: Table, load_id: str, warehouse: Warehouse) -> None:
    """Holds back a range's load, which is completed: nobody reads it before the plan is closed."""
    set_status([load_id], COMPLETED, HELD, table, warehouse)


def close_plan(table: Table, state: State, warehouse: Warehouse) -> None:
    """Lets the loads of the ranges be read, where the table has a plan and its own run is about to close it.

    Should that run fail now, the next one closes the plan.

    Raises:
        ExtractError: if ranges are missing, or another read than the table's own came before the run.
    """
    plan = plan_of(state)
    if plan is None or isinstance(table, Planning | KeyRange):
        return
    what = table.full_name
    loaded = loaded_ranges(plan, table, warehouse)
    if missing := [number for number in range(1, plan.ranges + 1) if number not in loaded]:
        raise ExtractError(
            f"{what}: expected all {plan.ranges} ranges of plan {plan.id} to be loaded, missing are "
            f"{', '.join(map(str, missing))}; load each: python -m extract range --source {table.source} "
            f"--table {table.name} --number {missing[0]}, or read the table whole: python -m extract run "
            f"--accept {what}. Nothing was loaded"
        )
    if not isinstance(table, PostgresTable):
        raise ExtractError(
            f"{what}: expected a run to close plan {plan.id}, whose ranges are all loaded, before a {table.mode}: "
            f"python -m extract run --source {table.source}. Nothing was loaded"
        )
    set_status(list(loaded.values()), HELD, COMPLETED, table, warehouse)


def set_status(load_ids: list[str], before: int, after: int, table: Table, warehouse: Warehouse) -> None:
    """Gives loads another status, all of them at once."""
    warehouse.execute(
        f"update {table.dataset}._dlt_loads set status = {after}"
        f" where status = {before} and load_id in ({', '.join(map(literal, load_ids))})"
    )


def command_of_plan(table: Table) -> str:
    """Returns the command that plans a table's ranges, without their number."""
    return f"python -m extract plan --source {table.source} --table {table.name}"
