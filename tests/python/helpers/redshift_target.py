"""The path to Redshift in a test's own process: the stand-in, S3 and sign-in, and dbt on them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult
from psycopg2 import sql
from s3fs import S3FileSystem

from extract.warehouse.destinations import WorkgroupCredentials
from redshift_standin.postgres import PostgresServer
from redshift_standin.server.listener import DATABASE
from sandbox.everything import warehouse
from sandbox.settings import Settings
from tests.python.helpers import ROOT

TEMPLATE = f"{DATABASE}_template"
DATABASES = "select datname from pg_database"
ROLES = "select rolname from pg_roles"


@dataclass(frozen=True)
class RedshiftTarget:
    """A stand-in: the settings to reach it, the PostgreSQL server below it, and the folder for dbt's files."""

    environment: dict[str, str]
    server: PostgresServer
    folder: Path

    def set(self, patch: pytest.MonkeyPatch, **settings: str) -> None:
        """Sets the environment to the stand-in's, as production's settings would be, and to more `settings`."""
        for name, value in (self.environment | {"DBT_TARGET": "prod"} | settings).items():
            patch.setenv(name, value)

    def dbt(self, *command: str, project: Path = ROOT, **settings: str) -> dbtRunnerResult:
        """Returns the result of a dbt command on the target `prod`, or on that of DBT_TARGET in `settings`."""
        places = ["--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs")]
        with pytest.MonkeyPatch.context() as patch:
            self.set(patch, **settings)
            patch.chdir(project)
            return dbtRunner().invoke([*command, "--quiet", *places])

    def s3(self) -> Any:
        """Returns a client of its S3 server."""
        return boto3.client(
            "s3", endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"], region_name=self.environment["AWS_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
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
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def redshift_up(server: PostgresServer, folder: Path) -> Iterator[RedshiftTarget]:
    """Runs an empty stand-in while entered; what was created in it is dropped after it, databases and roles too.

    The first call also makes a template of the empty database, from which every database is copied.
    """
    S3FileSystem.clear_instance_cache()  # an instance keeps the address of its first use
    settings = Settings(folder, None, date(2026, 1, 10), redshift=True)
    if not server.has_database(TEMPLATE):
        with warehouse(server, settings):
            pass
        administer(server, "alter database {} rename to {}", DATABASE, TEMPLATE)
    databases, roles = administer(server, DATABASES), administer(server, ROLES)
    administer(server, "create database {} template {}", DATABASE, TEMPLATE)
    try:
        with warehouse(server, settings) as environment:
            yield RedshiftTarget(environment, server, folder)
    finally:
        for (name,) in set(administer(server, DATABASES)).difference(databases):
            server.drop_database(name)
        for (name,) in set(administer(server, ROLES)).difference(roles):
            administer(server, "drop role {}", name)


def administer(server: PostgresServer, statement: str, *names: str) -> list[tuple[Any, ...]]:
    """Runs a statement on the names, outside of a transaction; returns its rows."""
    with closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
            return cursor.fetchall() if cursor.description else []
