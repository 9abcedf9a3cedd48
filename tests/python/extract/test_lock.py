"""A second writer is refused with the first one's name and start; a dead holder's lock is free."""

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

import boto3
import pytest
from world import World

from extract.errors import ExtractError
from extract.lock import S3Lock, file_lock, holder, s3_lock
from sandbox.aws.s3 import KEYS, serve

LANDING = "s3://landing/raw"


def hold(path: Path, taken: Event) -> None:
    with file_lock(path, "first"):
        taken.set()
        multiprocessing.Event().wait()


def test_a_second_run_is_refused_until_the_first_is_gone_even_by_a_kill(world: World) -> None:
    context = multiprocessing.get_context("spawn")
    taken = context.Event()
    first = context.Process(target=hold, args=(world.warehouse, taken))
    first.start()
    assert taken.wait(30)
    try:
        refused = world.run("parquet")
    finally:
        first.kill()
        first.join()

    assert refused.code == 2
    assert f"process {first.pid} on " in refused.output
    assert "has been writing to it since 20" in refused.output
    assert "wait for its end and run again. Nothing was begun" in refused.output
    assert world.run("parquet").code == 0


def test_reading_needs_no_lock(world: World) -> None:
    world.run("parquet")
    with file_lock(world.warehouse, "first"):
        assert world.main(["doctor"]).code == 0


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "s3") as url:
        for name, value in (KEYS | {"AWS_ENDPOINT_URL_S3": url}).items():
            monkeypatch.setenv(name, value)
        yield LANDING


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


@pytest.mark.usefixtures("bucket")
def test_on_s3_an_expired_lock_is_taken_by_one_alone() -> None:
    dead = holder("dead") | {"expires": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}
    boto3.client("s3").put_object(Bucket="landing", Key="raw/_locks/raw_api.json", Body=json.dumps(dead).encode())
    with s3_lock(LANDING, "raw_api", "first"):
        assert datetime.fromisoformat(s3_object()["expires"]) > datetime.now(UTC)
        with pytest.raises(ExtractError), s3_lock(LANDING, "raw_api", "second"):
            pass


@pytest.mark.usefixtures("bucket")
def test_on_s3_a_lock_that_was_lost_is_seen_by_its_holder() -> None:
    first = S3Lock(boto3.client("s3"), "landing", "raw/_locks/raw_api.json", holder("first"))
    first.take(LANDING)
    assert first.put(IfMatch=first.etag)
    thief = replace(first, held={"holder": "another", "since": "now"})
    assert thief.put(IfMatch=first.etag)

    assert not first.put(IfMatch=first.etag)
    first.release()
    assert s3_object()["holder"] == "another"


@pytest.mark.usefixtures("bucket")
def test_on_s3_the_next_attempt_of_the_same_run_takes_the_lock_at_once() -> None:
    killed = S3Lock(boto3.client("s3"), "landing", "raw/_locks/raw_parquet.json", holder("run"))
    killed.take(LANDING)
    with s3_lock(LANDING, "raw_parquet", "run"):
        assert not killed.put(IfMatch=killed.etag)
