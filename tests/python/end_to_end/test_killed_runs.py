"""However often a run is killed, the next whole run loads what a run without kills would have loaded.

Each kill is a SIGKILL at a moment drawn from a seed, which is printed if the test fails; KILL_SEED repeats it. The
working folder is another one for each run, as it is for a container that lost its disk.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.python.helpers import SOAK
from tests.python.helpers.killed_runs import RUN, KilledRuns
from tests.python.helpers.redshift_target import redshift_up
from tests.python.helpers.world import World

KILLS = 5 * SOAK

pytestmark = pytest.mark.soak


def seeded() -> random.Random:
    """Returns a generator whose seed is printed."""
    seed = int(os.environ.get("KILL_SEED") or time.time())
    print(f"KILL_SEED={seed}")  # noqa: T201  pytest shows it with the failure
    return random.Random(seed)  # noqa: S311  no secret


def kill_runs(
    world: World, query: Callable[[str], list[tuple[Any, ...]]], *options: str, **settings: str
) -> KilledRuns:
    """Kills runs and then completes one; at least one of the kills came before the end of its run."""
    environment = world.environment | {"RUN_ID": "killed"} | settings
    runs = KilledRuns(world.sales, environment, query, seeded(), [*RUN, *options])
    runs.run()
    killed = 0
    for number in range(KILLS):
        runs.change()
        killed += runs.kill()
        environment["EXTRACT_WORK"] = str(world.drop.with_name(f"disk{number}"))
    assert killed, "no run was killed: each ended before its moment came"
    runs.change()
    runs.run()
    return runs


def test_on_duckdb(world: World) -> None:
    runs = kill_runs(world, world.query)
    assert runs.loaded() == runs.in_source()


@pytest.mark.slow
def test_on_duckdb_with_the_models_built_by_each_run(world: World, tmp_path: Path) -> None:
    world.run("api", "parquet")
    dbt = {
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path),
        "DBT_EXCLUDE_RESOURCE_TYPES": "test unit_test",  # they write nothing
    }
    runs = kill_runs(world, world.query, "--build", **dbt)
    assert runs.loaded() == runs.in_source()
    assert runs.silver() == runs.in_source()


@pytest.mark.slow
def test_on_the_path_to_redshift(world: World, tmp_path: Path) -> None:
    with redshift_up(world.server, tmp_path) as redshift:
        runs = kill_runs(world, redshift.execute, **redshift.environment, DBT_TARGET="prod")
        assert runs.loaded() == runs.in_source()


@pytest.mark.slow
def test_ranges_and_the_run_that_closes_their_plan(world: World, tmp_path: Path) -> None:
    table = ("--source", "postgres", "--table", "venda")
    with redshift_up(world.server, tmp_path) as redshift:
        environment = world.environment | redshift.environment | {"RUN_ID": "killed", "DBT_TARGET": "prod"}
        runs = KilledRuns(world.sales, environment, redshift.execute, seeded(), ("plan", *table, "--ranges", "3"))
        runs.change()
        runs.run()
        killed = 0
        for words in (*(("range", *table, "--number", number) for number in ("3", "1", "2")), RUN):
            runs.words = words
            runs.change()
            killed += runs.kill()
            environment["EXTRACT_WORK"] = str(world.drop.with_name(f"disk{killed}"))
            runs.run()
        assert killed, "no process was killed: each ended before its moment came"
        assert runs.loaded() == runs.in_source()
