"""A second writer is refused with the name and start of the first; the lock of a dead holder is free."""

import json
import multiprocessing
import multiprocessing.synchronize
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Event
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from extract.errors import ExtractError
from extract.warehouse import lock
from extract.warehouse.lock import EXPIRY, S3Lock, file_lock, holder, s3_lock
from redshift_standin.signatures import AccessKey
from sandbox.aws.s3 import serve, settings
from tests.python.helpers import PATIENCE, ROOT
from tests.python.helpers.world import World

LANDING = "s3://landing/raw"


def hold(path: Path, taken: multiprocessing.synchronize.Event) -> None:
    with file_lock(path, "first"):
        taken.set()
        multiprocessing.Event().wait()


def test_a_second_run_is_refused_until_the_first_has_ended_or_was_killed(world: World) -> None:
    context = multiprocessing.get_context("spawn")
    taken = context.Event()
    first = context.Process(target=hold, args=(world.warehouse, taken))
    first.start()
    assert taken.wait(PATIENCE)
    try:
        refused = world.run("parquet")
    finally:
        first.kill()
        first.join()

    assert refused.code == 2
    assert f"process {first.pid} on " in refused.output
    assert "has been writing to it since 20" in refused.output
    assert "wait for its end and run again. Nothing was done" in refused.output
    assert world.run("parquet").code == 0


@pytest.mark.parametrize("text", [b"", b"no json", b"[]", b"\xff"])
def test_a_lock_that_does_not_say_who_holds_it_is_held_all_the_same(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "warehouse.duckdb"
    with file_lock(path, "first"):
        path.with_name(f"{path.name}.lock").write_bytes(text)
        with pytest.raises(ExtractError, match="another process has been writing to it since a moment ago"):
            file_lock(path, "second").__enter__()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("text", [b"", b"no json", b"[]", b"\xff"])
def test_on_s3_a_lock_that_does_not_say_who_holds_it_is_held_until_it_expires(text: bytes) -> None:
    boto3.client("s3").put_object(Bucket="landing", Key="raw/_locks/raw_parquet.json", Body=text)
    with pytest.raises(ExtractError, match="another process has been writing to it"):
        s3_lock(LANDING, "raw_parquet", "run").__enter__()


def test_make_build_is_a_writer_too() -> None:
    command = ["make", "--no-print-directory", "--dry-run", "--assume-old=.venv/.ready", "build", "FULL_REFRESH=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("python -m extract build --full-refresh")


def test_reading_needs_no_lock(world: World) -> None:
    world.run("parquet")
    with file_lock(world.warehouse, "first"):
        assert world.main(["doctor"]).code == 0


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    key = AccessKey.random()
    with serve(tmp_path_factory.mktemp("s3"), key) as url:
        yield settings(key) | {"AWS_ENDPOINT_URL_S3": url}


@pytest.fixture
def bucket(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    yield
    boto3.resource("s3").Bucket("landing").objects.all().delete()


def s3_object() -> dict[str, str]:
    body = boto3.client("s3").get_object(Bucket="landing", Key="raw/_locks/raw_api.json")["Body"].read()
    found: dict[str, str] = json.loads(body)
    return found


@pytest.mark.usefixtures("bucket")
def test_on_s3_the_second_is_refused_and_other_parts_are_free() -> None:
    with s3_lock(LANDING, "raw_api", "first"):
        message = rf"{LANDING}, raw_api: process \d+ on .* since 20"
        with pytest.raises(ExtractError, match=message), s3_lock(LANDING, "raw_api", "second"):
            pass
        with s3_lock(LANDING, "raw_postgres", "second"):
            pass
    with s3_lock(LANDING, "raw_api", "second"):
        assert s3_object()["holder"] == holder("second")["holder"]


@dataclass
class Faulty:
    """A client of S3 with a fault for each call of `put_object`, and with a clock that may be ahead."""

    client: Any = field(default_factory=lambda: boto3.client("s3"))
    faults: list[str | None] = field(default_factory=list)
    later: timedelta = timedelta()

    def put_object(self, **given: Any) -> Any:
        """Puts an object, unless a fault is due; after the fault `lost` the client repeats its request."""
        fault = self.faults.pop(0) if self.faults else None
        if fault == "lost":
            self.client.put_object(**given)
            fault = "PreconditionFailed"
        if fault == "connection":
            raise EndpointConnectionError(endpoint_url="s3")
        if fault:
            raise ClientError({"Error": {"Code": fault}}, "PutObject")
        return self.client.put_object(**given)

    def get_object(self, **given: Any) -> Any:
        """Returns an object, with the time of the clock."""
        answer = self.client.get_object(**given)
        date = format_datetime(answer["LastModified"] + self.later)
        answer["ResponseMetadata"]["HTTPHeaders"]["date"] = date
        return answer

    def get_paginator(self, operation: str) -> Any:
        """Returns the paginator of an operation."""
        return self.client.get_paginator(operation)

    def delete_object(self, **given: Any) -> None:
        """Deletes an object."""
        self.client.delete_object(**given)


def lock_of(run: str, client: Any = None) -> S3Lock:
    return S3Lock(client or boto3.client("s3"), "landing", "raw/_locks/raw_api.json", holder(run))


class Beats(Event):
    """An event that is set after so many waits."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        """Returns whether it is set."""
        self.times -= 1
        return self.times < 0


@pytest.fixture
def stops(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signals that a lock sends to its process."""
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _process, number: sent.append(number))
    return sent


@pytest.mark.usefixtures("bucket")
def test_on_s3_a_lock_expires_by_the_clock_of_s3() -> None:
    lock_of("dead").take(LANDING)
    with pytest.raises(ExtractError, match="has been writing to it since"):
        lock_of("second", Faulty(later=timedelta(seconds=119))).take(LANDING)
    lock_of("second", Faulty(later=timedelta(seconds=121))).take(LANDING)
    assert s3_object()["run_id"] == "second"


@pytest.mark.usefixtures("bucket")
def test_on_s3_an_expired_lock_is_taken_by_one_alone() -> None:
    lock_of("dead").take(LANDING)
    first, second = (lock_of(run, Faulty(later=timedelta(seconds=121))) for run in ("first", "second"))
    seen = second.found()
    first.take(LANDING)
    assert seen
    assert not second.put(IfMatch=seen.etag)
    assert s3_object()["run_id"] == "first"


@pytest.mark.usefixtures("bucket")
def test_on_s3_each_heartbeat_writes_another_object() -> None:
    first = lock_of("first")
    first.take(LANDING)
    etags = {first.etag}
    for _ in range(3):
        assert first.put(IfMatch=first.etag)
        etags.add(first.etag)
    assert len(etags) == 4


@pytest.mark.usefixtures("bucket")
def test_on_s3_a_holder_notices_that_its_lock_was_lost(stops: list[int]) -> None:
    first, thief = lock_of("first"), lock_of("thief", Faulty(later=timedelta(seconds=121)))
    first.take(LANDING)
    first.keep(Beats(2))
    assert stops == []
    thief.take(LANDING)

    first.keep(Beats(2))
    assert stops == [signal.SIGINT]
    first.release()
    assert s3_object()["run_id"] == "thief"


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("fault", ["SlowDown", "connection", "lost", "ConditionalRequestConflict"])
def test_on_s3_a_heartbeat_that_fails_is_retried(stops: list[int], fault: str) -> None:
    client = Faulty()
    first = lock_of("first", client)
    first.take(LANDING)
    client.faults = [fault, fault, None]
    before = s3_object()["sign"]
    first.keep(Beats(3))
    assert (stops, client.faults) == ([], [])
    assert s3_object()["sign"] != before


@pytest.mark.usefixtures("bucket")
def test_on_s3_a_holder_whose_heartbeat_fails_stops_before_its_lock_expires(
    monkeypatch: pytest.MonkeyPatch, stops: list[int]
) -> None:
    client = Faulty()
    first = lock_of("first", client)
    first.take(LANDING)
    times = iter(range(0, 1000, 20))
    monkeypatch.setattr(lock, "monotonic", lambda: next(times))
    client.faults = ["SlowDown"] * 9
    first.keep(Beats(9))
    assert stops == [signal.SIGINT]
    assert next(times) < EXPIRY.total_seconds()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("fault", ["PreconditionFailed", "lost"])
def test_on_s3_a_lock_is_taken_if_it_was_released_meanwhile_or_the_answer_was_lost(fault: str) -> None:
    first = lock_of("first", Faulty(faults=[fault]))
    first.take(LANDING)
    assert s3_object()["run_id"] == "first"
    assert first.put(IfMatch=first.etag)


@pytest.mark.usefixtures("bucket")
def test_on_s3_the_next_attempt_of_the_same_run_takes_the_lock_at_once() -> None:
    killed = S3Lock(boto3.client("s3"), "landing", "raw/_locks/raw_parquet.json", holder("run"))
    killed.take(LANDING)
    with s3_lock(LANDING, "raw_parquet", "run"):
        assert not killed.put(IfMatch=killed.etag)


WHOLE, ONE, TWO = "raw_postgres", "raw_postgres.venda.range-1", "raw_postgres.venda.range-2"


def names() -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket="landing", Prefix="raw/_locks/").get("Contents", [])
    return [item["Key"].removeprefix("raw/_locks/").removesuffix(".json") for item in found]


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(("held", "asked"), [(WHOLE, ONE), (ONE, WHOLE)])
def test_on_s3_a_whole_and_a_part_of_it_exclude_each_other_even_in_one_run(held: str, asked: str) -> None:
    with s3_lock(LANDING, held, "run"):
        message = rf"{LANDING}, {held}: process \d+ on .* since 20"
        with pytest.raises(ExtractError, match=message), s3_lock(LANDING, asked, "run"):
            pass
        assert names() == [held]
    with s3_lock(LANDING, asked, "run"):
        assert names() == [asked]


@pytest.mark.usefixtures("bucket")
def test_on_s3_parts_are_held_at_once_and_a_common_prefix_makes_no_part() -> None:
    with s3_lock(LANDING, ONE, "run"), s3_lock(LANDING, TWO, "run"), s3_lock(LANDING, "raw_postgres_old", "other"):
        assert names() == [ONE, TWO, "raw_postgres_old"]


@pytest.mark.usefixtures("bucket")
def test_on_s3_the_next_attempt_of_a_part_takes_its_lock_at_once() -> None:
    S3Lock(boto3.client("s3"), "landing", f"raw/_locks/{ONE}.json", holder("run")).take(LANDING)
    with s3_lock(LANDING, TWO, "run"), s3_lock(LANDING, ONE, "run"):
        assert names() == [ONE, TWO]


@pytest.mark.usefixtures("bucket")
def test_on_s3_a_whole_and_a_part_taken_at_the_same_moment_find_each_other() -> None:
    client = boto3.client("s3")
    locks = [S3Lock(client, "landing", f"raw/_locks/{scope}.json", holder(scope)) for scope in (WHOLE, ONE)]
    for lock_ in locks:
        lock_.take(LANDING)
    for lock_, other in zip(locks, (ONE, WHOLE), strict=True):
        with pytest.raises(ExtractError, match=f"{LANDING}, {other}: "):
            lock_.check_wholes_and_parts(LANDING)


@pytest.mark.usefixtures("bucket")
def test_on_s3_an_expired_part_is_removed_and_its_holder_notices(stops: list[int]) -> None:
    part = S3Lock(boto3.client("s3"), "landing", f"raw/_locks/{ONE}.json", holder("run"))
    part.take(LANDING)
    client = Faulty(later=timedelta(seconds=119))
    whole = S3Lock(client, "landing", f"raw/_locks/{WHOLE}.json", holder("other"))
    whole.take(LANDING)
    with pytest.raises(ExtractError, match="has been writing to it since"):
        whole.check_wholes_and_parts(LANDING)

    client.later = timedelta(seconds=121)
    whole.check_wholes_and_parts(LANDING)
    assert names() == [WHOLE]
    part.keep(Beats(2))
    assert stops == [signal.SIGINT]
    assert names() == [WHOLE]
