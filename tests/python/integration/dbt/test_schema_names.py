"""The schema of each model, and the settings that are refused before anything is sent.

The project's macros and profile are used in a project of two models, which dbt parses faster.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult

from tests.python.helpers import ROOT

pytestmark = pytest.mark.slow

MACROS = ("check_settings", "generate_schema_name", "query_comment")
PROJECT = """
name: small
profile: plataforma_vendas
flags: {send_anonymous_usage_stats: false}
query-comment: {comment: "{{ query_comment(node) }}"}
models:
  small:
    bronze: {+schema: bronze}
    silver: {+schema: silver}
"""
REDSHIFT = {
    "REDSHIFT_HOST": "localhost",
    "REDSHIFT_DATABASE": "dev",
    "REDSHIFT_USER": "ana",
    "REDSHIFT_PASSWORD": "x",
}
Parse = Callable[..., dbtRunnerResult]


@pytest.fixture
def parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parse:
    """Returns a function that parses the small project with settings in the environment."""
    (tmp_path / "dbt_project.yml").write_text(PROJECT)
    shutil.copy(ROOT / "profiles.yml", tmp_path)
    (tmp_path / "macros").mkdir()
    for macro in MACROS:
        shutil.copy(ROOT / "macros" / f"{macro}.sql", tmp_path / "macros")
    for layer in ("bronze", "silver"):
        (tmp_path / "models" / layer).mkdir(parents=True)
        (tmp_path / "models" / layer / f"{layer}_venda.sql").write_text("select 1 as id")

    def run(**settings: str) -> dbtRunnerResult:
        monkeypatch.chdir(tmp_path)
        for name, value in ({"DBT_SCHEMA": ""} | REDSHIFT | settings).items():
            monkeypatch.setenv(name, value)
        return dbtRunner().invoke(["parse", "--quiet", "--no-partial-parse"])

    return run


@pytest.mark.parametrize(
    ("target", "prefix", "schemas"),
    [
        ("local", "", {"bronze", "silver"}),
        ("sandbox", "", {"bronze", "silver"}),
        ("prod", "", {"bronze", "silver"}),
        ("dev", "ana", {"ana_bronze", "ana_silver"}),
        ("dev", "pr_123", {"pr_123_bronze", "pr_123_silver"}),
        ("dev", "", {"misconfigured_dev_bronze", "misconfigured_dev_silver"}),
        ("prod", "ana", {"misconfigured_prod_bronze", "misconfigured_prod_silver"}),
    ],
)
def test_each_target_has_its_schemas(parse: Parse, target: str, prefix: str, schemas: set[str]) -> None:
    done = parse(DBT_TARGET=target, DBT_SCHEMA=prefix)

    assert done.success, done.exception
    assert {node.schema for node in done.result.nodes.values()} == schemas


def test_grants_are_for_the_roles_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name, value in (REDSHIFT | {"REDSHIFT_READER_ROLE": "analista", "DBT_SCHEMA": ""}).items():
        monkeypatch.setenv(name, value)

    def grants(target: str) -> dict[str, dict[str, list[str]]]:
        monkeypatch.setenv("DBT_TARGET", target)
        done = dbtRunner().invoke(
            ["parse", "--quiet", "--target-path", str(tmp_path / target), "--log-path", str(tmp_path / target)]
        )
        assert done.success, done.exception
        built = [node for node in done.result.nodes.values() if node.resource_type in ("model", "seed", "snapshot")]
        return {node.name: node.config.grants for node in built}

    bronze, silver = {"select": ["role:transformer"]}, {"select": ["role:analista"]}
    on_redshift = grants("prod")
    assert on_redshift["bronze_venda"] == on_redshift["feriado"] == bronze
    assert on_redshift["silver_venda"] == on_redshift["silver_categoria_historico"] == silver
    assert all(on_redshift.values())
    assert not any(grants("local").values())  # DuckDB has no roles


WRONG_PREFIXES = ("pr_", "pr_12x", "silver", "raw_api", 'a"; drop schema silver; --', "ana\n")
WRONG = {
    "DBT_SCHEMA": "Ana",
    "REDSHIFT_DATABASE": 'dev"; drop schema silver; --',
    "REDSHIFT_USER": "ana'",
    "REDSHIFT_QUERY_GROUP": "dbt'; drop schema silver; --",
    "REDSHIFT_READER_ROLE": "reader, public",
    "REDSHIFT_TRANSFORMER_ROLE": "a b",
}


@pytest.mark.parametrize("prefix", WRONG_PREFIXES)
def test_wrong_prefix_is_refused(parse: Parse, prefix: str) -> None:
    done = parse(DBT_TARGET="dev", DBT_SCHEMA=prefix)

    assert not done.success
    assert "DBT_SCHEMA: expected " in str(done.exception)
    assert f"got '{prefix.strip()}" in str(done.exception)


def test_all_wrong_settings_are_reported_at_once(parse: Parse) -> None:
    done = parse(DBT_TARGET="dev", **WRONG)

    assert not done.success
    for name, value in WRONG.items():
        assert re.search(rf"{name}: expected [^']*, got '{re.escape(value)}'", str(done.exception))


def test_a_wrong_run_id_is_refused(parse: Parse) -> None:
    done = parse(DBT_TARGET="local", RUN_ID="1 */ drop schema silver; /*")

    assert not done.success
    assert "RUN_ID of up to 80 letters, digits, _ and -" in str(done.exception)


def test_the_id_of_a_run_is_not_part_of_what_dbt_parses(parse: Parse) -> None:
    done = parse(DBT_TARGET="local", RUN_ID="first")

    # dbt parses the whole project again if one of these has another value than before.
    assert "DBT_SCHEMA" in done.result.env_vars
    assert "RUN_ID" not in done.result.env_vars
