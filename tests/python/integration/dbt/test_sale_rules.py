"""The rules of sales are the same in the macro, the model, the accepted values, the docs and the tests."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.python.helpers import ROOT
from tests.python.helpers.project import Project
from tests.python.integration.dbt.test_incremental import RULES


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Project]) -> Project:
    return new_project()


@pytest.fixture(scope="module")
def reasons(project: Project) -> list[str]:
    """Returns the reasons that the macro sale_rules declares, in order."""
    result = project.dbt("compile", "--inline", "{{ tojson(sale_rules()) }}")
    assert result.success, result.exception
    declared: list[str] = [rule["motivo"] for rule in json.loads(result.result.results[0].node.compiled_code)]
    return declared


@pytest.fixture(scope="module")
def manifest(project: Project, reasons: list[str]) -> dict[str, Any]:
    """Returns dbt's manifest, which the compilation of the reasons has written."""
    assert reasons
    manifest: dict[str, Any] = json.loads((project.target / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def test_model_and_accepted_values_are_generated_from_the_rules(project: Project, reasons: list[str]) -> None:
    result = project.dbt("compile", "--select", "silver_venda_avaliada", "motivo_is_one_of_the_rules")
    assert result.success, result.exception
    sql = {result.node.name: result.node.compiled_code for result in result.result.results}

    assert re.findall(r"then '(\w+)'", sql["silver_venda_avaliada"]) == reasons
    assert re.findall(r"'(\w+)'", sql["motivo_is_one_of_the_rules"]) == reasons


def test_docs_list_every_reason_in_order(manifest: dict[str, Any], reasons: list[str]) -> None:
    text = manifest["docs"]["doc.plataforma_vendas.motivo"]["block_contents"]

    row = r"^\| `(\w+)` \| \S"
    assert re.findall(row, text, re.MULTILINE) == reasons, "models/silver/_silver__docs.md"
    reference = (ROOT / "docs/reference/reasons.md").read_text(encoding="utf-8")
    assert re.findall(row, reference, re.MULTILINE) == reasons, "docs/reference/reasons.md"


def test_every_reason_has_a_row_in_the_unit_test(manifest: dict[str, Any], reasons: list[str]) -> None:
    rows = manifest["unit_tests"]["unit_test.plataforma_vendas.silver_venda_avaliada.each_rule_rejects"]["expect"][
        "rows"
    ]

    tested = {row["motivo"] for row in rows if row["motivo"]}
    assert tested == set(reasons), "models/silver/_silver__unit_tests.yml"


def test_random_histories_are_compared_with_every_rule(reasons: list[str]) -> None:
    assert list(RULES) == reasons, "tests/python/integration/dbt/test_incremental.py"


def test_every_model_seed_and_snapshot_has_an_owner(manifest: dict[str, Any]) -> None:
    owned = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed", "snapshot")]

    assert len(owned) > 10
    assert {manifest["groups"][f"group.plataforma_vendas.{node['group']}"]["owner"]["email"] for node in owned} == {
        "dados@empresa.example"
    }
    assert all(exposure["owner"]["email"] for exposure in manifest["exposures"].values())
