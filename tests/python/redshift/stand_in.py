"""What the tests ask the Redshift stand-in through."""

from dataclasses import dataclass
from typing import Any

from psycopg2 import extensions

from sandbox.redshift.server import RedshiftServer

ROLE = "arn:aws:iam::000000000000:role/copy"


@dataclass(frozen=True)
class Redshift:
    """A stand-in, the bucket that it reads, and an autocommitting connection of the admin."""

    server: RedshiftServer
    bucket: Any  # boto3 has no types
    connection: extensions.connection

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs a statement; returns its rows, none where it has no result."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def copy(self, table: str, key: str, options: str) -> None:
        """Runs COPY with the role that may."""
        self.execute(f"copy {table} from 's3://{self.bucket.name}/{key}' iam_role '{ROLE}' {options}")
