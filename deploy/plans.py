"""Saved plans, beside the state: what a person has approved is what is applied."""

import hashlib

from botocore.exceptions import ClientError

from deploy import state
from deploy.errors import DeployError
from deploy.settings import Settings


def save(settings: Settings, commit: str, content: bytes) -> str:
    """Stores the plan of a commit; returns its digest."""
    digest = hashlib.sha256(content).hexdigest()
    state.client(settings).put_object(Bucket=settings.state_bucket, Key=key(settings, commit, digest), Body=content)
    return digest


def load(settings: Settings, commit: str, digest: str) -> bytes:
    """Returns the plan of a commit with this digest.

    Raises:
        DeployError: there is no such plan, or its content has another digest.
    """
    name = key(settings, commit, digest)
    try:
        content = bytes(state.client(settings).get_object(Bucket=settings.state_bucket, Key=name)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        raise DeployError(
            f"no plan of commit {commit} with digest {digest} in s3://{settings.state_bucket}/{name}: expected the "
            "plan that make plan SAVE=1 saved on this commit"
        ) from error
    if (found := hashlib.sha256(content).hexdigest()) != digest:
        raise DeployError(f"s3://{settings.state_bucket}/{name}: expected digest {digest}, got {found}; plan again")
    return content


def key(settings: Settings, commit: str, digest: str) -> str:
    """Returns where a plan is stored; the role that plans may write below `<name>/plans/` only."""
    return f"{settings.name}/plans/{commit}-{digest}"
