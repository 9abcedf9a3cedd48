"""The definition of the state machine: its template, this project's rules, and the validator."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonata.jsonata import Jsonata

from extract.options import parser
from extract.warehouse.lock import EXPIRY
from sandbox.aws.state_machine import CONTAINER, LOADER, TEMPLATE, TRANSFORMER, VALUES, definition, render
from tests.python.helpers import missing
from tests.python.helpers.machine_rules import faults
from tests.python.helpers.machine_run import SOURCES

DEFINITION = definition(SOURCES)
CONTAINERS = {LOADER: {CONTAINER}, TRANSFORMER: {CONTAINER}}
VALIDATOR = TEMPLATE.parent / "node_modules" / ".bin" / "asl-validator"


def test_it_breaks_no_rule() -> None:
    assert list(faults(json.loads(DEFINITION), CONTAINERS)) == []


def mistake(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """A change of the state machine at a dotted `path`; the value `...` deletes."""

    def change(states: dict[str, Any]) -> None:
        *folders, last = path.split(".")
        where: Any = states
        for name in folders:
            where = where[int(name) if isinstance(where, list) else name]
        if value is ...:
            del where[last]
        else:
            where[int(last) if isinstance(where, list) else last] = value

    return change


INNER = "Run the tasks.ItemProcessor.States"
RUN = f"{INNER}.Run the task"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (mistake("Run the tasks.Next", "Publish"), "Publish: no such state"),
        (
            mistake(f"{INNER}.Retry the task?.Choices.0.Next", "Record the failure"),
            "Wait to retry the task: never reach",
        ),
        (mistake("Is another execution running?.Default", ...), "Is another execution running?: expected a Default"),
        (mistake("Run the tasks.Next", ...), "Run the tasks: expected either Next or End"),
        (mistake(f"{INNER}.Succeeded", {"Type": "Succeed"}), "Succeeded: twice"),
        (mistake(f"{RUN}.Retry.0.BackoffRate", 0.5), "Run the task: Retry: BackoffRate below 1"),
        (mistake(f"{RUN}.Retry.0.MaxAttempts", 0), "Run the task: Retry: expected 1 to 10"),
        (mistake(f"{RUN}.Retry.0.ErrorEquals", ["States.TaskFailed"]), "is not about starting a task"),
        (mistake(f"{RUN}.Catch.0.ErrorEquals", ["States.ALL", "States.Timeout"]), "Catch: States.ALL is not alone"),
        (mistake(f"{RUN}.Catch", []), "Run the task: Catch: expected one for States.ALL"),
        (mistake(f"{INNER}.Read the end of the log.Catch", []), "Read the end of the log: Catch: expected one"),
        (mistake("Run the tasks.Catch", []), "Run the tasks: Catch: expected one for States.ALL"),
        (mistake(f"{RUN}.TimeoutSeconds", 0), "Run the task: TimeoutSeconds: missing"),
        (mistake(f"{RUN}.TimeoutSeconds", 86400), "TimeoutSeconds: expected at least the "),
        (mistake(f"{RUN}.HeartbeatSeconds", 60), "HeartbeatSeconds: nothing sends it"),
        (mistake(f"{RUN}.HeartbeatSeconds", 7200), "HeartbeatSeconds: not below TimeoutSeconds"),
        (mistake(f"{RUN}.Resource", "arn:aws:states:::lambda:invoke"), "lambda:invoke is not allowed"),
        (mistake(f"{RUN}.Arguments.TaskDefinition", LOADER), "TaskDefinition: expected a choice of"),
        (mistake(f"{RUN}.Arguments.Overrides.ContainerOverrides.0.Name", "dbt"), "Overrides: no container dbt"),
        (mistake(f"{RUN}.Arguments.Overrides.ContainerOverrides.0.Environment", []), "expected RUN_ID"),
        (mistake("Run the tasks.Next", "Failed"), "Failed: expected to be reached from Report the failures only"),
    ],
)
def test_each_mistake_breaks_its_rule(change: Callable[[dict[str, Any]], None], expected: str) -> None:
    mistaken = deepcopy(json.loads(DEFINITION))
    change(mistaken["States"])
    assert any(expected in fault for fault in faults(mistaken, CONTAINERS)), list(faults(mistaken, CONTAINERS))


def test_a_retry_starts_after_the_lock_of_a_killed_attempt_has_expired() -> None:
    inner = json.loads(DEFINITION)["States"]["Run the tasks"]["ItemProcessor"]["States"]
    wait = inner["Wait to retry the task"]["Seconds"]
    seconds = [Jsonata(wait.strip("{% }")).evaluate(None, {"attempts": attempts}) for attempts in (1, 2)]
    assert EXPIRY.total_seconds() <= seconds[0] < seconds[1]


@pytest.mark.parametrize(
    "command",
    [
        *(f"run --source {source}" for source in SOURCES),
        "backfill --source postgres --table venda --from 2026-01-01 --to 2026-01-31",
        "plan --source postgres --table venda --ranges 16",
        "range --source postgres --table venda --number 3",
        "build",
        "build --full-refresh",
    ],
)
def test_its_commands_exist(command: str) -> None:
    assert parser().parse_args(command.split()).command == command.split()[0]


def test_it_names_no_source_but_those_that_it_gets() -> None:
    text = definition(["crm"])
    assert [name for name in SOURCES if re.search(rf"\b{name}\b", text)] == []
    assert json.loads(text)["States"]["Name the sources"]["Assign"]["declared"] == ["crm"]


def test_the_template_uses_every_value() -> None:
    assert set(re.findall(r"\$\{(?:jsonencode\()?(\w+)", TEMPLATE.read_text())) == {*VALUES, "sources"}


def test_a_list_is_rendered_as_json_and_a_string_unchanged() -> None:
    assert render('{"a": "${a}", "b": ${jsonencode(b)}}', {"a": "x", "b": ["y", "z"]}) == '{"a": "x", "b": ["y","z"]}'


@pytest.mark.parametrize("form", ["${upper(a)}", "%{ if a }", "$${a}", "${a} {%{'b': 1}%}"])
def test_an_unsupported_template_form_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match=r"expected \$\{name\} or \$\{jsonencode\(name\)\}, got"):
        render(form, {"a": "x"})


def test_a_name_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no value for \$\{b\}, expected one of a"):
        render("${b}", {"a": "x"})


@pytest.fixture
def validator() -> Path:
    """The asl-validator of infra/package-lock.json."""
    if not VALIDATOR.exists() or not shutil.which("node"):
        missing.infra_tool("asl-validator is not installed: make infra/node_modules")
    return VALIDATOR


def validated(validator: Path, text: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    (folder / "states.json").write_text(text)
    return subprocess.run(
        [validator, "--json-path", folder / "states.json"], capture_output=True, text=True, check=False
    )


def test_the_validator_accepts_it(validator: Path, tmp_path: Path) -> None:
    done = validated(validator, DEFINITION, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_validator_refuses_a_broken_expression(validator: Path, tmp_path: Path) -> None:
    done = validated(validator, DEFINITION.replace("$count($failures) > 0", "$count($failures > 0"), tmp_path)
    assert done.returncode == 1
    assert "JSONATA" in (done.stdout + done.stderr).upper()
