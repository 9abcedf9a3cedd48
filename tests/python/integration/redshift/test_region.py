"""The AWS region is one setting with two names, which every client uses."""

from pathlib import Path

import boto3
import pytest

from extract.errors import SettingsError
from extract.settings import REGION_NAMES, read_settings
from extract.warehouse.targets import aws_environment, open_warehouse
from tests.python.helpers.redshift_target import RedshiftTarget

pytestmark = pytest.mark.slow

ASK = ("show", "--inline", "select '{{ target.region }}' as region")


@pytest.fixture
def no_region(redshift: RedshiftTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment, with the settings of production but no region."""
    for name in REGION_NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delitem(redshift.environment, name, raising=False)
    redshift.set(monkeypatch, EXTRACT_WORK=str(tmp_path))
    return monkeypatch


@pytest.mark.parametrize("name", REGION_NAMES)
def test_both_clients_sign_in_by_either_name(
    redshift: RedshiftTarget, no_region: pytest.MonkeyPatch, small_project: Path, name: str
) -> None:
    no_region.setenv(name, "sa-east-1")
    settings = read_settings(())

    with aws_environment(settings), open_warehouse(settings) as target:
        assert boto3.client("s3").meta.region_name == "sa-east-1"
        assert target.query("select 1") == [(1,)]
    shown = redshift.dbt(*ASK, project=small_project)
    assert shown.success, shown.exception
    assert [*shown.result.results[0].agate_table.rows[0]] == ["sa-east-1"]


@pytest.mark.usefixtures("no_region")
def test_a_missing_region_is_refused_before_any_request(redshift: RedshiftTarget, small_project: Path) -> None:
    with pytest.raises(SettingsError, match=r"1 setting to fix .*\n  AWS_REGION is not set: expected an AWS region"):
        read_settings(())
    shown = redshift.dbt(*ASK, project=small_project)
    assert "AWS_REGION is not set: expected the AWS region" in str(shown.exception)


@pytest.mark.usefixtures("no_region")
@pytest.mark.parametrize("name", REGION_NAMES)
def test_an_invalid_region_is_refused_by_its_name(redshift: RedshiftTarget, small_project: Path, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, "sa-east-1.evil.example/")
        with pytest.raises(SettingsError, match=f"  {name}: expected an AWS region, such as sa-east-1"):
            read_settings(())
        shown = redshift.dbt(*ASK, project=small_project)
        assert f"{name}: expected an AWS region" in str(shown.exception)


def test_a_user_with_a_password_needs_no_region(no_region: pytest.MonkeyPatch) -> None:
    for name, value in {"REDSHIFT_WORKGROUP": "", "REDSHIFT_USER": "ana", "REDSHIFT_PASSWORD": "segredo"}.items():
        no_region.setenv(name, value)
    assert read_settings(()).region is None
