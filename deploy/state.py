"""The bucket of Terraform's state: what has to be there before Terraform can make anything."""

from typing import Any

import boto3
from botocore.exceptions import ClientError

from deploy.errors import DeployError
from deploy.settings import Settings


def exists(settings: Settings) -> bool:
    """Returns whether the bucket is there.

    Raises:
        DeployError: if it belongs to somebody else, is in another region, or may not be looked at.
    """
    try:
        client(settings).head_bucket(Bucket=settings.state_bucket)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "404":
            return False
        raise DeployError(
            f"STATE_BUCKET {settings.state_bucket}: expected a bucket of this account in {settings.region}, or a "
            f"free name, got {code} from AWS: it is another account's, in another region, or not to be listed by "
            "this identity"
        ) from error
    return True


def make(settings: Settings) -> None:
    """Makes the bucket: versioned, encrypted, closed to the public."""
    s3, bucket = client(settings), settings.state_bucket
    # us-east-1 is the one region that S3 wants unsaid
    place = {"LocationConstraint": settings.region} if settings.region != "us-east-1" else {}
    s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))
    by_kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [by_kms]})


def client(settings: Settings) -> Any:
    """Returns the client of S3 in the deployment's region."""
    return boto3.client("s3", region_name=settings.region)
