"""dbt in this process: freshness, build and docs, with the project parsed once.

Importing dbt costs seconds of CPU and parsing one more, so one process does all of it.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from extract import interrupt
from extract.declarations import Table
from extract.errors import ExtractError, advice, causes
from extract.logs import redact
from extract.transform.docs_page import PAGE, target_folder, write_page
from extract.transform.lineage import Layers, Models, count_layers, find_models
from extract.warehouse.targets import Warehouse


class DbtError(ExtractError):
    """A dbt command that could not do its work at all."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one node of dbt's project in a build: a row of `ops.dbt_results`."""

    invocation_id: str
    node: str
    kind: str
    name: str
    status: str
    started_at: datetime | None = None  # None if it was skipped
    seconds: float = 0
    rows_affected: int | None = None  # None if the warehouse does not say
    failures: int | None = None  # the rows that a test found
    message: str | None = None  # why it is not a success


@dataclass(frozen=True)
class BuildResult:
    """What dbt did: the number of nodes by status, and a line for each that warned or failed."""

    counts: dict[str, int]
    messages: tuple[str, ...]
    models: dict[str, Models] = field(default_factory=dict)
    layers: dict[str, Layers] = field(default_factory=dict)
    docs: Path | None = None
    published: str | None = None  # where the results are for others to see
    broke: bool = False  # dbt did not finish, so what the layers have is unknown
    stale: tuple[str, ...] = ()  # models that failed or were skipped, and have their rows of before
    seconds: float = 0
    nodes: tuple[NodeResult, ...] = ()
    unusual: tuple[str, ...] = ()  # values of the run that are far from those of earlier runs

    @property
    def ok(self) -> bool:
        """True if nothing failed; warnings do not fail a build."""
        return set(self.counts) <= {"success", "pass", "warn", "no-op"}

    @property
    def warnings(self) -> list[str]:
        """The lines of the nodes that warned."""
        return [message for message in self.messages if message.startswith("warn ")]

    @property
    def errors(self) -> list[str]:
        """The lines of the nodes that failed."""
        return [message for message in self.messages if not message.startswith("warn ")]

    def as_log(self) -> dict[str, Any]:
        """Returns the outcome as fields of a log line."""
        return {name: value for name, value in asdict(self).items() if name not in ("models", "nodes")} | {
            "ok": self.ok
        }


def build(
    warehouse: Warehouse,
    tables: Collection[Table],
    on_node: Callable[[str], None],
    *,
    full_refresh: bool = False,
    failed: Path | None = None,
) -> BuildResult:
    """Runs `dbt source freshness`, `dbt build` and, if that succeeded, `dbt docs generate`.

    `failed` is the folder with the results of an earlier attempt that failed. With it, only the nodes that failed or
    were skipped are built, by `dbt retry`.

    `on_node` is called with the name of each finished node. A project that does not parse or a warehouse that cannot
    be reached is an error among the result's messages.
    """
    from dbt.cli.main import dbtRunner

    started = monotonic()
    # Those of another run must not be taken for this one's if it breaks before it has its own.
    (target_folder() / "run_results.json").unlink(missing_ok=True)
    try:
        manifest = invoke(dbtRunner(), "parse")
        runner = dbtRunner(manifest=manifest, callbacks=[lambda event: report_node(event, on_node)])
        command = ["retry", "--state", str(failed)] if failed else ["build"]
        command += ["--full-refresh"] if full_refresh and not failed else []
        results = [*invoke(runner, "source", "freshness").results, *invoke(runner, *command).results]
        counts = Counter(str(result.status) for result in results)
        built = find_models(manifest, tables, warehouse)
        outcome = BuildResult(
            dict(counts),
            tuple(messages(results)),
            built,
            count_layers(built, warehouse),
            stale=tuple(stale(results)),
            nodes=tuple(node_results(results)),
        )
        if outcome.ok:
            outcome = replace(outcome, docs=write_docs(runner))
    except DbtError as error:
        outcome = BuildResult({"error": 1}, (str(error),), broke=True)
    return replace(outcome, seconds=round(monotonic() - started, 3))


def write_docs(runner: Any) -> Path:
    """Writes the docs page and catalog.json to dbt's target folder; returns the page.

    They are written to a folder of their own first: the page before stays until the new one is complete.

    Raises:
        DbtError: if dbt wrote no page.
    """
    target = target_folder()
    with TemporaryDirectory(dir=target, prefix="docs-") as folder:
        # --no-compile: the page takes the compiled SQL from the manifest that the build has just written.
        shutil.copy(target / "manifest.json", folder)
        invoke(runner, "docs", "generate", "--no-compile", "--target-path", str(Path(folder).absolute()))
        if not (Path(folder) / "catalog.json").is_file():  # a query of the catalog that fails raises nothing
            raise DbtError("dbt docs generate: no docs were written; see logs/dbt.log")
        write_page(Path(folder))
        for name in ("catalog.json", PAGE):
            (Path(folder) / name).replace(target / name)
    return target / PAGE


def quiet() -> tuple[str, ...]:
    """Returns dbt's flags to print nothing and to log everything to logs/dbt.log.

    Without a level of its own, the file gets the terminal's level.
    """
    return (
        "--log-level",
        "none",
        "--log-level-file",
        os.environ.get("DBT_LOG_LEVEL_FILE", "debug"),
        "--no-use-colors",
    )


def invoke(runner: Any, *command: str) -> Any:
    """Returns the result of one dbt command, whether its nodes succeeded or failed.

    Raises:
        DbtError: if the command itself failed.
        KeyboardInterrupt: if it was stopped; dbt returns that as a result.
    """
    outcome = runner.invoke([*quiet(), *command])
    interrupt.check(outcome.exception)
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception
    if outcome.exception is not None:
        text = " ".join(str(outcome.exception).split())
        raise DbtError(f"dbt {' '.join(command)}: {text}{advice(causes(outcome.exception))}")
    return outcome.result


def report_node(event: Any, on_node: Callable[[str], None]) -> None:
    """Passes on the name of a finished node."""
    if event.info.name == "NodeFinished":
        on_node(event.data.node_info.node_name)


def messages(results: Iterable[Any]) -> Iterable[str]:
    """Yields a line for each node that warned or failed; skipped nodes are only counted."""
    for result in results:
        if result.status not in ("success", "pass", "no-op", "skipped"):
            name = getattr(result.node, "name", "")
            source = getattr(result.node, "source_name", "")
            text = " ".join(str(result.message or "").split())
            yield f"{result.status} {f'{source}.' if source else ''}{name}: {text}"


def node_results(results: Iterable[Any]) -> Iterable[NodeResult]:
    """Yields what is recorded of each node."""
    from dbt_common.invocation import get_invocation_id

    for result in results:
        executed = next((one for one in result.timing if one.name == "execute"), None)
        rows = (result.adapter_response or {}).get("rows_affected")
        status = str(result.status)
        yield NodeResult(
            get_invocation_id(),
            result.node.unique_id,
            str(result.node.resource_type),
            result.node.name,
            status,
            started_at=executed.started_at.replace(tzinfo=UTC) if executed and executed.started_at else None,
            seconds=round(result.execution_time, 3),
            rows_affected=rows if isinstance(rows, int) and rows >= 0 else None,
            failures=result.failures,
            message=None
            if status in ("success", "pass", "no-op") or not result.message
            else redact.clean(result.message),
        )


def stale(results: Iterable[Any]) -> Iterable[str]:
    """Yields the names of the models that failed or were skipped."""
    for result in results:
        is_model = getattr(result.node, "resource_type", "") in ("model", "snapshot", "seed")
        if is_model and result.status in ("error", "skipped", "partial success"):
            yield result.node.name


def parse_models(tables: Collection[Table], warehouse: Warehouse) -> dict[str, Models]:
    """Parses the project; returns the models of each table.

    Raises:
        DbtError: if it does not parse.
    """
    from dbt.cli.main import dbtRunner

    return find_models(invoke(dbtRunner(), "parse"), tables, warehouse)
