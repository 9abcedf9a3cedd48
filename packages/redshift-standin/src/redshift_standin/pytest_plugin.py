"""Fixtures for tests of programs that use Redshift. pytest finds them wherever this package is installed.

`redshift` is the server: one in each process of pytest, so one for each worker of pytest-xdist. `redshift_database`
is an empty schema of it. A conftest.py overrides `redshift_options` and `redshift_s3` to change names, users, and
where COPY reads from.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:  # imported by the fixtures: not every run of pytest uses them
    from psycopg2 import extensions

    from redshift_standin.postgres import PostgresServer
    from redshift_standin.server.listener import Options, RedshiftServer
    from redshift_standin.signatures import AccessKey


@dataclass(frozen=True)
class RedshiftDatabase:
    """An empty schema of a stand-in, and an autocommitting connection of its admin.

    Attributes:
        server: host, port, database, user, password and ca_bundle are what a client needs.
        schema: the name of the schema, to which unqualified names refer on the connection.
        connection: psycopg2's.
    """

    server: "RedshiftServer"
    schema: str
    connection: "extensions.connection"

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs a statement; returns its rows, none if it has no result."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def redshift_options() -> "Options":
    """The names, users and roles of the stand-in."""
    from redshift_standin.server.listener import Options

    return Options()


@pytest.fixture(scope="session")
def redshift_s3() -> "tuple[str, AccessKey]":
    """The URL of the S3 server that COPY reads from, and the key to read with; by default the environment's."""
    from redshift_standin.signatures import AccessKey

    return os.environ.get("AWS_ENDPOINT_URL_S3", ""), AccessKey.from_environment(os.environ)


@pytest.fixture(scope="session")
def redshift_postgres(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[PostgresServer]":
    """The PostgreSQL server on which the stand-in runs; its data need not survive a crash of the machine."""
    from redshift_standin.postgres import PostgresServer

    server = PostgresServer(tmp_path_factory.mktemp("postgres"), fsync="off", full_page_writes="off")
    with server:
        yield server
    server.remove()


@pytest.fixture(scope="session")
def redshift(
    tmp_path_factory: pytest.TempPathFactory,
    redshift_postgres: "PostgresServer",
    redshift_s3: "tuple[str, AccessKey]",
    redshift_options: "Options",
) -> "Iterator[RedshiftServer]":
    """A stand-in that runs until the last test has ended."""
    from redshift_standin.server.listener import RedshiftServer

    folder = tmp_path_factory.mktemp("redshift")
    with RedshiftServer(redshift_postgres, folder, *redshift_s3, redshift_options) as server:
        yield server


@pytest.fixture
def redshift_database(redshift: "RedshiftServer") -> Iterator[RedshiftDatabase]:
    """An empty schema, which is dropped after the test."""
    with closing(redshift.connect()) as connection:
        connection.autocommit = True
        database = RedshiftDatabase(redshift, f"test_{uuid4().hex[:12]}", connection)
        database.execute(f"create schema {database.schema}")
        database.execute(f"set search_path to {database.schema}")
        yield database
        database.execute(f"drop schema {database.schema} cascade")
