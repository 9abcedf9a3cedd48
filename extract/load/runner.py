"""One run: each table from its source into the warehouse, and a row in `ops.extract_runs` for each.

Tables are loaded one after another, independent of each other: one that fails leaves what was loaded before as it
was, and the others load. What a table's next run needs (its watermark, the files it has read) is stored by dlt in the
same load as its rows.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, Protocol

import pyarrow as pa

from extract import interrupt
from extract.declarations import PostgresTable, Table
from extract.disk import explain_full_disk
from extract.errors import ExtractError, NotRecordedError, causes, is_away, join_notes, reason
from extract.load.clock import check_order
from extract.load.contract import Agreement, agree_columns, arrived_columns, check_share, text_hint
from extract.load.fan_out import close_plan, hold_load
from extract.load.history import create_tables
from extract.load.reconcile import Reconciliation, SourceKeys
from extract.load.records import OPS, append_records
from extract.load.widening import Column, as_fitted, fitted, widen
from extract.reading import DEAD_LETTER_TEXTS, OwnRead, Read, Reading, State, letter_key
from extract.retry import may_pass, passes, retried
from extract.settings import Settings
from extract.sql import literal, quote
from extract.types import LONGEST_TEXT
from extract.warehouse.raw_tables import read_raw_table
from extract.warehouse.targets import Warehouse

log = logging.getLogger("extract")

RUNS = "extract_runs"


@dataclass(frozen=True)
class TableRun:
    """The result of one table in one run: a row of `ops.extract_runs`.

    `status` is `ok`, `partial` (loaded, but something at the source was not and was kept with its reason) or `failed`
    (nothing of this run is in the raw table). `set_aside` is the number of notes on what was not loaded.
    """

    source: str
    table_name: str
    mode: str
    started_at: datetime
    status: Literal["ok", "partial", "failed"] = "failed"
    finished_at: datetime | None = None
    rows_source: int | None = None
    rows_repeated: int = 0
    rows_landed: int | None = None
    rows_loaded: int | None = None
    rows_deleted: int | None = None
    rows_dead_letter: int | None = None
    set_aside: int | None = None
    watermark: str | None = None
    load_id: str | None = None
    error: str | None = None
    is_temporary: bool = False  # its fault is one that was retried, in vain
    may_pass: bool = False  # a later run may succeed although nobody has done anything

    @property
    def name(self) -> str:
        """The table's name with its source's."""
        return f"{self.source}.{self.table_name}"

    @property
    def seconds(self) -> float:
        """How long it took."""
        return ((self.finished_at or datetime.now(UTC)) - self.started_at).total_seconds()


class Progress(Protocol):
    """What the runner reports while it works."""

    def started(self, name: str) -> None:
        """Reports that a table is started."""

    def advanced(self, rows: int) -> None:
        """Reports that so many more of its rows were read."""

    def finished(self, run: TableRun) -> None:
        """Reports how the table ended."""


def extract(
    reads: Sequence[Read],
    settings: Settings,
    warehouse: Warehouse,
    progress: Progress,
    accepted: Collection[str] = (),
) -> list[TableRun]:
    """Loads what the reads bring and records each in `ops.extract_runs`; returns the results.

    After a part of a table failed, no more of it is loaded; after the warehouse or its landing failed, nothing more.
    A table whose loads show another number of rows than the source has is reconciled at once. Tables that are
    `accepted`, by their full names, are loaded from the beginning.

    Raises:
        NotRecordedError: if the record could not be written. A table's own fault is in its TableRun.
    """
    with recorded(settings, warehouse) as runs:
        for read in reads:
            name = read.table.full_name
            if any(run.status == "failed" and run.name == name for run in runs):
                continue
            runs.append(load_table(read, settings, warehouse, progress, accepted=name in accepted, before=runs))
            runs += reconcile_if_due(read, runs[-1], settings, warehouse, progress)
            if runs[-1].status == "failed" and not warehouse.answers():
                break
    return runs


def reconcile(
    tables: Sequence[PostgresTable], settings: Settings, warehouse: Warehouse, progress: Progress
) -> list[TableRun]:
    """Reconciles the tables, however many of their keys are gone, and records each; returns the results.

    Raises:
        NotRecordedError: as `extract`.
    """
    with recorded(settings, warehouse) as runs:
        for table in tables:
            runs += reconcile_table(table, settings, warehouse, progress)
    return runs


@contextmanager
def recorded(settings: Settings, warehouse: Warehouse) -> Iterator[list[TableRun]]:
    """Yields a list of runs and records what it contains at the end, also if Ctrl-C ends the rest.

    Raises:
        NotRecordedError: if the record could not be written.
    """
    runs: list[TableRun] = []
    try:
        yield runs
    finally:
        try:
            record(runs, settings.run_id, warehouse)
        except Exception as error:
            what = f"{OPS}.{RUNS}"
            said = (
                f"{what}: not written, for the same reason"
                if is_said(error, runs)
                else reason(what, error, settings.secrets)
            )
            lost = "data was loaded but not recorded; " if any(run.status != "failed" for run in runs) else ""
            raise NotRecordedError(f"{said}; {lost}run again") from error


def is_said(error: BaseException, runs: Sequence[TableRun]) -> bool:
    """Returns whether the fault of a run has the same root cause, so that its message need not be repeated."""
    root, away = " ".join(str(causes(error)[-1]).split()), is_away(reason("", error))
    return any(run.error and (root in run.error or (away and is_away(run.error))) for run in runs)


def reconcile_if_due(
    read: Read, run: TableRun, settings: Settings, warehouse: Warehouse, progress: Progress
) -> list[TableRun]:
    """Reconciles a table after its own read, if its loads show another number of rows than the source had then."""
    table = read.table
    if (
        run.status == "failed"
        or table.replaces
        or not (isinstance(read, OwnRead) and isinstance(table, PostgresTable))
    ):
        return []
    try:
        ((rows,),) = warehouse.query(read_raw_table(table, warehouse).rows_of_source)
    except Exception as error:
        interrupt.check(error)
        log.debug("traceback of %s", run.name, exc_info=True)
        now = datetime.now(UTC)
        failed = TableRun(table.source.name, table.name, "reconcile", now, finished_at=now)
        failed = replace(failed, error=reason(run.name, error, settings.secrets), may_pass=may_pass(error))
        progress.finished(failed)
        return [failed]
    if run.rows_source is None or rows == run.rows_source - run.rows_repeated:
        return []
    return reconcile_table(table, settings, warehouse, progress, settings.minimum_share)


def reconcile_table(
    table: PostgresTable, settings: Settings, warehouse: Warehouse, progress: Progress, minimum_share: float = 0
) -> list[TableRun]:
    """Loads what differs between the keys of the source and those that the loads show.

    At least the minimum share of the loaded keys must still exist, or none is deleted.
    """
    raw = read_raw_table(table, warehouse)
    if not raw.has_whole_number_key:
        keys = load_table(SourceKeys(table), settings, warehouse, progress)
        if keys.status == "failed":
            return [keys]
    due = Reconciliation(table, raw, warehouse.query, minimum_share)
    return [load_table(due, settings, warehouse, progress)]


def load_table(
    read: Read,
    settings: Settings,
    warehouse: Warehouse,
    progress: Progress,
    *,
    accepted: bool = False,
    before: Sequence[TableRun] = (),
) -> TableRun:
    """Loads one table and reports its progress; every fault but Ctrl-C ends up in the result's `error`.

    If a table `before` it was retried in vain, one of the same source is not retried; the same error is said once.
    """
    table = read.table
    progress.started(table.full_name)
    run = TableRun(table.source.name, table.name, read.mode, datetime.now(UTC))
    try:
        attempt = partial(load, read, run, settings, warehouse, progress, accepted=accepted)
        in_vain = any(other.is_temporary and other.source == run.source for other in before)
        run = retried(run.name, 0 if in_vain else settings.retry_seconds, attempt)
    except Exception as error:
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes(error)):
            raise KeyboardInterrupt from error  # ADBC and dlt wrap it in errors of their own
        log.debug("traceback of %s", run.name, exc_info=True)
        text = reason(run.name, error, settings.secrets)
        if same := next((other.name for other in before if is_same_fault(text, run.name, other)), None):
            text = f"{run.name}: failed for the same reason as {same}"
        run = replace(run, error=text, is_temporary=passes(error), may_pass=may_pass(error))
    run = replace(run, finished_at=datetime.now(UTC))
    progress.finished(run)
    return run


def is_same_fault(text: str, name: str, other: TableRun) -> bool:
    """Returns whether the error of a table, by its full name, is that of another one but for names of its own."""
    return other.error is not None and (
        text.removeprefix(name) == other.error.removeprefix(other.name) or (is_away(text) and is_away(other.error))
    )


def load(
    read: Read, run: TableRun, settings: Settings, warehouse: Warehouse, progress: Progress, *, accepted: bool
) -> TableRun:
    """Reads the table and loads it in one load; returns the run with its counts.

    A table that is `accepted` is read from its beginning into a new raw table; the old one keeps its rows under
    another name.

    Raises:
        ExtractError: if the source, its contract or the count of what was loaded is not as expected.
        Exception: whatever dlt raises when the warehouse fails.
    """
    table = read.table
    pipeline = warehouse.pipeline(table.dataset, table.name)
    try:
        state = {} if accepted else stored_state(pipeline, table)
        close_plan(read, state, warehouse)
        with read.open(settings, state, warehouse.limits) as reading:
            check_order(table, warehouse)
            if accepted:
                agreement = Agreement(arrived_columns(reading, warehouse.limits))
                restart_table(table, warehouse)
                pipeline.drop()  # its copy of what the warehouse no longer has
                pipeline = warehouse.pipeline(table.dataset, table.name)
            else:
                agreement = agree_columns(read, reading, pipeline, warehouse.limits)
                widen_columns(table, agreement, pipeline, warehouse)
                if isinstance(read, OwnRead):  # of the source's keys alone, any number may be gone
                    check_share(table, reading, settings.minimum_share, warehouse)
            landed = Count()
            source = dlt_source(read, reading, agreement.columns, landed, progress)
            info = pipeline.run(source, loader_file_format="parquet")
    except Exception as error:
        full = explain_full_disk(error, settings)
        pipeline.drop()  # what it has of this load must not be taken for that of the next attempt
        if full:
            raise ExtractError(f"{run.name}: {full}. Nothing was loaded") from error
        raise
    (load_id,) = info.loads_ids
    if read.mode == "range":  # the load is complete: a passing fault must not cause a second one
        retried("the warehouse", settings.retry_seconds, partial(hold_load, table, load_id, warehouse))
    compare_counts(read, table.name, load_id, landed.rows, warehouse)
    if reading.rows_dead_letter:
        compare_counts(read, table.dead_letters, load_id, reading.rows_dead_letter, warehouse)
    notes = [*reading.notes, *waiting_note(read, load_id, warehouse)]
    return replace(
        run,
        status="partial" if notes else "ok",
        rows_source=reading.rows_source,
        rows_repeated=reading.rows_repeated,
        rows_landed=landed.rows,
        rows_loaded=landed.rows,
        rows_deleted=reading.rows_deleted,
        rows_dead_letter=reading.rows_dead_letter,
        set_aside=len(notes),
        watermark=reading.watermark,
        load_id=load_id,
        error=join_notes(notes) or None,
    )


def read_state(table: Table, warehouse: Warehouse) -> State:
    """Returns the state that the table's last load stored."""
    return stored_state(warehouse.pipeline(table.dataset, table.name), table)


def stored_state(pipeline: Any, table: Table) -> State:
    """Returns the state that a pipeline has restored from the warehouse."""
    state: State = pipeline.state.get("sources", {}).get(table.name, {}).get("resources", {}).get(table.name, {})
    return state


def compare_counts(read: Read, name: str, load_id: str, landed: int, warehouse: Warehouse) -> None:
    """Compares what was landed with what a raw table of the warehouse has of the load.

    A load that was appended and lost rows is marked as not completed: nobody reads it, and the next run goes on from
    the watermark before it. One that replaced its table is all there is, and stays.

    Raises:
        ExtractError: with both counts and the query, if they differ.
    """
    dataset = read.table.dataset
    sql = f'select count(*) from {dataset}."{name}" where _dlt_load_id = {literal(load_id)}'
    ((loaded,),) = warehouse.query(sql)
    if loaded != landed:
        if not read.replaces:
            warehouse.execute(f"update {dataset}._dlt_loads set status = 1 where load_id = {literal(load_id)}")
        raise ExtractError(
            f"{dataset}.{name}: expected the {landed:,} rows that were landed, found {loaded:,} loaded ({sql})"
        )


def waiting_note(read: Read, load_id: str, warehouse: Warehouse) -> Iterator[str]:
    """Yields a note if dead letters of earlier loads were neither loaded nor deleted since."""
    table = read.table
    if table.replaces or (table.dataset, table.dead_letters) not in warehouse.tables():
        return
    raw = read_raw_table(table, warehouse)
    ((keys,),) = warehouse.query(f"select count(*) from ({raw.waiting_letters(before=load_id)}) as waiting")
    if keys:
        command = (
            f"replay --source {table.source.name} --table {table.name} --dead-letters"
            if isinstance(table, PostgresTable)
            else f"backfill --source {table.source.name} --table {table.name} --from … --to …"
        )
        yield (
            f"{table.full_name}: {keys:,} dead letters of earlier loads wait in "
            f"{table.dataset}.{table.dead_letters}; correct these rows at the source, or read them "
            f"again: python -m extract {command}"
        )


def restart_table(table: Table, warehouse: Warehouse) -> None:
    """Makes the table's next load its first; the old rows stay under a name that says until when it was in use.

    dlt's `refresh` drops the rows, and forgets the state only in the course of the next load: a load that fails in
    between would go on from the old watermark in an empty table.
    """
    existing = warehouse.tables()
    if (table.dataset, table.name) not in existing:
        return
    suffix = f"until_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    names = (table.name, table.dead_letters, table.source_keys)
    renamed = [name for name in names[:2] if (table.dataset, name) in existing]
    # Columns may have other types now: of the list of keys, and where dlt stages a table that is replaced.
    staging = f"{table.dataset}_staging"
    stale = [(table.dataset, table.source_keys), *((staging, name) for name in names)]
    forgotten = ", ".join(literal(name) for name in (table.name, table.source_keys))
    pipelines = ", ".join(literal(f"{table.dataset}_{name}") for name in (table.name, table.source_keys))
    warehouse.execute(
        *(f'alter table {table.dataset}."{name}" rename to "{name}_{suffix}"' for name in renamed),
        *(f'drop table {schema}."{name}"' for schema, name in stale if (schema, name) in existing),
        *(
            f"delete from {schema}._dlt_version where schema_name in ({forgotten})"
            for schema in (table.dataset, staging)
            if (schema, "_dlt_version") in existing
        ),
        f"delete from {table.dataset}._dlt_pipeline_state where pipeline_name in ({pipelines})",
    )
    log.warning(
        "%s: loaded from the beginning; its old rows are kept as %s.%s_%s. Build its models with --full-refresh",
        table.full_name, table.dataset, table.name, suffix,
    )  # fmt: skip


@dataclass
class Count:
    """Rows that passed so far."""

    rows: int = 0


def widen_columns(table: Table, agreement: Agreement, pipeline: Any, warehouse: Warehouse) -> None:
    """Gives raw the wider types of an agreement, and those of the key to the table of dead letters.

    Where dlt stages a table that is replaced, it is created again with its next load.
    """
    if not agreement.wider:
        return
    widen(pipeline, table, table.name, agreement.wider, warehouse)
    tables = warehouse.tables()
    letters = key_columns(table, agreement.wider)
    if letters and (table.dataset, table.dead_letters) in tables:
        widen(pipeline, table, table.dead_letters, letters, warehouse)
    staging = f"{table.dataset}_staging"
    if (staging, table.name) in tables:
        warehouse.execute(
            f"drop table {staging}.{quote(table.name)}",
            f"delete from {staging}._dlt_version where schema_name = {literal(table.name)}",
        )


def key_columns(table: Table, columns: Mapping[str, Column]) -> dict[str, Column]:
    """Returns the columns of the key as those of a dead letter."""
    return {letter_key(number): columns[name] for number, name in enumerate(table.key) if name in columns}


def dlt_source(read: Read, reading: Reading, columns: Mapping[str, Column], landed: Count, progress: Progress) -> Any:
    """Returns the reading as a dlt source: a schema of the table's name with it and the table of its dead letters.

    `columns` have the types of the raw table, in which the rows arrive there.
    """
    import dlt
    from dlt.extract import DltSource

    table = read.table
    schema = fitted(reading.schema, columns)

    @dlt.resource(
        name=table.name,
        write_disposition="replace" if read.replaces else "append",
        columns=column_hints(table, schema, columns),
    )
    def rows() -> Iterator[pa.Table]:
        # The first piece has no rows: a load without any is a load too, with its id, state and schema.
        yield schema.empty_table()
        for batch in reading.batches:
            landed.rows += batch.num_rows
            progress.advanced(batch.num_rows)
            yield pa.Table.from_batches([as_fitted(batch, columns)])
        for letter_batch in reading.dead_letters:
            batch = as_fitted(letter_batch, key_columns(table, columns))
            letters = dlt.mark.make_hints(
                table_name=table.dead_letters, write_disposition="append", columns=letter_hints(batch.schema)
            )
            yield dlt.mark.with_hints(pa.Table.from_batches([batch]), letters, create_table_variant=True)
        dlt.current.resource_state().update(reading.state)

    return DltSource(dlt.Schema(table.name), table.name, [rows()])


def type_hints(schema: pa.Schema) -> defaultdict[str, Any]:
    """Returns what dlt does not take from Arrow's types: that a timestamp has no zone."""
    hints: defaultdict[str, Any] = defaultdict(dict)
    for column in schema:
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            hints[column.name] |= {"data_type": "timestamp", "timezone": False}
    return hints


def letter_hints(schema: pa.Schema) -> dict[str, Any]:
    """Returns dlt's hints for the table of dead letters."""
    return type_hints(schema) | {name: text_hint(length) for name, length in DEAD_LETTER_TEXTS.items()}


def column_hints(table: Table, schema: pa.Schema, columns: Mapping[str, Column]) -> dict[str, Any]:
    """Returns dlt's hints for the raw table: what Arrow's types do not show, dist and sort."""
    hints = type_hints(schema)
    for name, column in columns.items():
        if column["data_type"] in ("bigint", "double", "text") and column.get("precision"):
            hints[name] |= {"data_type": column["data_type"], "precision": column["precision"]}
    if table.dist:
        hints[table.dist]["cluster"] = True  # dlt's word for DISTKEY
    if table.sort:
        hints[table.sort]["sort"] = True
    return hints


# `error` is as long as a text can be.
RUNS_COLUMNS = {
    "run_id": "varchar(80)",
    "source": "varchar(40)",
    "table_name": "varchar(127)",
    "mode": "varchar(40)",
    "status": "varchar(40)",
    "started_at": "timestamp with time zone",
    "finished_at": "timestamp with time zone",
    "rows_source": "bigint",
    "rows_repeated": "bigint",
    "rows_landed": "bigint",
    "rows_loaded": "bigint",
    "set_aside": "bigint",
    "rows_deleted": "bigint",
    "rows_dead_letter": "bigint",
    "watermark": "varchar(255)",
    "load_id": "varchar(64)",
    "error": f"varchar({LONGEST_TEXT})",
}


def record(runs: Sequence[TableRun], run_id: str, warehouse: Warehouse) -> None:
    """Appends the runs to `ops.extract_runs`, and creates the other tables of `ops`, which builds and audits fill."""
    append_records(warehouse, RUNS, RUNS_COLUMNS, [asdict(run) | {"run_id": run_id} for run in runs])
    create_tables(warehouse)
