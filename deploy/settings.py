"""What has to be known before Terraform runs: which deployment, where, and where its state is kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.errors import DeployError

EXPECTED = {
    "TF_VAR_name": (r"[a-z][a-z0-9-]{1,18}[a-z0-9]", "the prefix of every name, such as vendas"),
    "TF_VAR_region": (r"[a-z]{2}(-[a-z]+)+-\d", "an AWS region, such as sa-east-1"),
    "STATE_BUCKET": (
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "the S3 bucket for Terraform's state, a name that nobody else in the world has",
    ),
}


@dataclass(frozen=True)
class Settings:
    """One deployment: the prefix of its names, its region, and the bucket of its state."""

    name: str
    region: str
    state_bucket: str

    @property
    def state_key(self) -> str:
        """Where in the bucket the state is; CI's role may write below `<name>/` only."""
        return f"{self.name}/terraform.tfstate"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Returns the settings.

    Raises:
        DeployError: naming every setting that is missing or wrong.
    """
    problems = []
    for name, (pattern, expected) in EXPECTED.items():
        value = environment.get(name, "")
        if not value:
            problems.append(f"{name} is not set: expected {expected}")
        elif not re.fullmatch(pattern, value):
            problems.append(f"{name}: expected {expected}, got {value!r}")
    if problems:
        raise DeployError("\n  ".join(["settings to mend (see .env.example and docs/aws.md):", *problems]))
    return Settings(environment["TF_VAR_name"], environment["TF_VAR_region"], environment["STATE_BUCKET"])
