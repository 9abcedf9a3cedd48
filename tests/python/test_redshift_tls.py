"""Both clients of Redshift check the warehouse's certificate against the CAs of one setting."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from redshift_target import RedshiftTarget, redshift_up

from extract.settings import read_settings
from extract.targets import dbt_environment, warehouse
from sandbox.redshift.certificates import certificate


@pytest.fixture(scope="module")
def redshift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedshiftTarget]:
    with redshift_up(tmp_path_factory.mktemp("redshift")) as target:
        yield target


@pytest.fixture
def environment(redshift: RedshiftTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without the stand-in's own help for dbt alone."""
    redshift.environment.pop("SSL_CERT_FILE", None)
    redshift.environment.pop("SSL_CERT_DIR", None)
    redshift.set(monkeypatch, EXTRACT_WORK=str(tmp_path), SSL_CERT_FILE="")
    return monkeypatch


def signs_in(redshift: RedshiftTarget) -> bool:
    """True where dbt can sign in."""
    return redshift.dbt("show", "--inline", "select 1 as one").success


@pytest.mark.usefixtures("environment")
def test_dbt_trusts_what_the_loaders_trust(redshift: RedshiftTarget) -> None:
    assert not signs_in(redshift)
    with dbt_environment(read_settings(())):
        assert signs_in(redshift)


def test_the_loaders_refuse_a_certificate_of_another(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    others, _ = certificate(tmp_path / "others")
    environment.setenv("REDSHIFT_CA_BUNDLE", str(others))
    with warehouse(read_settings(())) as target, pytest.raises(psycopg2.OperationalError, match="certificate verify"):
        target.query("select 1")
