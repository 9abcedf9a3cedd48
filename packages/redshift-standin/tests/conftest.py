"""The Redshift stand-in, the PostgreSQL server below it, and an S3 server for COPY."""

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import hypothesis
import pytest
from moto.server import ThreadedMotoServer
from redshift_connector.iam_helper import IamHelper

from redshift_standin.postgres import PostgresServer
from redshift_standin.pytest_plugin import redshift
from redshift_standin.server import RedshiftServer

__all__ = ["redshift"]

# A busy machine may be slow.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def no_known_credentials() -> None:
    """Makes Redshift's client forget the credentials of a stand-in that is gone: it takes them for the next one's."""
    IamHelper.credentials_cache.clear()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test session."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    with server:
        yield server
    server.remove()


@pytest.fixture(scope="module")
def redshift_server(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RedshiftServer, Any]]:
    """The stand-in and a bucket, made for each module: other modules reset what moto keeps in this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line per request otherwise
    s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3.start()
    endpoint = "http://{}:{}".format(*s3.get_host_and_port())
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    bucket = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1", **keys).Bucket("landing")
    bucket.create()
    with RedshiftServer(postgres_server, tmp_path_factory.mktemp("redshift"), endpoint) as server:
        yield server, bucket
    bucket.objects.all().delete()  # the next server of this process has the same memory
    s3.stop()
