"""Runs the pipeline's state machine on this machine and prints its steps: `python -m sandbox stepfunctions`.

It runs in a process of its own, because moto intercepts every AWS client of its process, including the clients of the
sandbox's S3 server.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from deploy.errors import DeployError
from deploy.execution import follow, start
from deploy.inputs import make_input, read_input
from deploy.sources import declared_sources
from sandbox.aws.ecs import Cluster, TaskDefinition
from sandbox.aws.state_machine import CONTAINER, LOADER, REGION, TOPIC, TRANSFORMER, VALUES, definition
from sandbox.aws.step_functions import interpreter

POLL_SECONDS = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one execution with the pipeline's own commands as tasks; returns 0 if it succeeded, else 1."""
    parser = argparse.ArgumentParser("python -m sandbox.aws.execution", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--input", default="{}", help="the execution's input, a JSON object")
    what.add_argument("--command", dest="words", metavar="COMMAND", help="a command of the loaders to run")
    parser.add_argument("--logs", type=Path, required=True, help="folder for the output of the tasks")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A copy: the interpreter sets keys of its own in the environment, and the tasks sign with those of the sandbox.
    environment = os.environ | {"DEPLOYMENT": str(VALUES["name"])}
    pipeline = TaskDefinition(CONTAINER, (sys.executable, "-m", "extract"), environment)
    cluster = Cluster({LOADER: pipeline, TRANSFORMER: pipeline}, options.logs)
    try:
        states = definition(source.name for source in declared_sources())
        given = make_input(options.words) if options.words else read_input(options.input)
    except DeployError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    with deployed(cluster, states) as (client, machine):
        execution = start(client, machine, given, prefix="sandbox")
        write(f"execution {execution.rsplit(':', 1)[-1]}, the logs of its tasks are in {options.logs}")
        try:
            end = follow(client, execution, write, poll_seconds=POLL_SECONDS)
        except KeyboardInterrupt:
            client.stop_execution(executionArn=execution)
            cluster.stop_all("The execution was stopped")
            write("execution stopped")
            return 128 + signal.SIGINT
    write(end.summary)
    return 0 if end.ok else 1


def write(line: str) -> None:
    """Writes a line to standard output at once."""
    print(line, flush=True)  # noqa: T201


@contextmanager
def deployed(cluster: Cluster, states: str) -> Iterator[tuple[Any, str]]:
    """Deploys the state machine `states` and its topic; yields a Step Functions client and the machine's ARN."""
    with interpreter(cluster, REGION) as client:
        boto3.client("sns", region_name=REGION).create_topic(Name=TOPIC.split(":")[-1])
        machine = client.create_state_machine(
            name="pipeline", definition=states, roleArn="arn:aws:iam::123456789012:role/pipeline"
        )
        yield client, machine["stateMachineArn"]


if __name__ == "__main__":
    sys.exit(main())
