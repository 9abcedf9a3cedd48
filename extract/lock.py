"""One writer at a time: a second run is refused with the name and start of the first.

Beside a DuckDB file the lock is the file system's, which ends with the process that holds it. For a warehouse that
several machines write to, it is an object in the landing, put there on the condition that there is none; its holder
puts it anew while it lives, and a lock that was not put anew for a while is a dead holder's and may be taken. The
next attempt of the same run takes its lock at once: an attempt is made again when the one before is over.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import fcntl
import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from extract.errors import ExtractError
from extract.settings import Settings

HEARTBEAT = 20.0  # seconds between two signs of life
EXPIRY = timedelta(seconds=120)  # without one


@contextmanager
def locked(settings: Settings, scopes: Sequence[str]) -> Iterator[None]:
    """Holds the locks of these parts of the warehouse; of a DuckDB file, which has one writer, that of all of it.

    Raises:
        ExtractError: if another holds one of them.
    """
    with ExitStack() as stack:
        if settings.redshift:
            for scope in sorted(scopes):
                stack.enter_context(s3_lock(settings.redshift.landing, scope, settings.run_id))
        else:
            stack.enter_context(file_lock(settings.warehouse, settings.run_id))
        yield


def holder(run_id: str) -> dict[str, str]:
    """Returns who holds a lock from now on."""
    return {
        "id": uuid4().hex,  # so that no two objects are the same and have one ETag
        "run_id": run_id,
        "holder": f"process {os.getpid()} on {socket.gethostname()}",
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def refused(what: str, held: dict[str, str]) -> ExtractError:
    """Returns the error of one who comes second."""
    return ExtractError(
        f"{what}: {held.get('holder', 'another process')} has been writing to it since "
        f"{held.get('since', 'a moment ago')}; wait for its end and run again. Nothing was begun"
    )


@contextmanager
def file_lock(warehouse: Path, run_id: str) -> Iterator[None]:
    """Holds the lock of a DuckDB file, in a file beside it."""
    path = warehouse.with_name(warehouse.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            text = file.read()
            raise refused(str(warehouse), json.loads(text) if text else {}) from error
        file.truncate(0)
        json.dump(holder(run_id), file)
        file.flush()
        yield


@dataclass
class S3Lock:
    """A lock in the landing; `etag` is that of the object as this process has put it last."""

    client: Any
    bucket: str
    key: str
    held: dict[str, str]
    etag: str = ""

    def put(self, **condition: str) -> bool:
        """Puts the object with a new expiry, on a condition; returns whether that was met."""
        from botocore.exceptions import ClientError

        body = self.held | {"expires": (datetime.now(UTC) + EXPIRY).isoformat(timespec="seconds")}
        try:
            answer = self.client.put_object(
                Bucket=self.bucket, Key=self.key, Body=json.dumps(body).encode(), **condition
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"):
                return False
            raise
        self.etag = answer["ETag"]
        return True

    def found(self) -> tuple[dict[str, str], str]:
        """Returns what the object says and its ETag."""
        answer = self.client.get_object(Bucket=self.bucket, Key=self.key)
        return json.loads(answer["Body"].read()), answer["ETag"]

    def take(self, place: str) -> None:
        """Takes the lock.

        Raises:
            ExtractError: if another holds it, or was faster.
        """
        if self.put(IfNoneMatch="*"):
            return
        other, etag = self.found()
        over = other["run_id"] == self.held["run_id"] or datetime.fromisoformat(other["expires"]) < datetime.now(UTC)
        if not (over and self.put(IfMatch=etag)):
            raise refused(place, other)

    def keep(self, over: Event) -> None:
        """Puts the lock anew until it is over; if another has taken it, this process is stopped as by Ctrl-C."""
        while not over.wait(HEARTBEAT):
            if not self.put(IfMatch=self.etag):
                os.kill(os.getpid(), signal.SIGINT)
                return

    def release(self) -> None:
        """Deletes the object, if it is still this process's."""
        from botocore.exceptions import ClientError

        try:
            if self.found()[1] == self.etag:
                self.client.delete_object(Bucket=self.bucket, Key=self.key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise


@contextmanager
def s3_lock(landing: str, scope: str, run_id: str) -> Iterator[None]:
    """Holds the lock of a part of the warehouse, as the object `<landing>/_locks/<scope>.json`."""
    import boto3

    bucket, _, prefix = landing.removeprefix("s3://").partition("/")
    key = "/".join(filter(None, (prefix, "_locks", f"{scope}.json")))
    lock = S3Lock(boto3.client("s3"), bucket, key, holder(run_id))
    lock.take(f"{landing}, {scope}")
    over = Event()
    heart = Thread(target=lock.keep, args=(over,), name="lock", daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
        lock.release()
