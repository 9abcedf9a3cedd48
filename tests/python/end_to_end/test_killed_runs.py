"""Runs that die at any moment, again and again, end in what a run that was never killed would have loaded.

Each kill is a SIGKILL at a moment drawn from a seed that is printed where the test fails; KILL_SEED repeats it. The
working folder is another one each time, as that of a container whose disk is gone. On DuckDB they build
the models too, so that some die in dbt.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.python.helpers.killed_runs import RUN, KilledRuns
from tests.python.helpers.redshift_target import redshift_up
from tests.python.helpers.world import World

KILLS = 4


def drawing() -> random.Random:
    """Moments from a seed that is told."""
    seed = int(os.environ.get("KILL_SEED") or time.time())
    print(f"KILL_SEED={seed}")  # noqa: T201  pytest shows it with the failure
    return random.Random(seed)  # noqa: S311  no secret


@contextmanager
def killed_runs(
    world: World, query: Callable[[str], list[tuple[Any, ...]]], *more: str, **settings: str
) -> Iterator[KilledRuns]:
    """Runs that were killed at moments drawn from a seed that is told, and then one that was not."""
    environment = world.environment | {"RUN_ID": "killed"} | settings
    runs = KilledRuns(world.sales, environment, query, drawing(), [*RUN, *more])
    runs.run()
    killed = 0
    for number in range(KILLS):
        runs.change()
        killed += runs.kill()
        environment["EXTRACT_WORK"] = str(world.drop.with_name(f"disk{number}"))
    assert killed, "no run was killed: each ended before its moment came"
    runs.change()
    runs.run()
    yield runs


def test_however_often_a_run_is_killed_the_next_whole_one_has_everything(world: World, tmp_path: Path) -> None:
    world.run("api", "parquet")
    dbt = {
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path),
        "DBT_EXCLUDE_RESOURCE_TYPES": "test unit_test",  # they write nothing
    }
    with killed_runs(world, world.query, "--build", **dbt) as runs:
        assert runs.told() == runs.truth()
        assert runs.silver() == runs.truth()


def test_on_the_path_to_redshift(world: World, tmp_path: Path) -> None:
    with redshift_up(world.server, tmp_path) as redshift:
        settings = redshift.environment | {"DBT_TARGET": "prod"}
        with killed_runs(world, redshift.execute, **settings) as runs:
            assert runs.told() == runs.truth()


def test_ranges_and_the_run_that_closes_their_plan_are_killed_too(world: World, tmp_path: Path) -> None:
    table = ("--source", "postgres", "--table", "venda")
    with redshift_up(world.server, tmp_path) as redshift:
        environment = world.environment | redshift.environment | {"RUN_ID": "killed", "DBT_TARGET": "prod"}
        runs = KilledRuns(world.sales, environment, redshift.execute, drawing(), ("plan", *table, "--ranges", "3"))
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
        assert runs.told() == runs.truth()
