"""What Terraform reports about the connections of the sources, and how it reads what the deploy command passes."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.sources import describe, terraform_text
from extract.declarations import Source
from tests.python.helpers import ROOT, missing
from tests.python.helpers.rendered_infra import TERRAFORM, terraform

VALUES = {"image_tag": "0123abc", "state_bucket": "empresa-terraform"}
CRM = Source("crm", "postgres", "CRM")
SETTINGS = {"HOST": "crm.example.com", "DATABASE": "crm", "USER": "leitor"}
CIDR = "10.2.0.0/24"
RIGHT = {"settings": SETTINGS, "cidr": CIDR}


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The variables of infra/ alone, which need no provider."""
    if not shutil.which(TERRAFORM):
        missing.infra_tool(f"{TERRAFORM} not found: install Terraform 1.11 or later, or set TERRAFORM")
    folder = tmp_path_factory.mktemp("variables")
    for file in (ROOT / "infra").glob("variables*.tf"):
        shutil.copy(file, folder)
    return folder


def plan(folder: Path, sources: list[Source], **values: Any) -> "subprocess.CompletedProcess[str]":
    """Plans with these values of variables."""
    given = VALUES | {"sources": describe(sources)} | values
    (folder / "terraform.tfvars.json").write_text(json.dumps(given))
    return terraform(folder, "plan", "-input=false")


def report(done: "subprocess.CompletedProcess[str]") -> str:
    """Returns what Terraform reports, without its line breaks."""
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("sources", "connections"),
    [
        ([], {}),
        ([CRM], {"crm": RIGHT}),
        ([CRM, Source("files", "parquet", "FILES")], {"crm": RIGHT}),
        ([CRM, Source("erp", "postgres", "ERP")], {"crm": RIGHT, "erp": RIGHT}),
        ([CRM, Source("estoque", "postgres", "CRM")], {"crm": RIGHT, "estoque": RIGHT}),
        ([CRM], {"crm": RIGHT | {"secret_versions": {"PASSWORD": 2}}}),
        ([Source("rh", "api", "RH")], {"rh": {"settings": {"URL": "https://rh.example.com/nomes", "TIMEOUT": "30"}}}),
    ],
)
def test_what_a_source_needs_is_accepted(
    variables: Path, sources: list[Source], connections: dict[str, dict[str, Any]]
) -> None:
    done = plan(variables, sources, connections=connections)
    assert done.returncode == 0, report(done)


@pytest.mark.parametrize(
    ("connections", "expected"),
    [
        ({}, "not set or empty: crm.settings.DATABASE, crm.settings.HOST, crm.settings.USER."),
        ({"crm": RIGHT, "erp": {}}, "not declared as sources: erp; declared: crm."),
        ({"crm": RIGHT | {"settings": SETTINGS | {"DATABASE": " "}}}, "not set or empty: crm.settings.DATABASE."),
        (
            {"crm": RIGHT | {"settings": SETTINGS | {"PASSWORD": "segredo", "SSL": "x"}}},
            "no such setting, or a secret, or DROP, which Terraform sets: crm.settings.PASSWORD, crm.settings.SSL.",
        ),
        ({"crm": RIGHT | {"secret_versions": {"USER": 1}}}, "secret_versions: expected a whole number from 1"),
        ({"crm": RIGHT | {"secret_versions": {"PASSWORD": 1.5}}}, "secret_versions: expected a whole number from 1"),
        ({"crm": RIGHT | {"secret_versions": {"PASSWORD": 0}}}, "secret_versions: expected a whole number from 1"),
        (
            {"crm": RIGHT | {"settings": SETTINGS | {"HOST": "crm.example.com:5432"}}},
            "settings.HOST: expected a host name or an address, without a port.",
        ),
        ({"crm": RIGHT | {"settings": SETTINGS | {"PORT": "65536"}}}, "settings.PORT: expected 1 to 65535."),
        (
            {"crm": RIGHT | {"settings": SETTINGS | {"SSLMODE": "prefer"}}},
            "settings.SSLMODE: expected require, verify-ca or verify-full.",
        ),
        ({"crm": RIGHT | {"cidr": "0.0.0.0/0"}}, "cidr: expected the source's network, such as 10.1.0.0/24"),
        ({"crm": RIGHT | {"route": {}}}, "route: expected either transit_gateway_id or vpc_peering_connection_id"),
        (
            {"crm": {"settings": SETTINGS, "route": {"transit_gateway_id": "tgw-1"}}},
            "route: expected either transit_gateway_id or vpc_peering_connection_id, and cidr, the network that it",
        ),
    ],
)
def test_a_mistake_in_a_connection_is_reported(
    variables: Path, connections: dict[str, dict[str, Any]], expected: str
) -> None:
    done = plan(variables, [CRM], connections=connections)
    assert done.returncode == 1
    assert f"connections: {expected}" in report(done)


def test_a_drop_and_an_url_without_tls_are_refused(variables: Path) -> None:
    sources = [Source("files", "parquet", "FILES"), Source("rh", "api", "RH")]
    connections = {
        "files": {"settings": {"DROP": "s3://b"}},
        "rh": {"settings": {"URL": "http://rh.example.com?id=1"}},
    }
    done = plan(variables, sources, connections=connections)
    assert "connections: no such setting, or a secret, or DROP, which Terraform sets: files.settings.DROP." in report(
        done
    )
    assert "connections: settings.URL: expected an https URL without user, query and fragment." in report(done)


def test_sources_that_share_a_network_or_a_prefix_must_agree(variables: Path) -> None:
    sources = [CRM, Source("estoque", "postgres", "CRM")]
    route = {"transit_gateway_id": "tgw-1"}
    done = plan(variables, sources, connections={"crm": RIGHT | {"route": route}, "estoque": RIGHT})
    assert "two sources with the same prefix have the same settings, so they need the same connection." in report(
        done
    )
    other = RIGHT | {"route": {"vpc_peering_connection_id": "pcx-1"}}
    done = plan(variables, sources, connections={"crm": RIGHT | {"route": route}, "estoque": other})
    assert "route: two sources in the same network need the same route." in report(done)


def test_a_route_needs_a_network_of_its_own(variables: Path) -> None:
    network = {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2", "subnet-3"]}
    crm = RIGHT | {"route": {"transit_gateway_id": "tgw-1"}}
    done = plan(variables, [CRM], connections={"crm": crm}, existing_network=network)
    assert "route: cannot be combined with existing_network, which has its own routes." in report(done)


def test_terraform_reads_the_sources_and_the_secrets_as_they_are(tmp_path: Path) -> None:
    if not shutil.which(TERRAFORM):
        missing.infra_tool(f"{TERRAFORM} not found: install Terraform 1.11 or later, or set TERRAFORM")
    kinds = {"sources": "any", "secrets": "map(string)"}
    (tmp_path / "main.tf").write_text(
        "".join(
            f'variable "{n}" {{\n  type = {kind}\n}}\noutput "{n}" {{\n  value = var.{n}\n}}\n'
            for n, kind in kinds.items()
        )
    )
    secrets = {"CRM_PASSWORD": "a\"b\\c${d}%{e}$${f}'é😀\n$", "ERP_PASSWORD": "%%{ if }"}
    environment = os.environ | {"TF_VAR_secrets": terraform_text(secrets)}
    apply = [TERRAFORM, "apply", "-auto-approve", f"-var=sources={terraform_text(describe([CRM]))}"]
    subprocess.run(apply, cwd=tmp_path, env=environment, check=True, capture_output=True)
    state = json.loads((tmp_path / "terraform.tfstate").read_text())
    assert {name: output["value"] for name, output in state["outputs"].items()} == {
        "sources": describe([CRM]), "secrets": secrets
    }  # fmt: skip
