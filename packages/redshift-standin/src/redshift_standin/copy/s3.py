"""The S3 server of COPY and UNLOAD."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from redshift_standin.errors import RedshiftError
from redshift_standin.signatures import AccessKey

_CONNECT_SECONDS, _READ_SECONDS = 5, 60


@dataclass(frozen=True)
class S3:
    """The S3 server that COPY reads from and UNLOAD writes to, and the key to sign with."""

    url: str
    key: AccessKey
    token: str = field(default="", repr=False)
    region: str = "us-east-1"

    def client(self) -> Any:
        """Returns a client of boto3.

        Raises:
            RedshiftError: the stand-in was started without an S3 server.
        """
        if not self.url:
            raise RedshiftError(
                "0A000",
                "stand-in: COPY and UNLOAD need an S3 server; start the stand-in with AWS_ENDPOINT_URL_S3",
            )
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.key.id,
            aws_secret_access_key=self.key.secret,
            aws_session_token=self.token or None,
            config=Config(  # it is on this machine
                retries={"total_max_attempts": 1}, connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS
            ),
        )


@contextmanager
def s3_errors() -> Iterator[None]:
    """Raises the errors of S3 as Redshift does."""
    try:
        yield
    except ClientError as error:
        raise _service_error(error) from None
    except BotoCoreError as error:  # no answer, or an incomplete one
        raise RedshiftError("XX000", f"S3ServiceException:{error}") from None


def _service_error(error: ClientError) -> RedshiftError:
    answer, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    status, code = meta.get("HTTPStatusCode", 0), answer.get("Code", "Unknown")
    retry = 1 if code in ("SlowDown", "InternalError") or status in (500, 503) else 0
    return RedshiftError(
        "XX000",
        f"S3ServiceException:{answer.get('Message', code)},Status {status},Error {code},"
        f"Rid {meta.get('RequestId', '')},ExtRid {meta.get('HostId', '')},CanRetry {retry}",
    )


def list_keys(client: Any, bucket: str, prefix: str) -> list[str]:
    """Returns the keys with a prefix in their order."""
    with s3_errors():
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


def read_manifest(client: Any, bucket: str, key: str) -> list[dict[str, Any]]:
    """Returns the entries of a manifest, each with a `url`.

    Raises:
        RedshiftError: it is missing, or not a manifest.
    """
    with s3_errors():
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        entries = json.loads(body)["entries"]
        if all(isinstance(entry["url"], str) and entry["url"].startswith("s3://") for entry in entries):
            return list(entries)
    except (ValueError, KeyError, TypeError):
        pass
    raise RedshiftError("XX000", f"The manifest s3://{bucket}/{key} is not valid JSON of its form")
