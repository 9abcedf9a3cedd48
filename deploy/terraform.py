"""Terraform on `infra/`, with its state in S3."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from deploy.errors import DeployError
from deploy.programs import output, run
from deploy.settings import Settings

FOLDER = Path(__file__).parents[1] / "infra"
REPOSITORY = "aws_ecr_repository.this"  # must exist before an image can be pushed


@dataclass(frozen=True)
class Outputs:
    """The outputs of `infra/` that the commands need."""

    state_machine_arn: str
    log_group: str
    docs_url: str


def init(settings: Settings) -> None:
    """Initialises the folder, its providers and its state; prints nothing unless it fails."""
    backend = {
        "bucket": settings.state_bucket,
        "key": settings.state_key,
        "region": settings.region,
        "encrypt": "true",
        "use_lockfile": "true",
    }
    options = [f"-backend-config={name}={value}" for name, value in backend.items()]
    output("terraform", f"-chdir={FOLDER}", "init", "-input=false", "-reconfigure", *options)


def plan(settings: Settings, tag: str) -> None:
    """Shows what an apply would change."""
    change("plan", settings, tag)


def apply(settings: Settings, tag: str, *, target: str | None = None, approve: bool = False) -> None:
    """Shows the changes, asks for approval unless `approve` is set, and applies them.

    `target` limits the changes to one resource and what it depends on.
    """
    options = [f"-target={target}"] if target else []
    change("apply", settings, tag, *options, *(["-auto-approve"] if approve else []))


def destroy(settings: Settings, tag: str) -> None:
    """Shows what would be removed, asks for approval, and removes it."""
    change("destroy", settings, tag)


def change(command: str, settings: Settings, tag: str, *options: str) -> None:
    """Runs a command with the variables that are not in infra/terraform.tfvars."""
    variables = [f"-var=image_tag={tag}", f"-var=state_bucket={settings.state_bucket}"]
    run("terraform", f"-chdir={FOLDER}", command, *variables, *options)


def read_outputs() -> dict[str, str]:
    """Returns the outputs by name; empty if nothing is deployed."""
    outputs = json.loads(output("terraform", f"-chdir={FOLDER}", "output", "-json"))
    return {name: outputs[name]["value"] for name in outputs}


def repository_url() -> str | None:
    """Returns the URL of the image repository, or None if it does not exist."""
    return read_outputs().get("ecr_repository_url")


def outputs() -> Outputs:
    """Returns the outputs of a complete deployment.

    Raises:
        DeployError: nothing is deployed, or only a part of it.
    """
    known = read_outputs()
    names = [field.name for field in fields(Outputs)]
    if missing := [name for name in names if name not in known]:
        raise DeployError(
            f"infra: output {', '.join(missing)} is missing: the deployment is incomplete; run make deploy"
        )
    return Outputs(**{name: known[name] for name in names})
