"""The doctor reports each check and how to fix what is wrong, and changes nothing."""

import pytest

from sandbox.sources.api import Answer
from tests.python.helpers.world import Outcome, World


def found(world: World) -> dict[str, tuple[bool, str]]:
    """Returns whether each check passed, and its text."""
    return checks(world.main(["doctor"]))


def checks(outcome: Outcome) -> dict[str, tuple[bool, str]]:
    return {line["check"]: (line["ok"], line["message"]) for line in outcome.lines}


def test_all_checks_pass(world: World) -> None:
    outcome = world.main(["doctor"])
    assert outcome.code == 0, outcome.output
    assert checks(outcome).keys() == {
        "versions", "api.funcionario", "parquet.categoria", "postgres", "postgres.venda", "work folder", "warehouse",
        "dbt schemas",
    }  # fmt: skip
    assert checks(outcome)["dbt schemas"] == (True, "a build writes to bronze, silver")


def test_it_changes_nothing(world: World) -> None:
    world.put("2024-13-45/categoria.parquet", b"")
    before = sorted(world.warehouse.parent.rglob("*"))
    world.main(["doctor"])
    assert sorted(world.warehouse.parent.rglob("*")) == before


def test_each_fault_is_reported_and_hides_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.answers[1] = Answer(b"<html>")
    world.execute("alter table public.venda drop id_venda")
    world.put("2024-13-45/categoria.parquet")
    monkeypatch.setenv("DBT_TARGET", "prod")
    monkeypatch.setenv("REDSHIFT_HOST", "localhost'; drop table x")
    said = found(world)

    assert [what for what, (ok, _) in said.items() if not ok] == [
        "api.funcionario", "parquet.categoria", "postgres.venda", "warehouse: settings",
    ]  # fmt: skip
    assert "expected a name in plain text, got HTML" in said["api.funcionario"][1]
    assert "its key column id_venda is missing" in said["postgres.venda"][1]
    assert "2024-13-45/categoria.parquet: expected a folder YYYY-MM-DD" in said["parquet.categoria"][1]
    assert "REDSHIFT_HOST: expected the host of the workgroup, got" in said["warehouse: settings"][1]
    assert "REDSHIFT_COPY_ROLE is not set" in said["warehouse: settings"][1]


@pytest.mark.slow
def test_a_source_that_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_POSTGRES_PORT", "1")
    ok, message = found(world)["postgres"]
    assert not ok
    assert "cannot sign in to database" in message
    assert world.environment["SOURCE_POSTGRES_PASSWORD"] not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDSHIFT_HOST", "host/x"),
        ("REDSHIFT_DATABASE", 'dev"; drop schema silver --'),
        ("REDSHIFT_COPY_ROLE", "arn:aws:iam::123456789012:role/copy' --"),
        ("LANDING_URL", "s3://bucket/it's"),
        ("REDSHIFT_WORKGROUP", "a b"),
        ("REDSHIFT_CA_BUNDLE", "/nowhere/ca.pem"),
    ],
)
def test_what_ends_up_in_sql_is_held_to_a_pattern(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    good = {
        "DBT_TARGET": "prod",
        "REDSHIFT_HOST": "localhost",
        "REDSHIFT_PORT": "1",
        "REDSHIFT_DATABASE": "dev",
        "REDSHIFT_USER": "ana",
        "REDSHIFT_PASSWORD": "segredo",
        "REDSHIFT_COPY_ROLE": "arn:aws:iam::123456789012:role/copy",
        "LANDING_URL": "s3://bucket/landing",
    }
    for setting, usual in (good | {name: value}).items():
        monkeypatch.setenv(setting, usual)
    ok, message = found(world)["warehouse: settings"]

    assert not ok
    assert message.startswith("1 setting to fix")
    assert f"{name}: expected " in message
