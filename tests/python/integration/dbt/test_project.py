"""The project as a whole: the macro today, an empty source, documentation."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from extract.declarations import read_declarations
from tests.python.helpers import ROOT
from tests.python.helpers.project import Project


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Project]) -> Project:
    return new_project()


def today_in_sao_paulo() -> date:
    return datetime.now(UTC).astimezone(ZoneInfo("America/Sao_Paulo")).date()


def today_of(project: Project, today: str) -> date:
    result = project.dbt("show", "--inline", "select {{ today() }} as today", "--output", "json", today=today)
    assert result.success, result.exception
    return result.result.results[0].agate_table.rows[0][0]


def test_today_is_the_setting(project: Project) -> None:
    assert today_of(project, "2024-02-29") == date(2024, 2, 29)


def test_today_without_setting_is_the_date_in_sao_paulo(project: Project) -> None:
    before = today_in_sao_paulo()
    assert before <= today_of(project, "") <= today_in_sao_paulo()


@pytest.mark.parametrize("today", ["31/12/2025", "2025-13-01", "2025-12-31'; drop table x; --"])
def test_today_that_is_not_a_date_is_an_error(project: Project, today: str) -> None:
    result = project.dbt("parse", today=today)

    assert not result.success
    assert f"TODAY must be a date such as 2025-12-31, not '{today}'" in str(result.exception)


def test_empty_list_of_employees_stops_silver_and_its_history(project: Project) -> None:
    project.raw.employees(1, {1: "Ana"}, completed=False)

    outcomes = project.outcomes("build", "--select", "bronze_funcionario+1", "--exclude-resource-type", "unit_test")

    assert outcomes["not_empty_bronze_funcionario_"] == "fail"
    assert outcomes["silver_funcionario"] == "skipped"
    assert outcomes["silver_funcionario_historico"] == "skipped"


def test_every_resource_and_column_has_a_description(project: Project) -> None:
    assert project.dbt("parse").success
    manifest = json.loads((project.target / "manifest.json").read_text(encoding="utf-8"))
    described = [
        *(node for node in manifest["nodes"].values() if node["resource_type"] != "test"),
        *manifest["sources"].values(),
        *manifest["exposures"].values(),
        *(macro for macro in manifest["macros"].values() if macro["package_name"] == "plataforma_vendas"),
    ]

    things = {node["name"]: node["description"] for node in described}
    columns = {
        f"{node['name']}.{name}": column["description"]
        for node in described
        for name, column in node.get("columns", {}).items()
    }
    assert len(things) > 20
    assert len(columns) > 80
    assert [name for name, description in (things | columns).items() if not description.strip()] == []


def test_personal_data_is_tagged(project: Project) -> None:
    assert project.dbt("parse").success
    manifest = json.loads((project.target / "manifest.json").read_text(encoding="utf-8"))

    tags = {
        node["name"]: column["tags"]
        for node in [*manifest["nodes"].values(), *manifest["sources"].values()]
        for column in node["columns"].values()
        if column["name"] == "nome" and node["name"] != "feriado"
    }
    assert tags == {
        "funcionario": ["pii"],
        "bronze_funcionario": ["pii"],
        "silver_funcionario": ["pii"],
        "silver_funcionario_historico": ["pii"],
        "gold_funcionario_mensal": ["pii"],
    }


def test_dbt_and_the_loaders_see_the_same_declarations(project: Project) -> None:
    assert project.dbt("parse").success
    manifest = json.loads((project.target / "manifest.json").read_text(encoding="utf-8"))
    declared = {
        (source["source_name"], source["name"]): source["config"]["meta"]["extract"]
        for source in manifest["sources"].values()
        if "extract" in source["config"]["meta"] and source["name"] != "_dlt_loads"
    }
    declared_here = read_declarations(ROOT)
    assert {(table.dataset, table.name): (table.mode, list(table.key)) for table in declared_here.tables} == {
        name: (words["mode"], words["key"]) for name, words in declared.items()
    }
    kinds = {source["source_name"]: source["source_meta"].get("extract") for source in manifest["sources"].values()}
    assert {
        source.dataset: {"kind": source.kind, "settings": source.settings} for source in declared_here.sources
    } == {name: words for name, words in kinds.items() if words}
