"""The interpreter and JSONata's reference implementation agree on every expression of the state machine."""

import json
import re
import shutil
import subprocess
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonata.jsonata import Jsonata

from extract.task_log import Ending
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

BACKFILL = ["backfill", "--source", "postgres", "--table", "venda", "--from", "2026-01-01 00:00", "--to", "b"]
PLAN = ["plan", "--source", "postgres", "--table", "venda", "--ranges", "2"]
RANGES = [["range", "--source", "postgres", "--table", "venda", "--number", number] for number in ("1", "2")]
ACCEPTED: list[Any] = [
    {}, {"sources": ["api"]}, {"sources": ["api", "postgres", "api"]}, {"full_refresh": True}, {"build": False},
    {"full_refresh": False}, {"sources": ["api"], "full_refresh": True}, {"commands": [BACKFILL]},
    {"commands": [["doctor"]], "build": False}, {"commands": [["doctor"], ["reconcile"]]}, {"commands": [RANGES[0]]},
    {"commands": [PLAN, *RANGES, ["run", "--source", "postgres"]], "full_refresh": True, "build": True},
]  # fmt: skip
REFUSED: list[Any] = [
    [], "api", 1, None, {"source": ["api"]},
    {"sources": []}, {"sources": "api"}, {"sources": ["ftp"]}, {"sources": None}, {"sources": [["api"]]},
    {"full_refresh": "yes"}, {"full_refresh": None}, {"build": "no"}, {"build": None},
    {"commands": [BACKFILL], "sources": ["api"]}, {"commands": "doctor"}, {"commands": None}, {"commands": []},
    {"commands": ["doctor"]}, {"commands": [[]]}, {"commands": [["doctor"], []]}, {"commands": [[["doctor"]]]},
    {"commands": [["drop", "a"]]}, {"commands": [["--debug", "run"]]}, {"commands": [["doctor", 1]]},
    {"commands": [["doctor"], ["doctor", None]]}, {"commands": [["doctor", "a"] * 30]},
    {"commands": [["doctor"]] * 251}, {"commands": {"doctor": []}},
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
FAILED = {
    "step": "build",
    "error": "BuildFailed",
    "why": "x",
    "attempts": 2,
    "stale": "a, b",
    "todo": "do",
    "log": "#l",
}
FAILURES: list[Any] = [
    [],
    [FAILED],
    [
        FAILED | {"step": "extract api", "why": 'it said "no"', "attempts": 1, "stale": ""},
        {"step": "start", "error": "AlreadyRunning", "why": "another", "todo": "nothing"},
    ],
    [FAILED | {"step": f"range {number}"} for number in range(12)],
]
API = {"step": "extract api", "command": ["run", "--source", "api"], "kind": "loader", "stale": "every table of api"}
BUILD = {"step": "build", "command": ["build"], "kind": "transformer", "stale": "every model"}
STAGE = {"tasks": [API], "concurrency": 1}
END = {"time": "t", "message": "a.b: no", "exit_code": 1, "stale": ["a.b"], "retry": False, "end": True}
LINES: list[list[str]] = [
    [],
    ["a line", json.dumps(END)],
    [json.dumps(END | {"stale": [], "retry": True, "exit_code": 2})],
    ["error: no", "MemoryError"],
    ['{"time": "cut off", "end": true'],
]


NAMED = {
    name: value
    for name, value in json.loads(definition(SOURCES))["States"]["Name the sources"]["Assign"].items()
    if name in ("loaderCommands", "remedies", "silver")
}


def bindings_of(expression: str) -> list[dict[str, Any]]:
    """Every combination of the variables that the expression uses."""
    context = {"Execution": {"Id": "arn:a", "Name": "run-1"}, "StateMachine": {"Id": "arn:m"}}
    given: dict[str, list[Any]] = {
        "states": [{"context": context, "input": None}],
        "declared": [[], ["postgres"], ["api", "parquet", "postgres"]],
        "failures": FAILURES,
        "failure": [{"retry": retry, "why": "w", "stale": "s", "todo": "t", "log": "#l"} for retry in (True, False)],
        "stopped": STOPPED,
        "lines": LINES,
        "reads": [0, 1, 4],
        "attempts": [1, 2, 3],
        "task": [API, BUILD, API | {"command": ["doctor"]}],
        "tasks": [[API], [API, API | {"command": ["doctor"]}]],
        "concurrency": [0, 2],
        "stages": [[], [STAGE], [STAGE, STAGE | {"tasks": [API, BUILD]}]],
        "build": [[], [{"tasks": [BUILD], "concurrency": 1}]],
        "built": ["no", "yes", "failed", "without"],
        "skipped": [[], ["range 1", "run"]],
        "oldest": ["arn:a", "arn:b"],
        **{name: [value] for name, value in NAMED.items()},
    }
    if "$states.input" in expression:
        # A command is built from an accepted input.
        inputs = ACCEPTED if "'kind'" in expression else ACCEPTED + REFUSED
        given["states"] = [{"context": context, "input": value} for value in inputs]
    if "$states.errorOutput" in expression:
        given["states"] = [{"context": context, "errorOutput": error} for error in ERRORS]
    if "$states.result" in expression:
        results: list[Any] = [{"Executions": executions} for executions in EXECUTIONS]
        results += [[{"step": "extract api"}], [{"step": "extract api"}, *FAILURES[2]]]
        results += [{"Events": [{"Message": line} for line in lines]} for lines in LINES]
        given["states"] = [{"context": context, "result": result} for result in results]
    used = [name for name in given if re.search(rf"\${name}\b", expression)]
    return [dict(zip(used, values, strict=True)) for values in product(*(given[name] for name in used))]


@cache
def parsed(expression: str) -> Jsonata:
    """The program of an expression; to parse one takes as long as many evaluations."""
    program = Jsonata(expression)
    program.register_lambda("parse", json.loads)
    return program


def evaluated(expression: str, bindings: dict[str, Any]) -> Any:
    """The value in the interpreter's implementation, as PROGRAM writes it."""
    try:
        return json.loads(json.dumps(parsed(expression).evaluate(None, bindings)))
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


def find_expression(name: str) -> str:
    """Returns the expression of a variable, as the state machine assigns it."""
    (expression,) = {
        json.loads(f'"{text}"') for text in re.findall(rf'"{name}": "\{{% (.*?) %\}}"', definition(SOURCES))
    }
    return str(expression)


# What the Catch assigns for each error
STOPPED = [evaluated(find_expression("stopped"), {"states": {"errorOutput": error}}) for error in ERRORS]


@pytest.mark.parametrize("error", ERRORS, ids=json.dumps)
def test_no_error_breaks_the_catch_that_reports_it(error: dict[str, str]) -> None:
    stopped = evaluated(find_expression("stopped"), {"states": {"errorOutput": error}})
    assert set(stopped) == {"error", "id", "code", "stop", "reason"}, stopped
    has_task = '"TaskArn"' in error.get("Cause", "")
    assert (stopped["error"] == "") == has_task
    if not has_task:
        assert stopped["reason"] == f"{error['Error']} {error.get('Cause', '')}"


def judge(stopped: dict[str, Any], lines: list[str], task: dict[str, Any] = API) -> dict[str, Any]:
    """Returns what the state machine makes of a task that ended like this, with this end of its log."""
    bindings = {"stopped": stopped, "lines": lines, "task": task, **NAMED}
    judged: dict[str, Any] = evaluated(find_expression("failure"), bindings)
    assert set(judged) == {"retry", "why", "stale", "todo", "log"}
    return judged


@pytest.mark.parametrize(
    ("number", "retry", "remedy"),
    [
        (0, True, "passing"), (1, False, "settings"), (2, True, "memory"), (3, False, "person"), (4, True, "image"),
        (5, False, "timeout"), (6, False, "timeout"), (7, False, "aws"), (8, False, "aws"), (9, False, "aws"),
    ],
)  # fmt: skip
def test_without_a_log_the_end_of_the_task_decides(number: int, retry: object, remedy: str) -> None:
    judged = judge(STOPPED[number], [])
    assert (judged["retry"], judged["todo"]) == (retry, NAMED["remedies"][remedy])
    assert judged["stale"] == "every table of api"
    assert judged["why"].startswith(STOPPED[number]["reason"])


@pytest.mark.parametrize(
    ("number", "changed", "task", "retry", "remedy", "stale"),
    [
        (0, {}, API, False, "lasting", "a.b"),
        (0, {"retry": True}, API, True, "passing", "a.b"),
        (0, {"stale": []}, API, False, "lasting", ""),
        (0, {"retry": True, "stale": ["m", "n"]}, BUILD, True, "build", "m, n"),
        (1, {"exit_code": 2, "stale": []}, API, False, "settings", "every table of api"),
        (1, {"exit_code": 2, "stale": [], "retry": True}, API, True, "passing", "every table of api"),
        (1, {"exit_code": 2, "stale": []}, BUILD, False, "settings", "every model"),
    ],
)
def test_the_last_line_of_the_log_decides(
    number: int, changed: dict[str, Any], task: dict[str, Any], retry: object, remedy: str, stale: str
) -> None:
    judged = judge(STOPPED[number], ["a line", json.dumps(END | changed)], task)
    assert judged["why"] == "a.b: no"
    assert (judged["retry"], judged["todo"], judged["stale"]) == (retry, NAMED["remedies"][remedy], stale)


def test_the_last_line_of_a_command_that_was_killed_is_shown() -> None:
    judged = judge(STOPPED[2], ["a line", "MemoryError"])
    assert judged["why"] == (
        "Essential container in task exited, OutOfMemoryError: Container killed, exit code 137; "
        "the last line of its log: MemoryError"
    )
    assert (
        judged["log"] == "#logsV2:log-groups/log-group/$252Fecs$252Fpipeline/log-events/loader$252Fpipeline$252F0a1b"
    )


def test_the_last_line_is_one_that_the_state_machine_knows() -> None:
    ending = Ending()
    ending.add("postgres.venda: no", stale=["postgres.venda"], may_pass=False)
    judged = judge(STOPPED[0], [ending.line(1)])
    assert (judged["why"], judged["stale"], judged["retry"]) == ("postgres.venda: no", "postgres.venda", False)


PARTS = ["'", '"', "\n", "{{ 1 }}", "{% 1 %}", "$(id)", "`id`", "../", "-", "--accept", " ", ";", "a", "Z", "1", "é"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=4).map("".join)
VALUES = TEXTS | st.sampled_from(["postgres", "api", "ftp", "2026-01-01", -1, 2, 2.5, 300, True, False, None])
ANY = VALUES | st.lists(VALUES, max_size=2) | st.dictionaries(TEXTS, VALUES, max_size=1)


INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "sources": st.lists(ANY, max_size=3) | ANY,
        "commands": st.lists(
            st.lists(VALUES | st.sampled_from(NAMED["loaderCommands"]), max_size=3) | ANY, max_size=3
        ),
        "full_refresh": ANY,
        "build": ANY,
    },
)


@pytest.mark.soak
@settings(max_examples=200 * SOAK)
@given(INPUTS | ANY)
def test_an_input_that_is_accepted_becomes_commands_of_its_own_words(given_input: Any) -> None:
    states = json.loads(definition(SOURCES))["States"]
    bindings = {"declared": sorted(SOURCES), "states": {"input": given_input}, **NAMED}
    for choice in states["Check the input"]["Choices"]:
        refused = evaluated(choice["Condition"][2:-2], bindings)
        assert isinstance(refused, bool), (choice["Condition"], refused)
        if refused:
            return
    planned = states["Plan the tasks"]["Assign"]
    stages, build = (evaluated(planned[name][2:-2], bindings) for name in ("stages", "build"))
    commands = [task["command"] for stage in stages for task in stage["tasks"]]
    if "commands" in given_input:
        assert sorted(commands) == sorted(given_input["commands"])
        assert all(command[0] in NAMED["loaderCommands"] for command in commands)
    else:
        names = set(given_input.get("sources", SOURCES))
        assert sorted(commands) == sorted(["run", "--source", name] for name in names)
    built = [stage["tasks"][0]["command"] for stage in build]
    expected = ["build", "--full-refresh"] if given_input.get("full_refresh") else ["build"]
    assert built == ([] if given_input.get("build") is False else [expected])
