"""One run: each table from its source into the warehouse, and a row in `ops.extract_runs` for each.

Tables are loaded one after another and each for itself: one that fails leaves what was loaded before as it
was, and the others load. What a table remembers (its watermark, the files it has seen) is stored by dlt in
the same load as its rows.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, Protocol, cast

import pyarrow as pa

from extract.errors import ExtractError, NotRecordedError, causes, reason
from extract.load.contract import check_columns, check_share
from extract.load.fan_out import close_plan, hold
from extract.load.reconcile import Reconciliation
from extract.reading import BYTES_PER_CHARACTER, DEAD_LETTER_TEXTS, Limits, Reading, State, Table, dead_letter_table
from extract.retry import retried
from extract.settings import Settings
from extract.sources.postgres.table import PostgresTable
from extract.warehouse.raw_tables import raw_table
from extract.warehouse.targets import Warehouse

log = logging.getLogger("extract")

OPS_DATASET, OPS_TABLE = "ops", "extract_runs"


@dataclass(frozen=True)
class TableRun:
    """What became of one table in one run: a row of `ops.extract_runs`.

    `status` is `ok`, `partial` (loaded, but something at the source was set aside with its reason) or
    `failed` (nothing of this run is in the raw table).
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
    tables: Sequence[Table],
    settings: Settings,
    warehouse: Warehouse,
    progress: Progress,
    accepted: Collection[str] = (),
) -> list[TableRun]:
    """Loads the tables and records each in `ops.extract_runs`; returns what became of each.

    After a part of a table failed, no more of it is loaded. A table whose loads no longer tell of as many rows as
    the source has is reconciled at once. Those whose name, as `<source>.<table>`, is among the `accepted` are loaded
    anew with whatever changed.

    Raises:
        NotRecordedError: if the record could not be written. A table's own fault is in its TableRun.
    """
    runs: list[TableRun] = []
    try:
        for table in tables:
            if any(run.status == "failed" and run.name == table.full_name for run in runs):
                continue
            is_accepted = table.full_name in accepted
            runs.append(extract_table(table, settings, warehouse, progress, accepted=is_accepted))
            runs += reconciled(table, runs[-1], settings, warehouse, progress)
    finally:  # what is loaded is recorded, also where Ctrl-C ends the rest
        try:
            record(runs, settings.run_id, warehouse)
        except Exception as error:
            raise NotRecordedError(reason(f"{OPS_DATASET}.{OPS_TABLE}", error, settings.secrets)) from error
    return runs


def reconciled(
    table: Table, run: TableRun, settings: Settings, warehouse: Warehouse, progress: Progress
) -> list[TableRun]:
    """Reconciles the table where its loads tell of another number of rows than the source had in this run."""
    if run.status == "failed" or table.replaces or not isinstance(table, PostgresTable):
        return []
    try:
        raw = raw_table(table, warehouse)
        keys = f"select count(*) from ({raw.current_keys}) as keys" if run.rows_repeated else raw.number_of_keys
        ((rows,),) = warehouse.query(f"select ({keys}) + ({raw.rows_without_key})")
    except Exception as error:
        log.debug("traceback of %s", run.name, exc_info=True)
        failed = TableRun(table.source, table.name, "reconcile", datetime.now(UTC), finished_at=datetime.now(UTC))
        return [replace(failed, error=reason(run.name, error, settings.secrets))]
    if run.rows_source is not None and rows == run.rows_source - run.rows_repeated:
        return []
    due = Reconciliation(table, raw, warehouse.query, settings.minimum_share)
    return [extract_table(due, settings, warehouse, progress)]


def extract_table(
    table: Table, settings: Settings, warehouse: Warehouse, progress: Progress, *, accepted: bool = False
) -> TableRun:
    """Loads one table and tells its progress; every fault but Ctrl-C ends up in the result's `error`."""
    progress.started(table.full_name)
    run = TableRun(table.source, table.name, table.mode, datetime.now(UTC))
    try:
        attempt = partial(load, table, run, settings, warehouse, progress, accepted=accepted)
        run = retried(run.name, settings.retry_seconds, attempt)
    except Exception as error:
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes(error)):
            raise KeyboardInterrupt from error  # ADBC and dlt wrap it in errors of theirs
        log.debug("traceback of %s", run.name, exc_info=True)
        run = replace(run, error=reason(run.name, error, settings.secrets))
    run = replace(run, finished_at=datetime.now(UTC))
    progress.finished(run)
    return run


def load(
    table: Table, run: TableRun, settings: Settings, warehouse: Warehouse, progress: Progress, *, accepted: bool
) -> TableRun:
    """Reads the table and loads it in one load; returns the run with its counts.

    What is `accepted` is read from its beginning into a new raw table; the old one is kept under another name.

    Raises:
        ExtractError: if the source, its contract or the count of what was loaded is not as expected.
        Exception: whatever dlt raises when the warehouse fails.
    """
    dataset = table.dataset
    pipeline = warehouse.pipeline(dataset, table.name)
    try:
        state = {} if accepted else stored_state(pipeline, table)
        close_plan(table, state, warehouse)
        with table.read(settings, state, warehouse.limits) as reading:
            if accepted:
                start_anew(table, warehouse)
                pipeline.drop()  # its copy of what the warehouse has forgotten
                pipeline = warehouse.pipeline(dataset, table.name)
            else:
                check_columns(table, reading, pipeline, warehouse.limits)
                check_share(table, reading, settings.minimum_share, warehouse)
                check_clock(table, warehouse)
            landed = Count()
            source = dlt_source(table, reading, landed, progress, warehouse.limits)
            info = pipeline.run(source, loader_file_format="parquet")
    except Exception:
        pipeline.drop()  # what it holds of this load must not be taken for the next attempt's
        raise
    (load_id,) = info.loads_ids
    if table.mode == "range":  # the load is whole: a fault that passes must not have it made again
        retried("the warehouse", settings.retry_seconds, partial(hold, table, load_id, warehouse))
    compare_counts(table, f"{dataset}.{table.name}", load_id, landed.rows, warehouse)
    if reading.rows_dead_letter:
        letters = f"{dataset}.{dead_letter_table(table.name)}"
        compare_counts(table, letters, load_id, reading.rows_dead_letter, warehouse)
    set_aside = [*reading.set_aside, *still_waiting(table, load_id, warehouse)]
    return replace(
        run,
        status="partial" if set_aside else "ok",
        rows_source=reading.rows_source,
        rows_repeated=reading.rows_repeated,
        rows_landed=landed.rows,
        rows_loaded=landed.rows,
        rows_deleted=reading.rows_deleted,
        rows_dead_letter=reading.rows_dead_letter,
        set_aside=len(set_aside),
        watermark=reading.watermark,
        load_id=load_id,
        error="; ".join(set_aside) or None,
    )


def read_state(table: Table, warehouse: Warehouse) -> State:
    """Returns the state that the table's last load stored."""
    return stored_state(warehouse.pipeline(table.dataset, table.name), table)


def stored_state(pipeline: Any, table: Table) -> State:
    """Returns the state that a pipeline has restored from the warehouse."""
    state: State = pipeline.state.get("sources", {}).get(table.name, {}).get("resources", {}).get(table.name, {})
    return state


def compare_counts(table: Table, relation: str, load_id: str, landed: int, warehouse: Warehouse) -> None:
    """Compares what was landed with what the warehouse has.

    A load that adds to its table and lost rows is no completed one: nobody reads it, and the next run goes on from
    the watermark before it. One that replaced its table is all there is, and stays.

    Raises:
        ExtractError: with both counts and the query, if they differ.
    """
    sql = f"select count(*) from {relation} where _dlt_load_id = '{load_id}'"
    ((loaded,),) = warehouse.query(sql)
    if loaded != landed:
        if not table.replaces:
            warehouse.execute(f"update {table.dataset}._dlt_loads set status = 1 where load_id = '{load_id}'")
        raise ExtractError(
            f"{relation}: expected the {landed:,} rows that were landed, found {loaded:,} loaded ({sql})"
        )


def check_clock(table: Table, warehouse: Warehouse) -> None:
    """Refuses to load while this machine's clock is behind the last load's: ids are times, and models go by them.

    Raises:
        ExtractError: with both times.
    """
    if (table.dataset, "_dlt_loads") not in warehouse.tables():
        return
    ((last,),) = warehouse.query(
        f"select max(load_id) from {table.dataset}._dlt_loads where schema_name = '{table.name}'"
    )
    now = datetime.now(UTC)
    if last and now.timestamp() <= float(last):
        raise ExtractError(
            f"{table.full_name}: expected a clock that is ahead of the last load's time, "
            f"{datetime.fromtimestamp(float(last), UTC):%Y-%m-%d %H:%M:%S} UTC, this machine's says "
            f"{now:%Y-%m-%d %H:%M:%S}; set it right. Nothing was loaded"
        )


def still_waiting(table: Table, load_id: str, warehouse: Warehouse) -> list[str]:
    """Returns a line where rows that did not fit in an earlier load still do not, or were not read again."""
    if table.replaces or (table.dataset, dead_letter_table(table.name)) not in warehouse.tables():
        return []
    raw = raw_table(table, warehouse)
    ((keys,),) = warehouse.query(
        f"select count(*) from ({raw.waiting} and letters._dlt_load_id < '{load_id}') as waiting"
    )
    if not keys:
        return []
    return [
        f"{table.full_name}: {keys:,} rows that did not fit before still wait in {raw.dead_letters}; mend "
        f"them at the source, or read them again: python -m extract replay --source {table.source} "
        f"--table {table.name} --dead-letters"
    ]


def start_anew(table: Table, warehouse: Warehouse) -> None:
    """Makes the table's next load its first; what it held stays under a name that tells until when it was in use."""
    dataset, existing = table.dataset, warehouse.tables()
    if (dataset, table.name) not in existing:
        return
    suffix = f"until_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    kept = f"{table.name}_{suffix}"
    letters = dead_letter_table(table.name)  # of rows that the new load reads, if the source still has them
    warehouse.execute(
        f"alter table {dataset}.{table.name} rename to {kept}",
        *(
            [f"alter table {dataset}.{letters} rename to {letters}_{suffix}"]
            if (dataset, letters) in existing
            else []
        ),
        f"delete from {dataset}._dlt_version where schema_name = '{table.name}'",
        f"delete from {dataset}._dlt_pipeline_state where pipeline_name = '{dataset}_{table.name}'",
    )
    log.warning(
        "%s.%s: loaded anew; what it held is kept as %s.%s. Its models are to be built with --full-refresh",
        table.source, table.name, dataset, kept,
    )  # fmt: skip


@dataclass
class Count:
    """Rows that passed so far."""

    rows: int = 0


def dlt_source(table: Table, reading: Reading, landed: Count, progress: Progress, limits: Limits) -> Any:
    """Returns the reading as a dlt source: a schema of the table's name with it and the table of its dead letters."""
    import dlt
    from dlt.extract import DltSource

    dead_letters = dlt.mark.make_hints(
        table_name=dead_letter_table(table.name),
        write_disposition="append",
        columns=cast("Any", {name: text_of(length) for name, length in DEAD_LETTER_TEXTS.items()}),
    )

    @dlt.resource(
        name=table.name,
        write_disposition="replace" if table.replaces else "append",
        columns=column_hints(reading, limits),
    )
    def rows() -> Iterator[pa.Table]:
        # The first piece has no rows: a load without any is a load too, with its id, state and schema.
        yield reading.schema.empty_table()
        for batch in reading.batches:
            landed.rows += batch.num_rows
            progress.advanced(batch.num_rows)
            yield pa.Table.from_batches([batch])
        for batch in reading.dead_letters:
            yield dlt.mark.with_hints(pa.Table.from_batches([batch]), dead_letters, create_table_variant=True)
        dlt.current.resource_state().update(reading.state)

    return DltSource(dlt.Schema(table.name), table.name, [rows()])


def text_of(characters: int) -> dict[str, Any]:
    """Returns dlt's column of a text of so many characters at most."""
    return {"data_type": "text", "precision": characters * BYTES_PER_CHARACTER}


def column_hints(reading: Reading, limits: Limits) -> dict[str, Any]:
    """Returns what Arrow's types do not tell dlt: texts' lengths, timestamps without a zone, dist and sort."""
    hints: defaultdict[str, Any] = defaultdict(dict)
    for name, characters in reading.text_lengths.items():
        if limits.text is None or characters * BYTES_PER_CHARACTER <= limits.text:
            hints[name] |= text_of(characters)
    for column in reading.schema:
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            hints[column.name] |= {"data_type": "timestamp", "timezone": False}
    if reading.dist:
        hints[reading.dist]["cluster"] = True  # dlt's word for DISTKEY
    if reading.sort:
        hints[reading.sort]["sort"] = True
    return hints


RUNS_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("source", pa.string()),
        ("table_name", pa.string()),
        ("mode", pa.string()),
        ("status", pa.string()),
        ("started_at", pa.timestamp("us", "UTC")),
        ("finished_at", pa.timestamp("us", "UTC")),
        ("rows_source", pa.int64()),
        ("rows_landed", pa.int64()),
        ("rows_loaded", pa.int64()),
        ("set_aside", pa.int64()),
        ("rows_deleted", pa.int64()),
        ("rows_dead_letter", pa.int64()),
        ("watermark", pa.string()),
        ("load_id", pa.string()),
        ("error", pa.string()),
    ]
)

RUNS_LENGTHS = {  # in bytes; `error` has no bound
    "run_id": 80, "source": 40, "table_name": 127, "mode": 40, "status": 40, "watermark": 255, "load_id": 64,
}  # fmt: skip


def record(runs: Sequence[TableRun], run_id: str, warehouse: Warehouse) -> None:
    """Appends the runs to `ops.extract_runs`."""
    if not runs:
        return
    import dlt

    rows = [{name: getattr(run, name, run_id) for name in RUNS_SCHEMA.names} for run in runs]
    table = pa.Table.from_pylist(rows, schema=RUNS_SCHEMA)
    lengths: dict[str, Any] = {
        name: {"data_type": "text", "precision": length} for name, length in RUNS_LENGTHS.items()
    }
    resource = dlt.resource([table], name=OPS_TABLE, write_disposition="append", columns=lengths)
    pipeline = warehouse.pipeline(OPS_DATASET, OPS_TABLE)
    try:
        pipeline.run(resource, loader_file_format="parquet")
    except Exception as error:
        if not any("already exists" in str(cause) for cause in causes(error)):
            raise
        # The first runs of two sources made the tables at the same moment; they are there now, the rows are not.
        pipeline.run()
