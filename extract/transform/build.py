"""dbt in this process: freshness, build and docs, with the project parsed once.

Importing dbt costs seconds of CPU and parsing one more, so one process does all of it.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from extract.declarations import Table
from extract.errors import ExtractError, advice, causes
from extract.transform.lineage import Layers, Models, count_layers, find_models
from extract.warehouse.targets import Warehouse


class DbtError(ExtractError):
    """A dbt command that could not do its work at all."""


@dataclass(frozen=True)
class BuildResult:
    """What dbt did: how many nodes ended how, and a line for each that did not end well."""

    counts: dict[str, int]
    messages: tuple[str, ...]
    models: dict[str, Models] = field(default_factory=dict)
    layers: dict[str, Layers] = field(default_factory=dict)
    docs: Path | None = None
    published: str | None = None  # where the results are for others to see
    broke: bool = False  # dbt did not come to its end: nothing can be said of what is in the layers

    @property
    def ok(self) -> bool:
        """True where nothing failed; warnings do not fail a build."""
        return set(self.counts) <= {"success", "pass", "warn", "no-op"}

    def as_log(self) -> dict[str, Any]:
        """Returns the outcome as fields of a log line."""
        return {name: value for name, value in asdict(self).items() if name != "models"} | {"ok": self.ok}


def build(
    warehouse: Warehouse,
    tables: Collection[Table],
    on_node: Callable[[str], None],
    *,
    full_refresh: bool = False,
    failed: Path | None = None,
) -> BuildResult:
    """Runs `dbt source freshness`, `dbt build` and, if that went well, `dbt docs generate --static`.

    Where `failed` is the folder of an attempt's results that did not go well, its nodes that failed or were skipped
    are built, by `dbt retry`, instead of all.

    `on_node` is told the name of each node that is done. A project that does not parse or a warehouse that cannot
    be reached is an error among the result's messages.
    """
    from dbt.cli.main import dbtRunner

    # Those of another run must not be taken for this one's if it breaks before it has its own.
    for result in ("run_results.json", "static_index.html"):
        (target_folder() / result).unlink(missing_ok=True)
    try:
        manifest = invoke(dbtRunner(), "parse")
        runner = dbtRunner(manifest=manifest, callbacks=[lambda event: told(event, on_node)])
        command = ["retry", "--state", str(failed)] if failed else ["build"]
        command += ["--full-refresh"] if full_refresh and not failed else []
        results = [*invoke(runner, "source", "freshness").results, *invoke(runner, *command).results]
        counts = Counter(str(result.status) for result in results)
        built = find_models(manifest, tables, warehouse)
        outcome = BuildResult(dict(counts), tuple(messages(results)), built, count_layers(built, warehouse))
        if not outcome.ok:
            return outcome
        # --no-compile: the page takes the compiled SQL from the manifest that the build has just written.
        invoke(runner, "docs", "generate", "--static", "--no-compile")
        if not (target_folder() / "static_index.html").is_file():  # what it cannot ask the warehouse is no exception
            raise DbtError("dbt docs generate: no docs were written; logs/dbt.log says why")
    except DbtError as error:
        return BuildResult({"error": 1}, (str(error),), broke=True)
    return replace(outcome, docs=target_folder() / "static_index.html")


def target_folder() -> Path:
    """Returns the folder where dbt leaves its results and the docs."""
    return Path(os.environ.get("DBT_TARGET_PATH", "target"))


def quiet() -> tuple[str, ...]:
    """Returns dbt's flags for saying nothing to the terminal and everything to logs/dbt.log.

    dbt takes the level of the first for that of the second, unless the second is given too.
    """
    return (
        "--log-level",
        "none",
        "--log-level-file",
        os.environ.get("DBT_LOG_LEVEL_FILE", "debug"),
        "--no-use-colors",
    )


def invoke(runner: Any, *command: str) -> Any:
    """Returns the result of one dbt command, whether its nodes went well or not.

    Raises:
        DbtError: if the command itself broke.
        KeyboardInterrupt: if it was stopped; dbt gives that as a result.
    """
    outcome = runner.invoke([*quiet(), *command])
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception
    if outcome.exception is not None:
        text = " ".join(str(outcome.exception).split())
        raise DbtError(f"dbt {' '.join(command)}: {text}{advice(causes(outcome.exception))}")
    return outcome.result


def told(event: Any, on_node: Callable[[str], None]) -> None:
    """Passes on the name of a node that dbt has done."""
    if event.info.name == "NodeFinished":
        on_node(event.data.node_info.node_name)


def messages(results: Iterable[Any]) -> Iterable[str]:
    """Gives a line for each node that warned or failed; what was skipped for it is only counted."""
    for result in results:
        if result.status not in ("success", "pass", "no-op", "skipped"):
            name = getattr(result.node, "name", "")
            source = getattr(result.node, "source_name", "")
            text = " ".join(str(result.message or "").split())
            yield f"{result.status} {f'{source}.' if source else ''}{name}: {text}"


def parse_models(tables: Collection[Table], warehouse: Warehouse) -> dict[str, Models]:
    """Returns the models of each table, of a project that is parsed for it.

    Raises:
        DbtError: if it does not parse.
    """
    from dbt.cli.main import dbtRunner

    return find_models(invoke(dbtRunner(), "parse"), tables, warehouse)
