"""The command line: `python -m extract --help`."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from extract.errors import ExtractError, NotRecordedError
from extract.options import parser
from extract.settings import SOURCES

if TYPE_CHECKING:
    from extract.load.runner import TableRun
    from extract.reading import Table
    from extract.settings import Settings
    from extract.sources.postgres.table import PostgresTable
    from extract.transform.build import BuildResult
    from extract.warehouse.targets import Warehouse


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except NotRecordedError as error:
        print(f"error: {error}; what was loaded is there, run again", file=sys.stderr)  # noqa: T201
        return 1
    except ExtractError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  before or after the log has its place
        return 2
    except KeyboardInterrupt:
        print("stopped; run again to go on", file=sys.stderr)  # noqa: T201
        return 130
    except Exception as error:  # noqa: BLE001  a traceback would show what is in it, secrets too
        from extract.errors import reason
        from extract.report import log, redact

        log.debug("traceback", exc_info=True)
        print(f"error: {reason('extract', error, redact.secrets)}", file=sys.stderr)  # noqa: T201
        return 1


@contextmanager
def opened(
    options: argparse.Namespace, sources: Collection[str], writes: Sequence[str] = ()
) -> "Iterator[tuple[Settings, Warehouse]]":
    """Gives the settings and the warehouse, with the locks of the parts of it that are written to."""
    from extract.settings import read_settings

    settings = read_settings(sources)

    from extract import report
    from extract.warehouse import landing
    from extract.warehouse.lock import locked
    from extract.warehouse.targets import aws_environment, warehouse

    report.configure_logging(settings.secrets, debug=options.debug)
    with aws_environment(settings):
        if settings.redshift:
            landing.claim(settings)
        with locked(settings, writes) if writes else nullcontext(), warehouse(settings) as target:
            yield settings, target


def run(options: argparse.Namespace) -> int:
    """Loads the sources and, if asked to, builds; returns 0 if all of it went well, else 1."""
    sources = options.source or SOURCES
    writes = [f"raw_{source}" for source in sources] + (["build"] if options.build else [])
    with opened(options, sources, writes) as (settings, target):
        from extract.checks.audit import audit
        from extract.load.runner import extract
        from extract.report import comparisons, progress, summary
        from extract.sources import TABLES
        from extract.warehouse.targets import place

        tables = [table for table in TABLES if table.source in sources]
        names = [f"{table.source}.{table.name}" for table in tables]
        if unknown := sorted(set(options.accept) - set(names)):
            raise ExtractError(f"--accept {unknown[0]}: no such table; expected one of {', '.join(names)}")
        with progress() as shown:
            runs = extract(tables, settings, target, shown, options.accept)
        built = None
        if options.build:
            anew = options.full_refresh or bool(options.accept)  # what left with the old rows leaves the models too
            built = built_and_published(settings, target, tables, full_refresh=anew)
        summary(runs, built, place(settings))
        audited = audit(tables, built.models if built else {}, target)
    comparisons(audited, every=False)
    good = all(run.status == "ok" for run in runs) and all(comparison.ok for comparison in audited)
    return 0 if good and (built is None or built.ok) else 1


def build(options: argparse.Namespace) -> int:
    """Builds what was loaded; returns 0 if all of it went well, else 1."""
    with opened(options, (), ["build"]) as (settings, target):
        from extract.checks.audit import audit as compare
        from extract.report import comparisons, summary
        from extract.sources import TABLES
        from extract.warehouse.targets import place

        built = built_and_published(settings, target, TABLES, full_refresh=options.full_refresh)
        summary((), built, place(settings))
        if built.broke:  # a warehouse that dbt could not ask would not answer the audit either
            return 1
        audited = compare(TABLES, built.models, target)
    comparisons(audited, every=False)
    return 0 if built.ok and all(comparison.ok for comparison in audited) else 1


def audit(options: argparse.Namespace) -> int:
    """Prints whether every row is accounted for; returns 0 if it is, else 1."""
    with opened(options, ()) as (_, target):
        from extract.checks.audit import audit as compare
        from extract.checks.audit import last_loads
        from extract.report import comparisons, loads
        from extract.sources import TABLES
        from extract.transform.build import parsed_models

        audited = compare(TABLES, parsed_models([table.name for table in TABLES], target), target)
        last = last_loads(TABLES, target)
    loads(last)
    comparisons(audited, every=True)
    return 0 if all(comparison.ok for comparison in audited) else 1


def reconcile(options: argparse.Namespace) -> int:
    """Reconciles every table that is read by what is new; returns 0 if all of it went well, else 1."""

    def due(_settings: "Settings", target: "Warehouse") -> "list[Table]":
        from extract.load.reconcile import Reconciliation
        from extract.sources import TABLES
        from extract.sources.postgres.table import PostgresTable
        from extract.warehouse.raw_tables import raw_table

        tables = [table for table in TABLES if isinstance(table, PostgresTable) and not table.replaces]
        return [Reconciliation(table, raw_table(table, target), target.query) for table in tables]

    return exit_code(loaded(options, ["postgres"], due))


def backfill(options: argparse.Namespace) -> int:
    """Reads a range of a table once more; returns 0 if all of it went well, else 1."""

    def due(_settings: "Settings", target: "Warehouse") -> "list[Table]":
        from extract.load.backfill import backfill as ranges
        from extract.load.runner import memory

        table = postgres_table(options)
        pipeline = target.pipeline(f"raw_{table.source}", table.name)
        return list(ranges(table, options.first, options.last, memory(pipeline, table)))

    return exit_code(loaded(options, [options.source], due))


def plan(options: argparse.Namespace) -> int:
    """Divides a table's keys into ranges that are loaded one by one; returns 0 if all of it went well, else 1."""
    table = table_with_ids(options)

    def due(_settings: "Settings", _target: "Warehouse") -> "list[Table]":
        from extract.load.fan_out import Planning

        return [Planning(table, options.ranges)]

    return exit_code(loaded(options, [options.source], due), good=("ok", "partial"))


def one_range(options: argparse.Namespace) -> int:
    """Loads one range of a plan, unless it is loaded; returns 0 if it is then, else 1.

    What was set aside is told by the run that closes the plan, for all ranges.
    """
    table = table_with_ids(options)

    def due(_settings: "Settings", target: "Warehouse") -> "list[Table]":
        from extract.load.fan_out import due_range
        from extract.load.runner import memory

        pipeline = target.pipeline(f"raw_{table.source}", table.name)
        return list(due_range(table, options.number, memory(pipeline, table), target))

    writes = f"raw_{table.source}.{table.name}.range-{options.number}"
    return exit_code(loaded(options, [options.source], due, writes), good=("ok", "partial"))


def replay(options: argparse.Namespace) -> int:
    """Loads dead letters or loads of the landing once more; returns 0 if all of it went well, else 1."""
    if options.dead_letters:

        def due(_settings: "Settings", target: "Warehouse") -> "list[Table]":
            from extract.load.backfill import dead_letters
            from extract.warehouse.raw_tables import raw_table

            table = postgres_table(options)
            return list(dead_letters(table, raw_table(table, target), target))

        return exit_code(loaded(options, [options.source], due))
    with opened(options, (), [f"raw_{options.source}"]) as (settings, target):
        from extract import report
        from extract.load.replay import THEN
        from extract.load.replay import replay as put_again
        from extract.warehouse.raw_tables import raw_table

        if not settings.redshift:
            raise ExtractError("the target local has no landing to replay from; read the source: extract backfill")
        for one in put_again(raw_table(table_named(options), target), options.load, settings.redshift, target):
            rows = "load %s: %d rows and %d dead letters replayed from the landing"
            report.log.info(rows, one.load_id, one.rows, one.dead_letters)
        report.log.warning("%s.%s: %s", options.source, options.table, THEN)
    return 0


def loaded(
    options: argparse.Namespace,
    sources: Sequence[str],
    due: "Callable[[Settings, Warehouse], list[Table]]",
    writes: str | None = None,
) -> "Sequence[TableRun]":
    """Loads what is due; it takes the lock of the part it `writes`, by default those of the sources' raw schemas."""
    parts = [writes] if writes else [f"raw_{source}" for source in sources]
    with opened(options, sources, parts) as (settings, target):
        from extract.load.runner import extract
        from extract.report import progress, summary
        from extract.warehouse.targets import place

        tables = due(settings, target)
        with progress() as shown:
            runs = extract(tables, settings, target, shown)
    summary(runs, None, place(settings))
    return runs


def exit_code(runs: "Sequence[TableRun]", good: Collection[str] = ("ok",)) -> int:
    """Returns 0 if every run ended in a way that is good, else 1."""
    return 0 if all(run.status in good for run in runs) else 1


def table_named(options: argparse.Namespace) -> "Table":
    """Returns the table that the options name.

    Raises:
        ExtractError: if there is none.
    """
    from extract.sources import TABLES

    for table in TABLES:
        if (table.source, table.name) == (options.source, options.table):
            return table
    names = ", ".join(f"{table.source}.{table.name}" for table in TABLES)
    raise ExtractError(f"{options.source}.{options.table}: no such table; expected one of {names}")


def postgres_table(options: argparse.Namespace) -> "PostgresTable":
    """Returns the table that the options name, where parts of it can be read.

    Raises:
        ExtractError: if there is none, or every run reads all of it.
    """
    from extract.sources.postgres.table import PostgresTable

    table = table_named(options)
    if not isinstance(table, PostgresTable):
        raise ExtractError(
            f"{table.source}.{table.name}: every run reads all of it (mode {table.mode}): run it instead"
        )
    return table


def table_with_ids(options: argparse.Namespace) -> "PostgresTable":
    """Returns the table that the options name, where a range of it and what was written since can be read.

    Raises:
        ExtractError: if there is none, or it is not read by its rows' transaction ids.
    """
    table = postgres_table(options)
    if table.mode != "xmin":
        raise ExtractError(
            f"{table.source}.{table.name}: expected a table of mode xmin to load by ranges, got mode {table.mode}: "
            "run it instead"
        )
    return table


def built_and_published(
    settings: "Settings", target: "Warehouse", tables: "Sequence[Table]", *, full_refresh: bool
) -> "BuildResult":
    """Runs dbt, from where this run's earlier attempt failed if there was one, and publishes what it leaves."""
    from extract import report
    from extract.transform.artifacts import failed_attempt, publish
    from extract.transform.build import build, target_folder
    from extract.warehouse.targets import dbt_environment

    target.release()
    failed = None
    if settings.artifacts:
        failed = failed_attempt(settings.artifacts, settings.run_id, settings.work / "failed" / settings.run_id)
    with dbt_environment(settings), report.steps("dbt retry" if failed else "dbt build") as step:
        built = build(target, [table.name for table in tables], step, full_refresh=full_refresh, failed=failed)
    if settings.artifacts:
        built = replace(built, published=publish(settings.artifacts, settings.run_id, built, target_folder()))
    return built


def drop(options: argparse.Namespace) -> int:
    """Puts a file into the drop; returns 0."""
    from extract import report
    from extract.settings import read_settings
    from extract.sources.drop import put
    from extract.warehouse.targets import aws_environment

    # The warehouse has no part in it: its settings are not asked for.
    settings = read_settings(["parquet"], os.environ | {"DBT_TARGET": "local"})
    report.configure_logging((), debug=options.debug)
    assert settings.drop  # noqa: S101  asked for
    with aws_environment(settings):
        place = put(options.file, settings.drop.url, settings.today)
    report.log.info("put to %s; the next run reads it", place)
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Prints what is right and what is not; returns 0 if all of it is right, else 1."""
    from extract import report
    from extract.checks.doctor import examine

    report.configure_logging((), debug=options.debug)
    checks = examine()
    report.checks(checks)
    return 0 if all(check.ok for check in checks) else 1


COMMANDS = {
    "run": run,
    "build": build,
    "audit": audit,
    "reconcile": reconcile,
    "backfill": backfill,
    "plan": plan,
    "range": one_range,
    "replay": replay,
    "drop": drop,
    "doctor": doctor,
}


def stop_as_by_ctrl_c() -> None:
    """Makes SIGTERM, which a container is stopped with, the same as Ctrl-C.

    ADBC, dlt and dbt each end their work at a SIGINT in a way of their own, ADBC even in the middle of a query, where
    no Python handler of SIGTERM would run. So a thread hears of the signal, wherever the main one is, and passes it
    on.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    heard, arrived = os.pipe()
    os.set_blocking(arrived, False)
    signal.set_wakeup_fd(arrived)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)  # only what has a handler wakes

    def pass_on() -> None:
        while number := os.read(heard, 1):
            if number[0] == signal.SIGTERM:
                os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=pass_on, name="SIGTERM", daemon=True).start()


if __name__ == "__main__":
    stop_as_by_ctrl_c()
    sys.exit(main())
