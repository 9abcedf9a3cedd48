"""The Redshift stand-in, the PostgreSQL server below it, and an S3 server for COPY."""

import logging
import signal
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import hypothesis
import pytest
import redshift_connector
from moto.server import ThreadedMotoServer
from redshift_connector.iam_helper import IamHelper

from redshift_standin.postgres import PostgresServer
from redshift_standin.pytest_plugin import Redshift, redshift
from redshift_standin.server.listener import RedshiftServer
from redshift_standin.signatures import AccessKey

__all__ = ["redshift"]

# A background job of a shell ignores SIGINT, and so would the processes that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine may be slow.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def no_cached_credentials() -> None:
    """Clears the credentials that AWS's clients keep: they would use those of one stand-in for the next one."""
    boto3.DEFAULT_SESSION = None
    IamHelper.credentials_cache.clear()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test session."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    with server:
        yield server
    server.remove()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of an S3 server of this test session."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def stand_in(
    postgres_server: PostgresServer, s3_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedshiftServer]:
    """A stand-in of this test session."""
    folder = tmp_path_factory.mktemp("redshift")
    with RedshiftServer(postgres_server, folder, s3_endpoint, AccessKey.random()) as server:
        yield server


@pytest.fixture(scope="module")
def redshift_server(stand_in: RedshiftServer, s3_endpoint: str) -> Iterator[tuple[RedshiftServer, Any]]:
    """The stand-in and an empty bucket. moto's memory is that of the process: other modules' tests may reset it."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    bucket = boto3.resource("s3", endpoint_url=s3_endpoint, region_name="us-east-1", **keys).Bucket("landing")
    bucket.create()
    bucket.objects.all().delete()
    yield stand_in, bucket
    bucket.objects.all().delete()


@pytest.fixture
def connect_like_dbt(
    redshift: Redshift, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., redshift_connector.Connection]]:
    """Opens connections of dbt-redshift's client as the admin, or with changed arguments, and closes them."""
    monkeypatch.setenv("SSL_CERT_FILE", str(redshift.server.ca_bundle))  # it reads CAs from OpenSSL's places
    opened: list[redshift_connector.Connection] = []

    def connect(**changed: Any) -> redshift_connector.Connection:
        arguments = {
            "host": redshift.server.host, "port": redshift.server.port, "database": "dev", "user": "awsuser",
            "password": redshift.server.password, "sslmode": "verify-full",
        }  # fmt: skip
        opened.append(redshift_connector.connect(**(arguments | changed)))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
