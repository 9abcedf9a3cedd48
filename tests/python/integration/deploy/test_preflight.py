"""The checks of the account before an apply, with real clients of AWS's services and moto as the account."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.ec2.models import ec2_backends

from deploy import preflight
from deploy.preflight import Planned
from tests.python.helpers.aws_answers import Answers, serve

REGION = "sa-east-1"
WORKGROUP = "aws_redshiftserverless_workgroup.this"
VARIABLES: dict[str, Any] = {
    "name": "vendas", "region": REGION, "sources": {"api": {}, "crm": {}}, "connections": {}, "routes": {},
    "existing_network": None, "zone_ids": [], "fan_out_tasks": 8, "task_cpu": 2048, "redshift_base_capacity": 8,
}  # fmt: skip
Client = Callable[[str], Any]
ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """One session, because the models of the services take a second to read."""
    return boto3.Session("test", "test", region_name=REGION)


@pytest.fixture
def answers() -> Iterator[Answers]:
    """Service Quotas and Redshift Serverless of an account that has enough of everything."""
    with serve() as answers:
        quota(answers, 4000)
        answers.answer("ListWorkgroups", {"workgroups": []})
        yield answers


@pytest.fixture
def client(answers: Answers, session: boto3.Session) -> Iterator[Client]:
    """The clients of an account."""
    with mock_aws(config={"core": {"passthrough": {"urls": [f"{answers.url}.*"]}}}):
        places = {"service-quotas": answers.url, "redshift-serverless": answers.url}
        yield lambda service: session.client(service, endpoint_url=places.get(service))


def quota(answers: Answers, value: float) -> None:
    """Sets Fargate's quota of vCPUs."""
    answers.answer("GetServiceQuota", {"Quota": {"QuotaCode": preflight.FARGATE_QUOTA, "Value": value}})


def planned(*created: str, secrets: tuple[str, ...] = (), **variables: Any) -> Planned:
    """A plan with these variables."""
    return Planned(VARIABLES | variables, created, secrets)


def problems(plan: Planned, client: Client, *secrets: str) -> list[str]:
    """The problems of an account; every check was made."""
    findings = preflight.check(plan, client, secrets)
    assert findings.unchecked == []
    return findings.problems


def network(client: Client, cidr: str, zones: str = "abc") -> dict[str, Any]:
    """Creates a VPC with a subnet in each zone; the value of existing_network."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ids = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.{cidr}", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate(zones)
    ]
    return {"vpc_id": vpc, "subnet_ids": ids}


def test_an_account_that_is_ready_has_no_problem(client: Client, answers: Answers) -> None:
    quota(answers, 16)
    plan = planned(WORKGROUP, secrets=("CRM_PASSWORD",))
    assert problems(plan, client, "CRM_PASSWORD") == []
    assert answers.called("GetServiceQuota") == [{"ServiceCode": "fargate", "QuotaCode": "L-3032A538"}]


def test_all_problems_are_reported_at_once_each_with_its_remedy(client: Client, answers: Answers) -> None:
    quota(answers, 6)
    answers.answer("ListWorkgroups", {"workgroups": [{"workgroupName": "vendas"}]})
    route = {"transit_gateway_id": "tgw-0123456789abcdef0", "vpc_peering_connection_id": None}
    plan = planned(
        WORKGROUP, secrets=("CRM_PASSWORD", "RH_KEY"), zone_ids=["sae1-az1", "sae1-az9", "sae1-az2"],
        connections={"crm": {"route": route}, "api": {"route": None}},
        routes={"10.20.0.0/16": {"transit_gateway_id": None, "vpc_peering_connection_id": "pcx-0123456789abcdef0"}},
    )  # fmt: skip
    found = problems(plan, client, "RH_KEY")
    assert [problem.split(":")[0] for problem in found] == [
        "CRM_PASSWORD",
        "Fargate On-Demand vCPU resource count",
        "Redshift workgroup vendas exists in sa-east-1 and is not in this state; set another TF_VAR_name",
        "zones",
        "tgw-0123456789abcdef0",
        "pcx-0123456789abcdef0",
    ]
    secret, fargate, _, zones, gateway, peering = found
    assert "set it in the environment or .env" in secret
    assert "expected at least 16 for 8 tasks at once, got 6" in fargate
    assert "--quota-code L-3032A538 --desired-value 16, or set a smaller fan_out_tasks or task_cpu" in fargate
    assert "needs 3, got sae1-az1, sae1-az2; this account has sae1-az1, sae1-az2, sae1-az3" in zones
    assert "its owner shares it through AWS RAM" in gateway
    assert "this account has no such peering connection" in peering


def test_more_sources_than_ranges_count_as_tasks(client: Client, answers: Answers) -> None:
    quota(answers, 8)
    many: dict[str, Any] = {f"s{number}": {} for number in range(9)}
    (problem,) = problems(planned(sources=many, task_cpu=1024), client)
    assert "expected at least 9 for 9 tasks at once, got 8" in problem


def workgroup(before: list[str], after: list[str]) -> Planned:
    """What is read of a plan that changes the workgroup's parameters from these to those."""
    keys = {"before": before, "after": after}
    parameters = {
        when: {"config_parameter": [{"parameter_key": key, "parameter_value": "x"} for key in of]}
        for when, of in keys.items()
    }
    change = {"address": WORKGROUP, "change": {"actions": ["update"], **parameters}}
    described = {name: {"value": value} for name, value in VARIABLES.items()}
    return preflight.read_plan({"variables": described, "resource_changes": [change]})


def test_a_provider_that_does_not_know_a_parameter_of_aws_is_refused(client: Client) -> None:
    (problem,) = problems(workgroup(["auto_mv", "enable_large_strings_opt_in"], ["auto_mv"]), client)
    assert "AWS has enable_large_strings_opt_in, which the recorded AWS provider does not know" in problem
    assert "delete infra/.terraform.lock.hcl, run make plan" in problem
    assert problems(workgroup(["auto_mv"], ["auto_mv", "require_ssl"]), client) == []


def test_a_workgroup_of_this_deployment_is_no_problem(client: Client, answers: Answers) -> None:
    answers.answer("ListWorkgroups", {"workgroups": [{"workgroupName": "vendas"}]})
    assert problems(planned(), client) == []


def test_the_zones_of_an_existing_network_are_those_of_its_subnets(client: Client) -> None:
    here = network(client, "0/24", zones="aab")
    elsewhere = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    found = problems(planned(existing_network=here | {"vpc_id": elsewhere}), client)
    assert [f"not in {elsewhere}; correct existing_network" in problem for problem in found] == [
        True,
        True,
        True,
        False,
    ]
    assert found[-1] == (
        "existing_network.subnet_ids: Redshift Serverless needs 3 zones, got sa-east-1a, sa-east-1b; add subnets"
    )


@pytest.mark.parametrize(("capacity", "needed"), [(4, 17), (8, 17), (16, 21), (32, 21), (40, 29), (512, 141)])
def test_a_subnet_needs_the_documented_free_addresses(client: Client, capacity: int, needed: int) -> None:
    here = network(client, "0/28")  # 11 free
    found = problems(planned(WORKGROUP, existing_network=here, redshift_base_capacity=capacity), client)
    assert [problem.split(": ")[0] for problem in found] == here["subnet_ids"]
    assert f"expected at least {needed} free addresses ({needed - 8} for Redshift, 8 for tasks), got 11" in found[0]
    # A workgroup that exists already has its addresses.
    assert problems(planned(existing_network=here, redshift_base_capacity=capacity), client) == []


def test_an_unknown_subnet_is_named(client: Client) -> None:
    (problem,) = problems(
        planned(existing_network={"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2", "subnet-3"]}), client
    )
    assert problem.startswith("existing_network.subnet_ids: ")
    assert "subnet-" in problem and "set subnets of this account and region" in problem


def test_a_peering_connection_must_be_accepted(client: Client) -> None:
    ec2 = client("ec2")
    ours, theirs = (ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"] for cidr in ("10.80.0.0/20", "10.1.0.0/16"))
    peering = ec2.create_vpc_peering_connection(VpcId=ours, PeerVpcId=theirs)["VpcPeeringConnection"]
    number = peering["VpcPeeringConnectionId"]
    plan = planned(routes={"10.1.0.0/16": {"transit_gateway_id": None, "vpc_peering_connection_id": number}})
    (problem,) = problems(plan, client)
    assert f"{number}: expected status active, got pending-acceptance" in problem
    assert f"accept-vpc-peering-connection --vpc-peering-connection-id {number}" in problem
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=number)
    assert problems(plan, client) == []


def test_the_attachment_to_a_transit_gateway_must_be_accepted(client: Client) -> None:
    ec2 = client("ec2")
    gateway = ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    here = network(client, "0/24")
    ec2.create_transit_gateway_vpc_attachment(
        TransitGatewayId=gateway, VpcId=here["vpc_id"], SubnetIds=here["subnet_ids"]
    )
    plan = planned(connections={"crm": {"route": {"transit_gateway_id": gateway, "vpc_peering_connection_id": None}}})
    assert problems(plan, client) == []
    (attachment,) = ec2_backends["123456789012"][REGION].transit_gateway_attachments.values()
    attachment.state = "pendingAcceptance"
    (problem,) = problems(plan, client)
    assert "waits for acceptance; its owner runs aws ec2 accept-transit-gateway-vpc-attachment" in problem


def test_a_region_without_redshift_serverless_is_named(client: Client, session: boto3.Session) -> None:
    def elsewhere(service: str) -> Any:
        if service != "redshift-serverless":
            return client(service)
        return session.client(service, endpoint_url="http://127.0.0.1:9", config=ONCE)

    (problem,) = problems(planned(), elsewhere)
    assert problem.startswith("Redshift Serverless cannot be reached in sa-east-1: Could not connect")
    assert problem.endswith("choose a region that has it")


def test_what_an_identity_may_not_check_is_not_a_problem(client: Client, answers: Answers) -> None:
    answers.answer("GetServiceQuota", ("AccessDeniedException", "not authorized to perform servicequotas"))
    findings = preflight.check(planned(), client, [])
    assert findings.problems == []
    (unchecked,) = findings.unchecked
    assert unchecked.startswith("Fargate's quota: ") and "not authorized" in unchecked


def test_the_checks_read_terraforms_plan() -> None:
    version = "aws_secretsmanager_secret_version.source"
    plan = {
        "variables": {"name": {"value": "vendas"}, "routes": {}},
        "resource_changes": [
            {"address": WORKGROUP, "change": {"actions": ["create"]}},
            {"address": "aws_vpc.this[0]", "index": 0, "change": {"actions": ["no-op"]}},
            {"address": f'{version}["A_KEY"]', "index": "A_KEY", "change": {"actions": ["create"]}},
            {"address": f'{version}["B_KEY"]', "index": "B_KEY", "change": {"actions": ["update"]}},
            {"address": f'{version}["C_KEY"]', "index": "C_KEY", "change": {"actions": ["no-op"]}},
            {"address": f'{version}["D_KEY"]', "index": "D_KEY", "change": {"actions": ["delete"]}},
        ],
    }
    read = preflight.read_plan(plan)
    assert read.variables == {"name": "vendas", "routes": None}
    assert read.created == {WORKGROUP, f'{version}["A_KEY"]'}
    assert read.new_secrets == {"A_KEY", "B_KEY"}
