"""The pipeline's state machine as Terraform renders it, with the names of the sandbox."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "infra" / "state_machine.asl.json"

REGION = "us-east-1"
ACCOUNT = "123456789012"
LOADER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/loader:1"
TRANSFORMER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/transformer:1"
CONTAINER = "pipeline"
LOG_GROUP = "/ecs/pipeline"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:pipeline"
VALUES: Mapping[str, object] = {
    "cluster_arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/sandbox",
    "loader_task_definition_arn": LOADER,
    "transformer_task_definition_arn": TRANSFORMER,
    "container_name": CONTAINER,
    "subnets": ["subnet-0a", "subnet-0b"],
    "security_groups": ["sg-0a"],
    "name": "sandbox",
    "topic_arn": TOPIC,
    "log_group": LOG_GROUP,
    "fan_out_tasks": 2,
    "region": REGION,
}


def definition(sources: Iterable[str]) -> str:
    """Returns the state machine of these sources in Amazon States Language, with the sandbox's values."""
    return render(TEMPLATE.read_text(), {**VALUES, "sources": sorted(sources)})


def render(template: str, values: Mapping[str, object]) -> str:
    """Renders a template with `${name}` and `${jsonencode(name)}` as Terraform's `templatefile` does.

    Raises:
        ValueError: the template contains another form of interpolation, a directive, or a name without a value.
    """

    def value(match: re.Match[str]) -> str:
        name = match["plain"] or match["encoded"]
        if name not in values:
            raise ValueError(f"state machine template: no value for {match[0]}, expected one of {', '.join(values)}")
        return json.dumps(values[name], separators=(",", ":")) if match["encoded"] else str(values[name])

    forms = r"(?<!\$)\$\{(?:(?P<plain>\w+)|jsonencode\((?P<encoded>\w+)\))\}"
    if other := re.search(r"[$%]\{.{0,40}", re.sub(forms, "", template)):
        raise ValueError(f"state machine template: expected ${{name}} or ${{jsonencode(name)}}, got {other[0]}")
    return re.sub(forms, value, template)
