"""The image: tagged with the commit that it is built from, pushed once."""

import base64
import os
from pathlib import Path

import boto3

from deploy.errors import DeployError
from deploy.programs import output, run

ROOT = Path(__file__).parents[1]
PLATFORM = "DOCKER_DEFAULT_PLATFORM"  # docker's own variable; linux/arm64 if task_architecture is ARM64


def commit() -> str:
    """Returns the hash of the commit that is checked out."""
    return output("git", "-C", str(ROOT), "rev-parse", "HEAD").strip()


def refuse_uncommitted() -> None:
    """Checks that the image can be built from the commit alone.

    Raises:
        DeployError: some files are not committed; the text names them.
    """
    changed = output("git", "-C", str(ROOT), "status", "--porcelain").splitlines()
    if changed:
        shown = [*changed[:10], *(["…"] if len(changed) > 10 else [])]
        raise DeployError(
            "\n  ".join(
                [
                    "the image is tagged with its commit; commit or remove these files first:",
                    *shown,
                ]
            )
        )


def push(repository: str, region: str, tag: str) -> bool:
    """Builds and pushes the image of the commit unless the repository has it; returns True if it was pushed.

    `repository` is its URL: `<account>.dkr.ecr.<region>.amazonaws.com/<name>`.
    """
    registry, name = repository.split("/", 1)
    ecr = boto3.client("ecr", region_name=region)
    try:
        ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
        return False
    except ecr.exceptions.ImageNotFoundException:
        pass
    image = f"{repository}:{tag}"
    platform = {PLATFORM: os.environ.get(PLATFORM, "linux/amd64")}
    run("docker", "build", "--tag", image, str(ROOT), environment=platform)
    (login,) = ecr.get_authorization_token()["authorizationData"]
    user, password = base64.b64decode(login["authorizationToken"]).decode().split(":", 1)
    run("docker", "login", "--username", user, "--password-stdin", registry, text=password)
    run("docker", "push", image)
    return True
