"""The image: tagged with the commit that it is built from, pushed once."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import boto3
from botocore.exceptions import ClientError, WaiterError

from deploy.errors import DeployError
from deploy.programs import output, run

ROOT = Path(__file__).parents[1]
PLATFORM = "DOCKER_DEFAULT_PLATFORM"  # docker's own variable; linux/arm64 if task_architecture is ARM64
# AWS's names, the worst first; and how long its scan may take: two minutes
LEVELS = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")
WORST = LEVELS[:2]
SCAN = {"Delay": 5, "MaxAttempts": 24}


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


def read_vulnerabilities(repository: str, region: str, tag: str) -> Iterator[str]:
    """Waits until AWS has scanned the image, and yields what it found: a line each for the worst, the rest counted.

    Nothing is refused: for much of it Debian has no fix yet, and a deployment may be the fix of something worse.
    """
    name = repository.split("/", 1)[1]
    ecr = boto3.client("ecr", region_name=region)
    found = {"repositoryName": name, "imageId": {"imageTag": tag}}
    try:
        ecr.get_waiter("image_scan_complete").wait(**found, WaiterConfig=SCAN)
        pages = list(ecr.get_paginator("describe_image_scan_findings").paginate(**found))
    except (WaiterError, ClientError) as error:
        yield f"image {tag}: not scanned for vulnerabilities: {error}"
        return
    counts = pages[0]["imageScanFindings"].get("findingSeverityCounts", {})
    shown = ", ".join(f"{counts[level]} {level.lower()}" for level in LEVELS if level in counts)
    yield f"image {tag}: vulnerabilities that AWS knows: {shown or 'none'}"
    for finding in (finding for page in pages for finding in page["imageScanFindings"].get("findings", [])):
        if finding["severity"] in WORST:
            package = {one["key"]: one["value"] for one in finding.get("attributes", [])}
            of = f"{package.get('package_name', '?')} {package.get('package_version', '')}".strip()
            yield f"  {finding['severity'].lower()}: {finding['name']} in {of}: {finding.get('uri', '')}"
