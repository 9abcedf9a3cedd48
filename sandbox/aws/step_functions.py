"""Step Functions on this machine: moto's interpreter, with `ecs:runTask.sync` running processes.

moto 5.2.5 has LocalStack's interpreter, but not all of it. This module corrects these faults of it, each in its own
function: the case of parameters and answers is not converted to the service's; parameters of RunTask are dropped;
the exit code of a task is ignored, and a retry waits for the previous attempt; no Catch matches an error `States.*`
of an iteration; an execution that is stopped during an iteration ends as failed; JSONata has no evaluator; CloudWatch
Logs has no name of its own.
`tests/python/integration/steps/test_interpreter.py` fails if moto changes.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session
from botocore.model import OperationModel
from botocore.validate import validate_parameters
from jsonata.jsonata import Jsonata
from moto import mock_aws
from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_ecs import (
    StateTaskServiceEcs,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata

from sandbox.aws.ecs import Cluster, Task, TaskNotStartedError
from sandbox.aws.state_machine import LOG_GROUP

_POLL_SECONDS = 0.05
_environment_set_error = Environment.set_error
_TASK_FAILED = StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed)


@contextmanager
def interpreter(cluster: Cluster, region: str) -> Iterator[Any]:
    """Runs Step Functions, SNS and CloudWatch Logs in this process, with `cluster` as ECS; yields a client.

    Meanwhile every boto3 client of this process uses the stand-ins. Tasks that still run at the end are stopped.
    """

    def run_task(
        state: StateTaskServiceEcs, env: Environment, normalised_parameters: dict[str, Any], **_unused: Any
    ) -> None:
        """Starts a process; moto would only record the call."""
        try:
            task = cluster.run(normalised_parameters)
        except TaskNotStartedError as error:
            raise _failure(state, env, CustomErrorName("AmazonECS.Unknown"), str(error)) from error
        env.stack.append({"Tasks": [task.description()], "Failures": []})

    def wait_for_task(state: StateTaskServiceEcs, env: Environment, **_unused: Any) -> None:
        """Waits for the process of this attempt; fails if its exit code is not 0."""
        task = cluster.tasks[env.stack.pop()["Tasks"][0]["TaskArn"]]
        while env.is_running() and task.exit_code is None:
            env.program_state_event.wait(_POLL_SECONDS)
        if not env.is_running():  # it timed out, or its execution was stopped
            task.stop("Step Functions stopped the task")
            raise _failure(state, env, _TASK_FAILED, task.stopped_reason, HistoryEventType.TaskStateAborted)
        send_log(task)
        description = task.description()
        if task.exit_code != 0:
            raise _failure(state, env, _TASK_FAILED, json.dumps(description, separators=(",", ":")))
        env.stack.append(description)

    def send_log(task: Task) -> None:
        """Sends the output of a task to CloudWatch Logs, as awslogs does."""
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=task.log_stream)
        text = cluster.log(task.arn.split("/")[-1]).read_text(errors="replace")
        at = int(time.time() * 1000)
        events = [{"timestamp": at, "message": line} for line in text.splitlines() if line]
        if events:
            logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=task.log_stream, logEvents=events)

    logging.getLogger("moto").setLevel(logging.CRITICAL)  # failures are in the history of the execution
    with ExitStack() as stack:
        for where, name, replacement in (
            (StateTaskService, "_normalise_parameters", _normalise_parameters),
            (StateTaskService, "_normalise_response", _normalise_response),
            (StateTaskServiceEcs, "_get_supported_parameters", lambda _: set()),
            (StateTaskServiceEcs, "_eval_service_task", run_task),
            (StateTaskServiceEcs, "_eval_integration_pattern", wait_for_task),
            (iteration_worker, "CustomErrorName", _error_name),
            (Environment, "set_error", _set_error),
            (moto_jsonata, "_eval_jsonata", _eval_jsonata),
        ):
            stack.enter_context(patch.object(where, name, replacement))
        stack.enter_context(patch.dict(StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES, cloudwatchlogs="logs"))
        stack.enter_context(mock_aws(config={"stepfunctions": {"execute_state_machine": True}}))
        logs = boto3.client("logs", region_name=region)
        logs.create_log_group(logGroupName=LOG_GROUP)
        stack.callback(cluster.stop_all, "The sandbox ended")
        yield boto3.client("stepfunctions", region_name=region)


def _failure(
    state: StateTaskServiceEcs,
    env: Environment,
    error: ErrorName,
    cause: str,
    event_type: HistoryEventType = HistoryEventType.TaskFailed,
) -> FailureEventException:
    details = TaskFailedEventDetails(
        error=error.error_name,
        cause=cause,
        resource=state._get_sfn_resource(),
        resourceType=state._get_sfn_resource_type(),
    )
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=error,
            event_type=event_type,
            event_details=EventDetails(taskFailedEventDetails=details),  # type: ignore[typeddict-item]  # one of many
        )
    )


@cache
def _operation(service: str, action: str) -> OperationModel:
    model = botocore.session.get_session().get_service_model(service)
    by_snake_case = {botocore.xform_name(name): name for name in model.operation_names}
    return model.operation_model(by_snake_case[action])


def _normalise_parameters(
    state: StateTaskService,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    """Converts parameters to the case of the service's model and validates them."""
    shape = _operation(
        state._get_boto_service_name(boto_service_name), state._get_boto_service_action(service_action_name)
    ).input_shape
    if shape is not None:
        state._to_boto_request(parameters, shape)
        validate_parameters(parameters, shape)  # moto turns off the validation of the client


def _normalise_response(
    state: StateTaskService,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    """Converts an answer to the case of Step Functions."""
    shape = _operation(
        state._get_boto_service_name(boto_service_name), state._get_boto_service_action(service_action_name)
    ).output_shape
    if shape is not None:
        state._from_boto_response(response, shape)


def _error_name(error_name: str) -> ErrorName:
    """Accepts `States.*` too, which moto's class for the errors of iterations refuses."""
    if error_name in {typ.to_name() for typ in StatesErrorNameType}:
        return StatesErrorName(typ=StatesErrorNameType.from_name(error_name))
    return CustomErrorName(error_name=error_name)


def _set_error(env: Environment, error: ExecutionFailedEventDetails) -> None:
    """Keeps an execution that was stopped as stopped, whatever fails in its iterations because of it."""
    if not isinstance(env.program_state(), ProgramStopped):
        _environment_set_error(env, error)


def _eval_jsonata(expression: str) -> Any:
    try:
        return Jsonata(expression).evaluate(None)
    except Exception as error:
        raise moto_jsonata.JSONataException("UNKNOWN", str(error)) from error
