"""The stand-in that the suites test, and an S3 server for COPY."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

from redshift_standin.postgres import PostgresServer
from redshift_standin.server.listener import RedshiftServer
from redshift_standin.signatures import AccessKey


@dataclass(frozen=True)
class Endpoint:
    """A stand-in and the S3 server that its COPY reads from."""

    server: RedshiftServer
    s3_url: str
    key: AccessKey

    def environment(self) -> dict[str, str]:
        """Returns the settings that every suite has: certificates, keys, and where S3 is."""
        return {
            "SSL_CERT_FILE": str(self.server.ca_bundle),
            "AWS_ENDPOINT_URL": self.s3_url,
            "AWS_ENDPOINT_URL_S3": self.s3_url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.key.settings(),
        }

    def execute(self, *statements: str) -> None:
        """Runs statements as the admin, each in a transaction of its own."""
        with closing(self.server.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            for statement in statements:
                cursor.execute(statement)

    def create_bucket(self, name: str) -> None:
        """Creates a bucket on the S3 server."""
        settings = {"aws_access_key_id": self.key.id, "aws_secret_access_key": self.key.secret}
        boto3.client("s3", endpoint_url=self.s3_url, region_name="us-east-1", **settings).create_bucket(Bucket=name)


@contextmanager
def start(folder: Path) -> Iterator[Endpoint]:
    """Runs a stand-in with an empty database while entered."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3.start()
    key = AccessKey.random()
    url = "http://{}:{}".format(*s3.get_host_and_port())
    try:
        with PostgresServer(folder / "postgres") as postgres, RedshiftServer(postgres, folder, url, key) as server:
            yield Endpoint(server, url, key)
        postgres.remove()
    finally:
        s3.stop()
