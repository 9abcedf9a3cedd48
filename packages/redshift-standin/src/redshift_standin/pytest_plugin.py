"""Fixtures for tests against the stand-in, to be imported in a conftest.py.

They need a fixture `redshift_server` with the server and the bucket; the README has an example.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg2 import extensions

from redshift_standin.server.listener import RedshiftServer

ROLE = "arn:aws:iam::000000000000:role/copy"


@dataclass(frozen=True)
class Redshift:
    """A stand-in, a bucket for COPY, and an autocommitting connection of the admin."""

    server: RedshiftServer
    bucket: Any  # boto3 has no types
    connection: extensions.connection

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs a statement; returns its rows, none if it has no result."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def copy(self, table: str, key: str, options: str) -> None:
        """Runs COPY with a role that may read the bucket."""
        self.execute(f"copy {table} from 's3://{self.bucket.name}/{key}' iam_role '{ROLE}' {options}")


@pytest.fixture
def redshift(redshift_server: tuple[RedshiftServer, Any]) -> Iterator[Redshift]:
    """The stand-in with an empty schema `t`, to which unqualified names refer."""
    server, bucket = redshift_server
    with closing(server.connect()) as connection:
        connection.autocommit = True
        stand_in = Redshift(server, bucket, connection)
        stand_in.execute("drop schema if exists t cascade")
        stand_in.execute("create schema t")
        stand_in.execute("set search_path to t")
        yield stand_in
