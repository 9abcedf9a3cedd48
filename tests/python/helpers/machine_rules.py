"""This project's rules for the state machine, which neither the validator nor the interpreter checks."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

ECS, SNS, LIST, LOG = (
    "arn:aws:states:::ecs:runTask.sync",
    "arn:aws:states:::sns:publish",
    "arn:aws:states:::aws-sdk:sfn:listExecutions",
    "arn:aws:states:::aws-sdk:cloudwatchlogs:getLogEvents",
)
# The errors of ECS after which a retry can start the task: no capacity, throttling, an error of ECS.
ECS_TRANSIENT = {
    "AmazonECS.Unknown",
    "ECS.AmazonECSException",
    "ECS.InvalidParameterException",
    "ECS.ServerException",
}

States = Mapping[str, Mapping[str, Any]]


def faults(definition: Mapping[str, Any], containers: Mapping[str, set[str]]) -> Iterator[str]:
    """Yields each violation of a rule; `containers` are the container names of each task definition."""
    names = [name for name, _ in all_states(definition["States"])]
    yield from (f"{name}: twice" for name in sorted({name for name in names if names.count(name) > 1}))
    yield from transitions(definition)
    for name, state in all_states(definition["States"]):
        for fault in (*retries(state), *catches(state), *timeouts(state), *task(state, containers)):
            yield f"{name}: {fault}"
    # Two attempts of the build, and three of each other stage. A load by ranges has three one after another: plan,
    # ranges, run. Ranges that have to wait for others may take longer: a new execution loads the rest.
    longest = sum(
        state["TimeoutSeconds"] * (2 + 3 * 3)
        for _, state in all_states(definition["States"])
        if state.get("Resource") == ECS
    )
    if definition.get("TimeoutSeconds", 0) < longest:
        yield f"TimeoutSeconds: expected at least the {longest} of all attempts"
    if [name for name, state in all_states(definition["States"]) if state.get("Next") == "Failed"] != [
        "Report the failures"
    ]:
        yield "Failed: expected to be reached from Report the failures only"


def all_states(states: States) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields each state with its name, including the states inside a Map."""
    for name, state in states.items():
        yield name, state
        yield from all_states(state.get("ItemProcessor", {}).get("States", {}))


def transitions(machine: Mapping[str, Any]) -> Iterator[str]:
    """Each transition leads to an existing state, each state is reached, and each has a next state or is an end."""
    states: States = machine["States"]
    reached = {machine["StartAt"]}
    for name, state in states.items():
        targets = [state.get("Next"), state.get("Default")]
        targets += [rule["Next"] for rule in (*state.get("Choices", ()), *state.get("Catch", ()))]
        reached.update(filter(None, targets))
        if state["Type"] not in ("Succeed", "Fail", "Choice") and ("Next" in state) == state.get("End", False):
            yield f"{name}: expected either Next or End"
        if state["Type"] == "Choice" and "Default" not in state:
            yield f"{name}: expected a Default"
        if "ItemProcessor" in state:
            yield from transitions(state["ItemProcessor"])
    yield from (f"{name}: no such state" for name in sorted(reached - states.keys()))
    yield from (f"{name}: never reached" for name in sorted(states.keys() - reached))


def retries(state: Mapping[str, Any]) -> Iterator[str]:
    """Retries wait longer each time and end; a task on ECS is retried only if it did not start."""
    yield from check_states_all("Retry", state.get("Retry", ()))
    for retrier in state.get("Retry", ()):
        if retrier.get("BackoffRate", 0) < 1:
            yield "Retry: BackoffRate below 1"
        if not 1 <= retrier.get("MaxAttempts", 0) <= 10 or retrier.get("IntervalSeconds", 0) < 1:
            yield "Retry: expected 1 to 10 MaxAttempts and IntervalSeconds"
        if state.get("Resource") == ECS and not set(retrier["ErrorEquals"]) <= ECS_TRANSIENT:
            yield f"Retry: {retrier['ErrorEquals']} is not about starting a task"


def catches(state: Mapping[str, Any]) -> Iterator[str]:
    """Every error of a task or a Map is caught."""
    yield from check_states_all("Catch", state.get("Catch", ()))
    if state["Type"] in ("Task", "Map") and not any("States.ALL" in c["ErrorEquals"] for c in state.get("Catch", ())):
        yield "Catch: expected one for States.ALL"


def check_states_all(field: str, rules: Any) -> Iterator[str]:
    """States.ALL is alone and in the last rule, as Step Functions requires."""
    for position, rule in enumerate(rules):
        if "States.ALL" in rule["ErrorEquals"] and (len(rule["ErrorEquals"]) > 1 or position < len(rules) - 1):
            yield f"{field}: States.ALL is not alone and last"


def timeouts(state: Mapping[str, Any]) -> Iterator[str]:
    """Each task has a timeout; a heartbeat is shorter, and only set if something sends it."""
    if state["Type"] == "Task" and state.get("TimeoutSeconds", 0) < 1:
        yield "TimeoutSeconds: missing"
    if "HeartbeatSeconds" in state:
        if not state["Resource"].endswith(".waitForTaskToken"):
            yield "HeartbeatSeconds: nothing sends it to this resource"
        if state["HeartbeatSeconds"] >= state.get("TimeoutSeconds", 0):
            yield "HeartbeatSeconds: not below TimeoutSeconds"


def task(state: Mapping[str, Any], containers: Mapping[str, set[str]]) -> Iterator[str]:
    """Resources are known, and containers belong to their task definition."""
    if state["Type"] != "Task":
        return
    if state["Resource"] not in (ECS, SNS, LIST, LOG):
        yield f"Resource: {state['Resource']} is not allowed"
    if state["Resource"] != ECS:
        return
    arguments = state["Arguments"]
    definitions = re.findall("'(arn:[^']+)'", arguments["TaskDefinition"])
    if sorted(definitions) != sorted(containers):
        yield f"TaskDefinition: expected a choice of {sorted(containers)}, got {definitions}"
    known = set.intersection(*containers.values())
    for override in arguments["Overrides"]["ContainerOverrides"]:
        if override["Name"] not in known:
            yield f"Overrides: no container {override['Name']}, the task definitions have {sorted(known)}"
        environment = {variable["Name"]: variable["Value"] for variable in override.get("Environment", ())}
        if environment.get("RUN_ID") != "{% $states.context.Execution.Name %}":
            yield "Overrides: expected RUN_ID to be the execution's name"
