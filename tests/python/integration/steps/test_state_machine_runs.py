"""Every path through the deployed state machine, with short scripts as tasks."""

import json
from pathlib import Path

import pytest

from sandbox.aws import state_machine
from sandbox.aws.ecs import Cluster, Task, TaskNotStartedError
from tests.python.helpers.machine_run import (
    API,
    BUILD,
    FAN_OUT,
    PARQUET,
    PLAN,
    POSTGRES,
    RANGES,
    TABLE,
    machine,
    tasks_of,
)

DONE = {"time": "t", "level": "error", "message": "", "exit_code": 1, "stale": [], "retry": False}
LOG = (
    "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    "#logsV2:log-groups/log-group/$252Fecs$252Fpipeline"
)


def ends(code: int, message: str, **fields: object) -> str:
    """A shell command that logs a last line as the pipeline does, and exits with the code."""
    line = json.dumps(DONE | {"message": message, "exit_code": code} | fields | {"end": True})
    return f"printf '%s\\n' 'a line' '{line}'; exit {code}"


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
    # Each task waits for the two others: one after another, they would never end.
    wait = "until [ -e api ] && [ -e parquet ] && [ -e postgres ]; do sleep 0.1; done"
    script = f'[ "$1" = build ] || {{ touch "$3"; {wait}; }}'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        assert pipeline.run().status == "SUCCEEDED"


def test_an_extract_that_fails_twice_is_retried_and_succeeds(tmp_path: Path) -> None:
    script = 'case "$*" in *postgres) echo >> attempts; [ "$(wc -l < attempts)" -gt 2 ];; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run()
    assert (ended.status, ended.messages) == ("SUCCEEDED", [])
    assert pipeline.commands == [API, PARQUET, POSTGRES, POSTGRES, POSTGRES, BUILD]


def test_an_extract_that_always_fails_fails_the_execution_after_the_build(tmp_path: Path) -> None:
    last = ends(1, "postgres.venda: cannot sign in", stale=["postgres.venda"], retry=True)
    with machine(tasks_of(f'case "$*" in *postgres) {last};; esac', tmp_path)) as pipeline:
        ended = pipeline.run()
    assert pipeline.commands == [API, PARQUET, POSTGRES, POSTGRES, POSTGRES, BUILD]
    assert (ended.status, ended.error) == ("FAILED", "ExtractFailed")
    assert ended.cause == "extract postgres: postgres.venda: cannot sign in"
    (message,) = ended.messages
    last = next(arn for arn, task in reversed(pipeline.cluster.tasks.items()) if task.command == POSTGRES)
    assert message == {
        "TopicArn": state_machine.TOPIC,
        "Subject": "sandbox: failed: extract postgres",
        "Message": (
            "extract postgres failed in 3 attempts\n"
            "  why:    postgres.venda: cannot sign in\n"
            "  stale:  postgres.venda\n"
            "  to do:  The fault may pass. Check that the system that it names is up, and start again.\n"
            f"  log:    {LOG}/log-events/loader$252Fpipeline$252F{last.split('/')[-1]}\n\n"
            "Silver was rebuilt from everything that was loaded. What is stale keeps its rows of before.\n\n"
            "Deployment sandbox. Start again: make run-aws. All alarms and remedies: docs/operations/alarms.md\n"
            "Execution: https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1"
            "#/v2/executions/details/arn:aws:states:us-east-1:123456789012:execution:pipeline:run-1"
        ),
    }


@pytest.mark.parametrize(
    "end", ["exit 2", ends(1, "postgres.venda: cannot sign in: password authentication failed", retry=False)]
)
def test_a_fault_that_a_person_has_to_correct_is_not_retried(tmp_path: Path, end: str) -> None:
    with machine(tasks_of(f'case "$*" in *postgres) {end};; esac', tmp_path)) as pipeline:
        ended = pipeline.run()
    assert pipeline.commands == [API, PARQUET, POSTGRES, BUILD]
    assert ended.messages[0]["Message"].startswith("extract postgres failed\n")


def test_a_command_without_a_last_line_is_retried_and_the_end_of_its_log_is_shown(tmp_path: Path) -> None:
    script = 'case "$*" in *postgres) echo "a line"; echo "MemoryError"; kill -9 $$;; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run()
    assert pipeline.commands == [API, PARQUET, *[POSTGRES] * 3, BUILD]
    message = ended.messages[0]["Message"]
    assert "exit code 137; the last line of its log: MemoryError\n  stale:  every table of postgres\n" in message
    assert "to do:  The task was stopped from outside." in message


def test_a_log_that_cannot_be_read_hides_no_failure(tmp_path: Path) -> None:
    with machine(tasks_of('case "$*" in build) exit 2;; esac', tmp_path)) as pipeline:
        definition = json.loads(pipeline.client.describe_state_machine(stateMachineArn=pipeline.arn)["definition"])
        reading = definition["States"]["Run the tasks"]["ItemProcessor"]["States"]["Read the end of the log"]
        reading["Arguments"]["LogGroupName"] += "-gone"
        reading["Retry"][0]["MaxAttempts"] = 1
        pipeline.client.update_state_machine(stateMachineArn=pipeline.arn, definition=json.dumps(definition))
        ended = pipeline.run()
    assert "why:    Essential container in task exited, exit code 2\n" in ended.messages[0]["Message"]


def test_one_message_reports_all_failures(tmp_path: Path) -> None:
    with machine(tasks_of('case "$*" in *api|build) exit 2;; esac', tmp_path)) as pipeline:
        ended = pipeline.run()
    (message,) = ended.messages
    assert message["Subject"] == "sandbox: failed: extract api, build"
    assert [line.split(":")[0].strip() for line in message["Message"].splitlines()] == [
        "extract api failed", "why", "stale", "to do", "log", "",
        "build failed", "why", "stale", "to do", "log", "",
        "The build failed. The stale models keep their rows of before.", "",
        "Deployment sandbox. Start again", "Execution",
    ]  # fmt: skip
    assert "stale:  every table of api\n" in message["Message"]
    assert "stale:  every model\n" in message["Message"]
    assert ended.error == "ExtractFailed"


def test_a_build_that_fails_once_is_retried_with_the_same_run_id(tmp_path: Path) -> None:
    script = 'case "$*" in build) echo "$RUN_ID" >> builds; [ "$(wc -l < builds)" -gt 1 ];; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run(name="night-2")
    assert ended.status == "SUCCEEDED"
    assert (tmp_path / "builds").read_text() == "night-2\nnight-2\n"


@pytest.mark.slow
def test_a_build_that_fails_twice_fails_the_execution(tmp_path: Path) -> None:
    with machine(tasks_of('case "$*" in build) exit 1;; esac', tmp_path)) as pipeline:
        ended = pipeline.run()
    assert pipeline.commands == [API, PARQUET, POSTGRES, BUILD, BUILD]
    assert (ended.status, ended.error) == ("FAILED", "BuildFailed")
    assert ended.cause == "build: Essential container in task exited, exit code 1"
    assert ended.messages[0]["Subject"] == "sandbox: failed: build"
    assert ended.messages[0]["Message"].startswith("build failed in 2 attempts\n")


def test_ranges_load_after_the_plan_and_before_the_sources_with_limited_concurrency(tmp_path: Path) -> None:
    # Two ranges wait for each other; a third one at the same time would be recorded.
    script = """
        case "$1" in
            plan) sleep 0.2; touch planned;;
            range)
                [ -e planned ] || exit 1
                [ "$(ls -d at_work.* 2>/dev/null | wc -l)" -lt 2 ] || touch three_at_once
                touch "at_work.$7"
                [ "$7" = 3 ] || { touch "met.$7"; until [ -e met.1 ] && [ -e met.2 ]; do sleep 0.1; done; }
                sleep 0.2; touch "loaded.$7"; rm "at_work.$7";;
            run) [ -e loaded.1 ] && [ -e loaded.2 ] && [ -e loaded.3 ];;
        esac
    """
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run(FAN_OUT)
    assert (ended.status, ended.messages) == ("SUCCEEDED", [])
    assert not (tmp_path / "three_at_once").exists()


@pytest.mark.slow
def test_a_range_that_fails_twice_is_retried_and_succeeds(tmp_path: Path) -> None:
    script = 'case "$1 $7" in "range 2") echo >> attempts; [ "$(wc -l < attempts)" -gt 2 ];; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        ended = pipeline.run(FAN_OUT)
    assert (ended.status, ended.messages) == ("SUCCEEDED", [])
    assert pipeline.commands == [
        PLAN, RANGES[0], *[RANGES[1]] * 3, RANGES[2], POSTGRES, BUILD,
    ]  # fmt: skip


@pytest.mark.slow
def test_a_range_that_always_fails_does_not_stop_the_others_and_is_reported(tmp_path: Path) -> None:
    with machine(tasks_of('case "$1 $7" in "range 2") exit 1;; esac', tmp_path)) as pipeline:
        ended = pipeline.run(FAN_OUT)
    assert pipeline.commands == [PLAN, RANGES[0], *[RANGES[1]] * 3, RANGES[2], BUILD]  # the run would find it missing
    assert (ended.status, ended.error) == ("FAILED", "ExtractFailed")
    (message,) = ended.messages
    assert message["Message"].startswith(f"{' '.join(RANGES[1])} failed in 3 attempts\n")
    assert "\n\nNot started after that: run --source postgres\n\n" in message["Message"]


def test_after_a_plan_that_failed_nothing_else_is_loaded(tmp_path: Path) -> None:
    with machine(tasks_of('[ "$1" != plan ] || exit 2', tmp_path)) as pipeline:
        ended = pipeline.run(FAN_OUT)
    assert pipeline.commands == [PLAN, BUILD]
    assert ended.cause == f"{' '.join(PLAN)}: Essential container in task exited, exit code 2"


@pytest.mark.slow
def test_of_many_failures_the_first_are_described_and_all_are_named(tmp_path: Path) -> None:
    ranges = [("range", *TABLE, "--number", str(number)) for number in range(1, 13)]
    last = ends(2, "no plan", retry=False)
    with machine(tasks_of(f'[ "$1" != range ] || {{ {last}; }}', tmp_path)) as pipeline:
        ended = pipeline.run(json.dumps({"commands": ranges, "build": False}))
    message = ended.messages[0]["Message"]
    assert message.count("  why:    ") == 10
    assert f"\n\nand 2 more: {' '.join(ranges[10])}, {' '.join(ranges[11])}\n\n" in message
    assert "Silver was not to be rebuilt, and is as before." in message


class FullCluster(Cluster):
    """A cluster without capacity for the first two requests."""

    requests = 0

    def run(self, parameters: object) -> Task:  # noqa: D102  as in Cluster
        self.requests += 1
        if self.requests < 3:
            raise TaskNotStartedError("Capacity is unavailable at this time. Please try again later")
        return super().run(parameters)  # type: ignore[arg-type]


def test_a_task_that_found_no_capacity_is_requested_again(tmp_path: Path) -> None:
    plain = tasks_of("true", tmp_path)
    with machine(FullCluster(plain.definitions, plain.logs)) as pipeline:
        ended = pipeline.run('{"sources": ["api"]}')
    assert ended.status == "SUCCEEDED"
    refused = [event["taskFailedEventDetails"]["error"] for event in ended.events if event["type"] == "TaskFailed"]
    assert refused == ["AmazonECS.Unknown"] * 2
    assert pipeline.commands == [API, BUILD]


def test_an_extract_that_hangs_is_stopped_and_not_retried(tmp_path: Path) -> None:
    script = 'case "$*" in *postgres) exec sleep 600;; esac'
    with machine(tasks_of(script, tmp_path), timeouts={"Run the task": 2}) as pipeline:
        ended = pipeline.run()
        hung = next(task for task in pipeline.cluster.tasks.values() if task.command == POSTGRES)
        pipeline.until(lambda: hung.exit_code is not None)
    assert hung.exit_code == 143
    assert pipeline.commands == [API, PARQUET, POSTGRES, BUILD]
    assert ended.error == "ExtractFailed"
    assert "extract postgres: States.Timeout" in ended.cause
    assert f"\n  log:    {LOG}\n" in ended.messages[0]["Message"]
    assert "to do:  It took longer than 2 hours and was stopped." in ended.messages[0]["Message"]


def test_a_stopped_execution_stops_its_tasks_and_starts_no_other(tmp_path: Path) -> None:
    script = 'case "$*" in *postgres) trap "touch stopped; exit 0" TERM; touch begun; sleep 600 & wait $!;; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        arn = pipeline.start()
        pipeline.until(lambda: (tmp_path / "begun").exists() and len(pipeline.commands) == 3)
        pipeline.client.stop_execution(executionArn=arn)
        ended = pipeline.ended(arn)
        pipeline.until((tmp_path / "stopped").exists)
    assert ended.status == "ABORTED"
    assert pipeline.commands == [API, PARQUET, POSTGRES]


def test_the_second_of_two_executions_fails_and_names_the_first(tmp_path: Path) -> None:
    script = 'case "$*" in *postgres) touch begun; until [ -e go ]; do sleep 0.1; done;; esac'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        first = pipeline.start(name="first")
        pipeline.until((tmp_path / "begun").exists)
        second = pipeline.run(name="second")
        (tmp_path / "go").touch()
        assert pipeline.ended(first).status == "SUCCEEDED"
        third = pipeline.run(name="third")
    assert (second.status, second.error) == ("FAILED", "AlreadyRunning")
    assert second.cause == f"start: another execution is running: {first}"
    assert second.messages[0]["Subject"] == "sandbox: failed: start"
    assert third.status == "SUCCEEDED"
    assert pipeline.commands == sorted([API, PARQUET, POSTGRES] * 2) + [BUILD] * 2


def test_of_two_executions_started_at_the_same_time_one_continues(tmp_path: Path) -> None:
    with machine(tasks_of("sleep 1", tmp_path), settle=1) as pipeline:
        arns = [pipeline.start(name=name) for name in ("b", "a")]
        ended = [pipeline.ended(arn) for arn in arns]
    assert [(one.status, one.error) for one in ended] == [("SUCCEEDED", ""), ("FAILED", "AlreadyRunning")]
    assert pipeline.commands == [API, PARQUET, POSTGRES, BUILD]


def test_an_execution_fails_even_if_it_cannot_publish_the_failure(tmp_path: Path) -> None:
    with machine(tasks_of('case "$*" in build) exit 2;; esac', tmp_path)) as pipeline:
        definition = json.loads(pipeline.client.describe_state_machine(stateMachineArn=pipeline.arn)["definition"])
        report = definition["States"]["Report the failures"]
        report["Arguments"]["TopicArn"] += "-gone"
        report["Retry"][0]["MaxAttempts"] = 1
        pipeline.client.update_state_machine(stateMachineArn=pipeline.arn, definition=json.dumps(definition))
        ended = pipeline.run()
    assert (ended.status, ended.error, ended.messages) == ("FAILED", "BuildFailed", [])


# --- other sources ---

RUN = ("run", "--source")


@pytest.mark.parametrize(
    ("sources", "given", "commands"),
    [
        ((), "{}", []),
        (("crm",), "{}", [(*RUN, "crm"), BUILD]),
        (("postgres", "crm"), "{}", [(*RUN, "crm"), (*RUN, "postgres"), BUILD]),
        (
            ("postgres", "crm"),
            '{"sources": ["crm"]}',
            [(*RUN, "crm"), BUILD],
        ),
    ],
)
def test_the_machine_loads_the_declared_sources(
    tmp_path: Path, sources: tuple[str, ...], given: str, commands: list[tuple[str, ...]]
) -> None:
    with machine(tasks_of("true", tmp_path), sources=sources) as pipeline:
        ended = pipeline.run(given)
    assert (ended.status, ended.commands) == ("SUCCEEDED", commands)


@pytest.mark.slow
def test_without_a_source_an_input_that_names_one_is_refused(tmp_path: Path) -> None:
    with machine(tasks_of("true", tmp_path), sources=()) as pipeline:
        ended = pipeline.run('{"sources": ["postgres"]}')
    assert (ended.status, ended.error, ended.commands) == ("FAILED", "BadInput", [])
    assert 'expected a list of declared sources (), got ["postgres"]' in ended.cause
