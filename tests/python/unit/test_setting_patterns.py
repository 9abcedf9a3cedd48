"""A setting that several programs read has one pattern, whichever of them checks it."""

import re
from pathlib import Path

import pytest

from deploy.settings import EXPECTED
from extract.declarations import Source
from extract.settings import REGION, SettingsError, read_settings
from tests.python.helpers import ROOT


def infra_pattern(name: str) -> str:
    """Returns the pattern in the validation of a variable of infra/, without its anchors."""
    text = "".join(file.read_text() for file in sorted((ROOT / "infra").glob("variables*.tf")))
    (pattern,) = re.findall(rf'can\(regex\("\^(.*)\$", var\.{name}\)\)', text)
    return str(pattern)


def test_an_aws_region_has_one_pattern() -> None:
    (in_dbt,) = re.findall(r"set region = \['([^']*)'", Path(ROOT / "macros" / "check_settings.sql").read_text())
    assert {REGION, EXPECTED["TF_VAR_region"][0], infra_pattern("region")} == {in_dbt}


@pytest.mark.parametrize(("setting", "variable"), [("TF_VAR_name", "name"), ("STATE_BUCKET", "state_bucket")])
def test_deploy_and_terraform_have_the_same_pattern(setting: str, variable: str) -> None:
    assert EXPECTED[setting][0] == infra_pattern(variable)


@pytest.mark.parametrize("region", ["sa-east-1", "us-gov-west-1", "eu-isoe-west-1", "ap-southeast-7"])
def test_every_region_of_aws_matches(region: str) -> None:
    assert re.fullmatch(REGION, region)


@pytest.mark.parametrize("text", ["", "brasil", "sa-east", "SA-EAST-1", "sa-east-1a", "us_east_1"])
def test_other_texts_do_not_match(text: str) -> None:
    assert not re.fullmatch(REGION, text)


def test_a_wrong_setting_of_a_task_in_aws_names_the_place_that_it_comes_from() -> None:
    """A container has no .env, and nobody in it runs make."""
    sources = (Source("crm", "postgres", "CRM"), Source("erp", "postgres", "ERP"))
    with pytest.raises(SettingsError) as refused:
        read_settings(sources, {"DEPLOYMENT": "vendas"})
    text = str(refused.value)
    assert text.startswith("8 settings to fix: CRM_HOST is not set: ")
    assert text.count(" is not set") == 8 and "\n" not in text
    assert "; Terraform sets them: those of a source are in connections of infra/terraform.tfvars" in text
    with pytest.raises(SettingsError, match=r"no sources set .see .env.example"):
        read_settings(sources, {})
