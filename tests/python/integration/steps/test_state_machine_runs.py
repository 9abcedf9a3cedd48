"""The state machine as it is deployed, run through every way it can go, with tasks that are quick scripts."""

import json
from pathlib import Path

import pytest

from sandbox.aws import state_machine
from sandbox.aws.ecs import Cluster, Task, TaskNotStartedError
from tests.python.helpers.machine_run import machine, tasks_of

API, PARQUET, POSTGRES = (("run", "--source", source) for source in ("api", "parquet", "postgres"))
BUILD = ("build",)
TABLE = ("--source", "postgres", "--table", "venda")
PLAN = ("plan", *TABLE, "--ranges", "3")
RANGES = [("range", *TABLE, "--number", number) for number in ("1", "2", "3")]
FAN_OUT = '{"fan_out": {"table": "venda", "ranges": 3}}'

LOG = (
    "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    "#logsV2:log-groups/log-group/$252Fecs$252Fpipeline"
)


def test_every_source_is_loaded_and_then_built(tmp_path: Path) -> None:
    with machine(tasks_of('echo "$*" "$RUN_ID" >> done', tmp_path)) as pipeline:
        ended = pipeline.run(name="night-1")
    assert (ended.status, ended.messages) == ("SUCCEEDED", [])
    assert pipeline.commands == [API, PARQUET, POSTGRES, BUILD]
    lines = (tmp_path / "done").read_text().splitlines()
    assert lines[-1] == "build night-1"
    assert all(line.endswith(" night-1") for line in lines)
    for task in pipeline.cluster.tasks.values():
        assert task.environment == {"PATH": "/usr/bin:/bin", "RUN_ID": "night-1"}


def test_the_sources_load_at_the_same_time(tmp_path: Path) -> None:
    # Each waits for the two others: one after another, they would never end.
    script = """
        [ "$1" = build ] && exit
        touch "$3"
        until [ -e api ] && [ -e parquet ] && [ -e postgres ]; do sleep 0.05; done
    """
    with machine(tasks_of(script, tmp_path)) as pipeline:
        assert pipeline.run().status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("given", "commands"),
    [
        ('{"sources": ["postgres"]}', [POSTGRES, BUILD]),
        ('{"sources": ["api", "postgres", "api"]}', [API, POSTGRES, BUILD]),
        ('{"full_refresh": true}', [API, PARQUET, POSTGRES, ("build", "--full-refresh")]),
        ('{"sources": ["api"], "full_refresh": false}', [API, BUILD]),
        (FAN_OUT, [PLAN, *RANGES, API, PARQUET, POSTGRES, BUILD]),
        ('{"sources": ["postgres"], ' + FAN_OUT[1:], [PLAN, *RANGES, POSTGRES, BUILD]),
        (
            '{"backfill": {"source": "postgres", "table": "venda", "from": "2026-01-01", "to": "2026-01-31"}}',
            [
                (
                    "backfill",
                    "--source",
                    "postgres",
                    "--table",
                    "venda",
                    "--from",
                    "2026-01-01",
                    "--to",
                    "2026-01-31",
                ),
                BUILD,
            ],
        ),
    ],
)
def test_the_input_chooses_what_is_done(tmp_path: Path, given: str, commands: list[tuple[str, ...]]) -> None:
    with machine(tasks_of("true", tmp_path)) as pipeline:
        assert pipeline.run(given).status == "SUCCEEDED"
    assert pipeline.commands == commands


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            '{"source": ["postgres"]}',
            'expected {} or an object of sources, full_refresh, fan_out or backfill, got {"source"',
        ),
        ("[]", "expected {} or an object"),
        ('"postgres"', "expected {} or an object"),
        ('{"sources": []}', "sources: expected a list of api, postgres and parquet, got []"),
        ('{"sources": "api"}', "sources: expected a list"),
        ('{"sources": ["api", "ftp"]}', 'sources: expected a list of api, postgres and parquet, got ["api","ftp"]'),
        ('{"sources": null}', "sources: expected a list"),
        ('{"full_refresh": "yes"}', "full_refresh: expected true or false, got yes"),
        ('{"backfill": "venda"}', "backfill: expected the texts source, table, from and to, got venda"),
        ('{"backfill": {"source": "postgres"}}', "backfill: expected the texts source, table, from and to"),
        (
            '{"backfill": {"source": "postgres", "table": "venda", "from": "--debug", "to": "2026-01-31"}}',
            "backfill: expected the texts",
        ),
        (
            '{"backfill": {"source": "postgres", "table": "venda", "from": 1, "to": "2026-01-31"}}',
            "backfill: expected the texts",
        ),
        (
            '{"fan_out": "venda"}',
            "fan_out: expected the table, a name in small letters, and ranges, a number from 2 to",
        ),
        ('{"fan_out": {"table": "--debug", "ranges": 3}}', "fan_out: expected the table, a name in small letters"),
        ('{"fan_out": {"table": "venda", "ranges": 201}}', "fan_out: expected the table, a name in small letters"),
        ('{"fan_out": {"table": "venda", "ranges": 2.5}}', "fan_out: expected the table, a name in small letters"),
        ('{"sources": ["api"], ' + FAN_OUT[1:], 'fan_out: expected postgres among the sources, got ["api"]'),
        (
            '{"backfill": {"source": "api", "table": "a", "from": "1", "to": "2"}, ' + FAN_OUT[1:],
            "backfill: expected alone, without sources, full_refresh and fan_out",
        ),
        (
            '{"sources": ["api"], "backfill": {"source": "api", "table": "a", "from": "1", "to": "2"}}',
            "backfill: expected alone",
        ),
    ],
)
def test_a_bad_input_starts_nothing_and_says_what_was_expected(tmp_path: Path, given: str, expected: str) -> None:
    with machine(tasks_of("true", tmp_path)) as pipeline:
        ended = pipeline.run(given)
    assert (ended.status, ended.error, pipeline.commands) == ("FAILED", "BadInput", [])
    assert expected in ended.cause
    assert expected in ended.messages[0]["Message"]


def test_an_extract_that_fails_twice_is_tried_again_and_works(tmp_path: Path) -> None:
    script = 'case "$*" in *postgres) echo >> attempts; [ "$(wc -l < attempts)" -gt 2 ];; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run()
    assert (ended.status, ended.messages) == ("SUCCEEDED", [])
    assert pipeline.commands == [API, PARQUET, POSTGRES, POSTGRES, POSTGRES, BUILD]


def test_an_extract_that_never_works_fails_the_execution_after_all_else_is_built(tmp_path: Path) -> None:
    with machine(tasks_of('case "$*" in *postgres) exit 1;; esac', tmp_path)) as pipeline:
        ended = pipeline.run()
    assert pipeline.commands == [API, PARQUET, POSTGRES, POSTGRES, POSTGRES, BUILD]
    assert (ended.status, ended.error) == ("FAILED", "ExtractFailed")
    assert ended.cause == "extract postgres: Essential container in task exited, exit code 1, attempt 3"
    (message,) = ended.messages
    last = next(arn for arn, task in reversed(pipeline.cluster.tasks.items()) if task.command == POSTGRES)
    assert message == {
        "TopicArn": state_machine.TOPIC,
        "Subject": "Failed: extract postgres",
        "Message": (
            "extract postgres: ExtractFailed, Essential container in task exited, exit code 1, attempt 3\n"
            f"  {LOG}/log-events/loader$252Fpipeline$252F{last.split('/')[-1]}\n"
            "execution: https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1"
            "#/v2/executions/details/arn:aws:states:us-east-1:123456789012:execution:pipeline:run-1"
        ),
    }


def test_an_extract_whose_settings_are_wrong_is_not_tried_again(tmp_path: Path) -> None:
    with machine(tasks_of('case "$*" in *postgres) exit 2;; esac', tmp_path)) as pipeline:
        ended = pipeline.run()
    assert pipeline.commands == [API, PARQUET, POSTGRES, BUILD]
    assert ended.cause == "extract postgres: Essential container in task exited, exit code 2, attempt 1"


def test_everything_that_failed_is_told_in_one_message(tmp_path: Path) -> None:
    with machine(tasks_of('case "$*" in *api|build) exit 2;; esac', tmp_path)) as pipeline:
        ended = pipeline.run()
    (message,) = ended.messages
    assert message["Subject"] == "Failed: extract api, build"
    assert [line.split(":")[0] for line in message["Message"].splitlines()] == [
        "extract api", "  https", "build", "  https", "execution",
    ]  # fmt: skip
    assert ended.error == "ExtractFailed"


def test_a_build_that_fails_once_is_made_again_with_the_same_run_id(tmp_path: Path) -> None:
    script = 'case "$*" in build) echo "$RUN_ID" >> builds; [ "$(wc -l < builds)" -gt 1 ];; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run(name="night-2")
    assert ended.status == "SUCCEEDED"
    assert (tmp_path / "builds").read_text() == "night-2\nnight-2\n"


def test_a_build_that_fails_twice_fails_the_execution(tmp_path: Path) -> None:
    with machine(tasks_of('case "$*" in build) exit 1;; esac', tmp_path)) as pipeline:
        ended = pipeline.run()
    assert pipeline.commands == [API, PARQUET, POSTGRES, BUILD, BUILD]
    assert (ended.status, ended.error) == ("FAILED", "BuildFailed")
    assert ended.cause == "build: Essential container in task exited, exit code 1, attempt 2"
    assert ended.messages[0]["Subject"] == "Failed: build"


def test_ranges_are_loaded_after_their_plan_so_many_at_once_and_before_the_sources(tmp_path: Path) -> None:
    # Two ranges wait for each other; a third beside them would be seen.
    script = """
        case "$1" in
            plan) sleep 0.2; touch planned;;
            range)
                [ -e planned ] || exit 1
                [ "$(ls -d at_work.* 2>/dev/null | wc -l)" -lt 2 ] || touch three_at_once
                touch "at_work.$7"
                [ "$7" = 3 ] || { touch "met.$7"; until [ -e met.1 ] && [ -e met.2 ]; do sleep 0.05; done; }
                sleep 0.2; touch "loaded.$7"; rm "at_work.$7";;
            run) [ -e loaded.1 ] && [ -e loaded.2 ] && [ -e loaded.3 ];;
        esac
    """
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run(FAN_OUT)
    assert (ended.status, ended.messages) == ("SUCCEEDED", [])
    assert not (tmp_path / "three_at_once").exists()


def test_a_range_that_fails_twice_is_tried_again_and_works(tmp_path: Path) -> None:
    script = 'case "$1 $7" in "range 2") echo >> attempts; [ "$(wc -l < attempts)" -gt 2 ];; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run(FAN_OUT)
    assert (ended.status, ended.messages) == ("SUCCEEDED", [])
    assert pipeline.commands == [
        PLAN, RANGES[0], *[RANGES[1]] * 3, RANGES[2], API, PARQUET, POSTGRES, BUILD,
    ]  # fmt: skip


def test_a_range_that_never_works_keeps_no_other_from_loading_and_is_told(tmp_path: Path) -> None:
    script = (
        'case "$1 $7 $3" in "range 2 "*) exit 1;; "run  postgres") exit 2;; esac'  # the run names what is missing
    )
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run(FAN_OUT)
    assert pipeline.commands == [
        PLAN, RANGES[0], *[RANGES[1]] * 3, RANGES[2], API, PARQUET, POSTGRES, BUILD,
    ]  # fmt: skip
    assert (ended.status, ended.error) == ("FAILED", "ExtractFailed")
    (message,) = ended.messages
    assert message["Subject"] == "Failed: extract postgres venda range 2, extract postgres"
    assert "exit code 1, attempt 3" in ended.cause


@pytest.mark.parametrize("sources", [[API, PARQUET], []])
def test_without_a_plan_postgres_is_left_out(tmp_path: Path, sources: list[tuple[str, ...]]) -> None:
    given = FAN_OUT if sources else '{"sources": ["postgres"], ' + FAN_OUT[1:]
    with machine(tasks_of('[ "$1" != plan ] || exit 2', tmp_path)) as pipeline:
        ended = pipeline.run(given)
    assert pipeline.commands == [PLAN, *sources, BUILD]
    assert ended.cause == "extract postgres venda plan: Essential container in task exited, exit code 2, attempt 1"


class FullCluster(Cluster):
    """A cluster that has no room for a task until it was asked for the third time."""

    asked = 0

    def run(self, parameters: object) -> Task:  # noqa: D102  as in Cluster
        self.asked += 1
        if self.asked < 3:
            raise TaskNotStartedError("Capacity is unavailable at this time. Please try again later")
        return super().run(parameters)  # type: ignore[arg-type]


def test_a_task_that_found_no_capacity_is_asked_for_again(tmp_path: Path) -> None:
    plain = tasks_of("true", tmp_path)
    with machine(FullCluster(plain.definitions, plain.logs)) as pipeline:
        ended = pipeline.run('{"sources": ["api"]}')
    assert ended.status == "SUCCEEDED"
    refused = [event["taskFailedEventDetails"]["error"] for event in ended.events if event["type"] == "TaskFailed"]
    assert refused == ["AmazonECS.Unknown"] * 2
    assert pipeline.commands == [API, BUILD]


def test_an_extract_that_hangs_is_stopped_and_not_tried_again(tmp_path: Path) -> None:
    script = 'case "$*" in *postgres) exec sleep 600;; esac'
    with machine(tasks_of(script, tmp_path), timeouts={"Load the source": 2}) as pipeline:
        ended = pipeline.run()
        hung = next(task for task in pipeline.cluster.tasks.values() if task.command == POSTGRES)
        pipeline.until(lambda: hung.exit_code is not None)
    assert hung.exit_code == 143
    assert pipeline.commands == [API, PARQUET, POSTGRES, BUILD]
    assert ended.error == "ExtractFailed"
    assert "extract postgres: States.Timeout" in ended.cause
    assert f"\n  {LOG}\n" in ended.messages[0]["Message"]


def test_a_stopped_execution_stops_its_tasks_and_begins_no_other(tmp_path: Path) -> None:
    script = """
        case "$*" in *postgres)
            trap "echo stopped > stopped; exit 0" TERM
            touch begun
            while :; do sleep 0.05; done;;
        esac
    """
    with machine(tasks_of(script, tmp_path)) as pipeline:
        arn = pipeline.start()
        pipeline.until((tmp_path / "begun").exists)
        pipeline.client.stop_execution(executionArn=arn)
        ended = pipeline.ended(arn)
        pipeline.until((tmp_path / "stopped").exists)
    assert ended.status == "ABORTED"
    assert pipeline.commands == [API, PARQUET, POSTGRES]


def test_the_second_of_two_executions_ends_and_names_the_first(tmp_path: Path) -> None:
    script = 'case "$*" in *postgres) touch begun; until [ -e go ]; do sleep 0.05; done;; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        first = pipeline.start(name="first")
        pipeline.until((tmp_path / "begun").exists)
        second = pipeline.run(name="second")
        (tmp_path / "go").touch()
        assert pipeline.ended(first).status == "SUCCEEDED"
        third = pipeline.run(name="third")
    assert (second.status, second.error) == ("FAILED", "AlreadyRunning")
    assert second.cause == f"start: another execution is running: {first}"
    assert second.messages[0]["Subject"] == "Failed: start"
    assert third.status == "SUCCEEDED"
    assert pipeline.commands == sorted([API, PARQUET, POSTGRES] * 2) + [BUILD] * 2


def test_of_two_executions_started_at_once_one_goes_on(tmp_path: Path) -> None:
    with machine(tasks_of("sleep 1", tmp_path), settle=1) as pipeline:
        arns = [pipeline.start(name=name) for name in ("b", "a")]
        ended = [pipeline.ended(arn) for arn in arns]
    assert [(one.status, one.error) for one in ended] == [("SUCCEEDED", ""), ("FAILED", "AlreadyRunning")]
    assert pipeline.commands == [API, PARQUET, POSTGRES, BUILD]


def test_an_execution_fails_even_where_it_cannot_tell_it(tmp_path: Path) -> None:
    with machine(tasks_of('case "$*" in build) exit 2;; esac', tmp_path)) as pipeline:
        definition = json.loads(pipeline.client.describe_state_machine(stateMachineArn=pipeline.arn)["definition"])
        tell = definition["States"]["Tell what failed"]
        tell["Arguments"]["TopicArn"] += "-gone"
        tell["Retry"][0]["MaxAttempts"] = 1
        pipeline.client.update_state_machine(stateMachineArn=pipeline.arn, definition=json.dumps(definition))
        ended = pipeline.run()
    assert (ended.status, ended.error, ended.messages) == ("FAILED", "BuildFailed", [])
