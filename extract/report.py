"""The output of the commands: progress and a summary on a terminal, JSON lines elsewhere."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table as RichTable

from extract import interrupt
from extract.checks.audit import Comparison, Load
from extract.checks.check import Check
from extract.load.runner import Progress, TableRun
from extract.logs import console, log, redact
from extract.task_log import write_metrics
from extract.transform.build import BuildResult
from extract.transform.lineage import Models
from extract.visible import visible


class LogProgress:
    """Progress as log lines: one when a table starts, one when it ends."""

    def started(self, name: str) -> None:
        """Reports that a table is started.

        Raises:
            KeyboardInterrupt: if the command is to stop and the table before it has lost the signal.
        """
        interrupt.check()
        log.info("%s: started", name, extra={"data": {"table": name}})

    def advanced(self, rows: int) -> None:  # noqa: ARG002
        """Reports nothing: a log collector needs results, not motion."""
        interrupt.check()

    def finished(self, run: TableRun) -> None:
        """Reports how the table ended."""
        data: dict[str, Any] = {
            "table": run.name,
            "status": run.status,
            "rows_source": run.rows_source,
            "rows_loaded": run.rows_loaded,
            "seconds": round(run.seconds, 3),
        }
        if run.error:
            data |= {"stale": [run.name] if run.status == "failed" else [], "may_pass": run.may_pass}
        write_metrics("Table", run.name, table_metrics(run))
        if run.error:
            log.error("%s", run.error, extra={"data": data})
        else:
            log.info("%s: loaded", run.name, extra={"data": data})


def table_metrics(run: TableRun) -> dict[str, float | None]:
    """Returns the metrics of a table's load."""
    return {
        "RowsAtSource": run.rows_source,
        "RowsLoaded": run.rows_loaded,
        "RowsDeleted": run.rows_deleted,
        "DeadLetters": run.rows_dead_letter,
        "LoadSeconds": round(run.seconds, 3),
        "LoadFailed": int(run.status == "failed"),
    }


class TerminalProgress(LogProgress):
    """A line per table that counts its rows while they are read."""

    def __init__(self, bars: RichProgress) -> None:
        self.bars = bars
        self.task: TaskID | None = None

    def started(self, name: str) -> None:
        """Reports that a table is started; raises KeyboardInterrupt as LogProgress does."""
        interrupt.check()
        self.task = self.bars.add_task(name, total=None, rows="")

    def advanced(self, rows: int) -> None:
        """Reports that so many more of its rows were read."""
        assert self.task is not None  # noqa: S101  started comes first
        interrupt.check()
        self.bars.advance(self.task, rows)
        done = self.bars.tasks[self.task].completed
        self.bars.update(self.task, rows=f"{done:,.0f} rows read")

    def finished(self, run: TableRun) -> None:
        """Reports how the table ended."""
        assert self.task is not None  # noqa: S101  started comes first
        rows = f"{run.rows_loaded:,} rows loaded" if run.status != "failed" else "[red]failed[/red]"
        self.bars.update(self.task, total=1, completed=1, rows=rows)
        if run.error:
            self.bars.console.print(visible(run.error), style="red", markup=False)


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Yields the progress for a terminal, or for a log."""
    if not console.is_terminal:
        yield LogProgress()
        return
    columns = (
        SpinnerColumn(finished_text="•"), TextColumn("{task.description:<22}"), BarColumn(bar_width=20),
        TextColumn("{task.fields[rows]:>24}"), TimeElapsedColumn(),
    )  # fmt: skip
    with RichProgress(*columns, console=console) as bars:
        yield TerminalProgress(bars)


@contextmanager
def show_steps(title: str) -> Iterator[Callable[[str], None]]:
    """Yields a function to call with the name of each finished step, which a terminal shows."""
    if not console.is_terminal:
        log.info("%s: started", title)
        yield lambda name: log.debug("%s: %s", title, name)
        return
    with console.status(title) as status:
        yield lambda name: status.update(f"{title}: {name}")


BEHIND = (
    "raw has newer loads; run make build, in AWS make run-aws (after extract redate: with FULL_REFRESH=1, in AWS "
    "with INPUT='{\"full_refresh\": true}')"
)


def print_comparisons(found: Sequence[Comparison], *, every: bool) -> None:
    """Prints the audit: what differs with the query that shows it, and, if asked to, every comparison.

    A model that only lacks newer loads does not differ: what to do is printed instead of the counts and the query.
    """
    wrong = [comparison for comparison in found if not comparison.ok]
    if not console.is_terminal:
        for comparison in found if every else wrong:
            log_comparison(comparison)
        log.info("audit: %d of %d counts agree", len(found) - len(wrong), len(found))
        return
    if every and found:
        table = RichTable(box=None, pad_edge=False, header_style="bold")
        for heading in ("table", "comparison"):
            table.add_column(heading, overflow="fold")
        for heading in ("expected", "found"):
            table.add_column(heading, justify="right", no_wrap=True)
        for comparison in found:
            counts = (format_count(comparison.expected), format_count(comparison.found))
            if comparison.behind:
                counts = ("-", "-")
            table.add_row(comparison.table, comparison.what, *counts, style=None if comparison.ok else "red")
        console.print(table)
        console.print()
    agree = f"{len(found) - len(wrong)} of {len(found)} counts agree"
    console.print(f"audit      {agree}", style="red" if wrong else None)
    for comparison in wrong:
        if comparison.behind:
            console.print(f"           {comparison.table}: {BEHIND}", style="red", markup=False)
            continue
        differ = f"{format_count(comparison.expected)} and {format_count(comparison.found)}"
        if comparison.expected == comparison.found:
            differ += ", but not the same ones"
        console.print(f"           {comparison.table}: {comparison.what}: {differ}", style="red", markup=False)
        console.print(f"           {comparison.query}", markup=False)


def log_comparison(comparison: Comparison) -> None:
    """Logs one comparison of the audit."""
    data = asdict(comparison)
    if comparison.behind:
        data = {"table": comparison.table, "what": comparison.what, "behind": True, "may_pass": False}
        log.error("audit %s: %s", comparison.table, BEHIND, extra={"data": data})
        return
    data |= {} if comparison.ok else {"may_pass": False}
    level = logging.INFO if comparison.ok else logging.ERROR
    log.log(level, "audit %s: %s", comparison.table, comparison.what, extra={"data": data})


def print_loads(found: Sequence[Load]) -> None:
    """Prints the last loads of each table, with the rows landed and loaded."""
    if not console.is_terminal:
        for load in found:
            level = logging.INFO if load.recorded else logging.WARNING
            state = (
                "rows landed and loaded" if load.recorded else "complete, but its run ended before it was recorded"
            )
            log.log(
                level if load.ok else logging.ERROR,
                "load %s of %s: %s", load.load_id, load.table, state, extra={"data": asdict(load)},
            )  # fmt: skip
        return
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for heading in ("table", "load", "mode"):  # the id of the run is in ops.extract_runs
        table.add_column(heading, overflow="fold")
    for heading in ("landed", "loaded"):
        table.add_column(heading, justify="right", no_wrap=True)
    for load in found:
        counts = (format_count(load.landed), format_count(load.loaded))
        mode = load.mode if load.recorded else "not recorded"
        style = "red" if not load.ok else None if load.recorded else "yellow"
        table.add_row(load.table, load.load_id, mode, *counts, style=style)
    if found:
        console.print(table)
        console.print()


def format_count(value: int | None) -> str:
    """Returns a count for people; a dash for None."""
    return "-" if value is None else f"{value:,}"


def print_summary(runs: Sequence[TableRun], built: BuildResult | None, warehouse: str) -> None:
    """Prints what a run did: each table, dbt's outcome, and where the results are."""
    if not console.is_terminal:
        if built:
            log_build(built)
        tables = [summary_fields(run, built) for run in runs]
        log.info("summary", extra={"data": {"tables": tables, "warehouse": warehouse}})
        return
    console.print()
    for run in runs:
        print_table_run(run, built)
    if runs:
        console.print()
    if built:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(built.counts.items()))
        console.print(f"dbt        {counts}", style=None if built.ok else "red")
        for message in built.messages:
            console.print(f"           {redact.clean(message)}", style="yellow" if built.ok else "red", markup=False)
        for message in built.unusual:
            console.print(f"           {visible(message)}", style="yellow", markup=False)
        if built.docs:
            console.print(f"docs       {built.docs}", markup=False)
        if built.published:
            console.print(f"published  {built.published}", markup=False)
    console.print(f"warehouse  {warehouse}", markup=False)


def print_written(report: Path | None) -> None:
    """Prints where the report is; without one, its fault is logged."""
    if report and console.is_terminal:
        console.print(f"report     {report}", markup=False)
    elif report:
        log.info("report: %s", report, extra={"data": {"report": str(report)}})


def log_build(built: BuildResult) -> None:
    """Logs what dbt did, each node that warned or failed first, and writes the metrics of the build."""
    for message in built.warnings:
        log.warning("%s", message)
    for message in built.errors:
        log.error("%s", message, extra={"data": {"stale": built.stale, "may_pass": True}})
    for message in built.unusual:
        log.warning("%s", message)
    level = logging.INFO if built.ok else logging.ERROR
    log.log(level, "dbt build", extra={"data": built.as_log(), "is_summary": True})
    for name, layer in built.layers.items():
        write_metrics("Table", name, {"RowsInSilver": layer.silver, "RowsRejected": layer.rejected})
    nodes = {"NodesFailed": len(built.errors), "NodesWarned": len(built.warnings)}
    write_metrics("", "", {"BuildSeconds": round(built.seconds, 3), **nodes})


def print_checks(checks: Iterable[Check]) -> None:
    """Prints the checks of doctor, a line each."""
    if not console.is_terminal:
        for check in checks:
            level = logging.INFO if check.ok else logging.ERROR
            log.log(level, "%s", check.found, extra={"data": {"check": check.what, "ok": check.ok}})
        return
    table = RichTable(box=None, pad_edge=False, show_header=False)
    for check in checks:
        table.add_row("[green]ok[/]" if check.ok else "[red]wrong[/]", check.what, escape(check.found))
    console.print(table)


def print_table_run(run: TableRun, built: BuildResult | None) -> None:
    """Prints one table of the summary: its status, its counts in as many lines as the width needs, its error."""
    fields = summary_fields(run, built)
    color = {"ok": "green", "partial": "yellow", "failed": "red"}[run.status]
    speed = f"{run.mode}, {run.seconds:.1f} s, {format_count(fields['rows_per_second'])} rows/s"
    console.print(f"[bold]{escape(run.name)}[/]  [{color}]{run.status}[/]  {speed}")
    counts = [
        f"{name.replace('_', ' ')} {format_count(fields[name])}"
        for name in ("at_source", "landed", "loaded", "deleted")
        if fields[name] or name != "deleted"
    ]
    if run.rows_dead_letter:
        counts.append(f"dead letters {format_count(run.rows_dead_letter)}")
    layers = []
    if built:
        layers = [f"{name} {format_count(fields[name])}" for name in ("bronze", "silver")]
        models = built.models.get(run.name, Models())
        if models.rejected:
            where = f" ({models.rejected_name})" if fields["rejected"] else ""
            layers.append(f"rejected {format_count(fields['rejected'])}{where}")
    for line in [*wrap_parts(counts, console.width - 2), *wrap_parts(layers, console.width - 2)]:
        console.print(f"  {line}", markup=False)
    if run.error:
        console.print(f"  {visible(run.error)}", style=color, markup=False)


def wrap_parts(parts: Iterable[str], width: int) -> Iterator[str]:
    """Yields lines of as many parts as fit the width; no part is divided."""
    line = ""
    for part in parts:
        if line and len(line) + 2 + len(part) > width:
            yield line
            line = ""
        line = f"{line}  {part}" if line else part
    if line:
        yield line


def summary_fields(run: TableRun, built: BuildResult | None) -> dict[str, Any]:
    """Returns the fields of one table in the summary; with a build, the rows of each layer too."""
    layer = built.layers.get(run.name) if built else None
    return {
        "table": run.name,
        "mode": run.mode,
        "at_source": run.rows_source,
        "landed": run.rows_landed,
        "loaded": run.rows_loaded,
        "deleted": run.rows_deleted,
        "dead_letter": run.rows_dead_letter,
        "set_aside": run.set_aside,
        "bronze": layer.bronze if layer else None,
        "silver": layer.silver if layer else None,
        "rejected": layer.rejected if layer else None,
        "seconds": round(run.seconds, 3),
        "rows_per_second": round((run.rows_loaded or 0) / run.seconds),
        "status": run.status,
    }
