"""The Redshift stand-in, the PostgreSQL server below it, and an S3 server for COPY."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import boto3
import hypothesis
import pytest
import redshift_connector
from moto.server import ThreadedMotoServer
from redshift_connector.iam_helper import IamHelper

from redshift_standin.server.listener import RedshiftServer
from redshift_standin.signatures import AccessKey
from stand_in import StandIn

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
def s3_endpoint() -> Iterator[str]:
    """The URL of an S3 server of this test session."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def redshift_s3(s3_endpoint: str) -> tuple[str, AccessKey]:
    """COPY reads from that server."""
    return s3_endpoint, AccessKey.random()


@pytest.fixture(scope="module")
def bucket(s3_endpoint: str) -> Iterator[Any]:
    """An empty bucket. moto's memory is that of the process: other modules' tests may reset it."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    bucket = boto3.resource("s3", endpoint_url=s3_endpoint, region_name="us-east-1", **keys).Bucket("landing")
    bucket.create()
    bucket.objects.all().delete()
    yield bucket
    bucket.objects.all().delete()


@pytest.fixture
def stand_in(redshift: RedshiftServer, bucket: Any) -> Iterator[StandIn]:
    """The stand-in with an empty schema `t`, to which unqualified names refer."""
    with closing(redshift.connect()) as connection:
        connection.autocommit = True
        stand_in = StandIn(redshift, "t", connection, bucket)
        stand_in.execute("drop schema if exists t cascade")
        stand_in.execute("create schema t")
        stand_in.execute("set search_path to t")
        yield stand_in


@pytest.fixture
def connect_like_dbt(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., redshift_connector.Connection]]:
    """Opens connections of dbt-redshift's client as the admin, or with changed arguments, and closes them."""
    monkeypatch.setenv("SSL_CERT_FILE", str(stand_in.server.ca_bundle))  # it reads CAs from OpenSSL's places
    opened: list[redshift_connector.Connection] = []

    def connect(**changed: Any) -> redshift_connector.Connection:
        arguments = {
            "host": stand_in.server.host, "port": stand_in.server.port, "database": "dev", "user": "awsuser",
            "password": stand_in.server.password, "sslmode": "verify-full",
        }  # fmt: skip
        opened.append(redshift_connector.connect(**(arguments | changed)))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
