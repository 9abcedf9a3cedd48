"""Rules of our own for the state machine, beyond what its validator and its interpreter see."""

from collections.abc import Iterator, Mapping
from typing import Any

ECS, SNS, LIST = (
    "arn:aws:states:::ecs:runTask.sync",
    "arn:aws:states:::sns:publish",
    "arn:aws:states:::aws-sdk:sfn:listExecutions",
)
# What ECS says where another attempt can find a task's place: no capacity, throttled, out of order.
ECS_PASSING = {"AmazonECS.Unknown", "ECS.AmazonECSException", "ECS.InvalidParameterException", "ECS.ServerException"}

States = Mapping[str, Mapping[str, Any]]


def faults(definition: Mapping[str, Any], containers: Mapping[str, set[str]]) -> Iterator[str]:
    """Gives what breaks a rule; `containers` are the names that each task definition has."""
    names = [name for name, _ in all_states(definition["States"])]
    yield from (f"{name}: twice" for name in sorted({name for name in names if names.count(name) > 1}))
    yield from transitions(definition)
    for name, state in all_states(definition["States"]):
        for fault in (*retries(state), *catches(state), *waiting(state), *task(state, containers)):
            yield f"{name}: {fault}"
    # Two attempts of the build and three of each extract; with a fan-out there are the plan, ranges and the sources,
    # one after another. More ranges than run at once may take longer: started again, it goes on with what is missing.
    longest = sum(
        state["TimeoutSeconds"] * (2 if name == "Build" else 3 * 3)
        for name, state in all_states(definition["States"])
        if state.get("Resource") == ECS
    )
    if definition.get("TimeoutSeconds", 0) < longest:
        yield f"TimeoutSeconds: expected the {longest} of all attempts or more"
    if [name for name, state in all_states(definition["States"]) if state.get("Next") == "Failed"] != [
        "Report the failures"
    ]:
        yield "Failed: expected to be reached by Report the failures alone"


def all_states(states: States) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Gives each state with its name, those of a Map's iterations too."""
    for name, state in states.items():
        yield name, state
        yield from all_states(state.get("ItemProcessor", {}).get("States", {}))


def transitions(machine: Mapping[str, Any]) -> Iterator[str]:
    """Each transition leads to a state beside it, each state is reached, and each ends or goes on."""
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
    yield from (f"{name}: nothing of that name" for name in sorted(reached - states.keys()))
    yield from (f"{name}: never reached" for name in sorted(states.keys() - reached))


def retries(state: Mapping[str, Any]) -> Iterator[str]:
    """Retries wait longer each time, end, and of containers only where that can help."""
    yield from all_alone_and_last("Retry", state.get("Retry", ()))
    for retrier in state.get("Retry", ()):
        if retrier.get("BackoffRate", 0) < 1:
            yield "Retry: BackoffRate below 1"
        if not 1 <= retrier.get("MaxAttempts", 0) <= 10 or retrier.get("IntervalSeconds", 0) < 1:
            yield "Retry: expected 1 to 10 MaxAttempts and IntervalSeconds"
        if state.get("Resource") == ECS and not set(retrier["ErrorEquals"]) <= ECS_PASSING:
            yield f"Retry: {retrier['ErrorEquals']} is not about starting a task"


def catches(state: Mapping[str, Any]) -> Iterator[str]:
    """Whatever a task or a Map fails with is caught."""
    yield from all_alone_and_last("Catch", state.get("Catch", ()))
    if state["Type"] in ("Task", "Map") and not any("States.ALL" in c["ErrorEquals"] for c in state.get("Catch", ())):
        yield "Catch: expected one for States.ALL"


def all_alone_and_last(field: str, rules: Any) -> Iterator[str]:
    """States.ALL stands alone and in the last rule, as Step Functions demands."""
    for position, rule in enumerate(rules):
        if "States.ALL" in rule["ErrorEquals"] and (len(rule["ErrorEquals"]) > 1 or position < len(rules) - 1):
            yield f"{field}: States.ALL is not alone and last"


def waiting(state: Mapping[str, Any]) -> Iterator[str]:
    """Each task has a time-out; a heartbeat is below it, and only where something sends it."""
    if state["Type"] == "Task" and state.get("TimeoutSeconds", 0) < 1:
        yield "TimeoutSeconds: expected one"
    if "HeartbeatSeconds" in state:
        if not state["Resource"].endswith(".waitForTaskToken"):
            yield "HeartbeatSeconds: nothing sends it to this resource"
        if state["HeartbeatSeconds"] >= state.get("TimeoutSeconds", 0):
            yield "HeartbeatSeconds: not below TimeoutSeconds"


def task(state: Mapping[str, Any], containers: Mapping[str, set[str]]) -> Iterator[str]:
    """Resources are known ones, and containers those of their task definition."""
    if state["Type"] != "Task":
        return
    if state["Resource"] not in (ECS, SNS, LIST):
        yield f"Resource: {state['Resource']} is not allowed"
    if state["Resource"] != ECS:
        return
    arguments = state["Arguments"]
    known = containers.get(arguments["TaskDefinition"], set())
    for override in arguments["Overrides"]["ContainerOverrides"]:
        if override["Name"] not in known:
            yield f"Overrides: no container {override['Name']}, the task definition has {sorted(known)}"
        environment = {variable["Name"]: variable["Value"] for variable in override.get("Environment", ())}
        if environment.get("RUN_ID") != "{% $states.context.Execution.Name %}":
            yield "Overrides: expected RUN_ID to be the execution's name"
