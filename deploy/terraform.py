"""Terraform on `infra/`, with its state in S3."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from deploy.errors import DeployError
from deploy.programs import output, run
from deploy.settings import Settings

FOLDER = Path(__file__).parents[1] / "infra"
REPOSITORY = "aws_ecr_repository.this"  # what has to be there before an image can be pushed


@dataclass(frozen=True)
class Outputs:
    """What Terraform says of the deployment to those who work with it."""

    region: str
    state_machine_arn: str
    log_group: str
    docs_url: str


def init(settings: Settings) -> None:
    """Readies the folder, its providers and its state; says nothing unless it fails."""
    backend = {
        "bucket": settings.state_bucket,
        "key": settings.state_key,
        "region": settings.region,
        "encrypt": "true",
        "use_lockfile": "true",
    }
    options = [f"-backend-config={name}={value}" for name, value in backend.items()]
    output("terraform", f"-chdir={FOLDER}", "init", "-input=false", "-reconfigure", *options)


def plan(tag: str) -> None:
    """Shows what an apply would change."""
    terraform("plan", f"-var=image_tag={tag}")


def apply(tag: str, *, target: str | None = None, approve: bool = False) -> None:
    """Shows what changes and, once that is approved, changes it; `target` limits it to one resource and its own."""
    options = [f"-target={target}"] if target else []
    terraform("apply", f"-var=image_tag={tag}", *options, *(["-auto-approve"] if approve else []))


def destroy(tag: str) -> None:
    """Shows what would go and, once that is approved, removes it."""
    terraform("destroy", f"-var=image_tag={tag}")


def terraform(command: str, *options: str) -> None:
    """Runs one command on the folder."""
    run("terraform", f"-chdir={FOLDER}", command, *options)


def known_outputs() -> dict[str, str]:
    """Returns the outputs by name, as far as anything is deployed."""
    known = json.loads(output("terraform", f"-chdir={FOLDER}", "output", "-json"))
    return {name: known[name]["value"] for name in known}


def repository_url() -> str | None:
    """Returns where the image goes, or None as long as there is no such repository."""
    return known_outputs().get("ecr_repository_url")


def outputs() -> Outputs:
    """Returns what was deployed.

    Raises:
        DeployError: if that is nothing, or not all of it.
    """
    known = known_outputs()
    names = [field.name for field in fields(Outputs)]
    if missing := [name for name in names if name not in known]:
        raise DeployError(f"infra: no output {', '.join(missing)}: not deployed as a whole; run make deploy")
    return Outputs(**{name: known[name] for name in names})
