"""AWS's Signature Version 4: keys for clients, and whether a request is signed with a key.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,]+)/\d{8}/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<headers>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class AccessKey:
    """An access key of AWS's form."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def random(cls) -> Self:
        """Returns a key that nobody can guess."""
        return cls(secrets.token_hex(10).upper(), secrets.token_urlsafe(30))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Returns the key that AWS's clients would sign with, an empty one if there is none."""
        return cls(environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", ""))

    def settings(self) -> dict[str, str]:
        """Returns the environment with which AWS's clients sign with this key."""
        return {"AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret}

    def has_signed(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bool:
        """Returns whether a request to S3, or to a service whose path is always `/`, is signed with this key.

        `target` is the path with the query, as it was sent. `body` is needed if its hash is not one of the headers.
        The time of the signature is not checked: a key is as old as the server that knows it.
        """
        given = {name.lower(): value for name, value in headers.items()}
        found = _AUTHORIZATION.fullmatch(given.get("authorization", ""))
        if not found or found["key"] != self.id or "x-amz-date" not in given:
            return False
        signed = {name: given.get(name, "") for name in found["headers"].split(";")}
        request = AWSRequest(method, f"http://{given.get('host', '')}{target}", signed, body)
        request.context["timestamp"] = given["x-amz-date"]
        # S3's signature takes the path as it was sent; other services normalize it, which changes no path `/`.
        signer = S3SigV4Auth(Credentials(self.id, self.secret), found["service"], found["region"])
        expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        return hmac.compare_digest(expected, found["signature"])


UNSIGNED = "the request is not signed with the keys of this start: take the settings from where the stand-in runs"
"""What a server says of a request that is not signed, or with other keys."""
