"""A project of a test's own, without the demo, and the database of its source."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

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

    def extract(self, *arguments: str, code: int = 0) -> str:
        """Runs a command; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "extract", *arguments],
            cwd=self.project, env=self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def dbt(self, *arguments: str) -> None:
        """Runs dbt, which must succeed."""
        self.run("dbt", "--quiet", *arguments)

    def run(self, program: str, *arguments: str) -> None:
        """Runs a program of the environment, which must succeed."""
        done = subprocess.run(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=self.project, env=self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

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
def team(tmp_path: Path, postgres_server: PostgresServer, database: str) -> Iterator[Team]:
    """A copy of the project without the demo, and an empty database."""
    project = tmp_path / "project"
    for name in FILES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            project.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    connection = postgres_server.connect(database)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        **source_settings(postgres_server.settings(database)),
        "PARQUET_DROP": str(tmp_path / "drop"),
        "WAREHOUSE_PATH": str(tmp_path / "warehouse.duckdb"),
        "EXTRACT_WORK": str(tmp_path / "work"),
        "DBT_TARGET": "local",
        "TODAY": "",
    }
    team = Team(project, connection, environment)
    team.extract("remove", "--demo")
    yield team
    connection.close()
