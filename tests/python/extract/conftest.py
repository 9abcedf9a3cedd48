"""The `world` of the extract tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from world import VENDA, Outcome, World

from extract.__main__ import main
from sandbox.sources.api import serve
from sandbox.sources.postgres import PostgresServer


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
