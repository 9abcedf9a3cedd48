"""What the Step Functions stand-in relies on inside moto, and what it corrects there."""

import inspect
from importlib.metadata import version
from pathlib import Path
from types import FunctionType

import pytest
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_ecs import (
    StateTaskServiceEcs,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.jsonata import jsonata

from sandbox.aws.ecs import Cluster, TaskDefinition, TaskNotStartedError
from sandbox.aws.execution import deployed
from tests.python.helpers.machine_run import Machine, machine, tasks_of

CHANGED = "moto's interpreter has changed: review the corrections in sandbox/aws/step_functions.py"


def test_moto_has_the_reviewed_version() -> None:
    assert version("moto") == "5.2.5", CHANGED


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (
            StateTaskService._normalise_parameters,
            ["self", "parameters", "boto_service_name", "service_action_name"],
        ),
        (StateTaskService._normalise_response, ["self", "response", "boto_service_name", "service_action_name"]),
        (StateTaskServiceEcs._get_supported_parameters, ["self"]),
        (
            StateTaskServiceEcs._eval_service_task,
            ["self", "env", "resource_runtime_part", "normalised_parameters", "state_credentials"],
        ),
        (
            StateTaskServiceEcs._eval_integration_pattern,
            ["self", "env", "resource_runtime_part", "normalised_parameters", "state_credentials"],
        ),
        (Environment.set_error, ["self", "error"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_replaced_functions_have_the_same_parameters(function: FunctionType, parameters: list[str]) -> None:
    assert list(inspect.signature(function).parameters) == parameters, CHANGED


def test_the_corrections_are_still_needed() -> None:
    given = {"Cluster": "c"}
    StateTaskService._normalise_parameters(None, given)  # type: ignore[arg-type]
    assert given == {"Cluster": "c"}, CHANGED
    assert jsonata._eval_jsonata is None, CHANGED
    assert iteration_worker.CustomErrorName is CustomErrorName, CHANGED
    assert "cloudwatchlogs" not in StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES, CHANGED
    with pytest.raises(ValueError, match="MUST NOT begin"):
        CustomErrorName("States.Timeout")


def run(states: str, folder: Path, script: str = "true") -> dict[str, str]:
    """Runs a test's own state machine; returns the answer of DescribeExecution at its end."""
    with deployed(tasks_of(script, folder), states) as (client, arn):
        execution = client.start_execution(stateMachineArn=arn, name="e", input="{}")["executionArn"]
        Machine.until(lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING")
        return dict(client.describe_execution(executionArn=execution))


def test_an_error_of_an_iteration_reaches_the_catch_of_its_map(tmp_path: Path) -> None:
    states = """{"QueryLanguage": "JSONata", "StartAt": "Each", "States": {
        "Each": {"Type": "Map", "Items": [1], "End": true,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Break", "States": {
                "Break": {"Type": "Pass", "Output": "{% $parse('{') %}", "End": true}}},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]},
        "Caught": {"Type": "Succeed"}}}"""
    assert run(states, tmp_path)["status"] == "SUCCEEDED"


def test_an_unknown_parameter_fails_the_task(tmp_path: Path) -> None:
    states = """{"QueryLanguage": "JSONata", "StartAt": "Run", "States": {"Run": {"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::ecs:runTask.sync",
        "Arguments": {"Cluster": "c", "TaskDefinition": "t", "Commands": ["true"]}}}}"""
    described = run(states, tmp_path)
    assert described["status"] == "FAILED"
    assert 'Unknown parameter in input: "Commands"' in described["cause"]


def test_an_unknown_container_is_not_started(tmp_path: Path) -> None:
    cluster = Cluster({"t": TaskDefinition("pipeline", ("true",))}, tmp_path)
    overrides = {"containerOverrides": [{"name": "pipelines", "command": ["build"]}]}
    with pytest.raises(TaskNotStartedError, match="task definition t has no container pipelines"):
        cluster.run({"cluster": "c", "taskDefinition": "t", "overrides": overrides})
    with pytest.raises(TaskNotStartedError, match="task definition u not found, expected one of t"):
        cluster.run({"cluster": "c", "taskDefinition": "u"})


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.aws.ecs.STOP_TIMEOUT", 0.2)
    script = 'trap "" TERM; touch begun; while :; do sleep 0.1; done'
    cluster = tasks_of(script, tmp_path)
    (definition, _) = cluster.definitions
    task = cluster.run({"cluster": "c", "taskDefinition": definition})
    Machine.until((tmp_path / "begun").exists)
    cluster.stop_all("enough")
    assert task.exit_code == 137
    assert task.description()["StoppedReason"] == "enough"


def test_nothing_runs_or_starts_after_the_interpreter_has_stopped(tmp_path: Path) -> None:
    cluster = tasks_of("touch begun; exec sleep 600", tmp_path)
    with machine(cluster) as pipeline:
        pipeline.start('{"sources": ["api"]}')
        Machine.until((tmp_path / "begun").exists)
    assert [task.exit_code for task in cluster.tasks.values()] == [143]
    with pytest.raises(TaskNotStartedError, match="starts no more tasks"):
        cluster.run({"cluster": "c", "taskDefinition": next(iter(cluster.definitions))})
