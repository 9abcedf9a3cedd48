"""One writer at a time: a second run is refused with the name and start of the first.

For a DuckDB file it is a file system lock, which ends with the process that holds it. For a warehouse that several
machines write to, it is an object in the landing, which is only written if it does not exist. Its holder writes it
again at every heartbeat. A lock without a heartbeat for some time, by the clock of S3, has expired and may be taken.
A holder whose heartbeats fail stops before that. The next attempt of the same run takes its lock at once, because an
attempt starts only when the one before has ended.

A part may have parts: `raw_postgres.venda.range-3` is one of `raw_postgres`. After taking a lock, a process looks for
a lock of the whole or of a part of it, and releases its own if it finds one. Each process writes its own before it
looks, and S3 is consistent, so two processes cannot miss each other.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html

It provides no fencing: Redshift does not know who holds the lock. A holder that was suspended past the expiry can
finish its current statement before it notices that another process has the lock.
"""

import fcntl
import json
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any
from uuid import uuid4

from extract.disk import find_fault
from extract.errors import ExtractError
from extract.retry import retried
from extract.settings import Settings
from extract.warehouse.landing import PROMPT, TIMEOUT, what_to_do

log = logging.getLogger("extract")

HEARTBEAT = 20.0  # seconds between two heartbeats
EXPIRY = timedelta(seconds=120)  # without one
PATIENCE = 60.0  # seconds that a holder continues without one, so that it stops before the expiry

UNMET = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


@contextmanager
def hold_locks(settings: Settings, scopes: Sequence[str]) -> Iterator[None]:
    """Holds the locks of these parts of the warehouse, or that of a whole DuckDB file, which has one writer.

    Raises:
        ExtractError: if another holds one of them.
    """
    with ExitStack() as stack:
        if settings.redshift:
            for scope in sorted(scopes):
                landing, run_id = settings.redshift.landing, settings.run_id
                stack.enter_context(s3_lock(landing, scope, run_id, settings.retry_seconds))
        else:
            stack.enter_context(file_lock(settings.warehouse, settings.run_id))
        yield


def holder(run_id: str) -> dict[str, str]:
    """Returns who holds a lock from now on."""
    return {
        "id": uuid4().hex,
        "run_id": run_id,
        "holder": f"process {os.getpid()} on {socket.gethostname()}",
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def read_holder(text: str | bytes) -> dict[str, str]:
    """Returns who holds a lock; nothing of it if it was not written by a run, or is just being written."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def refused(what: str, held: dict[str, str]) -> ExtractError:
    """Returns the error for a second writer."""
    return ExtractError(
        f"{what}: {held.get('holder', 'another process')} has been writing to it since "
        f"{held.get('since', 'a moment ago')}; wait for its end and run again. Nothing was done"
    )


@contextmanager
def file_lock(warehouse: Path, run_id: str) -> Iterator[None]:
    """Holds the lock of a DuckDB file, in a file beside it."""
    path = warehouse.with_name(warehouse.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("a+", errors="replace")
    except OSError as error:
        fault = find_fault("WAREHOUSE_PATH", path) or f"{path}: {error}; set WAREHOUSE_PATH to another place"
        raise ExtractError(f"{fault}. Nothing was done") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise refused(str(warehouse), read_holder(file.read())) from error
        file.truncate(0)
        json.dump(holder(run_id), file)
        file.flush()
        yield


@dataclass(frozen=True)
class Found:
    """A lock in the landing, and its age by the clock of S3."""

    held: dict[str, str]
    etag: str
    age: timedelta


@dataclass
class S3Lock:
    """A lock in the landing; `etag` is that of the object as this process wrote it last."""

    client: Any
    bucket: str
    key: str
    held: dict[str, str]
    etag: str = ""

    def put(self, **condition: str) -> bool:
        """Writes the object on a condition; returns whether this process has the lock."""
        from botocore.exceptions import ClientError

        # Each object is unique, so that no two have the same ETag.
        body = json.dumps(self.held | {"sign": uuid4().hex}).encode()
        try:
            self.etag = self.client.put_object(Bucket=self.bucket, Key=self.key, Body=body, **condition)["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in UNMET:
                raise
            # A request whose answer was lost is retried, although the first one succeeded.
            found = self.found()
            if found is None or found.held.get("id") != self.held["id"]:
                return False
            self.etag = found.etag
        return True

    def found(self) -> Found | None:
        """Returns the current lock, or None."""
        from botocore.exceptions import ClientError

        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Found(read_holder(answer["Body"].read()), answer["ETag"], now - answer["LastModified"])

    def take(self, place: str) -> None:
        """Takes the lock.

        Raises:
            ExtractError: if another process holds it, or was faster.
        """
        other = None
        for _ in range(2):  # it may be released between the two requests
            if self.put(IfNoneMatch="*"):
                return
            other = self.found()
            if other:
                break
        is_over = other and (other.age > EXPIRY or other.held.get("run_id") == self.held["run_id"])
        if not (other and is_over and self.put(IfMatch=other.etag)):
            raise refused(place, other.held if other else {})

    def check_wholes_and_parts(self, landing: str) -> None:
        """Looks for locks of the whole that this part belongs to, and of its parts; deletes expired ones.

        Raises:
            ExtractError: if another process holds one of them, even one of the same run.
        """
        folder, scope = self.key.removesuffix(".json").rsplit("/", 1)
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{folder}/")
        for key in [item["Key"] for page in pages for item in page.get("Contents", ())]:
            other = key.removesuffix(".json").rsplit("/", 1)[-1]
            if not (other.startswith(f"{scope}.") or scope.startswith(f"{other}.")):
                continue
            found = replace(self, key=key).found()
            if found and found.age > EXPIRY:
                # If its holder wakes up, it notices at its next heartbeat that the lock is lost, and stops.
                self.client.delete_object(Bucket=self.bucket, Key=key)
            elif found:
                raise refused(f"{landing}, {other}", found.held)

    def keep(self, over: Event) -> None:
        """Sends heartbeats until `over` is set.

        If another process has taken the lock, or heartbeats fail for long, this process is stopped as by Ctrl-C.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        signed = monotonic()
        while not over.wait(HEARTBEAT):
            begun = monotonic()
            try:
                if self.put(IfMatch=self.etag):
                    signed = begun
                    continue
                lost = "was taken by another run"
            except (BotoCoreError, ClientError) as error:
                if monotonic() - signed < PATIENCE:
                    log.warning("lock %s: heartbeat failed; retrying: %s", self.key, error)
                    continue
                lost = f"had no heartbeat for {PATIENCE:.0f} seconds: {error}"
            log.error("the lock %s %s; this run stops", self.key, lost)
            os.kill(os.getpid(), signal.SIGINT)
            return

    def release(self) -> None:
        """Deletes the object, if this process still has the lock; one that cannot be deleted expires."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = self.found()
            if found and found.held.get("id") == self.held["id"]:
                self.client.delete_object(Bucket=self.bucket, Key=self.key)
        except (BotoCoreError, ClientError) as error:
            log.warning("the lock %s could not be released; it will expire: %s", self.key, error)


@contextmanager
def s3_lock(landing: str, scope: str, run_id: str, retry_seconds: float = 0) -> Iterator[None]:
    """Holds the lock of a part of the warehouse, as the object `<landing>/_locks/<scope>.json`.

    Raises:
        ExtractError: if another holds it, or S3 does not let this process read and write it.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, prefix = landing.removeprefix("s3://").partition("/")
    key = "/".join(filter(None, (prefix, "_locks", f"{scope}.json")))
    lock = S3Lock(boto3.client("s3", config=PROMPT), bucket, key, holder(run_id))
    url = f"s3://{bucket}/{key}"

    def ask(work: Callable[[str], None], place: str) -> None:
        try:
            retried(f"lock {url}", retry_seconds - TIMEOUT, lambda: work(place))
        except (BotoCoreError, ClientError) as error:
            raise ExtractError(f"lock {url}: {error}; {what_to_do(error)}. Nothing was done") from error

    ask(lock.take, f"{landing}, {scope}")
    over = Event()
    heart = Thread(target=lock.keep, args=(over,), name="lock", daemon=True)
    try:
        ask(lock.check_wholes_and_parts, landing)
        heart.start()
        yield
    finally:
        over.set()
        if heart.is_alive():
            heart.join()
        lock.release()
