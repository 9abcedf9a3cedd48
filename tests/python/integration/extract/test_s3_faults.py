"""An S3 that is busy without end, or forbids something: how long a command tries, what it says, and how it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from extract.__main__ import main
from redshift_standin.signatures import AccessKey
from sandbox.aws.s3 import serve, settings
from tests.python.helpers.declared import TABLES
from tests.python.helpers.faulty_proxy import Answer, Proxy, faulty_proxy

BUSY = Answer(
    503, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>", "text/xml"
)
FORBIDDEN = Answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", "text/xml")
SETTINGS = {
    "DBT_TARGET": "prod", "DBT_PROJECT_DIR": str(TABLES), "REDSHIFT_HOST": "localhost", "REDSHIFT_PORT": "1",
    "REDSHIFT_DATABASE": "dev", "REDSHIFT_USER": "ana", "REDSHIFT_PASSWORD": "segredo",
    "REDSHIFT_COPY_ROLE": "arn:aws:iam::123456789012:role/copy", "LANDING_URL": "s3://landing/raw",
    "PARQUET_DROP": "/nowhere",
}  # fmt: skip


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """An S3 server behind a proxy, and the settings of a warehouse with its landing there."""
    key = AccessKey.random()
    with serve(tmp_path / "s3", key) as url, faulty_proxy(url) as proxy:
        for name, value in (settings(key) | SETTINGS | {"AWS_ENDPOINT_URL_S3": proxy.url}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("EXTRACT_WORK", str(tmp_path / "work"))
        monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
        S3FileSystem.clear_instance_cache()  # an instance keeps the address of its first use
        yield proxy
        S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("part", ["_target.json", "_locks"])
def test_an_s3_that_is_busy_without_end_is_asked_for_a_bounded_time_with_a_line_for_each_wait(
    s3: Proxy, part: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda wait: waits.append(wait) if wait else None)
    monkeypatch.setenv("RETRY_SECONDS", "12")
    s3.fault = lambda request, _: BUSY if part in request else None
    code = main(["run", "--source", "parquet"])
    out, err = capfd.readouterr()

    assert code == 2
    assert all(wait <= 12 for wait in waits)
    assert out.count("; retrying in") == len(waits) > 0
    assert err.startswith("error: l")  # landing, or lock
    assert "S3 is busy or cannot be reached: run again later" in err
    assert "Nothing was done" in err
    assert len([request for request in s3.requests if part in request]) <= 6 * (len(waits) + 1)


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
