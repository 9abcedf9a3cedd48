"""Terraform on `infra/`, with its state in S3."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from deploy.errors import DeployError
from deploy.programs import output, run
from deploy.settings import Settings
from deploy.sources import describe, read_secrets, terraform_text
from extract.declarations import Source

FOLDER = Path(__file__).parents[1] / "infra"
REPOSITORY = "aws_ecr_repository.this"  # must exist before an image can be pushed


@dataclass(frozen=True)
class Release:
    """What is deployed: the image of a commit, for the sources that the commit declares."""

    image_tag: str
    sources: Sequence[Source]


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


def plan(settings: Settings, release: Release) -> None:
    """Shows what an apply would change."""
    change("plan", settings, release)


def apply(settings: Settings, release: Release, *, target: str | None = None, approve: bool = False) -> None:
    """Shows the changes, asks for approval unless `approve` is set, and applies them.

    `target` limits the changes to one resource and what it depends on.
    """
    options = [f"-target={target}"] if target else []
    change("apply", settings, release, *options, *(["-auto-approve"] if approve else []))


def destroy(settings: Settings, release: Release) -> None:
    """Shows what would be removed, asks for approval, and removes it."""
    change("destroy", settings, release)


def change(command: str, settings: Settings, release: Release, *options: str) -> None:
    """Runs a command with the variables that are not in infra/terraform.tfvars."""
    variables = {
        "image_tag": release.image_tag,
        "state_bucket": settings.state_bucket,
        "sources": terraform_text(describe(release.sources)),
    }
    secrets = {"TF_VAR_source_secrets": terraform_text(read_secrets(release.sources, os.environ))}
    arguments = [f"-var={name}={value}" for name, value in variables.items()]
    run("terraform", f"-chdir={FOLDER}", command, *arguments, *options, environment=secrets)


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
