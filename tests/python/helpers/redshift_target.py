"""Redshift's path in a test's own process: the stand-in, S3 and sign-in of a folder, and dbt on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult
from s3fs import S3FileSystem

from extract.warehouse.redshift_iam import WorkgroupCredentials
from redshift_standin.postgres import PostgresServer
from sandbox.everything import warehouse
from sandbox.settings import Settings
from tests.python.helpers import ROOT


@dataclass(frozen=True)
class RedshiftTarget:
    """A stand-in that is up: the settings to reach it, the PostgreSQL below it, and the folder of what dbt leaves."""

    environment: dict[str, str]
    server: PostgresServer
    folder: Path

    def set(self, patch: pytest.MonkeyPatch, **settings: str) -> None:
        """Sets the environment to the stand-in's, as production's settings would be, and to more `settings`."""
        for name, value in (self.environment | {"DBT_TARGET": "prod"} | settings).items():
            patch.setenv(name, value)

    def dbt(self, *command: str, **settings: str) -> dbtRunnerResult:
        """What a dbt command gives on the target `prod`, or on that of DBT_TARGET in `settings`."""
        places = ["--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs")]
        with pytest.MonkeyPatch.context() as patch:
            self.set(patch, **settings)
            patch.chdir(ROOT)
            return dbtRunner().invoke([*command, "--quiet", *places])

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs a statement in a session of its own, signed in as the pipeline is; returns its rows."""
        with pytest.MonkeyPatch.context() as patch:
            self.set(patch)
            credentials = WorkgroupCredentials()
            credentials.host, credentials.port = self.environment["REDSHIFT_HOST"], self.environment["REDSHIFT_PORT"]
            credentials.database = self.environment["REDSHIFT_DATABASE"]
            credentials.workgroup = self.environment["REDSHIFT_WORKGROUP"]
            credentials.query = {"sslmode": "verify-full", "sslrootcert": self.environment["REDSHIFT_CA_BUNDLE"]}
            connection = psycopg2.connect(credentials.to_native_representation())
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


@contextmanager
def redshift_up(folder: Path) -> Iterator[RedshiftTarget]:
    """An empty stand-in with a PostgreSQL of its own, up while entered."""
    S3FileSystem.clear_instance_cache()  # one that is known goes on with the address of its first use
    with (
        PostgresServer(folder / "postgres") as server,
        warehouse(server, Settings(folder, None, date(2026, 1, 10), redshift=True)) as environment,
    ):
        yield RedshiftTarget(environment, server, folder)
