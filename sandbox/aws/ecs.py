"""ECS tasks as processes on this machine, with the parameters of RunTask and the answers of DescribeTasks."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

STOP_TIMEOUT = 30  # seconds from SIGTERM to SIGKILL, ECS's default


class TaskNotStartedError(Exception):
    """RunTask returned a failure instead of a task, for example because there is no capacity."""


@dataclass(frozen=True)
class TaskDefinition:
    """A task of one container."""

    container: str
    entry_point: tuple[str, ...]  # followed by the command of RunTask's overrides
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Task:
    """A started task."""

    arn: str
    definition: str
    container: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes]"
    stop_code: str = "EssentialContainerExited"
    stopped_reason: str = "Essential container in task exited"

    @property
    def log_stream(self) -> str:
        """The name of its log stream, as awslogs makes it: the family of its definition is the prefix."""
        family = self.definition.split("/")[-1].split(":")[0]
        return f"{family}/{self.container}/{self.arn.split('/')[-1]}"

    @property
    def exit_code(self) -> int | None:
        """The container's exit code as a shell reports it; None while it runs."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def stop(self, reason: str) -> None:
        """Sends SIGTERM and waits; kills the process after `STOP_TIMEOUT`."""
        if self.exit_code is not None:
            return
        self.stop_code, self.stopped_reason = "UserInitiated", reason
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def description(self) -> dict[str, Any]:
        """Returns the answer of DescribeTasks, with the names that Step Functions uses."""
        ended = self.exit_code is not None
        container = {"Name": self.container, "LastStatus": "STOPPED" if ended else "RUNNING"}
        described = {
            "TaskArn": self.arn, "TaskDefinitionArn": self.definition, "LastStatus": container["LastStatus"]
        }  # fmt: skip
        if not ended:
            return described | {"Containers": [container]}
        return described | {
            "Containers": [container | {"ExitCode": self.exit_code}],
            "StopCode": self.stop_code,
            "StoppedReason": self.stopped_reason,
        }


class Cluster:
    """Runs tasks of known definitions; the output of each is a file in `logs`."""

    def __init__(self, definitions: Mapping[str, TaskDefinition], logs: Path) -> None:
        """`definitions` are by ARN."""
        self.definitions = definitions
        self.logs = logs
        self.tasks: dict[str, Task] = {}
        self._closed = False
        self._starting = Lock()

    def run(self, parameters: Mapping[str, Any]) -> Task:
        """Starts a task for the `parameters` of RunTask.

        Raises:
            TaskNotStartedError: the task definition or its container does not exist, or all tasks were stopped.
        """
        arn = parameters["taskDefinition"]
        definition = self.definitions.get(arn)
        if definition is None:
            raise TaskNotStartedError(
                f"task definition {arn} not found, expected one of {', '.join(self.definitions)}"
            )
        command: Sequence[str] = ()
        environment = dict(definition.environment)
        for override in parameters.get("overrides", {}).get("containerOverrides", ()):
            if override["name"] != definition.container:
                raise TaskNotStartedError(f"task definition {arn} has no container {override['name']}")
            command = override.get("command", ())
            environment |= {variable["name"]: variable["value"] for variable in override.get("environment", ())}
        task_id = uuid4().hex
        task_arn = f"{parameters['cluster'].replace(':cluster/', ':task/')}/{task_id}"
        with self._starting, self.log(task_id).open("wb") as output:
            if self._closed:
                raise TaskNotStartedError("the cluster was stopped and starts no more tasks")
            process = subprocess.Popen(  # noqa: S603  the definitions come from the caller
                [*definition.entry_point, *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C goes to the execution, which stops its tasks
            )
            task = Task(task_arn, arn, definition.container, tuple(command), environment, process)
            self.tasks[task_arn] = task
        return task

    def log(self, task_id: str) -> Path:
        """Returns the file of a task's output; `task_id` is the last part of its ARN."""
        self.logs.mkdir(parents=True, exist_ok=True)
        return self.logs / f"{task_id}.log"

    def stop_all(self, reason: str) -> None:
        """Stops all running tasks; no other task can start afterwards."""
        with self._starting:
            self._closed = True
        for task in self.tasks.values():
            task.stop(reason)
