"""Terraform on `infra/`, with its state in S3."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from deploy.database import SetUp
from deploy.errors import DeployError
from deploy.programs import output, run
from deploy.settings import Settings
from deploy.sources import describe, read_secrets, terraform_text
from extract.declarations import Source

FOLDER = Path(__file__).parents[1] / "infra"
REPOSITORY = "aws_ecr_repository.this"  # must exist before an image can be pushed
LOCK = ".terraform.lock.hcl"
PLATFORMS = ("linux_amd64", "linux_arm64", "darwin_arm64")  # of people and CI


@dataclass(frozen=True)
class Release:
    """What is deployed: the image of a commit, for the sources that the commit declares."""

    image_tag: str
    sources: Sequence[Source]


@dataclass(frozen=True)
class Plan:
    """A plan: the file that Terraform applies, and what it would change, as Terraform describes it in JSON."""

    content: bytes
    described: dict[str, Any]


@dataclass(frozen=True)
class Outputs:
    """The outputs of `infra/` that the commands need."""

    state_machine_arn: str
    log_group: str
    docs_url: str
    workgroup: str
    database: str
    database_set_up: dict[str, str]

    @property
    def set_up(self) -> SetUp:
        """The set-up of the database."""
        return SetUp(**self.database_set_up, workgroup=self.workgroup, database=self.database)


def is_locked() -> bool:
    """Returns True if the version and the checksums of the provider are recorded."""
    return (FOLDER / LOCK).exists()


def lock() -> None:
    """Records the version of the provider, and its checksums for all platforms; prints nothing unless it fails."""
    output("terraform", f"-chdir={FOLDER}", "providers", "lock", *(f"-platform={name}" for name in PLATFORMS))


def init(settings: Settings) -> None:
    """Initialises the folder, its providers and its state; prints nothing unless it fails.

    The lock file is committed, and only `lock` writes it: everybody deploys with the same provider.
    """
    backend = {
        "bucket": settings.state_bucket,
        "key": settings.state_key,
        "region": settings.region,
        "encrypt": "true",
        "use_lockfile": "true",
    }
    options = [f"-backend-config={name}={value}" for name, value in backend.items()]
    output("terraform", f"-chdir={FOLDER}", "init", "-input=false", "-reconfigure", "-lockfile=readonly", *options)


def plan(settings: Settings, release: Release) -> Plan:
    """Shows what an apply would change; returns the plan."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "release.tfplan"
        change("plan", settings, release, f"-out={file}")
        described: dict[str, Any] = json.loads(output("terraform", f"-chdir={FOLDER}", "show", "-json", str(file)))
        return Plan(file.read_bytes(), described)


def apply_plan(content: bytes, release: Release) -> None:
    """Applies a plan as it is, without asking.

    Raises:
        DeployError: it failed, or Terraform refused the plan, because the state has changed since.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "release.tfplan"
        file.write_bytes(content)
        # The secrets are in no plan: Terraform wants them again.
        run("terraform", f"-chdir={FOLDER}", "apply", "-input=false", str(file), environment=secrets_of(release))


def apply(settings: Settings, release: Release, *, target: str | None = None, approve: bool = False) -> None:
    """Shows the changes, asks for approval unless `approve` is set, and applies them.

    `target` limits the changes to one resource and what it depends on.
    """
    options = [f"-target={target}"] if target else []
    change("apply", settings, release, *options, *(["-auto-approve"] if approve else []))


def destroy(settings: Settings, release: Release) -> None:
    """Shows what would be removed, asks for approval, and removes it, with the data."""
    with unprotected():
        change("destroy", settings, release)


@contextmanager
def unprotected() -> Iterator[None]:
    """Removes the protection of the data as long as the block runs."""
    override = FOLDER / "unprotected_override.tf"
    shutil.copy(FOLDER / "unprotected" / "override.tf", override)
    try:
        yield
    finally:
        override.unlink()


def change(command: str, settings: Settings, release: Release, *options: str) -> None:
    """Runs a command with the variables that no file has, and the values of this deployment alone."""
    known = read_outputs()
    deployed = {name: known[name] for name in ("name", "database") if name in known}
    variables = {
        "name": settings.name,
        "region": settings.region,
        "image_tag": release.image_tag,
        "state_bucket": settings.state_bucket,
        "sources": terraform_text(describe(release.sources)),
        "deployed": terraform_text(deployed) if len(deployed) == 2 else "null",
    }
    own = [f"-var-file={file}"] if (file := values_file(settings)).exists() else []
    arguments = [*own, *(f"-var={name}={value}" for name, value in variables.items())]
    run("terraform", f"-chdir={FOLDER}", command, *arguments, *options, environment=secrets_of(release))


def values_file(settings: Settings) -> Path:
    """Returns the file with the values of one deployment, which override those of all in infra/terraform.tfvars."""
    return FOLDER / "deployments" / f"{settings.name}.tfvars"


def secrets_of(release: Release) -> dict[str, str]:
    """Returns the environment with the secrets of the sources, which never are on a command line."""
    return {"TF_VAR_source_secrets": terraform_text(read_secrets(release.sources, os.environ))}


def read_outputs() -> dict[str, Any]:
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
