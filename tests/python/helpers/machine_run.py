"""Executions of the project's state machine, with the tasks of a test or with the pipeline itself."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sandbox.aws import state_machine
from sandbox.aws.ecs import Cluster, Task, TaskDefinition
from sandbox.aws.execution import deployed
from tests.python.helpers import PATIENCE

SOURCES = ("api", "parquet", "postgres")  # those of the machine in tests; no other part of the project knows them

# The commands of the tasks, and an input that loads a table by ranges
API, PARQUET, POSTGRES = (("run", "--source", source) for source in SOURCES)
BUILD = ("build",)
TABLE = ("--source", "postgres", "--table", "venda")
PLAN = ("plan", *TABLE, "--ranges", "3")
RANGES = [("range", *TABLE, "--number", number) for number in ("1", "2", "3")]
FAN_OUT = json.dumps({"commands": [PLAN, *RANGES, POSTGRES]})


@dataclass(frozen=True)
class Ended:
    """How an execution ended, its events and the messages that it published."""

    status: str
    error: str
    cause: str
    events: list[dict[str, Any]]
    messages: list[dict[str, str]]
    commands: list[tuple[str, ...]]

    @property
    def states(self) -> list[str]:
        """The names of the states that it entered, in order."""
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
        """Waits until the execution has ended; fails if the interpreter itself failed."""
        self.until(lambda: self.client.describe_execution(executionArn=arn)["status"] != "RUNNING", within)
        described = self.client.describe_execution(executionArn=arn)
        events = self.client.get_execution_history(executionArn=arn)["events"]
        assert "States.Runtime" not in json.dumps(events, default=str), events
        return Ended(
            described["status"],
            described.get("error", ""),
            described.get("cause", ""),
            events,
            list(self.messages(events)),
            self.sort_commands(
                task for task in self.cluster.tasks.values() if task.environment["RUN_ID"] == described["name"]
            ),
        )

    def run(self, given: str = "{}", name: str = "run-1") -> Ended:
        """Runs an execution to its end."""
        return self.ended(self.start(given, name))

    @property
    def commands(self) -> list[tuple[str, ...]]:
        """The commands of all tasks, ordered by stage and name."""
        return self.sort_commands(self.cluster.tasks.values())

    @staticmethod
    def sort_commands(tasks: Iterable[Task]) -> list[tuple[str, ...]]:
        """Returns the commands of tasks, ordered by stage and name."""
        stages = ("plan", "range", "backfill", "doctor", "run", "build")
        return sorted((task.command for task in tasks), key=lambda command: (stages.index(command[0]), command))

    @staticmethod
    def until(condition: Any, within: float = PATIENCE) -> None:
        """Waits until a condition is true; fails after `within` seconds."""
        end = monotonic() + within
        while not condition():
            assert monotonic() < end, "not in time"
            sleep(0.1)

    @staticmethod
    def messages(events: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
        """Yields what was published to the topic."""
        asked = None
        for event in events:
            scheduled = event.get("taskScheduledEventDetails")
            if scheduled and scheduled["resourceType"] == "sns":
                asked = json.loads(scheduled["parameters"])
            succeeded = event.get("taskSucceededEventDetails")
            if asked and succeeded and succeeded["resourceType"] == "sns":
                yield asked


def tasks_of(script: str, folder: Path) -> Cluster:
    """Both task definitions as a shell script, which gets the command in `$*` and runs in the folder."""
    task = TaskDefinition(
        state_machine.CONTAINER,
        ("/bin/sh", "-c", f"cd {folder}; {script}", "pipeline"),
        {"PATH": "/usr/bin:/bin"},
    )
    return Cluster({state_machine.LOADER: task, state_machine.TRANSFORMER: task}, folder / "logs")


@contextmanager
def machine(
    cluster: Cluster,
    *,
    sources: Iterable[str] = SOURCES,
    timeouts: Mapping[str, int] | None = None,
    settle: int = 0,
) -> Iterator[Machine]:
    """The state machine of some sources with short waits, and with the timeouts of some states in seconds."""
    definition = json.loads(state_machine.definition(sources))
    shorten(definition["States"], timeouts or {}, settle)
    with deployed(cluster, json.dumps(definition)) as (client, arn):
        yield Machine(client, arn, cluster)


def shorten(states: dict[str, Any], timeouts: Mapping[str, int], settle: int) -> None:
    """Shortens every wait, and sets the timeouts of some states."""
    for name, state in states.items():
        if state["Type"] == "Wait":
            state["Seconds"] = settle
        for retrier in state.get("Retry", ()):
            retrier |= {"IntervalSeconds": 1, "BackoffRate": 1}
        if name in timeouts:
            state["TimeoutSeconds"] = timeouts[name]
        if "ItemProcessor" in state:
            shorten(state["ItemProcessor"]["States"], timeouts, settle)
