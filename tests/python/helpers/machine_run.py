"""Executions of the project's state machine, with tasks that a test makes up or the pipeline itself."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sandbox.aws import state_machine
from sandbox.aws.ecs import Cluster, TaskDefinition
from sandbox.aws.execution import deployed
from tests.python.helpers import PATIENCE


@dataclass(frozen=True)
class Ended:
    """How an execution ended, what it did and what it told."""

    status: str
    error: str
    cause: str
    events: list[dict[str, Any]]
    messages: list[dict[str, str]]

    @property
    def states(self) -> list[str]:
        """The names of the states it entered, in order."""
        return [
            event["stateEnteredEventDetails"]["name"] for event in self.events if "stateEnteredEventDetails" in event
        ]


@dataclass
class Machine:
    """The state machine in the interpreter."""

    client: Any
    arn: str
    cluster: Cluster

    def start(self, given: str = "{}", name: str = "run-1") -> str:
        """Starts an execution; returns its ARN."""
        return self.client.start_execution(stateMachineArn=self.arn, name=name, input=given)["executionArn"]

    def ended(self, arn: str, within: float = PATIENCE) -> Ended:
        """Waits for the execution's end; fails where the interpreter itself broke."""
        self.until(lambda: self.client.describe_execution(executionArn=arn)["status"] != "RUNNING", within)
        described = self.client.describe_execution(executionArn=arn)
        events = self.client.get_execution_history(executionArn=arn)["events"]
        assert "States.Runtime" not in json.dumps(events, default=str), events
        return Ended(
            described["status"],
            described.get("error", ""),
            described.get("cause", ""),
            events,
            list(self.told(events)),
        )

    def run(self, given: str = "{}", name: str = "run-1") -> Ended:
        """Runs an execution to its end."""
        return self.ended(self.start(given, name))

    @property
    def commands(self) -> list[tuple[str, ...]]:
        """The commands that tasks were started with, those of a stage by name."""
        stages = ("plan", "range", "backfill", "run", "build")
        commands = [task.command for task in self.cluster.tasks.values()]
        return sorted(commands, key=lambda command: (stages.index(command[0]), command))

    @staticmethod
    def until(condition: Any, within: float = PATIENCE) -> None:
        """Waits until a condition is true; fails where it is not in time."""
        end = monotonic() + within
        while not condition():
            assert monotonic() < end, "not in time"
            sleep(0.02)

    @staticmethod
    def told(events: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
        """Gives what was published to the topic."""
        asked = None
        for event in events:
            scheduled = event.get("taskScheduledEventDetails")
            if scheduled and scheduled["resourceType"] == "sns":
                asked = json.loads(scheduled["parameters"])
            succeeded = event.get("taskSucceededEventDetails")
            if asked and succeeded and succeeded["resourceType"] == "sns":
                yield asked


def tasks_of(script: str, folder: Path) -> Cluster:
    """Both task definitions as a shell script, which has the command in `$*` and its files in the folder."""
    task = TaskDefinition(
        state_machine.CONTAINER,
        ("/bin/sh", "-c", f"cd {folder}; {script}", "pipeline"),
        {"PATH": "/usr/bin:/bin"},
    )
    return Cluster({state_machine.LOADER: task, state_machine.TRANSFORMER: task}, folder / "logs")


@contextmanager
def machine(cluster: Cluster, *, timeouts: Mapping[str, int] | None = None, settle: int = 0) -> Iterator[Machine]:
    """The state machine with its waits cut short, and the time-outs of some states in seconds."""
    definition = json.loads(state_machine.definition())
    shorten(definition["States"], timeouts or {}, settle)
    with deployed(cluster, json.dumps(definition)) as (client, arn):
        yield Machine(client, arn, cluster)


def shorten(states: dict[str, Any], timeouts: Mapping[str, int], settle: int) -> None:
    """Cuts every wait short, and sets the time-outs of some states."""
    for name, state in states.items():
        if state["Type"] == "Wait":
            state["Seconds"] = settle
        for retrier in state.get("Retry", ()):
            retrier["IntervalSeconds"] = 1
        if name in timeouts:
            state["TimeoutSeconds"] = timeouts[name]
        if "ItemProcessor" in state:
            shorten(state["ItemProcessor"]["States"], timeouts, settle)
