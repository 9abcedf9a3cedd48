"""The interpreter and JSONata's reference implementation agree on every expression of the state machine."""

import json
import re
import shutil
import subprocess
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonata.jsonata import Jsonata

from sandbox.aws.state_machine import TEMPLATE, definition
from tests.python.helpers import SOAK, missing
from tests.python.helpers.machine_run import SOURCES

REFERENCE = TEMPLATE.parent / "node_modules" / "jsonata"

# Reads [[expression, bindings], …] and writes [value, …], "error" for a failure and null for no value.
PROGRAM = """
const jsonata = require(process.argv[1]);
const cases = JSON.parse(require('fs').readFileSync(0));
(async () => {
  const values = [];
  for (const [text, bindings] of cases) {
    try {
      const value = await jsonata(text).evaluate(null, { ...bindings, parse: JSON.parse });
      values.push(value === undefined ? null : value);
    } catch (error) { values.push('error'); }
  }
  process.stdout.write(JSON.stringify(values));
})();
"""

BACKFILL = {"source": "postgres", "table": "venda", "from": "2026-01-01", "to": "2026-01-31"}
FAN_OUT = {"source": "postgres", "table": "venda", "ranges": 2}
ACCEPTED: list[Any] = [
    {}, {"sources": ["api"]}, {"sources": ["api", "postgres", "api"]}, {"full_refresh": True},
    {"full_refresh": False}, {"sources": ["api"], "full_refresh": True}, {"backfill": BACKFILL},
    {"fan_out": FAN_OUT}, {"fan_out": FAN_OUT, "sources": ["postgres"], "full_refresh": True},
]  # fmt: skip
REFUSED: list[Any] = [
    [], "api", 1, None, {"source": ["api"]},
    {"sources": []}, {"sources": "api"}, {"sources": ["ftp"]}, {"sources": None}, {"sources": [["api"]]},
    {"full_refresh": "yes"}, {"full_refresh": None},
    {"backfill": BACKFILL, "sources": ["api"]}, {"backfill": "venda"}, {"backfill": None},
    {"fan_out": "venda"}, {"fan_out": None}, {"fan_out": {"table": "venda"}}, {"fan_out": FAN_OUT | {"table": 1}},
    {"fan_out": FAN_OUT | {"table": "--debug"}}, {"fan_out": FAN_OUT | {"ranges": 2.5}},
    {"fan_out": FAN_OUT | {"source": "ftp"}}, {"fan_out": FAN_OUT | {"source": 1}},
    {"backfill": BACKFILL | {"source": "ftp"}},
    *({"fan_out": FAN_OUT | {"ranges": ranges}} for ranges in (1, 201, "2", None)),
    {"fan_out": FAN_OUT, "sources": ["api"]}, {"fan_out": FAN_OUT, "backfill": BACKFILL},
    {"backfill": BACKFILL | {"from": ["2026-01-01"]}}, {"backfill": BACKFILL | {"from": ["a", "b"], "to": []}},
    {"backfill": BACKFILL | {"from": 1}}, {"backfill": BACKFILL | {"to": "--debug"}}, {"backfill": {"from": "a"}},
]  # fmt: skip


def task(**ended: Any) -> dict[str, str]:
    """The error that a Catch receives for a task that ended like this."""
    container = {"Name": "pipeline"} | {name: ended.pop(name) for name in ("ExitCode", "Reason") if name in ended}
    arn = "arn:aws:ecs:us-east-1:123456789012:task/sandbox/0a1b"
    return {"Error": "States.TaskFailed", "Cause": json.dumps({"TaskArn": arn, "Containers": [container], **ended})}


ERRORS = [
    task(ExitCode=1, StopCode="EssentialContainerExited", StoppedReason="Essential container in task exited"),
    task(ExitCode=2, StopCode="EssentialContainerExited", StoppedReason="Essential container in task exited"),
    task(
        ExitCode=137,
        Reason="OutOfMemoryError: Container killed",
        StopCode="EssentialContainerExited",
        StoppedReason="Essential container in task exited",
    ),
    task(ExitCode=143, StopCode="UserInitiated", StoppedReason="Task stopped by a person"),
    task(StopCode="TaskFailedToStart", StoppedReason='CannotPullContainerError: "no such tag"'),
    {"Error": "States.Timeout", "Cause": ""},
    {"Error": "States.Timeout"},
    {"Error": "AmazonECS.Unknown", "Cause": "Capacity is unavailable"},
    {"Error": "AmazonECS.Unknown", "Cause": '{"Failures": [{"Reason": "RESOURCE:FARGATE"}], "Tasks": []}'},
    {"Error": "States.TaskFailed", "Cause": "Step Functions lost sight of the task"},
    {"Error": "States.TaskFailed", "Cause": ""},
    {"Error": "States.TaskFailed"},
]
EXECUTIONS = [
    [],
    [{"ExecutionArn": "arn:b", "StartDate": "2026-11-23T05:00:00.123Z"}],
    [
        {"ExecutionArn": "arn:b", "StartDate": "2026-11-23T05:00:00.2Z"},
        {"ExecutionArn": "arn:a", "StartDate": "2026-11-23T05:00:00.123Z"},
    ],
    [
        {"ExecutionArn": "arn:b", "StartDate": "2026-11-23T05:00:00Z"},
        {"ExecutionArn": "arn:a", "StartDate": "2026-11-23T05:00:00Z"},
    ],
]
FAILURES = [
    [],
    [{"step": "build", "error": "BuildFailed", "cause": "exit code 1, attempt 2", "log": "#l"}],
    [
        {"step": "extract api", "error": "ExtractFailed", "cause": 'it said "no"', "log": "#l"},
        {"step": "start", "error": "AlreadyRunning", "cause": "another"},
    ],
]
API = {"source": "api", "command": ["run", "--source", "api"]}
ENDS = [{"cause": "exit code 1", "log": "#l", "retry": True}, {"cause": "exit code 2", "log": "#l", "retry": False}]


def bindings_of(expression: str) -> list[dict[str, Any]]:
    """Every combination of the variables that the expression uses."""
    context = {"Execution": {"Id": "arn:a", "Name": "run-1"}, "StateMachine": {"Id": "arn:m"}}
    given: dict[str, list[Any]] = {
        "states": [{"context": context, "input": None}],
        "declared": [[], ["postgres"], ["api", "parquet", "postgres"]],
        "divided": ["", "postgres"],
        "failures": FAILURES,
        "extractError": ENDS,
        "buildError": ENDS,
        "extractAttempts": [0, 1, 2, 3],
        "buildAttempts": [0, 1, 2],
        "extract": [API],
        "extracts": [[API]],
        "concurrency": [0, 2],
        **{name: [[], [API], [API, API | {"source": "postgres"}]] for name in ("plans", "ranges", "sources")},
        "buildCommand": [["build"]],
        "oldest": ["arn:a", "arn:b"],
    }
    if "$states.input" in expression:
        # A command is built from an accepted input.
        inputs = ACCEPTED if re.search("'(build|run|plan|range)'", expression) else ACCEPTED + REFUSED
        given["states"] = [{"context": context, "input": value} for value in inputs]
    if "$states.errorOutput" in expression:
        given["states"] = [{"context": context, "errorOutput": error} for error in ERRORS]
    if "$states.result" in expression:
        results: list[Any] = [{"Executions": executions} for executions in EXECUTIONS]
        results += [[{"source": "api"}], [{"source": "api"}, *FAILURES[2]]]
        given["states"] = [{"context": context, "result": result} for result in results]
    used = [name for name in given if re.search(rf"\${name}\b", expression)]
    return [dict(zip(used, values, strict=True)) for values in product(*(given[name] for name in used))]


def evaluated(expression: str, bindings: dict[str, Any]) -> Any:
    """The value in the interpreter's implementation, as PROGRAM writes it."""
    program = Jsonata(expression)
    program.register_lambda("parse", json.loads)
    try:
        return json.loads(json.dumps(program.evaluate(None, bindings)))
    except Exception:  # noqa: BLE001  it raises any exception
        return "error"


def test_every_expression_has_the_same_value_in_the_reference_implementation() -> None:
    node = shutil.which("node")
    if not node or not REFERENCE.exists():
        missing.infra_tool("JSONata's reference implementation is not installed: make infra/node_modules")
    expressions = sorted({json.loads(f'"{text}"') for text in re.findall(r'"\{% (.*?) %\}"', definition(SOURCES))})
    cases = [(expression, bindings) for expression in expressions for bindings in bindings_of(expression)]
    done = subprocess.run(
        [node, "-e", PROGRAM, REFERENCE], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    differences = [
        (expression, bindings, here, there)
        for (expression, bindings), there in zip(cases, json.loads(done.stdout), strict=True)
        if (here := evaluated(expression, bindings)) != there
    ]
    assert differences == []
    assert len(expressions) > 30
    assert len(cases) > 200


def end_of(kind: str, error: dict[str, str]) -> Any:
    """What a Catch assigns for an error: `kind` is extractError or buildError."""
    (expression,) = {
        json.loads(f'"{text}"') for text in re.findall(rf'"{kind}": "\{{% (.*?) %\}}"', definition(SOURCES))
    }
    return evaluated(expression, {"states": {"errorOutput": error}})


@pytest.mark.parametrize("kind", ["extractError", "buildError"])
@pytest.mark.parametrize("error", ERRORS, ids=json.dumps)
def test_no_error_breaks_the_catch_that_reports_it(kind: str, error: dict[str, str]) -> None:
    end = end_of(kind, error)
    assert set(end) == {"cause", "log", "retry"}, end
    if '"TaskArn"' not in error.get("Cause", ""):
        assert (end["cause"], end["retry"]) == (f"{error['Error']} {error.get('Cause', '')}", False)


def test_the_reason_of_a_container_is_reported() -> None:
    end = end_of("extractError", ERRORS[2])
    assert end == {
        "cause": "Essential container in task exited, exit code 137, OutOfMemoryError: Container killed",
        "log": "#logsV2:log-groups/log-group/$252Fecs$252Fpipeline/log-events/loader$252Fpipeline$252F0a1b",
        "retry": True,
    }


PARTS = ["'", '"', "\n", "{{ 1 }}", "{% 1 %}", "$(id)", "`id`", "../", "-", "--accept", " ", ";", "a", "Z", "1", "é"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=4).map("".join)
VALUES = TEXTS | st.sampled_from(["postgres", "api", "ftp", "2026-01-01", -1, 2, 2.5, 300, True, False, None])
ANY = VALUES | st.lists(VALUES, max_size=2) | st.dictionaries(TEXTS, VALUES, max_size=1)


def near(accepted: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Returns objects like an accepted one, in which some values are others, or in a list."""
    others = {key: st.just([value]) | st.just([]) | ANY for key, value in accepted.items()}
    return st.fixed_dictionaries({}, optional=others).map(lambda changed: accepted | changed)


BACKFILLS, FAN_OUTS = near(BACKFILL), near(FAN_OUT)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "sources": st.lists(ANY, max_size=3) | ANY,
        "full_refresh": ANY,
        "fan_out": FAN_OUTS | ANY,
        "backfill": BACKFILLS | ANY,
    },
)


@pytest.mark.soak
@settings(max_examples=200 * SOAK)
@given(INPUTS | ANY | st.fixed_dictionaries({"backfill": BACKFILLS}) | st.fixed_dictionaries({"fan_out": FAN_OUTS}))
def test_an_input_that_is_accepted_becomes_commands_of_plain_values(given_input: Any) -> None:
    states = json.loads(definition(SOURCES))["States"]
    bindings = {"declared": sorted(SOURCES), "states": {"input": given_input}}
    for choice in states["Check the input"]["Choices"]:
        refused = evaluated(choice["Condition"][2:-2], bindings)
        assert isinstance(refused, bool), (choice["Condition"], refused)
        if refused:
            return
    planned = states["Plan the tasks"]["Assign"]
    for name in ("plans", "ranges", "sources"):
        for task in evaluated(planned[name][2:-2], bindings):
            action, *words = task["command"]
            assert action in ("run", "plan", "range", "backfill")
            for option, value in zip(words[::2], words[1::2], strict=True):
                assert re.fullmatch("--[a-z]+", option)
                assert isinstance(value, str)
                assert re.match("[A-Za-z0-9_]", value)
            assert words[words.index("--source") + 1] in SOURCES
            if action == "backfill":  # every value is the input's own, which JSONata would flatten if it were a list
                assert words[1::2] == [given_input["backfill"][name] for name in BACKFILL]
    assert evaluated(planned["buildCommand"][2:-2], bindings) in (["build"], ["build", "--full-refresh"])
