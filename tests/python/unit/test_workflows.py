"""The workflows call the make targets that people call, with pinned actions, minimal permissions and no secrets."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.python.helpers import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

# Every job may read the code; these jobs have more permissions.
PERMISSIONS = {
    ("deploy.yml", "plan"): {"contents": "read", "id-token": "write"},
    ("deploy.yml", "apply"): {"contents": "read", "id-token": "write"},
    ("drift.yml", "drift"): {"contents": "read", "id-token": "write"},
    ("docs.yml", "publish"): {"pages": "write", "id-token": "write"},
}


# Files that make builds for infra's tests; people do not call them.
FILES_OF_MAKE = {".venv-infra/.ready", "infra/node_modules"}


def workflow(file: Path) -> dict[Any, Any]:
    parsed: dict[Any, Any] = yaml.safe_load(file.read_text())
    return parsed


def jobs() -> list[Any]:
    """Each job with steps, with the name of its file and its own name."""
    return [
        pytest.param(file.name, name, job, id=f"{file.stem}-{name}")
        for file in FILES
        for name, job in workflow(file)["jobs"].items()
        if "steps" in job
    ]


def targets(job: dict[str, Any]) -> set[str]:
    """The make targets that a job calls."""
    commands = [step["run"].split() for step in job["steps"] if "run" in step]
    return {word for words in commands if words[0] == "make" for word in words[1:] if "=" not in word}


def triggers(file: Path) -> set[str]:
    """The events that start a workflow; YAML reads the word `on` as true."""
    return set(workflow(file)[True])


def test_the_workflows_exist() -> None:
    assert [file.name for file in FILES] == ["deploy.yml", "docs.yml", "drift.yml", "main.yml", "pull-request.yml"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned_by_hash_with_its_version_in_a_comment(file: Path) -> None:
    used = re.findall(r"uses: (.+)", file.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/[\w-]+\.yml", action)


def test_an_action_has_one_version_everywhere() -> None:
    used = {use for file in FILES for use in re.findall(r"uses: ([^.].+)", file.read_text())}
    assert len({use.split("@")[0] for use in used}) == len(used)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_may_read_the_code_and_no_secret(file: Path) -> None:
    assert workflow(file)["permissions"] == {"contents": "read"}
    assert "secrets" not in file.read_text().replace("No secrets", "")
    assert not triggers(file) & {
        "pull_request_target",
        "workflow_run",
    }  # these run the code of others with our permissions


@pytest.mark.parametrize(("file", "name", "job"), jobs())
def test_a_job_has_the_permissions_that_it_needs_and_a_timeout(file: str, name: str, job: dict[str, Any]) -> None:
    assert job.get("permissions") == PERMISSIONS.get((file, name))
    assert job["timeout-minutes"] <= 60
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(("file", "name", "job"), jobs())
def test_a_job_calls_make_targets(file: str, name: str, job: dict[str, Any]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    known = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)) | FILES_OF_MAKE
    assert all(f"\n{file}: " in makefile for file in FILES_OF_MAKE)
    assert targets(job) <= known, f"{name} of {file} calls an unknown make target"
    # The title or the branch of a pull request, which anybody can choose, is never part of a command.
    assert not any("${{" in step.get("run", "") for step in job["steps"])


def test_a_pull_request_is_checked_completely_without_an_account() -> None:
    file = ROOT / ".github" / "workflows" / "pull-request.yml"
    assert "pull_request" in triggers(file)
    called = set().union(*(targets(job) for job in workflow(file)["jobs"].values()))
    assert called == {"lint", "test-all", "run", "infra-check", "scan", "image-check"} | FILES_OF_MAKE
    assert "id-token" not in file.read_text()


def test_one_machine_runs_all_tests_of_infra() -> None:
    check = workflow(ROOT / ".github" / "workflows" / "pull-request.yml")["jobs"]["check"]
    assert [leg["machine"] for leg in check["strategy"]["matrix"]["include"] if leg.get("infra")] == ["ubuntu-24.04"]
    *before, test = check["steps"][: [step.get("run") for step in check["steps"]].index("make test-all") + 1]
    assert test["env"] == {"REQUIRE_INFRA": "${{ matrix.infra && '1' || '' }}"}
    set_up = [step for step in before if step.get("if") == "matrix.infra"]
    assert targets({"steps": set_up}) == FILES_OF_MAKE
    assert any(step.get("uses", "").startswith("hashicorp/setup-terraform@") for step in set_up)


def test_terraform_has_one_version_everywhere() -> None:
    used = [
        step["with"]
        for file in FILES
        for job in workflow(file)["jobs"].values()
        for step in job.get("steps", [])
        if step.get("uses", "").startswith("hashicorp/setup-terraform@")
    ]
    assert len(used) == 5
    assert all(one == used[0] for one in used)


SETTINGS = {
    "TF_VAR_name": "${{ vars.DEPLOY_NAME }}",
    "TF_VAR_region": "${{ vars.AWS_REGION }}",
    "STATE_BUCKET": "${{ vars.STATE_BUCKET }}",
}


def named(name: str) -> dict[Any, Any]:
    """The workflow in a file."""
    return workflow(ROOT / ".github" / "workflows" / name)


def last_step(job: dict[str, Any]) -> dict[str, Any]:
    """The last step of a job that signs in to AWS with its environment's role before it."""
    *_, sign_in, last = job["steps"]
    assert sign_in["uses"].startswith("aws-actions/configure-aws-credentials@")
    assert sign_in["with"] == {"role-to-assume": "${{ vars.ROLE_ARN }}", "aws-region": "${{ vars.AWS_REGION }}"}
    found: dict[str, Any] = last
    return found


def test_main_is_deployed_after_the_checks_first_to_staging() -> None:
    main = named("main.yml")
    assert set(main[True]) == {"push", "workflow_dispatch"}
    assert main[True]["push"] == {"branches": ["main"]}
    check, staging, production = main["jobs"].values()
    assert check["uses"] == "./.github/workflows/pull-request.yml"
    assert staging["needs"] == "check"
    assert production["needs"] == ["check", "staging"]
    for name, job in (("staging", staging), ("production", production)):
        assert job["uses"] == "./.github/workflows/deploy.yml"
        assert job["with"] == {"environment": name}
        assert f"contains(fromJSON(vars.ENVIRONMENTS || '[]'), '{name}')" in job["if"]
        assert job["permissions"] == PERMISSIONS["deploy.yml", "apply"]  # a called workflow gets no others
    # `!cancelled()` takes the place of the condition that everything before has succeeded.
    assert "always()" not in production["if"]
    assert production["if"].startswith("!cancelled() && needs.check.result == 'success' && contains(fromJSON(")
    assert """contains(fromJSON('["success", "skipped"]'), needs.staging.result)""" in production["if"]


def test_what_is_applied_is_the_plan_that_was_approved() -> None:
    deploy = named("deploy.yml")
    assert set(deploy[True]) == {"workflow_call"}  # after the checks only
    assert set(deploy["jobs"]) == {"plan", "apply"}
    plan, apply = deploy["jobs"]["plan"], deploy["jobs"]["apply"]
    # The plan's environment has no reviewers and a role that reads; the other one waits for the approval.
    assert plan["environment"] == "${{ inputs.environment }}-plan"
    assert apply["environment"] == "${{ inputs.environment }}"
    assert apply["needs"] == "plan"
    assert apply["concurrency"] == {"group": "deploy-${{ inputs.environment }}", "cancel-in-progress": False}
    saved, applied = last_step(plan), last_step(apply)
    assert (saved["id"], saved["run"]) == ("plan", "make plan SAVE=1")
    assert plan["outputs"] == {"plan": "${{ steps.plan.outputs.plan }}"}
    assert applied["run"] == 'make deploy PLAN="$PLAN"'
    assert applied["env"] == SETTINGS | {"PLAN": "${{ needs.plan.outputs.plan }}"}
    assert saved["env"] == SETTINGS
    # No other job of a workflow deploys.
    deploying = [(file, name) for file, name, job in (each.values for each in jobs()) if "deploy" in targets(job)]
    assert deploying == [("deploy.yml", "apply")]


def test_drift_is_looked_for_every_night_in_each_environment() -> None:
    drift = named("drift.yml")
    (schedule,) = drift[True]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])
    (job,) = drift["jobs"].values()
    assert job["strategy"] == {
        "fail-fast": False,
        "matrix": {"environment": "${{ fromJSON(vars.ENVIRONMENTS || '[]') }}"},
    }
    assert job["environment"] == "${{ matrix.environment }}-plan"  # nobody has to approve it
    assert last_step(job)["run"] == "make drift"
    assert last_step(job)["env"] == SETTINGS


def test_the_python_of_the_image_is_tested() -> None:
    (image,) = set(re.findall(r"^FROM python:(\d+\.\d+)\.", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    legs = named("pull-request.yml")["jobs"]["check"]["strategy"]["matrix"]["include"]
    assert image in [leg["python"] for leg in legs if leg["machine"].startswith("ubuntu-")]


def test_the_scan_fails_if_a_package_could_not_be_looked_up() -> None:
    (scan,) = re.findall(r"^scan: .*\n\t(.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "--strict" in scan.split()
    assert scan.endswith("-r requirements/container.txt")


def test_dependabot_knows_every_file_with_pinned_dependencies() -> None:
    updates = workflow(ROOT / ".github" / "dependabot.yml")["updates"]
    kinds = {
        "pip": "requirements/*.txt", "github-actions": ".github/workflows/*.yml", "docker": "**/Dockerfile",
        "terraform": "*/versions.tf", "npm": "*/package-lock.json",
    }  # fmt: skip
    places = {
        (kind, f"/{'' if kind == 'github-actions' else file.parent.relative_to(ROOT).as_posix().strip('.')}")
        for kind, pattern in kinds.items()
        for file in ROOT.glob(pattern)
        if not {"node_modules", ".venv", ".local"} & set(file.parts)
    }
    assert {(update["package-ecosystem"], update["directory"]) for update in updates} == places
    assert {kind for kind, _ in places} == set(kinds)
