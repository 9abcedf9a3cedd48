"""The database roles that infra/sql creates are the defaults of the settings and of dbt."""

import re

import pytest

from extract.settings import read_settings
from tests.python.helpers import ROOT

PROD = {
    "DBT_TARGET": "prod",
    "REDSHIFT_HOST": "localhost",
    "REDSHIFT_DATABASE": "dev",
    "REDSHIFT_USER": "ana",
    "REDSHIFT_PASSWORD": "segredo",
    "REDSHIFT_COPY_ROLE": "arn:aws:iam::123456789012:role/copy",
    "LANDING_URL": "s3://bucket/landing",
}


def test_granted_roles_are_created() -> None:
    created = set(re.findall(r"create role (\w+);", (ROOT / "infra/sql/grant_access.sql").read_text()))
    redshift = read_settings((), PROD).redshift
    assert redshift
    assert created == {"loader", *redshift.granted_roles}


@pytest.mark.parametrize(("name", "number"), [("REDSHIFT_TRANSFORMER_ROLE", 0), ("REDSHIFT_READER_ROLE", 1)])
def test_dbt_and_loaders_have_the_same_default_role(name: str, number: int) -> None:
    defaults = set(re.findall(rf"env_var\('{name}', '(\w+)'\)", (ROOT / "dbt_project.yml").read_text()))
    redshift = read_settings((), PROD).redshift
    assert redshift
    assert defaults == {redshift.granted_roles[number]}
