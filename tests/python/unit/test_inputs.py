"""The input of an execution: what `make run-aws` makes of INPUT and CMD, and what it refuses before a start."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.inputs import LOADER_COMMANDS, make_input, read_input
from extract.declarations import Source
from extract.options import parser
from sandbox.aws.state_machine import definition
from tests.python.helpers.own_project import declare_in

CONTA = {"mode": "xmin", "key": ["id"], "date": "dia"}
TABLE = "--source crm --table conta"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with two tables: one that can be read by ranges, and one that is always read whole."""
    declare_in(
        tmp_path, Source("crm", "postgres", "CRM"), {"conta": CONTA, "moeda": {"mode": "full"}},
        conta={"id": "bigint", "dia": "date"},
    )  # fmt: skip
    monkeypatch.setenv("DBT_PROJECT_DIR", str(tmp_path))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"backfill {TABLE} --from 2026-01-01 --to 2026-01-31", {}),
        (f"backfill {TABLE} --from 1 --to 99", {}),
        ("run --source crm", {}),
        ("reconcile", {}),
        (f"replay {TABLE} --dead-letters", {}),
        (f"replay {TABLE}", {"full_refresh": True}),
        ("run --source crm --accept crm.conta", {"full_refresh": True}),
        ("redate", {"full_refresh": True}),
        ("doctor", {"build": False}),
        (f"range {TABLE} --number 3", {}),
    ],
)
def test_a_command_is_one_task_and_what_has_to_follow_it(command: str, expected: dict[str, bool]) -> None:
    assert make_input(command) == {"commands": [command.split()], **expected}


def test_a_plan_is_followed_by_its_ranges_and_the_run_that_closes_it() -> None:
    plan = f"plan {TABLE} --ranges 2"
    commands = [plan, f"range {TABLE} --number 1", f"range {TABLE} --number 2", "run"]
    assert make_input(plan) == {"commands": [command.split() for command in commands]}


def test_words_are_those_of_a_shell() -> None:
    (words,) = make_input(f"replay {TABLE} --load 'a b'")["commands"]
    assert words[-1] == "a b"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("", "expected a command of the loaders (run, plan, range, backfill, reconcile, replay, redate, doctor)"),
        ("build", "expected a command of the loaders"),
        ("drop a.parquet", "expected a command of the loaders"),
        ("--debug run", "expected a command of the loaders"),
        ("run 'crm", "expected words as in a shell"),
        ("run --source crm --build", "leave out --build"),
        ("run --source erp", "source erp: not declared; expected one of crm; nothing was started"),
        ("run --accept crm.cont", "crm.cont: no such table; expected one of crm.conta, crm.moeda"),
        ("backfill --source crm --table cont --from 1 --to 2", "crm.cont: no such table; expected one of crm.conta"),
        (f"backfill {TABLE} --from 1", "was refused; nothing was started"),
        (
            f"backfill {TABLE} --from 2026-13-01 --to 2026-13-31",
            "crm.conta: expected two whole numbers of id, or two dates YYYY-MM-DD of dia, got '2026-13-01' and",
        ),
        (f"backfill {TABLE} --from 2026-01-31 --to 2026-01-01", "expected a first value that is not above the last"),
        ("backfill --source crm --table moeda --from 1 --to 2", "crm.moeda"),
        (f"plan {TABLE} --ranges 201", "was refused; nothing was started"),
        ("plan --source crm --table moeda --ranges 2", "expected a table of mode xmin to load by ranges"),
    ],
)
def test_a_wrong_command_is_refused_with_what_was_expected(command: str, expected: str) -> None:
    with pytest.raises(DeployError) as refused:
        make_input(command)
    assert expected in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", '"postgres"', "{sources: [postgres]}"])
def test_an_input_that_is_not_an_object_is_refused(text: str) -> None:
    with pytest.raises(DeployError, match="INPUT: expected a JSON object"):
        read_input(text)


def test_the_commands_of_an_input_are_checked_too() -> None:
    given = {"commands": [["reconcile"], ["range", *TABLE.split(), "--number", "1"]], "build": False}
    assert read_input(json.dumps(given)) == given
    with pytest.raises(DeployError, match=r"crm\.cont: no such table"):
        read_input('{"commands": [["backfill", "--source", "crm", "--table", "cont", "--from", "1", "--to", "2"]]}')


@pytest.mark.parametrize("text", ['{"commands": "reconcile"}', '{"commands": [["a", 1]]}', '{"sources": 1}'])
def test_the_rest_of_an_input_is_left_to_the_state_machine(text: str) -> None:
    assert read_input(text) == json.loads(text)


def test_the_state_machine_accepts_the_same_commands() -> None:
    known = json.loads(definition([]))["States"]["Name the sources"]["Assign"]["loaderCommands"]
    assert tuple(known) == LOADER_COMMANDS
    options = {"plan": f"{TABLE} --ranges 2", "range": f"{TABLE} --number 1", "replay": TABLE}
    options["backfill"] = f"{TABLE} --from 1 --to 2"
    for command in LOADER_COMMANDS:
        assert parser().parse_args([command, *options.get(command, "").split()]).command == command
