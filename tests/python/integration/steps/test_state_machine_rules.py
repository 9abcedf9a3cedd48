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


LOAD = "Extract.ItemProcessor.States.Load the source"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (mistake("Build.Next", "Publish"), "Publish: no such state"),
        (mistake("Retry the build?.Default", "Report the failures"), "Wait to retry the build: never reached"),
        (mistake("Did everything succeed?.Default", ...), "Did everything succeed?: expected a Default"),
        (mistake("Extract.Next", ...), "Extract: expected either Next or End"),
        (mistake("Extract.ItemProcessor.States.Build", {"Type": "Succeed"}), "Build: twice"),
        (mistake("Build.Retry.0.BackoffRate", 0.5), "Build: Retry: BackoffRate below 1"),
        (mistake("Build.Retry.0.MaxAttempts", 0), "Build: Retry: expected 1 to 10"),
        (mistake("Build.Retry.0.ErrorEquals", ["States.TaskFailed"]), "is not about starting a task"),
        (mistake("Build.Catch.0.ErrorEquals", ["States.ALL", "States.Timeout"]), "Catch: States.ALL is not alone"),
        (mistake("Build.Catch", []), "Build: Catch: expected one for States.ALL"),
        (mistake("Extract.Catch", []), "Extract: Catch: expected one for States.ALL"),
        (mistake(f"{LOAD}.TimeoutSeconds", 0), "Load the source: TimeoutSeconds: missing"),
        (mistake(f"{LOAD}.TimeoutSeconds", 86400), "TimeoutSeconds: expected at least the "),
        (mistake(f"{LOAD}.HeartbeatSeconds", 60), "HeartbeatSeconds: nothing sends it"),
        (mistake(f"{LOAD}.HeartbeatSeconds", 7200), "HeartbeatSeconds: not below TimeoutSeconds"),
        (mistake("Build.Resource", "arn:aws:states:::lambda:invoke"), "lambda:invoke is not allowed"),
        (mistake("Build.Arguments.Overrides.ContainerOverrides.0.Name", "dbt"), "Overrides: no container dbt"),
        (mistake("Build.Arguments.Overrides.ContainerOverrides.0.Environment", []), "expected RUN_ID"),
        (mistake("Build.Next", "Failed"), "Failed: expected to be reached from Report the failures only"),
    ],
)
def test_each_mistake_breaks_its_rule(change: Callable[[dict[str, Any]], None], expected: str) -> None:
    mistaken = deepcopy(json.loads(DEFINITION))
    change(mistaken["States"])
    assert any(expected in fault for fault in faults(mistaken, CONTAINERS)), list(faults(mistaken, CONTAINERS))


def test_both_kinds_of_tasks_handle_errors_alike() -> None:
    states = json.loads(DEFINITION)["States"]
    extract = states["Extract"]["ItemProcessor"]["States"]["Load the source"]
    assigned = [state["Catch"][0]["Assign"] for state in (extract, states["Build"])]
    assert assigned[0]["extractError"].replace("loader", "transformer") == assigned[1]["buildError"]
    assert extract["Retry"][0]["ErrorEquals"] == states["Build"]["Retry"][0]["ErrorEquals"]


def test_a_retry_starts_after_the_lock_of_a_killed_attempt_has_expired() -> None:
    states = json.loads(DEFINITION)["States"]
    wait = states["Extract"]["ItemProcessor"]["States"]["Wait to retry the source"]["Seconds"]
    seconds = [Jsonata(wait.strip("{% }")).evaluate(None, {"extractAttempts": attempts}) for attempts in (1, 2)]
    assert EXPIRY.total_seconds() <= states["Wait to retry the build"]["Seconds"]
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
    assert json.loads(text)["States"]["Name the sources"]["Assign"] == {"declared": ["crm"]}


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
    done = validated(validator, DEFINITION.replace("$count($failures) = 0", "$count($failures = 0"), tmp_path)
    assert done.returncode == 1
    assert "JSONATA" in (done.stdout + done.stderr).upper()
