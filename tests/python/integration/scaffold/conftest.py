"""A project of a test's own, without the demo, and the database of its source."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
from dbt.cli.main import dbtRunner

from extract.__main__ import main
from redshift_standin.postgres import PostgresServer
from sandbox.everything import source_settings
from tests.python.helpers import PATIENCE, ROOT

FILES = ("dbt_project.yml", "profiles.yml", ".sqlfluff", "models", "macros", "seeds", "snapshots", "tests/data")


@dataclass(frozen=True)
class Team:
    """A team with a project and a database."""

    project: Path
    source: psycopg2.extensions.connection
    environment: dict[str, str]
    output: pytest.CaptureFixture[str]

    def extract(self, *arguments: str, code: int = 0) -> str:
        """Runs a command in this process, as importing dbt takes seconds; returns what it prints."""
        self.output.readouterr()
        with self.inside():
            ended = main(list(arguments))
        out, err = self.output.readouterr()
        assert ended == code, out + err
        return out + err

    def dbt(self, *arguments: str) -> None:
        """Runs dbt, which must succeed."""
        with self.inside():
            done = dbtRunner().invoke(["--quiet", *arguments])
        assert done.success, done.exception

    def lint(self) -> None:
        """Checks the models with sqlfluff."""
        done = subprocess.run(
            [Path(sys.executable).with_name("sqlfluff"), "lint", "--disable-progress-bar", "models"],
            cwd=self.project, env=os.environ | self.environment | {"WAREHOUSE_PATH": ":memory:"},
            capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Makes this process, while entered, one of the team's in its project."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.chdir(self.project)
            yield

    def execute(self, sql: str) -> None:
        """Runs a statement at the source."""
        with self.source, self.source.cursor() as cursor:
            cursor.execute(sql)

    def at_source(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query at the source."""
        with self.source, self.source.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def loaded(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query in the warehouse."""
        with duckdb.connect(self.environment["WAREHOUSE_PATH"]) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    def read(self, path: str) -> str:
        """Returns the text of a file of the project."""
        return (self.project / path).read_text(encoding="utf-8")


@pytest.fixture
def team(
    tmp_path: Path, postgres_server: PostgresServer, database: str, capfd: pytest.CaptureFixture[str]
) -> Iterator[Team]:
    """A copy of the project without the demo, and an empty database."""
    project = tmp_path / "project"
    for name in FILES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            project.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    connection = postgres_server.connect(database)
    environment = {
        **source_settings(postgres_server.settings(database)),
        "PARQUET_DROP": str(tmp_path / "drop"),
        "WAREHOUSE_PATH": str(tmp_path / "warehouse.duckdb"),
        "EXTRACT_WORK": str(tmp_path / "work"),
        "DBT_TARGET": "local",
        "TODAY": "",
    }
    team = Team(project, connection, environment, capfd)
    team.extract("remove", "--demo")
    yield team
    connection.close()
