"""Measures dbt: a first build against the same SQL by hand, and builds with few new rows.

python -m bench.layers     runs what dbt compiled, in DuckDB, one statement after another
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from bench.measure import Measure, Way, in_turns, python
from sandbox.business import Business

SHARES = (0.001, 0.01, 0.1)  # new rows of all rows


# Runs the demo sources with so many sales on a date; yields the settings of a warehouse beside them.
Up = Callable[[Path, int, date], AbstractContextManager[dict[str, str]]]


@dataclass(frozen=True)
class FirstBuild:
    """A first build of all models, without and with the tests; `start` is the seconds of `run` outside its models."""

    by_hand: Measure
    run: Measure
    start: float
    tested_by_hand: Measure
    build: Measure


@dataclass(frozen=True)
class Increment:
    """The measures of a run that found `rows` new rows."""

    rows: int
    extract: Measure
    dbt: Measure
    start: float


def dbt(*arguments: str) -> list[str]:
    """Returns the command line of a dbt command."""
    return python("dbt.cli.main", "--quiet", *arguments)


def first_build(folder: Path, environment: Mapping[str, str], rounds: int) -> FirstBuild:
    """Measures a first build on the warehouse in `environment`, which is loaded but not built."""
    warehouse, loaded = Path(environment["WAREHOUSE_PATH"]), folder / "loaded.duckdb"
    in_turns([Way("seed", dbt("seed"), environment)], 1)
    shutil.copyfile(warehouse, loaded)

    def restore_loaded() -> None:
        shutil.copyfile(loaded, warehouse)

    working: list[float] = []
    taken = in_turns(
        [
            Way("run", dbt("run"), environment, restore_loaded, lambda: working.append(elapsed(environment))),
            Way("by hand", python("bench.layers"), environment, restore_loaded),
            Way("build", dbt("build"), environment, restore_loaded),
            Way("tested by hand", python("bench.layers", "tests"), environment, restore_loaded),
        ],
        rounds,
    )
    start = taken["run"].seconds - median(working)
    return FirstBuild(taken["by hand"], taken["run"], start, taken["tested by hand"], taken["build"])


def increments(folder: Path, business: Business, up: Up, rounds: int) -> Iterator[Increment]:
    """Yields the measures of a run with nothing new, then with each of the shares; the demo's date advances.

    At first the warehouse is loaded and built up to the business's first day.
    """
    built = folder / "built.duckdb"
    for share in (0.0, *SHARES):
        today = day_with(business, share)
        with up(folder, business.sales, today) as environment:
            warehouse = Path(environment["WAREHOUSE_PATH"])
            if not built.exists():  # the first time, on the business's first day
                in_turns([Way("all", python("extract", "run", "--build"), environment)], 1)
                shutil.copyfile(warehouse, built)

            extract = Way(
                "extract", python("extract", "run", "--source", "postgres"), environment,
                partial(shutil.copyfile, built, warehouse),
            )  # fmt: skip
            working: list[float] = []
            build = Way("dbt", dbt("run"), environment, after=lambda: working.append(elapsed(environment)))  # noqa: B023
            taken = in_turns([extract, build], rounds)
        rows = business.sales_before(today) - business.sales_before(business.opening)
        yield Increment(rows, taken["extract"], taken["dbt"], taken["dbt"].seconds - median(working))


def day_with(business: Business, share: float) -> date:
    """Returns the first day on which at least this share of the sales is new."""
    day = business.opening
    while business.sales_before(day) < business.sales_before(business.opening) + share * business.sales:
        day += timedelta(days=1)
    return day


def elapsed(environment: Mapping[str, str]) -> float:
    """Returns the elapsed seconds in the results of dbt's last command."""
    seconds: float = json.loads(Path(environment["DBT_TARGET_PATH"], "run_results.json").read_text())["elapsed_time"]
    return seconds


def build_by_hand(*, tests: bool) -> None:
    """Creates the tables and views of the models that dbt compiled last, in the order of their dependencies.

    With `tests`, runs the tests too.

    Raises:
        SystemExit: if a test with severity error returns rows.
    """
    import duckdb

    manifest = json.loads(Path(os.environ["DBT_TARGET_PATH"], "manifest.json").read_text())
    nodes = {key: node for key, node in manifest["nodes"].items() if node.get("compiled_code")}
    models = {key: node for key, node in nodes.items() if node["resource_type"] == "model"}
    with duckdb.connect(os.environ["WAREHOUSE_PATH"], config={"preserve_insertion_order": False}) as connection:
        while models:
            ready = [key for key, node in models.items() if not set(node["depends_on"]["nodes"]) & set(models)]
            for node in map(models.pop, ready):
                kind = "view" if node["config"]["materialized"] == "view" else "table"
                connection.execute(f'create schema if not exists "{node["schema"]}"')
                connection.execute(f"create {kind} {node['relation_name']} as {node['compiled_code']}")
        for node in nodes.values() if tests else ():
            # a snapshot cannot be built from its compiled SQL alone
            if node["resource_type"] == "test" and not any("snapshot." in key for key in node["depends_on"]["nodes"]):
                ((found,),) = connection.execute(f"select count(*) from ({node['compiled_code']}) as t").fetchall()
                if found and node["config"]["severity"].lower() == "error":
                    raise SystemExit(f"{node['name']}: {found} rows")


if __name__ == "__main__":
    build_by_hand(tests="tests" in sys.argv[1:])
