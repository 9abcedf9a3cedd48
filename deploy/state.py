"""The bucket of Terraform's state, which must exist before Terraform runs."""

from typing import Any

import boto3
from botocore.exceptions import ClientError

from deploy.errors import DeployError
from deploy.settings import Settings


def exists(settings: Settings) -> bool:
    """Returns True if the bucket exists.

    Raises:
        DeployError: it belongs to another account, is in another region, or access is denied.
    """
    try:
        client(settings).head_bucket(Bucket=settings.state_bucket)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "404":
            return False
        raise DeployError(
            f"STATE_BUCKET {settings.state_bucket}: expected a bucket of this account in {settings.region}, or an "
            f"unused name, got {code} from AWS: the bucket belongs to another account, is in another region, or this "
            "identity may not list it"
        ) from error
    return True


def create(settings: Settings) -> None:
    """Creates the bucket: versioned, encrypted, without public access."""
    s3, bucket = client(settings), settings.state_bucket
    # us-east-1 is the one region that S3 does not accept here
    place = {"LocationConstraint": settings.region} if settings.region != "us-east-1" else {}
    s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))
    by_kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [by_kms]})


def read(settings: Settings, name: str) -> str | None:
    """Returns a text that `write` stored beside the state, or None."""
    s3 = client(settings)
    try:
        body = s3.get_object(Bucket=settings.state_bucket, Key=f"{settings.name}/{name}")["Body"]
    except s3.exceptions.NoSuchKey:
        return None
    return str(body.read().decode())


def write(settings: Settings, name: str, text: str) -> None:
    """Stores a text beside the state."""
    client(settings).put_object(Bucket=settings.state_bucket, Key=f"{settings.name}/{name}", Body=text.encode())


def client(settings: Settings) -> Any:
    """Returns an S3 client for the deployment's region."""
    return boto3.client("s3", region_name=settings.region)
