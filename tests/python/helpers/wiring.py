"""How the resources of infra/ are connected: which value of which resource comes from which other resource.

The connections are read from what Terraform's tests create, so they contain what locals, templates and JSON
documents made of a reference. Each is one line of `infra/tests/wiring.txt`, which a person has read; a test compares
the two. `python -m tests.python.helpers.wiring` writes the file again after a change: read its difference before you
commit it.
"""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.python.helpers import ROOT
from tests.python.helpers.rendered_infra import copy, terraform

FILE = ROOT / "infra" / "tests" / "wiring.txt"

# All resources exist in one of the two runs.
RUNS = """
mock_provider "aws" {
  source = "./tests"
}

run "nat" {
  command = apply
}

run "endpoints" {
  command = apply

  variables {
    egress       = "endpoints"
    reader_cidrs = ["10.20.0.0/16"]
    routes       = { "10.20.0.0/16" = { transit_gateway_id = "tgw-0123456789abcdef0" } }
  }
}
"""

# The attributes that name a resource; a short name may mean anything.
NAMES = ("arn", "id", "key_id", "repository_url", "namespace_id", "admin_password_secret_arn")
NAMED = ("aws_cloudwatch_log_group", "aws_sqs_queue")  # other resources refer to these by their name
UNNAMED = ("aws_sns_topic_policy",)  # its ARN is that of its topic
SHORTEST = 8
LONGEST = 200

# Values that say who may reach what, whether they name a resource or not
PLAIN = re.compile(
    r"(cidr_ipv4|from_port|to_port|ip_protocol|destination_cidr_block|map_public_ip_on_launch|availability_zone"
    r"|publicly_accessible|enhanced_vpc_routing|private_dns_enabled|vpc_endpoint_type|service_name|workgroup_name"
    r"|namespace_name|group_name|repository|protocol|family|dimensions\.\w+|AssignPublicIp|awslogs-group"
    r"|environment\.(REDSHIFT|LANDING|ARTIFACTS)_\w+\.value)$"
)
# Documents of which every value counts: policies and the inputs of schedules
WHOLE = re.compile(r"(policy|target\.input)$")


def read_states(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the resources that each run creates; `folder` is an initialised copy of infra/."""
    (folder / "tests" / "wiring.tftest.hcl").write_text(RUNS)
    done = terraform(folder, "test", "-filter=tests/wiring.tftest.hcl", "-json", "-verbose")
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    states = [message for message in messages if message["type"] == "test_state"]
    assert len(states) == 2, done.stdout[-4000:] + done.stderr
    return {state["@testrun"]: state["test_state"]["root_module"]["resources"] for state in states}


def read_wiring(folder: Path) -> list[str]:
    """Returns the connections, a line each; those of the second run only if the first does not have them."""
    nat, endpoints = (connections(resources) for resources in read_states(folder).values())
    return sorted(nat | endpoints | set(read_dependencies(folder)))


def connections(resources: list[dict[str, Any]], *, everything: bool = False) -> set[str]:
    """Returns the connections of the resources of one run; with `everything`, all other values too."""
    found = set()
    names = name_resources(resources)
    for resource in resources:
        if resource.get("mode") == "data":
            continue
        own = {name for name, owner in names.items() if owner.startswith(f"{resource['address']}.")}
        for path, value in flatten(resource["values"]):
            if value in own or value in (None, "", []) or re.search(r"\.(Sid|Version)$", path):
                continue
            text = replace_names(str(value), names)
            whole = any(WHOLE.search(part) for part in path.split("!")[:-1])
            if not (everything or whole or text != str(value) or PLAIN.search(path)):
                continue
            if not everything and len(text) > LONGEST:
                text = f"… {' … '.join(re.findall(r'<aws_[^>]+>', text))} …"
            found.add(f"{resource['address']} {shorten(path)} = {text}")
    return found


def name_resources(resources: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Returns the address and attribute by each value that names one resource only, the longest first."""
    owners: dict[str, dict[str, str]] = {}
    for resource in resources:
        if resource.get("mode") == "data" or resource["type"] in UNNAMED:
            continue
        for attribute in (*NAMES, "name") if resource["type"] in NAMED else NAMES:
            value = resource["values"].get(attribute)
            if isinstance(value, str) and len(value) >= SHORTEST:
                owners.setdefault(value, {}).setdefault(resource["address"], attribute)
    unique = {value: next(iter(of.items())) for value, of in owners.items() if len(of) == 1}
    return {value: ".".join(unique[value]) for value in sorted(unique, key=len, reverse=True)}


def replace_names(text: str, names: dict[str, str]) -> str:
    """Returns a text in which the names of resources are replaced by their addresses."""
    if not names:
        return text
    pattern = "|".join(re.escape(name) for name in names)
    return re.sub(pattern, lambda match: f"<{names[match[0]]}>", text)


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every value with its path; a `!` follows the attribute that contains a JSON document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            label = inner.get("Sid") or inner.get("name") if isinstance(inner, dict) else None
            yield from flatten(inner, f"{path}.{label}" if label else path)
    elif isinstance(value, str) and value[:1] in ("{", "[") and (document := parse(value)) is not None:
        yield from flatten(document, f"{path}!")
    else:
        yield path, value


def parse(text: str) -> Any:
    """Returns a JSON document, or None if the text is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def shorten(path: str) -> str:
    """Returns a path; in the state machine the last two keys, because many states have the same values."""
    if path.startswith("definition!"):
        return "definition! … " + ".".join(path.split(".")[-2:])
    return path


def read_dependencies(folder: Path) -> Iterator[str]:
    """Yields the `depends_on` of each resource, which what is created does not show."""
    for file in sorted(folder.glob("*.tf")):
        for block in re.findall(r'^resource "\w+" "\w+" \{.*?^\}', file.read_text(), re.MULTILINE | re.DOTALL):
            kind, name = re.findall(r'"(\w+)"', block)[:2]
            for on in re.findall(r"^  depends_on = \[(.*?)\]", block, re.MULTILINE | re.DOTALL):
                yield f"{kind}.{name} depends_on = {' '.join(on.split())}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        FILE.write_text("\n".join(read_wiring(copy(Path(place) / "infra"))) + "\n")
