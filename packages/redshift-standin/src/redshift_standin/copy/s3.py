"""The S3 server of COPY and UNLOAD."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from redshift_standin.errors import RedshiftError
from redshift_standin.signatures import AccessKey

_CONNECT_SECONDS, _READ_SECONDS = 5, 60
_CREATION = threading.Lock()  # a session creates one client at a time; clients are for all threads


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
        return _client(self)


@lru_cache(maxsize=16)
def _client(s3: S3) -> Any:
    """Returns the client of an S3, one for all statements: to create one takes longer than a small COPY."""
    with _CREATION:
        return _session().client(
            "s3",
            endpoint_url=s3.url,
            region_name=s3.region,
            aws_access_key_id=s3.key.id,
            aws_secret_access_key=s3.key.secret,
            aws_session_token=s3.token or None,
            config=Config(  # it is on this machine
                retries={"total_max_attempts": 1}, connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS
            ),
        )


@cache
def _session() -> boto3.Session:
    """Returns the session whose clients share what botocore has read of its files."""
    return boto3.Session()


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
