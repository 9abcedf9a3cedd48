"""An S3 that is busy, never answers, or forbids something: how long a command tries, what it says, how it ends."""

import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from s3fs import S3FileSystem

from extract.__main__ import main
from extract.checks import doctor
from extract.logs import log
from extract.settings import read_settings
from extract.warehouse.s3_retries import bounded_s3_retries
from redshift_standin.signatures import AccessKey
from sandbox.aws.s3 import serve, settings
from tests.python.helpers.declared import PARQUET, TABLES
from tests.python.helpers.faulty_proxy import SILENCE, Answer, Proxy, faulty_proxy
from tests.python.helpers.own_project import declare_in
from tests.python.helpers.redshift_target import RedshiftTarget

BUSY = Answer(
    503, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>", "text/xml"
)
FORBIDDEN = Answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", "text/xml")
SECONDS = 12
WAITS = 5  # in so many seconds, where each attempt takes one and its beginning another
SETTINGS = {
    "DBT_TARGET": "prod", "DBT_PROJECT_DIR": str(TABLES), "REDSHIFT_HOST": "localhost", "REDSHIFT_PORT": "1",
    "REDSHIFT_DATABASE": "dev", "REDSHIFT_USER": "ana", "REDSHIFT_PASSWORD": "segredo",
    "REDSHIFT_COPY_ROLE": "arn:aws:iam::123456789012:role/copy", "LANDING_URL": "s3://landing/raw",
    "PARQUET_DROP": "/nowhere",
}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of an S3 server."""
    key = AccessKey.random()
    with serve(tmp_path_factory.mktemp("s3"), key) as url:
        yield settings(key) | {"AWS_ENDPOINT_URL_S3": url}


@pytest.fixture(scope="module")
def bucket(service: dict[str, str]) -> Any:
    """Its bucket."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in service.items():
            patch.setenv(name, value)
        return boto3.resource("s3").Bucket("landing")


@pytest.fixture
def s3(service: dict[str, str], bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The server behind a proxy, and the settings of a warehouse with its landing there."""
    with faulty_proxy(service["AWS_ENDPOINT_URL_S3"]) as proxy:
        for name, value in (service | SETTINGS | {"AWS_ENDPOINT_URL_S3": proxy.url}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("EXTRACT_WORK", str(tmp_path / "work"))
        bucket.objects.all().delete()
        monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
        yield proxy


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second when a request to S3 begins and when it has failed; waits take no time."""
    monkeypatch.setattr("extract.warehouse.s3_retries.monotonic", count().__next__)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)
    monkeypatch.setenv("RETRY_SECONDS", str(SECONDS))


@pytest.mark.usefixtures("clock")
def test_a_busy_s3_is_asked_for_a_bounded_time_with_a_line_for_each_wait(
    s3: Proxy, capfd: pytest.CaptureFixture[str]
) -> None:
    s3.fault = lambda request, _: BUSY if "_target.json" in request else None
    code = main(["run", "--source", "parquet"])
    out, err = capfd.readouterr()

    assert code == 2
    asked = len([request for request in s3.requests if "_target.json" in request])
    begun = out.count("landing s3://landing/raw: ")  # by the loaders, whose own waits are over sooner than S3's
    assert out.count('"S3: HeadObject: HTTP 503, 503: Service Unavailable; retrying in 0.0 s"') == WAITS
    assert out.count("; retrying in") == asked - 1 == WAITS + begun
    assert err.startswith("error: landing ")
    assert "S3 is busy or cannot be reached: run again later" in err
    assert "Nothing was done" in err


def test_a_lock_on_a_busy_s3_is_asked_for_in_a_bounded_time_with_a_line_for_each_wait(
    s3: Proxy, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda wait: waits.append(wait) if wait else None)
    monkeypatch.setenv("RETRY_SECONDS", str(SECONDS))
    s3.fault = lambda request, _: BUSY if "_locks" in request else None
    code = main(["run", "--source", "parquet"])
    out, err = capfd.readouterr()

    assert code == 2
    assert all(wait <= SECONDS for wait in waits)
    assert out.count("; retrying in") == len(waits) > 0
    assert err.startswith("error: lock ")
    assert "S3 is busy or cannot be reached: run again later" in err
    assert "Nothing was done" in err
    assert len([request for request in s3.requests if "_locks" in request]) <= 2 * (len(waits) + 1)


@pytest.fixture
def patience(s3: Proxy, clock: None) -> Iterator[S3FileSystem]:  # noqa: ARG001
    """The file system that all of the loaders use, while S3 is busy."""
    log.handlers[:] = []
    with bounded_s3_retries(SECONDS):
        fs, _ = fsspec.core.url_to_fs("s3://landing/raw")
        fs.pipe_file("landing/raw/before", b"")
        s3.requests.clear()
        yield fs


def test_a_request_that_failed_in_vain_is_not_retried_from_the_beginning(
    s3: Proxy, patience: S3FileSystem, caplog: pytest.LogCaptureFixture
) -> None:
    s3.fault = lambda request, _: BUSY if request.startswith("PUT") else None
    for _ in range(3):
        with pytest.raises(OSError, match="reduce your request rate"):
            patience.pipe_file("landing/raw/a", b"x")
        assert patience.exists("landing/raw/before")  # one request that succeeds does not begin the time of another
    assert caplog.text.count("S3: PutObject: HTTP 503, SlowDown: Please reduce your request rate.; retrying") == WAITS
    assert len([request for request in s3.requests if request.startswith("PUT")]) == WAITS + 3 * 2  # s3fs asks twice


def test_while_s3_answers_nothing_no_other_request_waits_again(
    s3: Proxy, patience: S3FileSystem, caplog: pytest.LogCaptureFixture
) -> None:
    s3.fault = lambda *_: BUSY
    for name in ("a", "b", "c"):
        with pytest.raises(OSError, match="reduce your request rate"):
            patience.pipe_file(f"landing/raw/{name}", b"x")
    assert caplog.text.count("; retrying") == WAITS


def test_an_s3_that_is_busy_for_a_moment_costs_no_load(
    s3: Proxy, patience: S3FileSystem, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        s3.requests.clear()
        s3.fault = lambda _request, seen: BUSY if seen < WAITS else None
        patience.pipe_file(f"landing/raw/{name}", b"x")
    assert caplog.text.count("; retrying") == 2 * WAITS
    assert patience.cat_file("landing/raw/b") == b"x"


def test_a_request_that_s3_never_answers_is_not_sent_once_more(
    patience: S3FileSystem, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    async def hang(_session: Any, request: Any) -> None:
        asked.append(request.url)
        raise ReadTimeoutError(endpoint_url=request.url)

    monkeypatch.setattr("aiobotocore.httpsession.AIOHTTPSession.send", hang)
    for name in ("a", "a", "b"):
        with pytest.raises(ReadTimeoutError):
            patience.pipe_file(f"landing/raw/{name}", b"x")
    lines = caplog.text.count("S3: PutObject: ReadTimeoutError: Read timeout on endpoint URL")
    assert len(asked) == 1 + lines == 1 + WAITS
    for _ in range(SECONDS // 2):  # by a clock that goes on meanwhile
        with pytest.raises(ReadTimeoutError):
            patience.pipe_file("landing/raw/c", b"x")
    assert len(asked) == 2 + WAITS


@pytest.fixture
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds in all, and a fifth of one for each answer of S3."""
    prompt = Config(connect_timeout=0.2, read_timeout=0.2, retries={"mode": "standard", "total_max_attempts": 1})
    for where in ("landing", "lock"):
        monkeypatch.setattr(f"extract.warehouse.{where}.PROMPT", prompt)
        monkeypatch.setattr(f"extract.warehouse.{where}.TIMEOUT", 0.2)
    for length in ("SHORTEST", "LONGEST"):
        monkeypatch.setattr(f"extract.warehouse.s3_retries.{length}_ANSWER", 0.2)
    monkeypatch.setenv("RETRY_SECONDS", "3")
    monkeypatch.setattr("tenacity.wait.wait_random_exponential.__call__", lambda *_: 0.1)


@pytest.mark.usefixtures("short_answers")
@pytest.mark.parametrize(
    "silent",
    ["HEAD /landing/raw/_target.json", "PUT /landing/raw/_target.json", "HEAD /landing", "PUT /landing/raw/_locks"],
)
def test_an_s3_that_accepts_connections_and_never_answers_is_asked_for_a_bounded_time(
    s3: Proxy, silent: str, capfd: pytest.CaptureFixture[str]
) -> None:
    s3.fault = lambda request, _: SILENCE if request == silent or request.startswith(f"{silent}/") else None
    code = main(["run", "--source", "parquet"])
    out, err = capfd.readouterr()

    assert code == 2
    assert err.count("error:") == 1
    assert "ReadTimeout" in err or "Read timeout" in err
    assert 1 <= out.count("; retrying in") < 3 / 0.2


def test_an_s3_that_takes_no_byte_of_a_file_is_asked_for_a_bounded_time(
    service: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.warehouse.s3_retries.SHORTEST_ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # the kernel accepts the connection and some megabytes
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        for name, value in (service | {"AWS_ENDPOINT_URL_S3": url}).items():
            monkeypatch.setenv(name, value)
        with bounded_s3_retries(0):
            fs, _ = fsspec.core.url_to_fs("s3://landing/raw")
            with pytest.raises(EndpointConnectionError):
                fs.pipe_file("landing/raw/a", bytes(20_000_000))


@pytest.mark.slow
@pytest.mark.usefixtures("short_answers")
@pytest.mark.parametrize("fault", [BUSY, SILENCE], ids=["busy", "silent"])
def test_all_of_s3_that_is_away_is_said_once_and_no_other_table_is_tried(
    redshift: RedshiftTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    fault: Answer,
) -> None:  # fmt: skip
    columns = {"id": "bigint"}
    declare_in(
        tmp_path, PARQUET, {name: {"mode": "files"} for name in ("loja", "cidade")}, loja=columns, cidade=columns
    )
    for name in ("loja", "cidade"):
        file = tmp_path / "drop/2026-01-01" / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"id": [1]}), file)
    with faulty_proxy(redshift.environment["AWS_ENDPOINT_URL_S3"]) as proxy:
        redshift.set(
            monkeypatch, AWS_ENDPOINT_URL_S3=proxy.url, DBT_PROJECT_DIR=str(tmp_path),
            EXTRACT_WORK=str(tmp_path / "work"), PARQUET_DROP=str(tmp_path / "drop"),
        )  # fmt: skip
        away: list[str] = []  # from the first file that is landed on

        def break_off(request: str, _seen: int) -> Answer | None:
            if "PUT" in request and "/raw_parquet/loja/" in request:
                away.append(request)
            return fault if away else None

        proxy.fault = break_off
        code = main(["run", "--source", "parquet"])
        out, err = capfd.readouterr()
    redshift.s3().delete_object(Bucket="landing", Key="landing/_locks/raw_parquet.json")  # it would expire

    assert code == 1, err
    assert out.count("AWS is busy or cannot be reached: run again later") == 1
    assert out.count(": started") == 1
    assert err == ""  # the record of the run needs no S3


@pytest.mark.slow
@pytest.mark.usefixtures("clock")
def test_a_load_on_a_busy_s3_fails_in_a_bounded_time_and_the_next_run_loads_it(
    redshift: RedshiftTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    file = tmp_path / "drop/2026-01-01/categoria.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"id": [1, 2], "nome_categoria": ["a", "b"]}), file)
    with faulty_proxy(redshift.environment["AWS_ENDPOINT_URL_S3"]) as proxy:
        redshift.set(
            monkeypatch, AWS_ENDPOINT_URL_S3=proxy.url, DBT_PROJECT_DIR=str(TABLES),
            EXTRACT_WORK=str(tmp_path / "work"), PARQUET_DROP=str(tmp_path / "drop"),
        )  # fmt: skip
        proxy.fault = lambda request, _: BUSY if "PUT" in request and "/raw_parquet/categoria/" in request else None
        code = main(["run", "--source", "parquet"])
        out = capfd.readouterr().out
        proxy.fault = lambda *_: None
        again = main(["run", "--source", "parquet"])

    files = {request for request in proxy.requests if "PUT" in request and "/raw_parquet/categoria/" in request}
    loads = len(files) - 1  # each by a file of its own; S3's waits take no time for those of the loaders
    assert code == 1
    assert (
        out.count("S3: PutObject: HTTP 503, SlowDown: Please reduce your request rate.; retrying in") == WAITS * loads
    )
    assert "AWS is busy or cannot be reached: run again later" in out
    assert again == 0
    assert redshift.execute("select count(*) from raw_parquet.categoria") == [(2,)]


@pytest.mark.parametrize(
    ("request_", "permission", "where"),
    [
        ("PUT /landing/raw/_locks/", "s3:PutObject", "lock s3://landing/raw/_locks/raw_parquet.json"),
        ("prefix=raw%2F_locks", "s3:ListBucket", "lock s3://landing/raw/_locks/raw_parquet.json"),
        ("PUT /landing/raw/_target.json", "s3:PutObject", "landing s3://landing/raw"),
    ],
)
def test_what_s3_forbids_is_named_with_the_permission(
    s3: Proxy, request_: str, permission: str, where: str, capfd: pytest.CaptureFixture[str]
) -> None:
    s3.fault = lambda request, _: FORBIDDEN if request_ in request else None
    code = main(["run", "--source", "parquet"])
    err = capfd.readouterr().err

    assert code == 2
    assert err.startswith(f"error: {where}: ")
    assert f"grant {permission} on it to the role of this process. Nothing was done" in err


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (FORBIDDEN, "grant s3:PutObject on it to the role of this process"),
        (BUSY, "S3 is busy or cannot be reached: run again later"),
    ],
    ids=["forbidden", "busy"],
)
def test_doctor_says_what_to_do_about_the_landing(s3: Proxy, fault: Answer, advice: str) -> None:
    s3.fault = lambda request, _: fault if request.startswith("PUT /landing/raw/_doctor/") else None
    current = read_settings([])
    with bounded_s3_retries(0):
        check = doctor.landing(current)
    assert not check.ok
    assert check.found.startswith("s3://landing/raw: ")
    assert advice in check.found
