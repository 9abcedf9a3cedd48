"""The Redshift stand-in with its S3, and a connection to it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from stand_in import Redshift

from sandbox.aws import s3
from sandbox.redshift.server import RedshiftServer
from sandbox.sources.postgres import PostgresServer


@pytest.fixture(scope="module")
def redshift_server(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RedshiftServer, Any]]:
    """The stand-in and its bucket, made for each file: those of other files reset what moto keeps in this process."""
    folder = tmp_path_factory.mktemp("redshift")
    with (
        s3.serve(folder / "landing") as endpoint,
        RedshiftServer(postgres_server, folder / "certificate", endpoint) as server,
    ):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        resource = boto3.resource("s3", endpoint_url=endpoint, region_name=s3.REGION, **keys)
        yield server, resource.Bucket(s3.LANDING)


@pytest.fixture
def redshift(redshift_server: tuple[RedshiftServer, Any]) -> Iterator[Redshift]:
    """The stand-in with an empty schema `t`, which is where unqualified names go."""
    server, bucket = redshift_server
    with closing(server.connect()) as connection:
        connection.autocommit = True
        stand_in = Redshift(server, bucket, connection)
        stand_in.execute("drop schema if exists t cascade")
        stand_in.execute("create schema t")
        stand_in.execute("set search_path to t")
        yield stand_in
