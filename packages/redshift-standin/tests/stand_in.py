"""What the tests use of a stand-in."""

from dataclasses import dataclass
from typing import Any

from redshift_standin.pytest_plugin import RedshiftDatabase

ROLE = "arn:aws:iam::000000000000:role/copy"


@dataclass(frozen=True)
class StandIn(RedshiftDatabase):
    """An empty schema `t` of the stand-in, and a bucket for COPY."""

    bucket: Any  # boto3 has no types

    def copy(self, table: str, key: str, options: str) -> None:
        """Runs COPY with a role that may read the bucket."""
        self.execute(f"copy {table} from 's3://{self.bucket.name}/{key}' iam_role '{ROLE}' {options}")
