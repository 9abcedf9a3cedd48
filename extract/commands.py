"""The commands: one function each, which returns the exit code."""

import argparse
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from extract import interrupt, logs, report
from extract.checks import doctor
from extract.checks.audit import audit, last_loads, record_audit
from extract.checks.baseline import find_unusual
from extract.checks.freshness import hours_since_load
from extract.declarations import PostgresTable, RestTable, Source, Table, read_declarations
from extract.disk import explain_full_disk
from extract.errors import ExtractError, reason
from extract.load.backfill import find_dead_letters, plan_backfill
from extract.load.clock import check_clock, in_words
from extract.load.fan_out import PlanRead, find_due_range
from extract.load.history import create_tables
from extract.load.redate import redate
from extract.load.replay import NEXT_STEP, replay
from extract.load.runner import Progress, TableRun, extract, is_said, read_state, reconcile
from extract.reading import Read
from extract.scaffold.add import add
from extract.scaffold.listing import list_tables
from extract.scaffold.remove import remove
from extract.settings import DropSettings, Settings, read_settings
from extract.sources import own_read
from extract.sources.parquet.put import put_files
from extract.sources.rest_api import read as rest_api
from extract.task_log import is_deployed, write_metrics
from extract.transform.artifacts import failed_attempt, publish
from extract.transform.build import BuildResult, build, parse_models
from extract.transform.docs_page import target_folder
from extract.transform.history import record_build
from extract.warehouse import landing
from extract.warehouse.lock import hold_locks
from extract.warehouse.raw_tables import read_raw_table
from extract.warehouse.targets import (
    Warehouse,
    aws_environment,
    check_file,
    dbt_environment,
    describe_place,
    open_warehouse,
)


def run_pipeline(options: argparse.Namespace) -> int:
    """Loads the sources and, if asked to, builds."""
    everything = read_declarations()
    declared = everything.select(options.source) if options.source else everything
    if not declared.tables:
        raise ExtractError("no table is declared; add one: python -m extract add --help")
    for name in options.accept:
        declared.find(name)
    writes = [source.dataset for source in declared.sources] + (["build"] if options.build else [])
    with prepare(options, declared.sources, writes) as (settings, warehouse):
        reads = [own_read(table, everything) for table in declared.tables]
        with report.show_progress() as progress:
            runs = extract(reads, settings, warehouse, progress, options.accept)
        for source in declared.sources:
            tables = [table.full_name for table in declared.tables if table.source == source]
            write_metrics("Source", source.name, {"SourceLoaded": int(are_loaded(tables, runs))})
        built = None
        if options.build:
            # After --accept the models must lose the rows that left raw.
            full_refresh = options.full_refresh or bool(options.accept)
            built = build_and_publish(settings, warehouse, declared.tables, full_refresh=full_refresh)
        report.print_summary(runs, built, describe_place(settings))
        try:
            comparisons = audit(declared.tables, built.models if built else {}, warehouse)
            record_audit(comparisons, settings, warehouse)
            written = show_as_report(settings, warehouse) if options.build else None
        except Exception as error:
            interrupt.check(error)
            if is_said(error, runs):
                return 1
            raise
    report.print_comparisons(comparisons, every=False)
    report.print_written(written)
    succeeded = all(run.status == "ok" for run in runs) and all(comparison.ok for comparison in comparisons)
    return 0 if succeeded and (built is None or built.ok) else 1


def build_models(options: argparse.Namespace) -> int:
    """Builds what was loaded."""
    tables = read_declarations().tables
    with prepare(options, (), ["build"], is_loaded=True) as (settings, warehouse):
        create_tables(warehouse)  # the loads may be of a version that had none
        built = build_and_publish(settings, warehouse, tables, full_refresh=options.full_refresh)
        report.print_summary((), built, describe_place(settings))
        if built.broke:  # a warehouse that dbt cannot query does not answer the audit either
            return 1
        comparisons = audit(tables, built.models, warehouse)
        record_audit(comparisons, settings, warehouse)
        written = show_as_report(settings, warehouse)
    report.print_comparisons(comparisons, every=False)
    report.print_written(written)
    return 0 if built.ok and all(comparison.ok for comparison in comparisons) else 1


def audit_layers(options: argparse.Namespace) -> int:
    """Prints whether every row is accounted for."""
    tables = read_declarations().tables
    with prepare(options, (), is_loaded=True) as (_, warehouse):
        comparisons = audit(tables, parse_models(tables, warehouse), warehouse)
        loads = last_loads(tables, warehouse)
    report.print_loads(loads)
    report.print_comparisons(comparisons, every=True)
    return 0 if all(comparison.ok for comparison in comparisons) else 1


def write_report(options: argparse.Namespace) -> int:
    """Writes the report of what the warehouse has."""
    with prepare(options, (), is_loaded=True, read_only=True) as (settings, warehouse):
        written = show_as_report(settings, warehouse)
    report.print_written(written)
    return 0 if written else 1


def reconcile_tables(options: argparse.Namespace) -> int:
    """Reconciles every table that is read incrementally."""
    tables = [t for t in read_declarations().tables if isinstance(t, PostgresTable) and not t.replaces]
    sources = tuple(dict.fromkeys(table.source for table in tables))

    return exit_code(load(options, sources, partial(reconcile, tables)))


def backfill_table(options: argparse.Namespace) -> int:
    """Reads a range of a table again."""
    table = find_table(options)
    if isinstance(table, RestTable):
        reads = rest_api.plan_backfill(table, options.first, options.last)
        return exit_code(load_due(options, table.source, lambda _warehouse: reads))
    postgres = find_postgres_table(options)

    def due(warehouse: Warehouse) -> Sequence[Read]:
        return plan_backfill(postgres, options.first, options.last, read_state(postgres, warehouse))

    return exit_code(load_due(options, postgres.source, due))


def plan_ranges(options: argparse.Namespace) -> int:
    """Divides a table's keys into ranges that are loaded one by one."""
    table = find_xmin_table(options)
    runs = load_due(options, table.source, lambda _warehouse: [PlanRead(table, options.ranges)])
    return exit_code(runs, succeeded=("ok", "partial"))


def load_range(options: argparse.Namespace) -> int:
    """Loads one range of a plan, unless it is loaded already.

    Dead letters and other notes do not make it fail: the run that closes the plan reports them for all ranges.
    """
    table = find_xmin_table(options)

    def due(warehouse: Warehouse) -> Sequence[Read]:
        return find_due_range(table, options.number, read_state(table, warehouse), warehouse)

    writes = f"{table.dataset}.{table.name}.range-{options.number}"
    return exit_code(load_due(options, table.source, due, writes), succeeded=("ok", "partial"))


def replay_loads(options: argparse.Namespace) -> int:
    """Loads dead letters from the source, or loads from the landing, again."""
    if options.dead_letters:
        postgres = find_postgres_table(options)

        def due(warehouse: Warehouse) -> Sequence[Read]:
            letters = find_dead_letters(postgres, read_raw_table(postgres, warehouse), warehouse)
            if not letters:
                logs.log.info("%s: no dead letters to replay", postgres.full_name)
            return letters

        return exit_code(load_due(options, postgres.source, due))
    table = find_table(options)
    with prepare(options, (), [table.dataset]) as (settings, warehouse):
        if not settings.redshift:
            raise ExtractError("the target local has no landing to replay from; read the source: extract backfill")
        for one in replay(read_raw_table(table, warehouse), options.load, settings.redshift, warehouse):
            message = "load %s: %d rows and %d dead letters replayed from the landing"
            logs.log.info(message, one.load_id, one.rows, one.dead_letters)
        logs.log.warning("%s: %s", table.full_name, NEXT_STEP)
    return 0


def redate_loads(options: argparse.Namespace) -> int:
    """Gives loads from the future a time of now."""
    sources = read_declarations().sources
    with prepare(options, (), [source.dataset for source in sources], is_loaded=True) as (settings, warehouse):
        if settings.redshift:
            check_clock(settings)
        redated = redate(sources, settings, warehouse)
    for one in redated:
        then = in_words(datetime.fromtimestamp(float(one.before), UTC))
        logs.log.info("%s: load %s, of %s, is load %s now", one.table, one.before, then, one.after)
    if redated:
        logs.log.warning("%d loads redated; %s", len(redated), NEXT_STEP)
    else:
        logs.log.info("no load is from the future")
    return 0


def drop_files(options: argparse.Namespace) -> int:
    """Puts files into the drop."""
    declared = read_declarations()
    sources = [source for source in declared.sources if source.kind == "parquet"]
    if len(sources) != 1:
        raise ExtractError(f"drop: expected one declared source of kind parquet, got {len(sources)}")
    # Of the settings only the drop's are needed, not the warehouse's.
    settings = read_settings(sources, os.environ | {"DBT_TARGET": "local"})
    logs.configure_logging((), debug=options.debug)
    with aws_environment(settings):
        bounds = settings.of(sources[0], DropSettings)
        for place in put_files(options.files, bounds, sources[0], settings.today, declared):
            logs.log.info("put to %s; the next run reads it", place)
    return 0


def examine_setup(options: argparse.Namespace) -> int:
    """Prints what doctor finds."""
    logs.configure_logging((), debug=options.debug)
    checks = doctor.examine(read_declarations())
    report.print_checks(checks)
    return 0 if all(check.ok for check in checks) else 1


NOTHING_LOADED = "nothing loaded yet: run make run, in AWS make run-aws"

COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "add": add,
    "remove": remove,
    "list": list_tables,
    "run": run_pipeline,
    "build": build_models,
    "audit": audit_layers,
    "report": write_report,
    "reconcile": reconcile_tables,
    "backfill": backfill_table,
    "plan": plan_ranges,
    "range": load_range,
    "replay": replay_loads,
    "redate": redate_loads,
    "drop": drop_files,
    "doctor": examine_setup,
}


@contextmanager
def prepare(
    options: argparse.Namespace,
    sources: Collection[Source],
    writes: Sequence[str] = (),
    *,
    is_loaded: bool = False,
    read_only: bool = False,
) -> Iterator[tuple[Settings, Warehouse]]:
    """Yields the settings and the open warehouse; locks the parts of it that are written to.

    With `read_only` a DuckDB file is opened like that: others may read it at the same time.

    Raises:
        ExtractError: if the warehouse does not answer, another run has locked it, or it has no load although it is
            expected to have one (`is_loaded`).
    """
    settings = read_settings(sources)
    logs.configure_logging(settings.secrets, debug=options.debug)
    if is_loaded and not settings.redshift and not settings.warehouse.exists():
        raise ExtractError(NOTHING_LOADED)  # to open the file would create it
    with aws_environment(settings):
        if settings.redshift:
            landing.claim(settings)
        if sources:
            check_clock(settings)
        with (
            hold_locks(settings, writes) if writes else nullcontext(),
            open_warehouse(settings, read_only=read_only) as warehouse,
        ):
            try:  # once, and not by each table
                if not settings.redshift:
                    check_file(settings.warehouse)
                existing = warehouse.tables()
            except Exception as error:
                full = explain_full_disk(error, settings)
                raise ExtractError(full or reason(describe_place(settings), error, settings.secrets)) from error
            if is_loaded and not any(schema == "ops" or schema.startswith("raw_") for schema, _ in existing):
                raise ExtractError(NOTHING_LOADED)
            yield settings, warehouse


def load_due(
    options: argparse.Namespace, source: Source, due: Callable[[Warehouse], Sequence[Read]], writes: str | None = None
) -> list[TableRun]:
    """Loads what is due of one source; `writes` is the part of the warehouse to lock, by default its raw schema."""

    def load_reads(settings: Settings, warehouse: Warehouse, progress: Progress) -> list[TableRun]:
        return extract(due(warehouse), settings, warehouse, progress)

    return load(options, [source], load_reads, writes)


def load(
    options: argparse.Namespace,
    sources: Collection[Source],
    work: Callable[[Settings, Warehouse, Progress], list[TableRun]],
    writes: str | None = None,
) -> list[TableRun]:
    """Does a work that loads, and prints the summary."""
    parts = [writes] if writes else [source.dataset for source in sources]
    with prepare(options, sources, parts) as (settings, warehouse), report.show_progress() as progress:
        runs = work(settings, warehouse, progress)
    report.print_summary(runs, None, describe_place(settings))
    return runs


def exit_code(runs: Sequence[TableRun], succeeded: Collection[str] = ("ok",)) -> int:
    """Returns 0 if every run succeeded, else 1."""
    return 0 if all(run.status in succeeded for run in runs) else 1


def check_request(options: argparse.Namespace) -> None:
    """Checks what is known of a loading command without settings: its sources, its table, its values.

    Raises:
        ExtractError: if one is not declared, or the table cannot be read like this.
    """
    match options.command:
        case "run":
            declarations = read_declarations()
            declarations.select(options.source or [])
            for name in options.accept:
                declarations.find(name)
        case "backfill":
            table = find_table(options)
            if isinstance(table, RestTable):
                rest_api.plan_backfill(table, options.first, options.last)
            else:
                plan_backfill(find_postgres_table(options), options.first, options.last, {})
        case "plan" | "range":
            find_xmin_table(options)
        case "replay":
            (find_postgres_table if options.dead_letters else find_table)(options)


def find_table(options: argparse.Namespace) -> Table:
    """Returns the table that the options name.

    Raises:
        ExtractError: if it is not declared.
    """
    return read_declarations().find(f"{options.source}.{options.table}")


def find_postgres_table(options: argparse.Namespace) -> PostgresTable:
    """Returns the table that the options name, if a part of it can be read.

    Raises:
        ExtractError: if it does not exist, or every run reads all of it.
    """
    table = find_table(options)
    if not isinstance(table, PostgresTable):
        what = "every run reads all of it; run it instead"
        if isinstance(table, RestTable) and not table.replaces:
            what = "its rows cannot be asked for by key; read them again: python -m extract backfill --help"
        raise ExtractError(f"{table.full_name}: mode {table.mode}: {what}")
    return table


def find_xmin_table(options: argparse.Namespace) -> PostgresTable:
    """Returns the table that the options name, if it can be loaded by ranges.

    Raises:
        ExtractError: if it does not exist, or its mode is not xmin.
    """
    table = find_postgres_table(options)
    if table.mode != "xmin":
        raise ExtractError(
            f"{table.full_name}: expected a table of mode xmin to load by ranges, got mode {table.mode}; "
            "run it instead"
        )
    return table


def are_loaded(tables: Collection[str], runs: Sequence[TableRun]) -> bool:
    """Returns whether all of these tables, by their full names, were loaded."""
    failed = {run.name for run in runs if run.status == "failed"}
    return set(tables) <= {run.name for run in runs} - failed


def build_and_publish(
    settings: Settings, warehouse: Warehouse, tables: Sequence[Table], *, full_refresh: bool
) -> BuildResult:
    """Runs dbt, records its results in `ops` and publishes them.

    If an earlier attempt of this run failed in the build, dbt continues with the nodes that failed.
    """
    interrupt.check()
    warehouse.release()
    failed = None
    if settings.artifacts:
        failed = failed_attempt(settings.artifacts, settings.run_id, settings.work / "failed" / settings.run_id)
    with dbt_environment(settings), report.show_steps("dbt retry" if failed else "dbt build") as show_step:
        built = build(warehouse, tables, show_step, full_refresh=full_refresh, failed=failed)
    record_build(built, tables, settings, warehouse)
    if not built.broke:
        built = replace(built, unusual=tuple(find_unusual(settings, warehouse)))
    if is_deployed() and not built.broke:
        for source, hours in hours_since_load(tables, warehouse).items():
            write_metrics("Source", source, {"HoursSinceLoad": hours})
    if settings.artifacts:
        built = replace(built, published=publish(settings.artifacts, settings.run_id, built, target_folder()))
    return built


def show_as_report(settings: Settings, warehouse: Warehouse) -> Path | None:
    """Writes the report; returns its file. A fault is logged, and None returned: the data of the run is right."""
    from extract.reporting.write import write_report  # Altair takes half a second

    interrupt.check()
    try:
        return write_report(settings, warehouse)
    except Exception as error:  # noqa: BLE001  whatever it is, what was loaded and built stays
        interrupt.check(error)
        logs.log.debug("traceback", exc_info=True)
        logs.log.error(
            "%s; the report is that of before; write it again: make report", reason("report", error, settings.secrets)
        )
        return None
