"""Runs the pipeline's state machine on this machine and prints its steps: `python -m sandbox stepfunctions`.

A process of its own, since moto would take the S3 server of the sandbox for another AWS.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import boto3

from sandbox.aws.ecs import Cluster, TaskDefinition
from sandbox.aws.state_machine import CONTAINER, LOADER, REGION, TOPIC, TRANSFORMER, definition
from sandbox.aws.step_functions import interpreter

_LOOK_EVERY = 0.2  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one execution with the pipeline's own commands as tasks; returns 0 if it succeeded, else 1."""
    parser = argparse.ArgumentParser("python -m sandbox.aws.execution", description=__doc__)
    parser.add_argument("--input", default="{}", help="of the execution, in JSON")
    parser.add_argument("--logs", type=Path, required=True, help="folder for the output of the tasks")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pipeline = TaskDefinition(CONTAINER, (sys.executable, "-m", "extract"), os.environ)
    cluster = Cluster({LOADER: pipeline, TRANSFORMER: pipeline}, options.logs)
    with deployed(cluster, definition()) as (client, machine):
        name = f"sandbox-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        execution = client.start_execution(stateMachineArn=machine, name=name, input=options.input)["executionArn"]
        print(f"execution {name}, output of its tasks in {options.logs}", flush=True)  # noqa: T201
        try:
            status = followed(client, execution, lambda line: print(line, flush=True))  # noqa: T201
        except KeyboardInterrupt:
            client.stop_execution(executionArn=execution)
            cluster.stop_all("The execution was stopped")
            print("execution stopped")  # noqa: T201
            return 128 + signal.SIGINT
    return 0 if status == "SUCCEEDED" else 1


@contextmanager
def deployed(cluster: Cluster, states: str) -> Iterator[tuple[Any, str]]:
    """The state machine `states` and its topic while entered; gives a Step Functions client and the machine's ARN."""
    with interpreter(cluster, REGION) as client:
        boto3.client("sns", region_name=REGION).create_topic(Name=TOPIC.split(":")[-1])
        machine = client.create_state_machine(
            name="pipeline", definition=states, roleArn="arn:aws:iam::123456789012:role/pipeline"
        )
        yield client, machine["stateMachineArn"]


def followed(client: Any, execution: str, tell: Callable[[str], None]) -> str:
    """Tells each step of an execution until it ends; returns its status."""
    began = monotonic()
    events: dict[int, Mapping[str, Any]] = {}
    ended = False
    while not ended:
        # Asked before its events, so that none is missed.
        ended = client.describe_execution(executionArn=execution)["status"] != "RUNNING"
        for event in client.get_execution_history(executionArn=execution)["events"]:
            if event["id"] not in events:
                events[event["id"]] = event
                for line in lines(event, events):
                    tell(f"{monotonic() - began:7.1f} s  {line}")
        sleep(0 if ended else _LOOK_EVERY)
    described = client.describe_execution(executionArn=execution)
    tell(f"{monotonic() - began:7.1f} s  {': '.join(filter(None, map(described.get, ('status', 'error', 'cause'))))}")
    return str(described["status"])


def lines(event: Mapping[str, Any], events: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    """Gives what a person wants to know of an event, `events` being those before it by id."""
    match event["type"]:
        case "WaitStateEntered" | "MapStateEntered":
            yield event["stateEnteredEventDetails"]["name"]
        case "TaskScheduled":
            asked = json.loads(event["taskScheduledEventDetails"]["parameters"])
            yield f"{what(event, events)}: {asked['Message']}" if "Message" in asked else what(event, events)
        case "TaskSucceeded":
            yield f"{what(event, events)}: done"
        case "TaskFailed":
            details = event["taskFailedEventDetails"]
            yield f"{what(event, events)}: {failure(details['error'], details['cause'])}"
        case "TaskTimedOut":
            yield f"{what(event, events)}: timed out"


def what(event: Mapping[str, Any], events: Mapping[int, Mapping[str, Any]]) -> str:
    """Returns the name of the state that an event of a task is of, with the command where it is a container's."""
    while event["type"] != "TaskScheduled":
        event = events[event["previousEventId"]]
    state = str(events[event["previousEventId"]]["stateEnteredEventDetails"]["name"])
    asked = json.loads(event["taskScheduledEventDetails"]["parameters"])
    if "Overrides" not in asked:
        return state
    return f"{state}: {' '.join(asked['Overrides']['ContainerOverrides'][0]['Command'])}"


def failure(error: str, cause: str) -> str:
    """Returns why a task failed; that of a container says its exit code and the file with its output."""
    if error != "States.TaskFailed":
        return f"{error}, {cause}"
    task = json.loads(cause)
    return f"failed with exit code {task['Containers'][0]['ExitCode']}, see {task['TaskArn'].split('/')[-1]}.log"


if __name__ == "__main__":
    sys.exit(main())
