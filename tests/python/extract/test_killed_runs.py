"""Runs that die at any moment, again and again, end in what a run that was never killed would have loaded.

Each kill is a SIGKILL at a moment drawn from a seed that is printed where the test fails; KILL_SEED repeats it. The
working folder is another one each time, as that of a container whose disk is gone.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from killed_runs import KilledRuns
from redshift_target import redshift_up
from world import VENDA

from sandbox.sources.postgres import PostgresServer

KILLS = {"local": 6, "redshift": 4}


@contextmanager
def killed_runs(server: PostgresServer, database: str, folder: Path, target: str) -> Iterator[KilledRuns]:
    """Runs on a target of their own, with the seed told."""
    seed = int(os.environ.get("KILL_SEED") or time.time())
    print(f"KILL_SEED={seed}")  # noqa: T201  pytest shows it with the failure
    login = server.settings(database)
    environment = {
        "SOURCE_POSTGRES_HOST": login.host,
        "SOURCE_POSTGRES_PORT": str(login.port),
        "SOURCE_POSTGRES_DATABASE": login.dbname,
        "SOURCE_POSTGRES_USER": login.user,
        "SOURCE_POSTGRES_PASSWORD": login.password,
        "SOURCE_POSTGRES_SSLMODE": "disable",
        "EXTRACT_WORK": str(folder / "work"),
        "RUN_ID": "killed",
        "DBT_TARGET": "local",
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
    }
    sales = server.connect(database)
    with sales, sales.cursor() as cursor:
        cursor.execute(VENDA)
    try:
        if target == "local":

            def ask(sql: str) -> list[tuple[object, ...]]:
                with duckdb.connect(environment["WAREHOUSE_PATH"], read_only=True) as connection:
                    return connection.execute(sql).fetchall()

            yield KilledRuns(sales, environment, ask, random.Random(seed))  # noqa: S311  no secret
        else:
            with redshift_up(folder) as redshift:
                environment |= redshift.environment | {"DBT_TARGET": "prod"}
                yield KilledRuns(sales, environment, redshift.execute, random.Random(seed))  # noqa: S311  no secret
    finally:
        sales.close()


@pytest.mark.parametrize("target", ["local", "redshift"])
def test_however_often_a_run_is_killed_the_next_whole_one_has_everything(
    postgres_server: PostgresServer, database: str, tmp_path: Path, target: str
) -> None:
    with killed_runs(postgres_server, database, tmp_path, target) as runs:
        started = time.monotonic()
        runs.run()
        whole = time.monotonic() - started
        killed = 0
        for number in range(KILLS[target]):
            runs.change()
            # The first half of a run is start-up; most of what can go wrong is in the second.
            killed += runs.run(after=whole * runs.draw.uniform(0.3, 1.0)) != 0
            runs.environment["EXTRACT_WORK"] = str(tmp_path / f"disk{number}")
        assert killed, "no run was killed: each ended before its moment came"
        runs.change()
        runs.run()
        assert runs.told() == runs.truth()
