"""The sandbox's S3 and sign-in answer requests that are signed with the keys of this start, and no others."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from dlt.sources.helpers.requests import Client
from s3fs import S3FileSystem

from redshift_standin.server import redshift_serverless
from redshift_standin.signatures import AccessKey
from sandbox.aws import s3
from tests.python.helpers import PATIENCE

KEY = AccessKey.random()
OTHERS = [AccessKey.random(), replace(KEY, secret="guessed"), replace(KEY, id="GUESSED")]  # noqa: S106
requests = Client(request_timeout=PATIENCE, raise_for_status=False, request_max_attempts=1)
ODD_KEYS = ["a b+c/ç'\"$(id).parquet", "~%2F&x=1;y/?#[1]", "raw/../x", "a//b", "*!()"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3.serve(tmp_path_factory.mktemp("landing"), KEY) as url:
        yield url


@pytest.fixture(scope="module")
def sign_in() -> Iterator[str]:
    with redshift_serverless.serve(lambda *_: "secret", "localhost", 5439, KEY) as url:
        yield url


def client(service: str, url: str, key: AccessKey) -> Any:
    return boto3.client(
        service, endpoint_url=url, region_name=s3.REGION, config=Config(retries={"max_attempts": 0}),
        aws_access_key_id=key.id, aws_secret_access_key=key.secret,
    )  # fmt: skip


@pytest.mark.parametrize("name", ODD_KEYS)
def test_the_owner_of_the_key_writes_and_reads_objects_of_any_name(url: str, name: str) -> None:
    ours = client("s3", url, KEY)
    ours.put_object(Bucket=s3.LANDING, Key=name, Body=b"rows", Metadata={"x": "a  b"})
    assert ours.get_object(Bucket=s3.LANDING, Key=name)["Body"].read() == b"rows"
    assert ours.list_objects_v2(Bucket=s3.LANDING, Prefix=name)["KeyCount"] == 1
    ours.delete_object(Bucket=s3.LANDING, Key=name)


def test_s3fs_signs_so_that_it_is_accepted(url: str) -> None:
    files = S3FileSystem(key=KEY.id, secret=KEY.secret, endpoint_url=url, skip_instance_cache=True)
    files.pipe("landing/pasta ç/parte 1.parquet", b"rows" * 3_000_000)  # in several parts
    assert files.cat("landing/pasta ç/parte 1.parquet") == b"rows" * 3_000_000
    files.rm("landing/pasta ç", recursive=True)


@pytest.mark.parametrize("key", OTHERS, ids=["of another start", "a wrong secret", "a wrong id"])
def test_other_keys_are_refused(url: str, sign_in: str, key: AccessKey) -> None:
    with pytest.raises(ClientError, match="not signed with the keys of this start"):
        client("s3", url, key).list_buckets()
    with pytest.raises(ClientError, match="not signed with the keys of this start"):
        client("redshift-serverless", sign_in, key).get_credentials(workgroupName="sandbox")


@pytest.mark.parametrize("path", ["/", "/landing", "/landing/x", "/moto-api/data.json", "/moto-api/", "/favicon.ico"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD"])
def test_s3_refuses_what_is_not_signed(url: str, method: str, path: str) -> None:
    headers = {"Origin": "https://example.com", "Access-Control-Request-Method": method}
    answer = requests.request(method, url + path, headers=headers, data=b"")
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "signature",
    [
        None, "", "AWS4-HMAC-SHA256", "Basic c2FuZGJveDpzYW5kYm94",
        f"AWS4-HMAC-SHA256 Credential={KEY.id}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host,"
        f" Signature={'0' * 64}",
    ],
)  # fmt: skip
def test_nobody_gets_a_password_without_a_signature(sign_in: str, signature: str | None) -> None:
    headers = {"X-Amz-Target": "RedshiftServerless.GetCredentials", "X-Amz-Date": "20260101T000000Z"}
    if signature is not None:
        headers["Authorization"] = signature
    answer = requests.post(sign_in, json={"workgroupName": "sandbox"}, headers=headers)
    assert answer.status_code == 403
    assert "dbPassword" not in answer.text


def test_a_signature_is_of_one_request_only(url: str) -> None:
    ours = client("s3", url, KEY)
    sent: list[Any] = []
    ours.meta.events.register("before-send", lambda request, **_: sent.append(request))
    ours.list_buckets()
    (request,) = sent
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    assert requests.get(f"{url}/", headers=headers).status_code == 200
    for other in (f"{url}/landing", f"{url}/?location"):
        assert requests.get(other, headers=headers).status_code == 403
    assert requests.put(f"{url}/", headers=headers).status_code == 403


def test_no_other_origin_may_read_a_signed_answer(url: str) -> None:
    ours = client("s3", url, KEY)
    answer = ours.list_buckets()["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in answer if name.lower().startswith("access-control-")]


def test_the_control_api_of_moto_is_not_served(url: str) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client("s3", url, KEY).get_object(Bucket="moto-api", Key="data.json")


def test_the_landing_is_there_at_the_next_start(tmp_path: Path) -> None:
    for start in range(2):
        key = AccessKey.random()
        with s3.serve(tmp_path, key) as url:
            bucket = client("s3", url, key)
            if start:
                assert bucket.get_object(Bucket=s3.LANDING, Key="raw/a b.parquet")["Body"].read() == b"rows"
            else:
                bucket.put_object(Bucket=s3.LANDING, Key="raw/a b.parquet", Body=b"rows")
