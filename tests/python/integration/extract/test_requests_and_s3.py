"""Requests in flight at the employees API; a drop and artifacts on S3."""

import io
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from extract.errors import ExtractError
from extract.reading import Limits
from extract.settings import ApiSettings, read_settings
from extract.sources.api import ApiRead, walk
from extract.sources.parquet.read import ParquetRead
from extract.transform.artifacts import failed_attempt, publish
from extract.transform.build import BuildResult
from extract.visible import visible
from sandbox.sources.api import NOT_CORRECT, Answer, serve
from tests.python.helpers import PATIENCE
from tests.python.helpers.declared import API, CATEGORIA, FUNCIONARIO, PARQUET
from tests.python.helpers.world import World


def settings(url: str, concurrency: int) -> ApiSettings:
    return ApiSettings(url=url, concurrency=concurrency, misses=8, max_id=100, timeout=PATIENCE, attempts=1)


def test_as_many_requests_are_in_flight_as_the_limit_allows() -> None:
    together = threading.Barrier(4, timeout=PATIENCE)  # breaks unless four wait at once

    def answer(employee: int) -> Answer:
        with suppress(threading.BrokenBarrierError):  # at the end
            together.wait()
        return Answer((str(employee) if employee <= 8 else NOT_CORRECT).encode())

    with serve(answer) as url:
        assert list(walk(FUNCIONARIO, settings(url, 4))) == list(range(1, 9))
        assert not together.broken
        together.abort()  # requests that nobody needs any more may wait for others


def test_no_more_requests_are_in_flight() -> None:
    lock, at_once, most = threading.Lock(), 0, 0

    def answer(employee: int) -> Answer:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        try:
            return Answer((str(employee) if employee <= 8 else NOT_CORRECT).encode())
        finally:
            with lock:
                at_once -= 1

    with serve(answer) as url:
        walk(FUNCIONARIO, settings(url, 3))
    assert most <= 3


def test_a_late_answer_does_not_delay_the_others() -> None:
    first_may_answer = threading.Event()

    def answer(employee: int) -> Answer:
        if employee == 1:
            assert first_may_answer.wait(PATIENCE)
        elif employee == 4:
            first_may_answer.set()
        return Answer((str(employee) if employee <= 8 else NOT_CORRECT).encode())

    with serve(answer) as url:
        assert list(walk(FUNCIONARIO, settings(url, 2))) == list(range(1, 9))


def test_another_endpoint_has_its_own_address_and_column() -> None:
    with serve(lambda number: Answer(b"Gerente" if number == 1 else NOT_CORRECT.encode())) as url:
        address, _, path = url.rpartition("/")
        read = read_settings([API], {"EMPLOYEES_API_URL": f"{address}/employees"})
        cargo = replace(FUNCIONARIO, name="cargo", path=path, column="cargo")
        with ApiRead(cargo).open(read, {}, Limits()) as reading:
            assert [row for batch in reading.batches for row in batch.to_pylist()] == [{"id": 1, "cargo": "Gerente"}]
        missing = pytest.raises(ExtractError, match=f"^api.cargo: id 1 .{address}/nowhere.id=1.: .* got HTTP 404")
        with missing, ApiRead(replace(cargo, path="nowhere")).open(read, {}, Limits()):
            pass


def test_the_wait_before_a_retry_is_what_the_api_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [Answer(b"", status=429, headers={"Retry-After": "7"}), Answer(b"Ana")]
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    with serve(lambda number: answers.pop(0) if number == 1 else Answer(NOT_CORRECT.encode())) as url:
        assert walk(FUNCIONARIO, replace(settings(url, 1), attempts=2)) == {1: "Ana"}
    assert waits == [7]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a bucket on an S3 server of this machine, to which the settings of the clients point."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()  # an instance keeps the address of its first use
    bucket = f"empresa-{uuid4().hex}"  # moto's buckets outlive its server
    boto3.client("s3").create_bucket(Bucket=bucket)
    yield bucket
    server.stop()


def test_a_drop_on_s3_is_read_like_a_folder(world: World, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = boto3.resource("s3").Bucket(s3)
    bucket.upload_file(str(world.drop / "2024-01-01/categoria.parquet"), "entrada/2024-01-01/categoria.parquet")
    bucket.put_object(Key="entrada/2024-02-01/categoria.parquet", Body=b"no parquet")
    for folder in ("entrada/", "entrada/2024-01-02/", "entrada/2024-01-02/categoria/"):
        bucket.put_object(Key=folder, Body=b"")  # as the console makes one
    for name in ("a", "b"):
        part = world.put(f"{name}.parquet", pa.table({"id": [ord(name)], "nome_categoria": [name]}))
        bucket.upload_file(str(part), f"entrada/2024-01-02/categoria/{name}.parquet")
    monkeypatch.setenv("PARQUET_DROP", f"s3://{s3}/entrada")
    first = world.run("parquet")
    changed = world.put("x.parquet", pa.table({"id": [1], "nome_categoria": ["Sucos"]}))
    bucket.upload_file(str(changed), "entrada/2024-02-01/categoria.parquet")
    second = world.run("parquet")

    assert (first.code, second.code) == (1, 0), first.output + second.output
    assert "parquet: 2024-02-01/categoria.parquet: expected a whole Parquet file" in first.output
    assert len([item for item in bucket.objects.all() if item.key.startswith("entrada/_rejected/2024-02-01/")]) == 2
    assert world.query("select _file_path, nome_categoria from raw_parquet.categoria order by 1, 2") == [
        ("2024-01-01/categoria.parquet", "Bebidas"),
        ("2024-01-01/categoria.parquet", "Padaria"),
        ("2024-01-02/categoria/a.parquet", "a"),
        ("2024-01-02/categoria/b.parquet", "b"),
        ("2024-02-01/categoria.parquet", "Sucos"),
    ]


@pytest.mark.parametrize(
    "key",
    [
        "2024-02-01/categoria [1].parquet",
        "2024-02-01/categoria*.parquet",
        "2024-02-01/categoria\x1b[31m.parquet",
        "2024-02-01/categoria\u202e.parquet",
        "2024-02-01/a%2F.. #+?&=é \\'\"`$(x){}.parquet ",
        "2024-02-01/categoria/a?versionId=1.parquet",
        "2024-02-01/categoria/\x07/a.parquet",
        "2024-02-01//categoria.parquet",
        "/2024-02-01/categoria.parquet",
        "2024-02-01",
    ],
)
def test_an_odd_key_is_one_dead_letter(s3: str, key: str) -> None:
    bucket = boto3.resource("s3").Bucket(s3)
    content = io.BytesIO()
    pq.write_table(pa.table({"id": [1], "nome_categoria": ["x"]}), content)
    for good in ("2024-01-01/categoria.parquet", "2024-03-01/categoria.parquet"):
        bucket.put_object(Key=f"entrada/{good}", Body=content.getvalue())
    bucket.put_object(Key=f"entrada/{key}", Body=b"odd")

    settings = read_settings([PARQUET], {"PARQUET_DROP": f"s3://{s3}/entrada"})
    with ParquetRead(CATEGORIA, ("categoria",)).open(settings, {}, Limits()) as reading:
        files = {file for batch in reading.batches for file in batch["_file_path"].to_pylist()}

    assert files == {"2024-01-01/categoria.parquet", "2024-03-01/categoria.parquet"}
    (note,) = reading.notes
    assert note.startswith(f"parquet: {visible(key)}: ")
    kept = [item.key for item in bucket.objects.filter(Prefix="entrada/_rejected/")]
    assert len(kept) == (0 if "versionId" in key else 2), note
    assert all(map(str.isprintable, kept))


def test_a_file_is_put_into_a_drop_on_s3(world: World, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARQUET_DROP", f"s3://{s3}/entrada")
    monkeypatch.setenv("TODAY", "2024-03-05")

    outcome = world.main(["drop", str(world.put("x/categoria.parquet"))])

    assert outcome.code == 0, outcome.output
    assert f"put to s3://{s3}/entrada/2024-03-05/categoria.parquet" in outcome.output
    outcome = world.run("parquet")
    assert outcome.status("parquet.categoria") == "ok", outcome.output


def test_a_build_publishes_to_s3_and_the_next_attempt_finds_what_failed(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    (tmp_path / "catalog.json").write_text("{}")  # of an earlier build: this one has no docs
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "run_results.json").write_text("[]")
    artifacts = f"s3://{s3}/artifacts"

    place = publish(artifacts, "run-1", BuildResult({"error": 1}, ("error venda: no",)), tmp_path)

    assert place == f"{artifacts}/runs/run-1"
    found = failed_attempt(artifacts, "run-1", tmp_path / "failed")
    assert found
    assert sorted(file.name for file in found.iterdir()) == ["manifest.json", "run_results.json"]
