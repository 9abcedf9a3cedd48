"""Every reference between resources leads where it should: pointed elsewhere, it is found."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.python.helpers import ROOT
from tests.python.helpers.rendered_infra import copy, replace_in
from tests.python.helpers.wiring import FILE, connections, read_dependencies, read_states, read_wiring

# A reference to an attribute of a resource: one, one of several, or all of them
ONE = r"(?<![.\w])aws_\w+\.\w+(?:\[[^\]*]+\])?(?:\.\w+(?:\[\d+\])?)+"
ALL = r"(?<![.\w])aws_\w+\.\w+\[\*\]\.\w+"
# What creates nothing: texts, and the address of the docs, which is an output that infra/tests/run.tftest.hcl asserts
IGNORED = re.compile(r"^\s*#|error_message|condition  |depends_on|description|^    docs  ")


@dataclass(frozen=True)
class Mistake:
    """A reference that points elsewhere: its file and line, and what it points to."""

    place: str
    elsewhere: str


@dataclass(frozen=True)
class Other:
    """A mistake that is no reference: a text in a file, its wrong replacement, and the line that it changes."""

    file: str
    right: str
    wrong: str
    line: str


OTHERS = (
    Other("state_machine.asl.json", '"AssignPublicIp": "DISABLED"', '"AssignPublicIp": "ENABLED"',
          "AssignPublicIp = DISABLED"),
    Other("monitoring.tf", 'Principal = { Service = "cloudwatch.amazonaws.com" }', 'Principal = { AWS = "*" }',
          "aws_sns_topic_policy.alerts policy!.Statement.Alarms.Principal.Service = cloudwatch.amazonaws.com"),
    Other("monitoring.tf", 'Condition = { StringEquals = { "aws:SourceAccount" = local.account } }', "",
          "aws_sns_topic_policy.alerts policy!.Statement.Alarms.Condition.StringEquals.aws:SourceAccount = 123"),
    Other("iam.tf", 'condition = { ArnLike = { "aws:SourceArn" = "${local.arn_prefix.ecs}:*" } }', "condition = {}",
          'aws_iam_role.this["loader"] assume_role_policy!.Statement.Condition.ArnLike.aws:SourceArn = '
          "arn:aws:ecs:sa-east-1:123456789012:*"),
    Other("deploy_role.tf", 'Resource = ["${local.state_bucket_arn}/${var.name}/*"]',
          'Resource = ["${local.state_bucket_arn}/*"]',
          'aws_iam_role_policy.deploy["release"] policy!.Statement.State.Resource = '
          "arn:aws:s3:::empresa-terraform/vendas/*"),
    Other("deploy_role.tf", ":environment:${environment}", ":*",
          "sub = repo:empresa@12345/plataforma-vendas@67890:environment:production"),
    Other("deploy_role.tf", "/${var.name}/plans/*", "/${var.name}/*",
          'aws_iam_role_policy.plan["plan"] policy!.Statement.SavePlan.Resource = '
          "arn:aws:s3:::empresa-terraform/vendas/plans/*"),
    Other("network.tf", '  from_port                    = 443', '  from_port                    = 5439',
          "aws_vpc_security_group_ingress_rule.endpoint_task[0] from_port = 443"),
    Other("network.tf", "private_dns_enabled = true", "private_dns_enabled = false",
          'aws_vpc_endpoint.interface["logs"] private_dns_enabled = True'),
    Other("network.tf", 'service_name      = "com.amazonaws.${var.region}.s3"',
          'service_name      = "com.amazonaws.${var.region}.dynamodb"',
          "aws_vpc_endpoint.s3[0] service_name = com.amazonaws.sa-east-1.s3"),
    Other("redshift.tf", "publicly_accessible  = false", "publicly_accessible  = true",
          "aws_redshiftserverless_workgroup.this publicly_accessible = False"),
    Other("redshift.tf", "enhanced_vpc_routing = true", "enhanced_vpc_routing = false",
          "aws_redshiftserverless_workgroup.this enhanced_vpc_routing = True"),
    Other("storage.tf", 'Effect    = "Deny"', 'Effect    = "Allow"',
          'aws_s3_bucket_policy.this["landing"] policy!.Statement.TlsOnly.Effect = Deny'),
)  # fmt: skip


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised copy of infra/."""
    return copy(tmp_path_factory.mktemp("wiring") / "infra")


@pytest.mark.slow
def test_the_connections_are_those_that_a_person_has_read(pristine: Path) -> None:
    expected, found = FILE.read_text().splitlines(), read_wiring(pristine)
    differences = [f"- {line}" for line in expected if line not in found]
    differences += [f"+ {line}" for line in found if line not in expected]
    assert differences == [], "if this is right: python -m tests.python.helpers.wiring, and read what has changed"


@pytest.mark.slow
def test_each_reference_that_points_elsewhere_is_found(pristine: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pristine, tmp_path / "infra")
    seed_others(folder)
    mistakes = seed(folder)
    expected = dict.fromkeys(line.split(" = ")[0] for line in FILE.read_text().splitlines())
    found = {line for resources in read_states(folder).values() for line in connections(resources, everything=True)}
    known = "\n".join(line for line in found if line.split(" = ")[0] in expected)
    missed = [mistake.place for mistake in mistakes if mistake.elsewhere not in known]
    missed += [other.line for other in OTHERS if other.line not in FILE.read_text() or other.line in known]
    assert missed == []
    assert len(mistakes) > 100  # infra/README.md has the number


def test_each_missing_dependency_is_found() -> None:
    expected = {line for line in FILE.read_text().splitlines() if " depends_on = " in line}
    assert set(read_dependencies(ROOT / "infra")) == expected


def seed_others(folder: Path) -> None:
    """Makes the mistakes that are no references."""
    for other in OTHERS:
        replace_in(folder / other.file, other.right, other.wrong)


def seed(folder: Path) -> list[Mistake]:
    """Points every reference of infra/ elsewhere, each to a place of its own."""
    mistakes: list[Mistake] = []
    for file in sorted(folder.glob("*.tf")):
        if file.name in ("outputs.tf", "unprotected_override.tf"):
            continue
        lines = file.read_text().split("\n")
        for number, line in enumerate(lines):
            if IGNORED.search(line):
                continue

            def point(match: re.Match[str], place: str = f"{file.name}:{number + 1} {line.strip()}") -> str:
                elsewhere = f"elsewhere-{len(mistakes):03}"
                mistakes.append(Mistake(place, elsewhere))
                if "[*]" in match[0]:
                    return "[" + ", ".join(f'"{elsewhere}-{which}"' for which in range(3)) + "]"
                return f'"{elsewhere}"'

            lines[number] = re.sub(f"{ALL}|{ONE}", point, line)
        file.write_text("\n".join(lines))
    return mistakes
