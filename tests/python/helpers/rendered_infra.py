"""infra/ as Terraform renders it with the mocks of its own tests, for checks that HCL cannot express."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.database import CALL
from extract.declarations import Source
from tests.python.helpers import ROOT, missing

TERRAFORM = os.environ.get("TERRAFORM") or "terraform"
RENDERED_BY = "tests/second_database.tftest.hcl"

# The sources of infra's own tests, as the variable `sources` has them, and the second database that it adds
DESCRIBED = json.loads((ROOT / "infra" / "tests" / "demo.auto.tfvars.json").read_text())["sources"]
DEMO = tuple(Source(name, described["kind"], described["prefix"]) for name, described in DESCRIBED.items())
SOURCES = (*DEMO, Source("crm", "postgres", "CRM"))

# Redshift's syntax in the setup of the database, and PostgreSQL's; the rest of the procedure is the same in both.
POSTGRES = (
    ("password disable", "password null"),
    ("grant role ", "grant "),
    (" to role ", " to "),
    ("svv_roles", "(select rolname as role_name from pg_roles) as svv_roles"),
)


def terraform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs terraform in a folder."""
    command = [TERRAFORM, *arguments, "-no-color"]
    environment = os.environ | {"TF_IN_AUTOMATION": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def copy(folder: Path) -> Path:
    """Returns an initialised copy of infra/; skips the test if terraform or the provider is missing."""
    if not shutil.which(TERRAFORM):
        missing.infra_tool(f"{TERRAFORM} not found: install Terraform 1.11 or later, or set TERRAFORM")
    ignored = shutil.ignore_patterns(
        ".terraform", "node_modules", *([] if TERRAFORM == "terraform" else [".terraform.lock.hcl"])
    )
    shutil.copytree(ROOT / "infra", folder, ignore=ignored)
    for values in folder.glob("*.tfvars"):
        values.unlink()  # a deployment's values; the tests have their own
    # The tests of infra/ destroy what they create, which the protection of the data refuses.
    shutil.copy(folder / "unprotected" / "override.tf", folder / "unprotected_override.tf")
    if (done := terraform(folder, "init", "-backend=false", "-input=false")).returncode:
        missing.infra_tool(f"terraform init cannot get the AWS provider: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def replace_in(file: Path, right: str, wrong: str, count: int = -1) -> None:
    """Puts a mistake into a file of a copy, in so many places, or in all; fails if the file has no such text."""
    text = file.read_text()
    assert right in text, f"{file.name} has changed: {right!r} is not in it"
    file.write_text(text.replace(right, wrong, count))


@dataclass(frozen=True)
class Infra:
    """What an apply creates: the values of every resource by its address, and the outputs."""

    resources: dict[str, dict[str, Any]]
    outputs: dict[str, Any]

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Returns the statements of a role's policies; the role by its key in infra/iam.tf, `deploy` or `plan`."""
        addresses = [f'aws_iam_role_policy.this["{role}"]']
        if role in ("deploy", "plan"):
            own = {"deploy": "release", "plan": "plan"}[role]
            addresses = [f'aws_iam_role_policy.{role}["{name}"]' for name in ("refresh", own)]
        policies = [json.loads(self.resources[address]["policy"]) for address in addresses]
        return [statement for policy in policies for statement in policy["Statement"]]

    def database_set_up(self, database: str, password: str | None = None) -> str:
        """Returns the setup of the deployed database for a PostgreSQL database.

        With a password, its users can sign in with it; in Redshift they can sign in only through AWS.
        """
        text = str(self.outputs["database_set_up"]["procedure"])
        for redshift, postgres in (*POSTGRES, ("on database vendas", f"on database {database}")):
            assert redshift in text, redshift
            text = text.replace(redshift, postgres)
        if password:
            text = text.replace("password null", f"password '{password}'")
        return f"{text};\n{CALL}"

    def environment(self, task: str) -> dict[str, str]:
        """Returns the environment of a task's container, without the secrets."""
        return {variable["name"]: variable["value"] for variable in self.container(task)["environment"]}

    def secrets(self, task: str) -> set[str]:
        """Returns the names of the secrets of a task's container."""
        return {secret["name"] for secret in self.container(task)["secrets"]}

    def container(self, task: str) -> dict[str, Any]:
        """Returns the definition of a task's container."""
        address = f'aws_ecs_task_definition.this["{task}"]'
        (container,) = json.loads(self.resources[address]["container_definitions"])
        return dict(container)


def render(folder: Path) -> Infra:
    """Returns what a run of infra's own tests creates; `folder` is a copy of infra/."""
    done = terraform(folder, "test", f"-filter={RENDERED_BY}", "-json", "-verbose")
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    states = [message["test_state"] for message in messages if message["type"] == "test_state"]
    assert done.returncode == 0 and len(states) == 1, done.stdout[-3000:] + done.stderr
    resources = {entry["address"]: entry["values"] for entry in states[0]["root_module"]["resources"]}
    return Infra(resources, {name: output.get("value") for name, output in states[0]["outputs"].items()})


def matches(pattern: str, text: str) -> bool:
    """True if the pattern matches as in IAM: `*` is any characters, `?` is one."""
    parts = (
        ".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern)
    )
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def allows(statements: list[dict[str, Any]], action: str, resource: str, via: str | None = None) -> bool:
    """True if a statement allows the action on the resource; `via` is the service through which a key is used.

    The tests of infra/ check the other conditions.
    """
    return any(
        statement["Effect"] == "Allow"
        and statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService") == via
        and any(matches(allowed.lower(), action.lower()) for allowed in statement["Action"])
        and any(matches(allowed, resource) for allowed in statement["Resource"])
        for statement in statements
    )
