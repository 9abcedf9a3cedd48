"""infra/ as rendered, checked against calendars, PostgreSQL and the loaders."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from psycopg2 import errors

from deploy.sources import describe
from extract.settings import read_settings, settings_of
from redshift_standin.postgres import PostgresServer
from sandbox.aws import state_machine
from tests.python.helpers import ROOT
from tests.python.helpers.rendered_infra import DEMO, DESCRIBED, SOURCES, Infra

RAW = [source.dataset for source in SOURCES]

# --- the schedule ---


def next_runs(schedule: dict[str, Any], after: datetime, count: int) -> list[datetime]:
    """Returns the next times of a schedule, with their time zone.

    EventBridge's cron has a year at the end, and `?` for one of the two days.
    """
    fields = re.fullmatch(r"cron\((.*)\)", schedule["schedule_expression"])
    assert fields, schedule["schedule_expression"]
    *five, year = fields[1].replace("?", "*").split(" ")
    assert year == "*"
    zone = ZoneInfo(schedule["schedule_expression_timezone"])
    times = croniter(" ".join(five), after.astimezone(zone))
    return [times.get_next(datetime) for _ in range(count)]


def test_the_pipeline_runs_every_morning_in_the_time_zone_of_the_company(infra: Infra) -> None:
    runs = next_runs(
        infra.resources["aws_scheduler_schedule.run"], datetime(2026, 12, 30, 12, tzinfo=ZoneInfo("UTC")), 3
    )
    assert [run.isoformat() for run in runs] == [
        "2026-12-31T05:00:00-03:00",
        "2027-01-01T05:00:00-03:00",
        "2027-01-02T05:00:00-03:00",
    ]


def test_a_snapshot_is_created_every_day(infra: Infra) -> None:
    snapshots = next_runs(
        infra.resources["aws_scheduler_schedule.snapshot"], datetime(2026, 12, 30, tzinfo=ZoneInfo("UTC")), 2
    )
    assert [(time.strftime("%a"), time.hour) for time in snapshots] == [("Wed", 12), ("Thu", 12)]
    assert snapshots[1] - snapshots[0] == timedelta(days=1)


def test_the_alarm_for_missing_runs_waits_for_the_next_run(infra: Infra) -> None:
    """It must wait longer than the time between two runs, or it would go off every day."""
    alarm = infra.resources['aws_cloudwatch_metric_alarm.this["not-run"]']
    first, second = next_runs(
        infra.resources["aws_scheduler_schedule.run"], datetime(2026, 12, 30, tzinfo=ZoneInfo("UTC")), 2
    )
    assert timedelta(seconds=alarm["period"] * alarm["evaluation_periods"]) > second - first


# --- the tasks' settings ---


@pytest.mark.parametrize("task", ["loader", "transformer"])
def test_the_settings_of_the_tasks_are_those_that_the_code_reads(infra: Infra, task: str) -> None:
    known = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    known |= {f"{source.settings}_{setting.name}" for source in SOURCES for setting in settings_of(source)}
    of_the_container = {"HOME", "TMPDIR"}
    of_dbt = {"DBT_TARGET_PATH", "DBT_LOG_PATH", "DBT_LOG_LEVEL_FILE"}
    assert set(infra.environment(task)) - known - of_the_container - of_dbt == {"EXTRACT_WORK"}


def test_the_tests_of_infra_have_the_settings_that_the_sources_have() -> None:
    assert describe(DEMO) == DESCRIBED, (
        "write the settings of extract/settings.py to infra/tests/demo.auto.tfvars.json"
    )


def test_the_loader_has_everything_that_its_sources_demand(infra: Infra) -> None:
    environment = infra.environment("loader") | dict.fromkeys(infra.secrets("loader"), "segredo")
    assert set(read_settings(SOURCES, environment).sources) == {"api", "crm", "parquet", "postgres"}


@pytest.mark.parametrize("task", ["loader", "transformer"])
def test_no_secret_is_in_the_environment_of_a_task(infra: Infra, task: str) -> None:
    secrets = {
        f"{source.settings}_{setting.name}" for source in SOURCES for setting in settings_of(source) if setting.secret
    }
    assert secrets == {"CRM_PASSWORD", "EMPLOYEES_API_KEY", "SOURCE_POSTGRES_PASSWORD"}
    assert infra.environment(task).keys() & secrets == set()
    assert infra.secrets(task) == ({"CRM_PASSWORD", "SOURCE_POSTGRES_PASSWORD"} if task == "loader" else set())


def test_no_resource_has_the_value_of_a_secret(infra: Infra) -> None:
    text = json.dumps([infra.resources, infra.outputs])
    assert "crm.example.com" in text
    assert not re.search(r"segredo|chave|outro", text)


def test_everything_is_written_to_the_volume(infra: Infra) -> None:
    places = {name: value for name, value in infra.environment("transformer").items() if value.startswith("/")}
    assert set(places) == {"EXTRACT_WORK", "DBT_TARGET_PATH", "DBT_LOG_PATH", "HOME", "TMPDIR"}
    assert all(value.startswith("/scratch") for value in places.values())


# --- the state machine ---


def test_the_sandbox_renders_the_state_machine_as_terraform_does(infra: Infra) -> None:
    deployed = json.loads(infra.resources["aws_sfn_state_machine.this"]["definition"])
    network = json.dumps(deployed)
    values = {
        "cluster_arn": infra.outputs["cluster_arn"],
        "loader_task_definition_arn": infra.resources['aws_ecs_task_definition.this["loader"]']["arn"],
        "transformer_task_definition_arn": infra.resources['aws_ecs_task_definition.this["transformer"]']["arn"],
        "container_name": "pipeline",
        "name": "vendas",
        "sources": sorted(source.name for source in SOURCES),
        "subnets": next(iter(json.loads(f"[{found}]") for found in re.findall(r'"Subnets": \[([^]]*)\]', network))),
        "security_groups": [infra.resources["aws_security_group.task"]["id"]],
        "topic_arn": infra.outputs["topic_arn"],
        "log_group": infra.outputs["log_group"],
        "fan_out_tasks": 8,
        "region": infra.environment("loader")["AWS_REGION"],
    }
    assert len(values["subnets"]) == 3
    assert json.loads(state_machine.render(state_machine.TEMPLATE.read_text(), values)) == deployed


# --- who may do what in the database ---


@pytest.fixture
def cursor(infra: Infra, postgres_server: PostgresServer, database: str) -> Iterator[Any]:
    """A superuser's cursor in a database that was set up twice: the setup can run again."""
    text = infra.database_set_up(database)
    assert '"IAMR:vendas-loader"' in text
    connection = postgres_server.connect(database)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(text)
        yield cursor
        cursor.execute("reset session authorization")
        for role in ('"IAMR:vendas-loader"', '"IAMR:vendas-transformer"', "loader", "transformer", "reader"):
            cursor.execute(f"drop owned by {role} cascade; drop role {role}")
    connection.close()


def sign_in(cursor: Any, user: str) -> None:
    """Continues as another user."""
    cursor.execute(f'reset session authorization; set session authorization "{user}"')


def test_the_loader_writes_raw_and_the_transformer_reads_it(cursor: Any) -> None:
    sign_in(cursor, "IAMR:vendas-loader")
    for schema in (*RAW, "ops"):
        cursor.execute(f"create table {schema}.t (id int); insert into {schema}.t values (1)")
    cursor.execute("create schema raw_api_staging")
    sign_in(cursor, "IAMR:vendas-transformer")
    for schema in (*RAW, "ops"):
        cursor.execute(f"select id from {schema}.t")
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(f"delete from {schema}.t")


def test_the_transformer_writes_silver_and_readers_read_only_silver(cursor: Any) -> None:
    sign_in(cursor, "IAMR:vendas-transformer")
    for schema in ("bronze", "silver"):
        cursor.execute(f"create table {schema}.t (id int); insert into {schema}.t values (1)")
    with pytest.raises(errors.InsufficientPrivilege):
        cursor.execute("create schema elsewhere")
    cursor.execute("reset session authorization; create user ana; grant reader to ana")
    try:
        sign_in(cursor, "ana")
        cursor.execute("select id from silver.t")
        assert cursor.fetchall() == [(1,)]
        for forbidden in (
            "select id from bronze.t",
            "insert into silver.t values (2)",
            "create table public.t (id int)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(forbidden)
    finally:
        cursor.execute("reset session authorization; drop user ana")


def test_the_loader_cannot_write_silver(cursor: Any) -> None:
    sign_in(cursor, "IAMR:vendas-loader")
    with pytest.raises(errors.InsufficientPrivilege):
        cursor.execute("create table silver.t (id int)")


def test_nobody_can_sign_in_with_a_password(cursor: Any) -> None:
    cursor.execute("select count(*) from pg_shadow where usename like 'IAMR:%' and passwd is null")
    assert cursor.fetchall() == [(2,)]


def test_every_schema_of_the_project_has_an_owner(infra: Infra) -> None:
    text = infra.outputs["database_set_up"]["procedure"]
    owned = dict(re.findall(r'create schema if not exists (\w+) authorization "IAMR:vendas-(\w+)"', text))
    models = re.findall(r"schema: (\w+)$", (ROOT / "dbt_project.yml").read_text(), re.MULTILINE)
    assert owned == dict.fromkeys(models, "transformer") | dict.fromkeys([*RAW, "ops"], "loader")
