"""What the tests share: a PostgreSQL server, and an empty database in it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
from redshift_connector.iam_helper import IamHelper

from extract.__main__ import main
from redshift_standin.postgres import PostgresServer
from sandbox.sources.api import serve
from tests.python.helpers.world import VENDA, Outcome, World

# A shell's background job ignores Ctrl-C, and so would every program that a test starts and stops with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A fault that passes is tried again for a while. A test that is not about that does not wait for it.
os.environ["RETRY_SECONDS"] = "0"

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


# Files that take longest: begun first, they do not keep one core waiting for the other in the end.
LONG = (
    "test_redshift_pipeline", "test_permissions", "test_state_machine_pipeline", "test_infra_check",
    "test_whole_pipeline", "test_build_command", "test_incremental", "test_any_dbt_project", "test_killed_runs",
    "test_source_changes",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of the long files first."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(autouse=True)
def no_known_credentials() -> None:
    """Makes Redshift's client forget the credentials of a stand-in that is gone: it takes them for the next one's."""
    IamHelper.credentials_cache.clear()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server of this test session alone."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    with server:
        yield server
    server.remove()


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of a fresh, empty database of `postgres_server`."""
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
    """Sources that are up and hold two rows each."""

    def run_main(arguments: list[str]) -> Outcome:
        capfd.readouterr()
        code = main(arguments)
        out, err = capfd.readouterr()
        return Outcome(code, out + err)

    login = postgres_server.settings(database)
    with serve(lambda employee: world.answer(employee)) as url:
        world = World(
            environment={
                "EMPLOYEES_API_URL": url,
                "EMPLOYEES_API_ATTEMPTS": "2",
                "EMPLOYEES_API_TIMEOUT": "0.5",
                "SOURCE_POSTGRES_HOST": login.host,
                "SOURCE_POSTGRES_PORT": str(login.port),
                "SOURCE_POSTGRES_DATABASE": login.dbname,
                "SOURCE_POSTGRES_USER": login.user,
                "SOURCE_POSTGRES_PASSWORD": login.password,
                "SOURCE_POSTGRES_SSLMODE": "disable",
                "PARQUET_DROP": str(tmp_path / "drop"),
                "WAREHOUSE_PATH": str(tmp_path / "warehouse.duckdb"),
                "EXTRACT_WORK": str(tmp_path / "work"),
                "DBT_TARGET": "local",
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
