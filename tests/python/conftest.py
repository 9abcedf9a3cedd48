"""Fixtures that the tests share: a PostgreSQL server for each worker, and on it the sources and the stand-in."""

import functools
import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import botocore.loaders
import botocore.session
import hypothesis
import pytest
from redshift_connector.iam_helper import IamHelper

from extract.__main__ import main
from redshift_standin.postgres import PostgresServer
from sandbox.everything import source_settings
from sandbox.sources.api import serve
from tests.python.helpers.declared import TABLES
from tests.python.helpers.redshift_target import RedshiftTarget, redshift_up
from tests.python.helpers.world import VENDA, Outcome, World

# A shell's background job ignores Ctrl-C, and the programs that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Passing faults are retried for a while. Tests that are not about retries do not wait for that.
os.environ["RETRY_SECONDS"] = "0"

# dlt reads its log level once in a process, whichever test is the first to use it. A log that it opens during one
# test would write to the closed output of that test in all others.
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"

# `make` runs the tests, and is run by some of them as a person would run it.
for name in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS"):
    os.environ.pop(name, None)

# Each test has AWS sessions of its own. What they read of botocore's own files is read once.
botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """Leaves what was imported out of the garbage collections, which would look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_known_credentials() -> None:
    """Clears the credentials that AWS's clients keep: they would use those of one stand-in for the next one."""
    boto3.DEFAULT_SESSION = None
    IamHelper.credentials_cache.clear()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server for all tests of this worker; its data need not survive a crash of the machine."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"), fsync="off", full_page_writes="off")
    with server:
        yield server
    server.remove()


@pytest.fixture(scope="module")
def redshift(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedshiftTarget]:
    """The stand-in, empty at the module's first test."""
    with redshift_up(postgres_server, tmp_path_factory.mktemp("redshift")) as target:
        yield target


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of an empty database of `postgres_server`."""
    name = f"test_{uuid4().hex[:12]}"
    postgres_server.create_database(name)
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def world(
    tmp_path: Path,
    postgres_server: PostgresServer,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[World]:
    """Three sources with two rows each, and the settings of a DuckDB warehouse."""

    def run_main(arguments: list[str]) -> Outcome:
        capfd.readouterr()
        code = main(arguments)
        out, err = capfd.readouterr()
        return Outcome(code, out + err)

    with serve(lambda employee: world.answer(employee)) as url:
        world = World(
            environment={
                "EMPLOYEES_API_URL": url,
                "EMPLOYEES_API_ATTEMPTS": "2",
                "EMPLOYEES_API_TIMEOUT": "60",
                **source_settings(postgres_server.settings(database)),
                "PARQUET_DROP": str(tmp_path / "drop"),
                "WAREHOUSE_PATH": str(tmp_path / "warehouse.duckdb"),
                "EXTRACT_WORK": str(tmp_path / "work"),
                "DBT_TARGET": "local",
                "DBT_PROJECT_DIR": str(TABLES),
                "TODAY": "",
            },
            drop=tmp_path / "drop",
            warehouse=tmp_path / "warehouse.duckdb",
            sales=postgres_server.connect(database),
            server=postgres_server,
            main=run_main,
        )
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        world.execute(VENDA)
        world.put("2024-01-01/categoria.parquet")
        yield world
        world.sales.close()
