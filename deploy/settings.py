"""The settings that are needed before Terraform runs: the name, the region, and the bucket of the state."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.errors import DeployError

# The same patterns as in infra/variables.tf; a test compares them.
EXPECTED = {
    "TF_VAR_name": (r"[a-z][a-z0-9-]{1,18}[a-z0-9]", "the prefix of every name, such as vendas"),
    "TF_VAR_region": (r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}", "an AWS region, such as sa-east-1"),
    "STATE_BUCKET": (
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "the S3 bucket for Terraform's state, whose name must be unique in all of AWS",
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
        """The key of the state in the bucket; CI's role may write below `<name>/` only."""
        return f"{self.name}/terraform.tfstate"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Returns the settings.

    Raises:
        DeployError: settings are missing or invalid; the text names all of them.
    """
    problems = []
    for name, (pattern, expected) in EXPECTED.items():
        value = environment.get(name, "")
        if not value:
            problems.append(f"{name} is not set: expected {expected}")
        elif not re.fullmatch(pattern, value):
            problems.append(f"{name}: expected {expected}, got {value!r}")
    if problems:
        raise DeployError("\n  ".join(["settings to fix (see .env.example and docs/guide/aws.md):", *problems]))
    return Settings(environment["TF_VAR_name"], environment["TF_VAR_region"], environment["STATE_BUCKET"])
