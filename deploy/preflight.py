"""Checks of the account before an apply: what AWS would refuse halfway, all at once, each with its remedy."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

# "Fargate On-Demand vCPU resource count"
FARGATE_QUOTA = "L-3032A538"
ZONES = 3
WORKGROUP = "aws_redshiftserverless_workgroup.this"
# The free addresses that Redshift Serverless needs in each subnet with enhanced VPC routing, by its base capacity:
# "Considerations when using Amazon Redshift Serverless" in Redshift's management guide.
ADDRESSES = {8: 9, 32: 13, 64: 21, 128: 37, 256: 69, 512: 133}
# The documented error codes of ids that do not exist, or belong to an account that does not share them
UNKNOWN = {
    "InvalidSubnetID.NotFound", "InvalidTransitGatewayID.NotFound", "InvalidVpcPeeringConnectionID.NotFound",
    "InvalidTransitGatewayID.Malformed", "InvalidSubnetId.Malformed", "InvalidVpcPeeringConnectionId.Malformed",
}  # fmt: skip


@dataclass(frozen=True)
class Planned:
    """What Terraform plans, as far as the checks need it: its variables, and the addresses that it creates.

    `unknown_parameters` are those of the workgroup that AWS has, and Terraform would remove: infra/ sets all that the
    provider knows.
    """

    variables: Mapping[str, Any]
    created: Collection[str]
    new_secrets: Collection[str]
    unknown_parameters: Collection[str] = ()

    @property
    def tasks(self) -> int:
        """The number of tasks that run at once: the ranges of a table, or all sources."""
        return max(int(self.variables["fan_out_tasks"]), len(self.variables["sources"]), 1)

    @property
    def targets(self) -> list[Mapping[str, str]]:
        """The transit gateways and peering connections that the new VPC routes to."""
        routes = [connection.get("route") for connection in self.variables["connections"].values()]
        return [route for route in [*routes, *self.variables["routes"].values()] if route]


def read_plan(plan: Mapping[str, Any]) -> Planned:
    """Returns what the checks need of a plan that `terraform show -json` printed."""
    changes = plan.get("resource_changes", [])
    versions = "aws_secretsmanager_secret_version.source["
    return Planned(
        {name: variable.get("value") for name, variable in plan["variables"].items()},
        {change["address"] for change in changes if "create" in change["change"]["actions"]},
        {
            str(change["index"])
            for change in changes
            if change["address"].startswith(versions) and {"create", "update"} & set(change["change"]["actions"])
        },
        {
            key
            for change in changes
            if change["address"] == WORKGROUP and change["change"]["actions"] == ["update"]
            for key in parameter_keys(change["change"]["before"]) - parameter_keys(change["change"]["after"])
        },
    )


def parameter_keys(workgroup: Mapping[str, Any]) -> set[str]:
    """Returns the names of a workgroup's configuration parameters."""
    return {parameter["parameter_key"] for parameter in workgroup.get("config_parameter", [])}


@dataclass
class Findings:
    """The problems of the account, and the checks that this identity may not make."""

    problems: list[str]
    unchecked: list[str]


def check(planned: Planned, client: Callable[[str], Any], secrets: Collection[str]) -> Findings:
    """Makes all checks. `client` returns the client of a service; `secrets` are the names that have a value."""
    findings = Findings([*check_secrets(planned, secrets), *check_provider(planned)], [])
    checks = {
        "Fargate's quota": check_fargate,
        "Redshift Serverless": check_redshift,
        **(
            {"the zones": check_zones, "the routes": check_routes}
            if planned.variables["existing_network"] is None
            else {"the subnets": check_subnets}
        ),
    }
    for name, one in checks.items():
        try:
            findings.problems += one(planned, client)
        except (BotoCoreError, ClientError) as error:
            findings.unchecked.append(f"{name}: {error}")
    return findings


def check_secrets(planned: Planned, secrets: Collection[str]) -> Iterator[str]:
    """Yields the secrets that Terraform would store, but has no value of."""
    for name in sorted(set(planned.new_secrets) - set(secrets)):
        yield f"{name}: Terraform would store a new version, and no value is set; set it in the environment or .env"


def check_provider(planned: Planned) -> Iterator[str]:
    """Yields a problem if the provider is too old for a configuration parameter that AWS has added.

    It then plans to remove the parameter, which AWS refuses (issue 49939 of hashicorp/terraform-provider-aws).
    """
    if planned.unknown_parameters:
        yield (
            f"{WORKGROUP}: AWS has {', '.join(sorted(planned.unknown_parameters))}, which the recorded AWS provider "
            "does not know, and would refuse the apply: delete infra/.terraform.lock.hcl, run make plan, which "
            "records the newest one, and commit it"
        )


def check_fargate(planned: Planned, client: Callable[[str], Any]) -> Iterator[str]:
    """Yields a problem if the tasks that run at once need more vCPUs than the account may use."""
    needed = math.ceil(planned.tasks * int(planned.variables["task_cpu"]) / 1024)
    answer = client("service-quotas").get_service_quota(ServiceCode="fargate", QuotaCode=FARGATE_QUOTA)
    quota = answer["Quota"]["Value"]
    if quota < needed:
        yield (
            f"Fargate On-Demand vCPU resource count: expected at least {needed} for {planned.tasks} tasks at once, "
            f"got {quota:g}; aws service-quotas request-service-quota-increase --service-code fargate --quota-code "
            f"{FARGATE_QUOTA} --desired-value {needed}, or set a smaller fan_out_tasks or task_cpu"
        )


def check_redshift(planned: Planned, client: Callable[[str], Any]) -> Iterator[str]:
    """Yields a problem if the region has no Redshift Serverless, or another deployment has the name."""
    region = planned.variables["region"]
    service = client("redshift-serverless")
    try:
        names = {
            found["workgroupName"]
            for page in service.get_paginator("list_workgroups").paginate()
            for found in page["workgroups"]
        }
    except BotoCoreError as error:  # no endpoint has this name
        yield f"Redshift Serverless cannot be reached in {region}: {error}; choose a region that has it"
        return
    name = planned.variables["name"]
    if name in names and WORKGROUP in planned.created:
        yield f"Redshift workgroup {name} exists in {region} and is not in this state; set another TF_VAR_name"


def check_zones(planned: Planned, client: Callable[[str], Any]) -> Iterator[str]:
    """Yields a problem if the region, or zone_ids, has fewer zones than Redshift Serverless needs."""
    filters = [
        {"Name": "state", "Values": ["available"]},
        {"Name": "opt-in-status", "Values": ["opt-in-not-required"]},
    ]
    found = client("ec2").describe_availability_zones(Filters=filters)["AvailabilityZones"]
    available = sorted(zone["ZoneId"] for zone in found)
    wanted = planned.variables["zone_ids"]
    usable = [zone for zone in wanted if zone in available] if wanted else available
    if len(usable) < ZONES:
        yield (
            f"zones: Redshift Serverless needs {ZONES}, got {', '.join(usable) or 'none'}; this account has "
            f"{', '.join(available) or 'none'} in {planned.variables['region']}: set zone_ids to three of them, or "
            "choose another region"
        )


def check_subnets(planned: Planned, client: Callable[[str], Any]) -> Iterator[str]:
    """Yields the problems of the subnets of an existing network: where they are, and their free addresses."""
    network = planned.variables["existing_network"]
    ids = sorted(set(network["subnet_ids"]))
    try:
        subnets = client("ec2").describe_subnets(SubnetIds=ids)["Subnets"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in UNKNOWN:
            raise
        yield f"existing_network.subnet_ids: {error}; set subnets of this account and region"
        return
    for subnet in subnets:
        if subnet["VpcId"] != network["vpc_id"]:
            yield (
                f"{subnet['SubnetId']} is in {subnet['VpcId']}, not in {network['vpc_id']}; correct existing_network"
            )
    zones = sorted({subnet["AvailabilityZone"] for subnet in subnets})
    if len(zones) < ZONES:
        found = ", ".join(zones)
        yield f"existing_network.subnet_ids: Redshift Serverless needs {ZONES} zones, got {found}; add subnets"
    redshift = 0
    if WORKGROUP in planned.created:
        capacity = int(planned.variables["redshift_base_capacity"])
        redshift = next(needed for size, needed in ADDRESSES.items() if size >= capacity)
    needed = redshift + planned.tasks
    for subnet in subnets:
        if subnet["AvailableIpAddressCount"] < needed:
            yield (
                f"{subnet['SubnetId']}: expected at least {needed} free addresses ({redshift} for Redshift, "
                f"{planned.tasks} for tasks), got {subnet['AvailableIpAddressCount']}; free some, or use a larger one"
            )


def check_routes(planned: Planned, client: Callable[[str], Any]) -> Iterator[str]:
    """Yields the transit gateways and peering connections that cannot be routed to."""
    ec2 = client("ec2")
    gateways = {route.get("transit_gateway_id") for route in planned.targets}
    for gateway in sorted(filter(None, gateways)):
        yield from check_gateway(ec2, gateway)
    peerings = {route.get("vpc_peering_connection_id") for route in planned.targets}
    for peering in sorted(filter(None, peerings)):
        yield from check_peering(ec2, peering)


def find(describe: Callable[[], list[dict[str, Any]]]) -> dict[str, Any] | None:
    """Returns the one thing that a call describes, or None if AWS does not know its id."""
    try:
        return next(iter(describe()), None)
    except ClientError as error:
        if error.response["Error"]["Code"] not in UNKNOWN:
            raise
        return None


def check_gateway(ec2: Any, gateway: str) -> Iterator[str]:
    """Yields a problem if a transit gateway is not shared with this account, or an attachment is not accepted."""
    found = find(lambda: ec2.describe_transit_gateways(TransitGatewayIds=[gateway])["TransitGateways"])
    if found is None:
        yield (
            f"{gateway}: this account does not see it in this region; its owner shares it through AWS RAM, and the "
            "invitation is accepted here: aws ram get-resource-share-invitations"
        )
        return
    if found["State"] != "available":
        yield f"{gateway}: expected state available, got {found['State']}; ask its owner"
    only = [{"Name": "transit-gateway-id", "Values": [gateway]}, {"Name": "state", "Values": ["pendingAcceptance"]}]
    for pending in ec2.describe_transit_gateway_vpc_attachments(Filters=only)["TransitGatewayVpcAttachments"]:
        yield (
            f"{pending['TransitGatewayAttachmentId']}: the attachment of {pending['VpcId']} to {gateway} waits for "
            "acceptance; its owner runs aws ec2 accept-transit-gateway-vpc-attachment "
            f"--transit-gateway-attachment-id {pending['TransitGatewayAttachmentId']}"
        )


def check_peering(ec2: Any, peering: str) -> Iterator[str]:
    """Yields a problem if a peering connection is not active."""
    found = find(
        lambda: ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])["VpcPeeringConnections"]
    )
    if found is None:
        yield f"{peering}: this account has no such peering connection in this region; set the id of one"
        return
    status = found["Status"]["Code"]
    if status != "active":
        yield (
            f"{peering}: expected status active, got {status}; the owner of the other VPC runs aws ec2 "
            f"accept-vpc-peering-connection --vpc-peering-connection-id {peering}"
        )
