"""Starting an execution of the state machine, and following it to its end."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.errors import DeployError

PAUSE = 5.0  # seconds between two looks
LONGEST_CAUSE = 300  # characters


@dataclass(frozen=True)
class End:
    """How an execution ended: Step Functions' word for it, and the error and cause where there are any."""

    status: str
    error: str | None
    cause: str | None

    @property
    def ok(self) -> bool:
        """True where all of it went well."""
        return self.status == "SUCCEEDED"


@dataclass(frozen=True)
class Step:
    """Something that happened: when, in which state, and what."""

    time: datetime
    state: str
    what: str


def start(client: Any, state_machine_arn: str, text: str) -> str:
    """Starts an execution with a JSON text as its input; returns its ARN.

    Raises:
        DeployError: if the text is no JSON object. What may stand in one, the state machine checks.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise DeployError(f"INPUT: expected a JSON object, got {text!r}: {error}") from error
    if not isinstance(given, dict):
        raise DeployError(f"INPUT: expected a JSON object such as {{}}, got {text!r}")
    name = f"manual-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    answer = client.start_execution(stateMachineArn=state_machine_arn, name=name, input=json.dumps(given))
    return str(answer["executionArn"])


def console_url(region: str, arn: str) -> str:
    """Returns the address of an execution in the AWS console."""
    return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{arn}"


def follow(client: Any, arn: str, tell: Callable[[list[Step], set[str]], None], pause: float = PAUSE) -> End:
    """Tells what has happened since the last look, and what is running now, until the end, which it returns."""
    seen = 0
    while True:
        execution = client.describe_execution(executionArn=arn)  # first, so that the history has all up to its end
        events = history(client, arn)
        tell([step for number, step in steps(events) if number > seen], running(events))
        seen = max((event["id"] for event in events), default=0)
        if execution["status"] != "RUNNING":
            return End(execution["status"], execution.get("error"), execution.get("cause"))
        time.sleep(pause)


def history(client: Any, arn: str) -> list[dict[str, Any]]:
    """Returns every event so far, the oldest first."""
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def steps(events: Iterable[dict[str, Any]]) -> Iterator[tuple[int, Step]]:
    """Gives what a person wants to know of the events, each with its event's id."""
    places = states(events)
    for event in events:
        if what := happened(event):
            yield event["id"], Step(event["timestamp"], places[event["id"]], what)


def running(events: Iterable[dict[str, Any]]) -> set[str]:
    """Returns the states whose tasks are at work after these events."""
    places = states(events)
    now: set[str] = set()
    for event in events:
        if event["type"] == "TaskStateEntered":
            now.add(places[event["id"]])
        elif event["type"] in ("TaskStateExited", "TaskFailed", "TaskTimedOut", "TaskStateAborted"):
            now.discard(places[event["id"]])
    return now


def states(events: Iterable[dict[str, Any]]) -> dict[int, str]:
    """Returns the state that each event, by its id, belongs to, with the source it is about in parentheses.

    An event knows the one before it in its own branch. A branch of a Map begins with an input that names the source.
    """
    places: dict[int, tuple[str, str]] = {}
    for event in events:
        name, source = places.get(event.get("previousEventId", 0), ("", ""))
        entered = event.get("stateEnteredEventDetails", {})
        name = entered.get("name") or event.get("stateExitedEventDetails", {}).get("name") or name
        source = named_source(entered.get("input", "")) or source
        if event["type"].startswith("MapIteration") or event["type"] == "MapStateExited":
            source = ""
        places[event["id"]] = (name, source)
    return {number: f"{name} ({source})" if source else name for number, (name, source) in places.items()}


def named_source(text: str) -> str:
    """Returns the `source` of a state's input, empty where it has none."""
    try:
        given = json.loads(text)
    except ValueError:
        return ""
    source = given.get("source") if isinstance(given, dict) else None
    return source if isinstance(source, str) else ""


def happened(event: dict[str, Any]) -> str | None:
    """Returns what an event says in words; None for what is only machinery."""
    kind = event["type"]
    if kind == "TaskStateEntered":
        return "started"
    if kind == "TaskStateExited":
        return "done"
    if kind == "WaitStateEntered":
        return "waits"
    if kind in ("TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed"):
        details: dict[str, Any] = next((v for k, v in event.items() if k.endswith("EventDetails")), {})
        return f"failed: {details.get('error', kind)}: {in_words(details.get('cause', ''))}"
    return None


def in_words(cause: str) -> str:
    """Returns a cause for people: why a task on ECS stopped, with its exit code; any other text cut short."""
    try:
        task = json.loads(cause)
    except ValueError:
        task = None
    if isinstance(task, dict) and "StoppedReason" in task:
        codes = [container["ExitCode"] for container in task.get("Containers", []) if "ExitCode" in container]
        return ", ".join([str(task["StoppedReason"]), *(f"exit code {code}" for code in codes)])
    return cause if len(cause) <= LONGEST_CAUSE else f"{cause[:LONGEST_CAUSE]}…"
