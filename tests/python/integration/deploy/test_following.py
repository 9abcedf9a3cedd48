"""Following an execution and the logs of the tasks: what a person reads, and when it ends."""

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deploy import execution, logs

REGION = "sa-east-1"
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/vendas-state-machine"
TASK = {"TaskArn": "arn:aws:ecs:sa-east-1:123456789012:task/vendas/1", "StoppedReason": "Essential container exited"}


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Step Functions, in which an execution runs until it is stopped."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("stepfunctions", region_name=REGION)


def machine(states: Any) -> str:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    made = states.create_state_machine(name="vendas", definition=json.dumps(definition), roleArn=ROLE)
    return str(made["stateMachineArn"])


def test_an_execution_is_followed_to_its_end(states: Any) -> None:
    arn = execution.start(states, machine(states), {"sources": ["postgres"]})
    polls: list[str] = []

    def show_running(running: str) -> None:
        polls.append(running)
        if len(polls) == 2:
            states.stop_execution(executionArn=arn, error="Stopped", cause="by hand")

    end = execution.follow(states, arn, lambda _line: None, show_running, poll_seconds=0)

    assert end.status == "ABORTED"
    assert not end.ok
    assert polls == ["between two steps"] * 3
    assert json.loads(states.describe_execution(executionArn=arn)["input"]) == {"sources": ["postgres"]}
    assert re.fullmatch(r"manual-\d{8}T\d{6}", arn.rsplit(":", 1)[1])


def test_each_event_is_reported_once(states: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = execution.start(states, machine(states), {})
    events = two_sources_at_once().events
    arrived = iter([events[:13], events[:14], events])
    monkeypatch.setattr(execution, "read_history", lambda _client, _arn: next(arrived))
    reported: list[str] = []

    def show_running(running: str) -> None:
        reported.append(running)
        if running == "Run the task (extract api)":
            states.stop_execution(executionArn=arn)

    def write(line: str) -> None:
        reported.append(line.split(": ")[1])

    execution.follow(states, arn, write, show_running, poll_seconds=0)

    both = "Run the task (extract api), Run the task (extract postgres)"
    assert reported == [
        "started", "started", both, "failed", "Run the task (extract api)", "waiting", "done", "started",
        "Run the task (build)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (("SUCCEEDED", None, None), "succeeded in 0:04:10"),
        (("TIMED_OUT", None, None), "timed out after 0:04:10"),
        (("FAILED", "BuildFailed", "build: no"), "failed after 0:04:10: BuildFailed: build: no"),
    ],
)
def test_the_end_is_one_line(end: tuple[str, str | None, str | None], expected: str) -> None:
    assert execution.End(*end, timedelta(minutes=4, seconds=10.5)).summary == expected


def test_a_message_to_people_is_shown() -> None:
    history = History()
    reporting = history.entered("Task", "Report the failures", history.add("ExecutionStarted", 0))
    parameters = json.dumps({"TopicArn": "arn:t", "Subject": "Failed: build", "Message": "build failed\n  why: no"})
    history.add("TaskScheduled", reporting, taskScheduledEventDetails={"parameters": parameters})

    assert [str(step)[10:] for _, step in execution.read_steps(history.events)] == [
        "Report the failures: started",
        "Report the failures: \n    build failed\n      why: no",
    ]


def test_only_one_status_is_a_success() -> None:
    ends = [execution.End(one, None, None, timedelta()) for one in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")]
    assert [end.ok for end in ends] == [True, False, False, False]


class History:
    """Events as Step Functions writes them; each follows the one before in its branch."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, kind: str, before: int, **details: Any) -> int:
        """Adds an event; returns its id."""
        number = len(self.events) + 1
        at = AT + timedelta(seconds=number)
        self.events.append({"id": number, "previousEventId": before, "type": kind, "timestamp": at, **details})
        return number

    def entered(self, kind: str, name: str, before: int, **given: Any) -> int:
        """Adds that a state was entered with this input."""
        return self.add(
            f"{kind}StateEntered", before, stateEnteredEventDetails={"name": name, "input": json.dumps(given)}
        )

    def exited(self, kind: str, name: str, before: int) -> int:
        """Adds that a state was left."""
        return self.add(f"{kind}StateExited", before, stateExitedEventDetails={"name": name})


def two_sources_at_once() -> History:
    """`api` loads; `postgres` fails and waits for its next attempt. Then, without it, the build begins."""
    history = History()
    start = history.add("ExecutionStarted", 0)
    map_entered = history.entered("Map", "Run the tasks", start)
    map_started = history.add("MapStateStarted", map_entered)
    branches = {}
    for index, source in enumerate(("api", "postgres")):
        begun = history.add("MapIterationStarted", map_started, mapIterationStartedEventDetails={"index": index})
        taken = history.entered("Pass", "Prepare the task", begun, step=f"extract {source}", command=["run"])
        left = history.exited("Pass", "Prepare the task", taken)
        loading = history.entered("Task", "Run the task", left, step=f"extract {source}")
        branches[source] = history.add("TaskScheduled", loading, taskScheduledEventDetails={"parameters": "{}"})
    cause = json.dumps(TASK | {"Containers": [{"Name": "pipeline", "ExitCode": 1}]})
    failed = history.add(
        "TaskFailed", branches["postgres"], taskFailedEventDetails={"error": "States.TaskFailed", "cause": cause}
    )
    history.entered("Wait", "Wait to retry the task", failed)
    succeeded = history.add("TaskSucceeded", branches["api"])
    done = history.exited("Task", "Run the task", succeeded)
    over = history.add("MapIterationSucceeded", done)
    after = history.exited("Map", "Run the tasks", history.add("MapStateSucceeded", over))
    history.entered("Task", "Run the task", after, step="build")
    return history


def test_each_step_names_its_source() -> None:
    history = two_sources_at_once()

    assert [(step.state, step.event) for _, step in execution.read_steps(history.events)] == [
        ("Run the task (extract api)", "started"),
        ("Run the task (extract postgres)", "started"),
        (
            "Run the task (extract postgres)",
            "failed: States.TaskFailed: Essential container exited, exit code 1, log …/1",
        ),
        ("Wait to retry the task (extract postgres)", "waiting"),
        ("Run the task (extract api)", "done"),
        ("Run the task (build)", "started"),
    ]


def test_the_running_states_are_known_at_each_moment() -> None:
    events = two_sources_at_once().events
    both, one = 13, 14  # events up to the second task's, and up to its failure

    assert execution.running_states(events[:both]) == {
        "Run the task (extract api)",
        "Run the task (extract postgres)",
    }
    assert execution.running_states(events[:one]) == {"Run the task (extract api)"}
    assert execution.running_states(events) == {"Run the task (build)"}


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (json.dumps(TASK), "Essential container exited, log …/1"),
        (
            json.dumps(TASK | {"Containers": [{"ExitCode": 137}]}),
            "Essential container exited, exit code 137, log …/1",
        ),
        ("extract postgres: no", "extract postgres: no"),
        ("x" * 301, "x" * 300 + "…"),
    ],
)
def test_a_cause_is_described(cause: str, expected: str) -> None:
    assert execution.describe_cause(cause) == expected


def test_each_line_of_the_log_is_reported_once_even_if_it_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    now = datetime.now(UTC).replace(microsecond=0)
    group, streams = "/vendas/tasks", ("loader/pipeline/1", "transformer/pipeline/2")
    with mock_aws():
        client = boto3.client("logs", region_name=REGION)
        client.create_log_group(logGroupName=group)
        for stream in streams:
            client.create_log_stream(logGroupName=group, logStreamName=stream)

        def log(stream: str, message: str, at: datetime) -> None:
            event = {"timestamp": int(at.timestamp() * 1000), "message": message}
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

        log(streams[0], "before", now - timedelta(hours=2))
        log(streams[0], "api.funcionario: loaded", now - timedelta(minutes=10))
        lines = logs.follow(client, group, now - timedelta(hours=1), poll_seconds=0)
        reported = [next(lines)]
        log(streams[1], "dbt build: started", now)
        reported.append(next(lines))
        log(streams[0], "late", now - timedelta(seconds=90))
        log(streams[1], "dbt build", now)
        reported += itertools.islice(lines, 2)

    assert sorted((line.stream, line.message) for line in reported) == [
        (streams[0], "api.funcionario: loaded"),
        (streams[0], "late"),
        (streams[1], "dbt build"),
        (streams[1], "dbt build: started"),
    ]
