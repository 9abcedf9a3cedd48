"""Before a deployment is removed: what would be lost, and the last snapshot of the warehouse."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from deploy.errors import DeployError

POLL_SECONDS = 10.0
COUNTED = 1000  # objects, one page of S3
SNAPSHOT_DAYS = 30  # the waiting period of the KMS key, without which no snapshot can be restored


def describe_losses(s3: Any, buckets: Sequence[str], namespace: str | None, database: str | None) -> list[str]:
    """Returns a line for each place with data: the buckets with their number of objects, and the warehouse."""
    warehouse = f"Redshift namespace {namespace} with database {database}: raw, bronze, silver, gold and ops"
    return [
        *([warehouse] if namespace else []),
        *(f"bucket {bucket}: {count_objects(s3, bucket)}, with all versions" for bucket in buckets),
    ]


def count_objects(s3: Any, bucket: str) -> str:
    """Returns the number of objects of a bucket in words; after the first page it only says that there are more."""
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=COUNTED)
    count = page.get("KeyCount", 0)
    return f"more than {count} objects" if page["IsTruncated"] else f"{count} object{'s' if count != 1 else ''}"


def create_snapshot(client: Any, namespace: str) -> str:
    """Creates a snapshot of a namespace and waits until it can be restored; returns its name.

    Raises:
        DeployError: the snapshot failed.
    """
    name = f"{namespace}-final-{datetime.now(UTC):%Y%m%dt%H%M%S}"
    client.create_snapshot(namespaceName=namespace, snapshotName=name, retentionPeriod=SNAPSHOT_DAYS)
    while (status := client.get_snapshot(snapshotName=name)["snapshot"]["status"]) in ("CREATING", "COPYING"):
        time.sleep(POLL_SECONDS)
    if status != "AVAILABLE":
        raise DeployError(
            f"snapshot {name}: expected AVAILABLE, got {status}; nothing was removed. Run make destroy again"
        )
    return name
