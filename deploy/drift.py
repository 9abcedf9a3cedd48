"""What was changed in AWS, and not by Terraform."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Drift:
    """The resources that a deployment would set back, and those that it would change for another reason."""

    changed: tuple[str, ...]
    waiting: tuple[str, ...]


def read(plan: Mapping[str, Any]) -> Drift:
    """Returns the drift in a plan of the deployed release, which `terraform show -json` printed.

    Much of what AWS changes by itself is in no configuration. A resource counts only if Terraform would change it.
    """
    planned = {
        change["address"]: change["change"]["actions"]
        for change in plan.get("resource_changes", [])
        if change["change"]["actions"] not in (["no-op"], ["read"])
    }
    drifted = {
        change["address"]: "deleted" if change["change"]["actions"] == ["delete"] else "changed"
        for change in plan.get("resource_drift", [])
        if change["address"] in planned
    }
    return Drift(
        tuple(f"{address}: {what}" for address, what in sorted(drifted.items())),
        tuple(f"{address}: {' and '.join(planned[address])}" for address in sorted(planned.keys() - drifted.keys())),
    )
