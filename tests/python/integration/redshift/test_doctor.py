"""The doctor on Redshift checks landing, sign-in, isolation, roles and grants, and shows how to fix them."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from extract.checks import doctor
from sandbox.aws.s3 import LANDING
from tests.python.helpers.declared import DEMO
from tests.python.helpers.redshift_target import RedshiftTarget

pytestmark = pytest.mark.slow

Examine = Callable[..., dict[str, doctor.Check]]


@pytest.fixture
def examine(redshift: RedshiftTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """A function that checks the warehouse with more settings; it returns the checks by name."""

    def look(**settings: str) -> dict[str, doctor.Check]:
        redshift.set(monkeypatch, EXTRACT_WORK=str(tmp_path), **settings)
        warehouse = partial(doctor.warehouse, declarations=DEMO)
        return {check.what: check for check in doctor.looked_at("warehouse", [], doctor.os.environ, warehouse)}

    return look


@pytest.fixture
def ask_dbt(redshift: RedshiftTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """A function that checks dbt with more settings; it returns the checks by name."""

    def look(**settings: str) -> dict[str, doctor.Check]:
        redshift.set(monkeypatch, EXTRACT_WORK=str(tmp_path), **settings)
        return {check.what: check for check in doctor.looked_at("dbt", [], doctor.os.environ, doctor.dbt)}

    return look


def postgres(redshift: RedshiftTarget, sql: str) -> list[tuple[Any, ...]]:
    """Queries the PostgreSQL server below the stand-in."""
    with closing(redshift.server.connect("dev")) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def everything(redshift: RedshiftTarget) -> tuple[Any, ...]:
    """Returns the schemas of the warehouse and the objects of the landing."""
    objects = redshift.s3().list_objects_v2(Bucket=LANDING).get("Contents")
    return postgres(redshift, "select nspname from pg_namespace"), objects


def test_all_checks_pass_and_nothing_is_changed(redshift: RedshiftTarget, examine: Examine) -> None:
    examine()
    before = everything(redshift)
    found = examine()

    assert {what: check.ok for what, check in found.items()} == dict.fromkeys(
        ("work folder", "landing", "warehouse", "isolation", "roles", "grants"), True
    )
    assert "as IAMR:sandbox" in found["warehouse"].found
    assert found["grants"].found == "IAMR:sandbox may load and build"
    assert everything(redshift) == before


def test_dbt_signs_in_and_changes_nothing(
    redshift: RedshiftTarget, ask_dbt: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the CA settings of the stand-in, dbt signs in by the project's settings alone.
    monkeypatch.delitem(redshift.environment, "SSL_CERT_FILE")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    for place in ("DBT_TARGET_PATH", "DBT_LOG_PATH"):
        monkeypatch.setenv(place, str(tmp_path))
    before = everything(redshift)
    found = ask_dbt()

    assert {what: check.ok for what, check in found.items()} == {"dbt signs in": True, "dbt schemas": True}
    assert found["dbt signs in"].found.endswith("/dev by the profile of target prod")
    assert found["dbt schemas"].found == "a build writes to bronze, silver"
    assert everything(redshift) == before
    assert list(tmp_path.iterdir()) == []


def test_a_sign_in_of_dbt_that_fails_is_reported_without_the_password(ask_dbt: Examine) -> None:
    sign_in = {"REDSHIFT_WORKGROUP": "", "REDSHIFT_USER": "awsuser", "REDSHIFT_PASSWORD": "segredo-errado"}
    found = ask_dbt(**sign_in)

    assert not found["dbt signs in"].ok
    assert 'password authentication failed for user "awsuser"' in found["dbt signs in"].found
    assert "segredo-errado" not in str(found)
    assert found["dbt schemas"].ok  # the next check runs all the same


@pytest.mark.parametrize(
    ("target", "prefix", "ok", "said"),
    [
        ("dev", "ana", True, "a build writes to ana_bronze, ana_silver"),
        pytest.param("dev", "pr_123", True, "a build writes to pr_123_bronze, pr_123_silver"),
        pytest.param(
            "dev",
            "",
            False,
            "misconfigured_dev_silver; set DBT_SCHEMA to the prefix of your own, such as ana",
        ),
        ("dev", "silver", False, "DBT_SCHEMA: expected the prefix of your schemas on dev, such as ana or pr_123"),
        pytest.param(
            "prod",
            "ana",
            False,
            "misconfigured_prod_silver; unset DBT_SCHEMA, which is for dev",
        ),
    ],
)
def test_the_schemas_of_a_build_are_reported(ask_dbt: Examine, target: str, prefix: str, ok: bool, said: str) -> None:  # noqa: FBT001
    check = ask_dbt(DBT_TARGET=target, DBT_SCHEMA=prefix)["dbt schemas"]
    assert check.ok == ok
    assert said in check.found


def test_a_role_that_is_missing(redshift: RedshiftTarget, examine: Examine) -> None:
    postgres(redshift, "create role chefe login in role awsuser password 'segredo'")  # who sees all roles
    sign_in = {"REDSHIFT_WORKGROUP": "", "REDSHIFT_USER": "chefe", "REDSHIFT_PASSWORD": "segredo"}
    check = examine(REDSHIFT_READER_ROLE="analista", **sign_in)["roles"]
    assert not check.ok
    assert "analista missing: create role analista" in check.found

    redshift.execute("create role analista")
    redshift.execute("grant role analista to chefe")
    check = examine(REDSHIFT_READER_ROLE="analista", **sign_in)["roles"]
    assert check.ok
    assert check.found.startswith("chefe is in analista; ")


def test_a_user_without_rights(redshift: RedshiftTarget, examine: Examine) -> None:
    postgres(redshift, "create role ana login password 'segredo-da-ana'; create schema ops; create schema silver")
    sign_in = {"REDSHIFT_WORKGROUP": "", "REDSHIFT_USER": "ana", "REDSHIFT_PASSWORD": "segredo-da-ana"}

    found = examine(**sign_in)
    assert found["warehouse"].ok
    assert found["isolation"].ok
    assert found["roles"].found == "ana is in no role; others are not shown to it"
    assert not found["grants"].ok
    assert "ana may neither load nor build; to load, grant it create on database dev" in found["grants"].found
    assert "create on schema ops" in found["grants"].found

    postgres(redshift, "grant create on database dev to ana; grant create on schema ops to ana")
    assert examine(**sign_in)["grants"].found == "ana may load"
    postgres(redshift, "grant usage on schema ops to ana; grant create on schema silver to ana")
    assert examine(**sign_in)["grants"].found == "ana may load and build"


def test_a_wrong_password_is_reported_and_not_shown(examine: Examine) -> None:
    sign_in = {"REDSHIFT_WORKGROUP": "", "REDSHIFT_USER": "awsuser", "REDSHIFT_PASSWORD": "segredo-errado"}
    found = examine(**sign_in)

    assert found["landing"].ok
    assert not found["warehouse"].ok
    assert 'password authentication failed for user "awsuser"' in found["warehouse"].found
    assert "segredo-errado" not in str(found)


def test_serializable_isolation(redshift: RedshiftTarget, examine: Examine) -> None:
    ((usual,),) = postgres(redshift, "select pg_get_viewdef('stv_db_isolation_level'::regclass)")
    view = "set allow_system_table_mods = on; create or replace view pg_catalog.stv_db_isolation_level as "
    postgres(
        redshift, f"{view} select datname::text as db_name, 'Serializable'::text as isolation_level from pg_database"
    )
    check = examine()["isolation"]
    postgres(redshift, f"{view} {usual}")

    assert not check.ok
    assert check.found.startswith("level Serializable; alter database dev isolation level snapshot")


def test_an_s3_that_does_not_answer(examine: Examine) -> None:
    S3FileSystem.clear_instance_cache()
    found = examine(AWS_ENDPOINT_URL_S3="http://127.0.0.1:1")
    S3FileSystem.clear_instance_cache()

    assert "Could not connect to the endpoint URL" in found["landing"].found
    assert found["warehouse"].ok


def test_a_landing_that_is_missing_or_of_another_target(redshift: RedshiftTarget, examine: Examine) -> None:
    missing = examine(LANDING_URL="s3://nowhere/landing")["landing"]
    assert not missing.ok
    assert "s3://nowhere/landing" in missing.found
    assert "check LANDING_URL" in missing.found

    s3 = redshift.s3()
    mark = b'{"target": "dev", "host": "dev.example", "database": "dev"}'
    s3.put_object(Bucket=LANDING, Key="landing/_target.json", Body=mark)
    foreign = examine()["landing"]
    s3.delete_object(Bucket=LANDING, Key="landing/_target.json")
    assert not foreign.ok
    assert "got that of target dev in dev.example/dev: the settings of two targets are mixed up" in foreign.found
