"""Starting an execution of the state machine and following it to its end, in AWS and in the sandbox alike."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from extract.visible import visible, visible_lines

POLL_SECONDS = 5.0
MAX_CAUSE = 300  # characters
FAILURES = ("TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed")


@dataclass(frozen=True)
class End:
    """How an execution ended: Step Functions' status, the error and cause if it has them, and its duration."""

    status: str
    error: str | None
    cause: str | None
    duration: timedelta

    @property
    def ok(self) -> bool:
        """True if the execution succeeded."""
        return self.status == "SUCCEEDED"

    @property
    def summary(self) -> str:
        """One line, such as `succeeded in 0:04:10` or `failed after 0:04:10: BuildFailed: build: …`."""
        took = str(self.duration).split(".")[0]
        if self.ok:
            return f"succeeded in {took}"
        status = self.status.lower().replace("_", " ")
        return visible(
            ": ".join(filter(None, [f"{status} after {took}", self.error, describe_cause(self.cause or "")]))
        )


@dataclass(frozen=True)
class Step:
    """One event worth reading: its time, its state, and what happened."""

    time: datetime
    state: str
    event: str

    def __str__(self) -> str:
        return visible_lines(f"{self.time.astimezone():%H:%M:%S}  {self.state}: {self.event}")


def start(client: Any, state_machine_arn: str, given: Mapping[str, Any], prefix: str = "manual") -> str:
    """Starts an execution with this input; returns its ARN."""
    name = f"{prefix}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    answer = client.start_execution(stateMachineArn=state_machine_arn, name=name, input=json.dumps(given))
    return str(answer["executionArn"])


def console_url(region: str, arn: str) -> str:
    """Returns the address of an execution in the AWS console."""
    return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{arn}"


def follow(
    client: Any,
    arn: str,
    write: Callable[[str], None],
    show_running: Callable[[str], None] = lambda _running: None,
    poll_seconds: float = POLL_SECONDS,
) -> End:
    """Polls an execution until it ends; returns how it ended.

    `write` gets a line for each new step, and `show_running` what is running after each poll.
    """
    started, seen = datetime.now(UTC), 0
    while True:
        # The status is read before the history, which is therefore complete at the end.
        execution = client.describe_execution(executionArn=arn)
        events = read_history(client, arn)
        for number, step in read_steps(events):
            if number > seen:
                write(str(step))
        show_running(", ".join(sorted(running_states(events))) or "between two steps")
        seen = max((event["id"] for event in events), default=0)
        if execution["status"] != "RUNNING":
            duration = datetime.now(UTC) - started
            return End(execution["status"], execution.get("error"), execution.get("cause"), duration)
        time.sleep(poll_seconds)


def read_history(client: Any, arn: str) -> list[dict[str, Any]]:
    """Returns all events so far, the oldest first."""
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def read_steps(events: Iterable[dict[str, Any]]) -> Iterator[tuple[int, Step]]:
    """Yields the events worth reading, each with its id."""
    names = name_states(events)
    for event in events:
        if text := describe_event(event):
            yield event["id"], Step(event["timestamp"], names[event["id"]], text)


def running_states(events: Iterable[dict[str, Any]]) -> set[str]:
    """Returns the names of the states whose tasks are running after these events."""
    names = name_states(events)
    running: set[str] = set()
    for event in events:
        if event["type"] == "TaskStateEntered":
            running.add(names[event["id"]])
        elif event["type"] in ("TaskStateExited", "TaskFailed", "TaskTimedOut", "TaskStateAborted"):
            running.discard(names[event["id"]])
    return running


def name_states(events: Iterable[dict[str, Any]]) -> dict[int, str]:
    """Returns the name of each event's state by the event's id, with the step of its task in parentheses.

    An event refers to the event before it in the same branch. The input of a Map's branch names its step.
    """
    states: dict[int, tuple[str, str]] = {}
    for event in events:
        name, step = states.get(event.get("previousEventId", 0), ("", ""))
        entered = event.get("stateEnteredEventDetails", {})
        name = entered.get("name") or event.get("stateExitedEventDetails", {}).get("name") or name
        step = step_in_input(entered.get("input", "")) or step
        if event["type"].startswith("MapIteration") or event["type"] == "MapStateExited":
            step = ""
        states[event["id"]] = (name, step)
    return {number: f"{name} ({step})" if step else name for number, (name, step) in states.items()}


def step_in_input(text: str) -> str:
    """Returns the `step` in a state's input, or an empty text if there is none."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return ""
    step = parsed.get("step") if isinstance(parsed, dict) else None
    return step if isinstance(step, str) else ""


def describe_event(event: dict[str, Any]) -> str | None:
    """Returns what an event means for a person, or None if it means nothing to one."""
    kind = event["type"]
    details: dict[str, Any] = next((value for key, value in event.items() if key.endswith("EventDetails")), {})
    if kind == "TaskStateEntered":
        return "started"
    if kind == "TaskStateExited":
        return "done"
    if kind == "WaitStateEntered":
        return "waiting"
    if kind == "TaskScheduled":  # a message to people, which the sandbox sends to nobody
        message = json.loads(details["parameters"]).get("Message")
        return "\n    " + str(message).replace("\n", "\n    ") if message else None
    if kind in FAILURES:
        return visible(f"failed: {details.get('error', kind)}: {describe_cause(details.get('cause', ''))}")
    return None


def describe_cause(cause: str) -> str:
    """Returns why a task on ECS stopped, its exit code and its id; any other cause as it is, if too long cut off."""
    try:
        task = json.loads(cause)
    except ValueError:
        task = None
    if isinstance(task, dict) and "StoppedReason" in task:
        codes = [container["ExitCode"] for container in task.get("Containers", []) if "ExitCode" in container]
        task_id = task["TaskArn"].rsplit("/", 1)[-1]
        return ", ".join([task["StoppedReason"], *(f"exit code {code}" for code in codes), f"log …/{task_id}"])
    return cause if len(cause) <= MAX_CAUSE else f"{cause[:MAX_CAUSE]}…"
