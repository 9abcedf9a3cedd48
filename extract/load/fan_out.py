"""A first load of a very large table by many tasks at once: each reads a range of its keys.

    plan: bounds of the ranges, and the oldest transaction that may be under way   → a load with no rows, its state
    range 1 … range n: the keys between two bounds, each in a snapshot of its own  → a load each, held back
    run: releases the loads of the ranges, and reads what was written since the plan → the table goes on as ever

    python -m extract plan --source postgres --table venda --ranges 16
    python -m extract range --source postgres --table venda --number 1
    python -m extract run --source postgres

A row that existed at the plan is read by the range of its key. What is written later, whatever its key, has the id of
a transaction that was not over at the plan, and the run reads it. The run finds what is deleted meanwhile by its
count. So the snapshots need have nothing in common.

Loads that overlap in time may be completed in another order than that of their ids, and models read only loads that
are newer than what they have. So the loads of the ranges are held back until all of them are completed.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from uuid import uuid4

import pyarrow as pa

from extract.declarations import PostgresTable, Table
from extract.errors import ExtractError
from extract.reading import DEAD_LETTER, Limits, OwnRead, Read, Reading, State, letter_key
from extract.settings import Settings
from extract.sources.postgres.plan import Plan
from extract.sources.postgres.read import FurtherRead, check_transaction_ids, xmin_unusable_reason
from extract.sources.postgres.session import one, transaction_bounds
from extract.sources.postgres.snapshot import Snapshot, open_snapshot
from extract.sql import literal
from extract.warehouse.targets import Warehouse

log = logging.getLogger("extract")

SAMPLE_BYTES = 32 << 20  # of a table, for the bounds: a row takes 28 of them or more, so about a million rows at most

COMPLETED, HELD = 0, 2  # a load's status in _dlt_loads; dlt knows the first, and nobody reads a load of another


@dataclass(frozen=True)
class PlanRead(FurtherRead):
    """The load that stores a plan. It makes all tables that the ranges need, so that no two of them make one at once.

    It reads the rows without a key, as every load does. An existing plan is kept, with the ranges that are loaded, if
    it has as many ranges and still shows what is new.
    """

    ranges: int
    mode: str = "plan"

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table and gives the plan as the next state.

        Raises:
            ExtractError: as the table's own read.
        """
        with open_snapshot(self.table, settings, limits) as snapshot:
            check_transaction_ids(snapshot)
            plan = self.keep_plan(Plan.from_state(state), snapshot) or self.make_plan(snapshot)
            no_key = f"not {snapshot.has_key}"
            watermark = f"plan {plan.id}, {plan.ranges} ranges"
            reading = snapshot.reading(no_key, dict(state) | plan.as_state(), watermark, counted=no_key)
            keys = [reading.schema.field(name).with_name(letter_key(n)) for n, name in enumerate(self.table.key)]
            none = pa.RecordBatch.from_pylist([], schema=pa.schema([*keys, *DEAD_LETTER]))
            yield replace(reading, dead_letters=chain([none], reading.dead_letters))

    def keep_plan(self, plan: Plan | None, snapshot: Snapshot) -> Plan | None:
        """Returns the existing plan if the load can go on with it."""
        if plan is None or plan.ranges != self.ranges:
            return None
        _, upper = transaction_bounds(snapshot.cursor)
        if xmin_unusable_reason(plan.since, upper, plan.history, snapshot.facts.history):
            return None
        log.info("%s: goes on with plan %s", self.table.full_name, plan.id)
        return replace(plan, columns=tuple(column.loaded for column in snapshot.columns))

    def make_plan(self, snapshot: Snapshot) -> Plan:
        """Returns a new plan, whose ranges have about the same number of rows in a sample of the table."""
        since, _ = transaction_bounds(snapshot.cursor)
        oids = ", ".join(snapshot.facts.history["relations"])
        (size,) = one(
            snapshot.cursor,
            f"select coalesce(sum(pg_relation_size(oid::regclass)), 0)::bigint from unnest(array[{oids}]::oid[]) oid",
        )
        percent = min(100 * SAMPLE_BYTES / max(size, 1), 100)
        shares = ", ".join(str(number / self.ranges) for number in range(1, self.ranges))
        key = snapshot.key[0].sql
        snapshot.cursor.execute(
            "select bound::text from unnest("
            f"(select percentile_disc(array[{shares}]::float8[]) within group (order by {key})"
            f" from {self.table.source_relation} tablesample system ({percent:.9f})"
            f" where {snapshot.scope} and {snapshot.has_key}))"
            " with ordinality as bounds(bound, place) order by place"
        )
        return Plan(
            id=uuid4().hex,  # not the run's: a run that plans twice must not mix up the ranges of its plans
            since=since,
            history=snapshot.facts.history,
            ranges=self.ranges,
            bounds=tuple(bound for (bound,) in snapshot.cursor.fetchall()),
            columns=tuple(column.loaded for column in snapshot.columns),
        )


@dataclass(frozen=True)
class RangeRead(FurtherRead):
    """The rows of one range of a plan; the table's state stays as it is."""

    plan: Plan
    number: int
    mode: str = "range"

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Opens one snapshot of the table, of which only the range is read and counted.

        Raises:
            ExtractError: as the table's own read, or if the table has columns that it did not have at the plan.
        """
        with open_snapshot(self.table, settings, limits) as snapshot:
            if new := [column.loaded for column in snapshot.columns if column.loaded not in self.plan.columns]:
                raise ExtractError(
                    f"{self.table.full_name}: expected the columns of its plan, got {', '.join(new)} as well; "
                    f"plan again, which takes them and keeps the ranges that are loaded: {plan_command(self.table)} "
                    f"--ranges {self.plan.ranges}. Nothing was loaded"
                )
            condition = f"({self.plan.condition(snapshot.key[0].name, self.number)} and {snapshot.has_key})"
            yield snapshot.reading(condition, state, self.plan.name(self.number), counted=condition)


def find_due_range(table: PostgresTable, number: int, state: State, warehouse: Warehouse) -> list[RangeRead]:
    """Returns the read of one range of the table's plan; none if it is loaded already.

    Raises:
        ExtractError: if the table has no plan, or the plan no range of that number.
    """
    what = table.full_name
    plan = Plan.from_state(state)
    if plan is None:
        raise ExtractError(
            f"{what}: has no plan, or a run has closed it; make one: {plan_command(table)} --ranges 16"
        )
    if not 1 <= number <= plan.ranges:
        raise ExtractError(f"{what}: expected a number from 1 to {plan.ranges}, as its plan has ranges, got {number}")
    if number in loaded_ranges(plan, table, warehouse):
        log.info("%s: %s is loaded already", what, plan.name(number))
        return []
    return [RangeRead(table, plan, number)]


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
        f" where runs.source = {literal(table.source.name)} and runs.table_name = {literal(table.name)}"
        " and runs.mode = 'range' and runs.status <> 'failed'"
    )
    return {numbers[name]: load_id for name, load_id in rows if name in numbers}


def hold_load(table: Table, load_id: str, warehouse: Warehouse) -> None:
    """Holds back a range's load, which is completed: nobody reads it before the plan is closed."""
    set_status([load_id], COMPLETED, HELD, table, warehouse)


def close_plan(read: Read, state: State, warehouse: Warehouse) -> None:
    """Releases the loads of the ranges, if the table has a plan and its own read is about to close it.

    Should that run fail now, the next one closes the plan.

    Raises:
        ExtractError: if ranges are missing, or another read than the table's own came before the run.
    """
    plan, table = Plan.from_state(state), read.table
    if plan is None or isinstance(read, PlanRead | RangeRead):
        return
    what = table.full_name
    loaded = loaded_ranges(plan, table, warehouse)
    if missing := [number for number in range(1, plan.ranges + 1) if number not in loaded]:
        raise ExtractError(
            f"{what}: expected all {plan.ranges} ranges of plan {plan.id} to be loaded, missing are "
            f"{', '.join(map(str, missing))}; load each: python -m extract range --source {table.source.name} "
            f"--table {table.name} --number {missing[0]}, or read the table whole: python -m extract run "
            f"--accept {what}. Nothing was loaded"
        )
    if not isinstance(read, OwnRead):
        raise ExtractError(
            f"{what}: expected a run to close plan {plan.id}, whose ranges are all loaded, before a {read.mode}: "
            f"python -m extract run --source {table.source.name}. Nothing was loaded"
        )
    set_status(list(loaded.values()), HELD, COMPLETED, table, warehouse)


def set_status(load_ids: list[str], before: int, after: int, table: Table, warehouse: Warehouse) -> None:
    """Gives loads another status, all of them at once."""
    warehouse.execute(
        f"update {table.dataset}._dlt_loads set status = {after}"
        f" where status = {before} and load_id in ({', '.join(map(literal, load_ids))})"
    )


def plan_command(table: Table) -> str:
    """Returns the command that plans a table's ranges, without their number."""
    return f"python -m extract plan --source {table.source.name} --table {table.name}"
