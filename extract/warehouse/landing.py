"""The landing on S3 belongs to one target and one warehouse, and says so itself in `<landing>/_target.json`.

Settings of two targets mixed up would load one's rows into the other's tables without any error.
"""

import json
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import fsspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from extract.errors import ExtractError, causes
from extract.retry import passes, retried
from extract.settings import Settings

MARK = "_target.json"

TIMEOUT = 5  # seconds for S3 to connect or to answer
PROMPT = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"mode": "standard", "total_max_attempts": 1})

# The permissions of requests that are not called as they are.
PERMISSIONS = {"HeadObject": "GetObject", "HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket"}


def claim(settings: Settings) -> None:
    """Marks the landing as this target's and warehouse's if it has no mark yet.

    Raises:
        ExtractError: if it is another's, or cannot be read and written.
    """
    assert settings.redshift  # noqa: S101  asked for by the target
    url = settings.redshift.landing
    try:
        fault = retried(f"landing {url}", settings.retry_seconds, lambda: mark_or_compare(settings))
    except (OSError, ValueError, BotoCoreError, ClientError) as error:
        raise ExtractError(
            f"landing {url}: expected a bucket to read and write, got {type(error).__name__}: {error}; "
            f"{what_to_do(error)}. Nothing was done"
        ) from error
    if fault:
        raise ExtractError(f"{fault}. Nothing was done")


def mark_or_compare(settings: Settings) -> str | None:
    """Marks a landing that has no mark; returns as `what_is_mixed_up`."""
    fs, mark = place(settings)
    if not fs.exists(mark):
        fs.pipe_file(mark, json.dumps(owner(settings)).encode())
    return what_is_mixed_up(settings)


def what_to_do(error: BaseException) -> str:
    """Returns what to do about a fault of S3: the permission to grant, if AWS found one missing."""
    for cause in causes(error):
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in ("AccessDenied", "403"):
            action = PERMISSIONS.get(cause.operation_name, cause.operation_name)
            return f"grant s3:{action} on it to the role of this process"
    if passes(error):
        return "S3 is busy or cannot be reached: run again later; check LANDING_URL and the network if it stays so"
    return "check LANDING_URL and the role"


def what_is_mixed_up(settings: Settings) -> str | None:
    """Returns what is wrong where the landing bears the mark of another target or warehouse, else None.

    Raises:
        OSError, BotoCoreError: if the landing cannot be read.
        ValueError: if the mark is not as `claim` writes it.
    """
    assert settings.redshift  # noqa: S101  asked for by the target
    fs, mark = place(settings)
    ours = owner(settings)
    found = json.loads(fs.cat_file(mark)) if fs.exists(mark) else ours
    if found == ours:
        return None
    if not isinstance(found, dict):
        raise ValueError(f"{MARK} has {found!r}")
    return (
        f"landing {settings.redshift.landing}: expected that of {described(ours)}, got that of {described(found)}: "
        "the settings of two targets are mixed up. Check DBT_TARGET, REDSHIFT_HOST, REDSHIFT_DATABASE and "
        f"LANDING_URL; where the warehouse itself has moved, delete {settings.redshift.landing}/{MARK}"
    )


def read_time(settings: Settings) -> datetime:
    """Returns the time by the clock of S3, to the second.

    Raises:
        BotoCoreError, ClientError: if S3 does not answer.
    """
    import boto3

    assert settings.redshift  # noqa: S101  asked for by the target
    bucket = settings.redshift.landing.removeprefix("s3://").partition("/")[0]
    client = boto3.client("s3", config=PROMPT)
    answer = retried("the clock of S3", settings.retry_seconds - TIMEOUT, lambda: client.head_bucket(Bucket=bucket))
    date: str = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    return parsedate_to_datetime(date)


def find_mark(landing: str) -> None:
    """Asks S3 for the mark of a landing.

    Raises:
        OSError, BotoCoreError: if it does not answer, or there is none.
    """
    fs, root = fsspec.core.url_to_fs(landing)
    fs.info(f"{root}/{MARK}", refresh=True)


def place(settings: Settings) -> tuple[Any, str]:
    """Returns the landing's file system and the path of its mark."""
    assert settings.redshift  # noqa: S101  asked for by the target
    fs, root = fsspec.core.url_to_fs(settings.redshift.landing)
    return fs, f"{root}/{MARK}"


def owner(settings: Settings) -> dict[str, str]:
    """Returns the mark of these settings' own landing."""
    assert settings.redshift  # noqa: S101  asked for by the target
    return {"target": settings.target, "host": settings.redshift.host, "database": settings.redshift.database}


def described(mark: dict[str, str]) -> str:
    """Returns a mark in words."""
    return f"target {mark.get('target')} in {mark.get('host')}/{mark.get('database')}"
