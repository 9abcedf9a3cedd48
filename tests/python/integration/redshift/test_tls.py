"""Both clients of Redshift check the warehouse's certificate against the CAs of one setting."""

import socket
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from extract.settings import read_settings
from extract.warehouse.targets import dbt_environment, open_warehouse
from redshift_standin.certificates import certificate
from tests.python.helpers.redshift_target import RedshiftTarget

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(redshift: RedshiftTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without the CA settings that the stand-in makes for dbt alone."""
    redshift.environment.pop("SSL_CERT_FILE", None)
    redshift.environment.pop("SSL_CERT_DIR", None)
    redshift.set(monkeypatch, EXTRACT_WORK=str(tmp_path), SSL_CERT_FILE="")
    return monkeypatch


def can_sign_in(redshift: RedshiftTarget, project: Path) -> bool:
    """Returns whether dbt can sign in."""
    return redshift.dbt("show", "--inline", "select 1 as one", project=project).success


@pytest.mark.usefixtures("environment")
def test_dbt_trusts_what_the_loaders_trust(redshift: RedshiftTarget, small_project: Path) -> None:
    assert not can_sign_in(redshift, small_project)
    with dbt_environment(read_settings(())):
        assert can_sign_in(redshift, small_project)


def test_the_loaders_refuse_the_certificate_of_another_server(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others, _ = certificate(tmp_path / "others")
    environment.setenv("REDSHIFT_CA_BUNDLE", str(others))
    with (
        open_warehouse(read_settings(())) as target,
        pytest.raises(psycopg2.OperationalError, match="certificate verify"),
    ):
        target.query("select 1")


@pytest.fixture
def elsewhere(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment with a host name that resolves to the warehouse and is not in its certificate."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *more: Any, **words: Any) -> Any:
        return resolve("127.0.0.1" if host == "elsewhere.example" else host, *more, **words)

    environment.setattr(socket, "getaddrinfo", resolved)
    environment.setenv("PGHOSTADDR", "127.0.0.1")  # as libpq resolves it
    environment.setenv("REDSHIFT_HOST", "elsewhere.example")
    return environment


@pytest.mark.usefixtures("elsewhere")
def test_the_loaders_refuse_the_right_certificate_for_another_name() -> None:
    with (
        open_warehouse(read_settings(())) as target,
        pytest.raises(psycopg2.OperationalError, match="does not match host name"),
    ):
        target.query("select 1")


def test_dbt_refuses_the_right_certificate_for_another_name(
    redshift: RedshiftTarget,
    elsewhere: pytest.MonkeyPatch,
    small_project: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    elsewhere.setitem(redshift.environment, "REDSHIFT_HOST", "elsewhere.example")
    with dbt_environment(read_settings(())):
        assert not can_sign_in(redshift, small_project)
    assert "Hostname mismatch" in capfd.readouterr().out
