"""Each role has the permissions for the calls that it makes to AWS, and no others.

The calls of the tasks are recorded while the real commands run with their settings on ECS, against the sandbox,
signed in to its warehouse as the users of the deployed one. The calls of the state machine are in its definition,
those of the deploy command in its source. A call that is missing in the tables here fails a test, before AWS
refuses it.
"""

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name

from deploy.inputs import LOADER_COMMANDS
from tests.python.helpers import ROOT
from tests.python.helpers.rendered_infra import Infra, allows

COMMANDS = [
    ("loader", ["run", "--source", "api"]),
    ("transformer", ["build"]),  # fails, because the other sources are not loaded; the next attempt is a retry of it
    ("loader", ["run", "--source", "parquet"]),
    ("loader", ["run", "--source", "postgres"]),
    ("loader", ["doctor"]),
    (
        "loader",
        ["backfill", "--source", "postgres", "--table", "venda", "--from", "2026-01-01", "--to", "2026-01-05"],
    ),
    ("loader", ["reconcile"]),
    ("loader", ["replay", "--source", "postgres", "--table", "venda"]),
    ("loader", ["replay", "--source", "postgres", "--table", "venda", "--dead-letters"]),
    ("loader", ["plan", "--source", "postgres", "--table", "venda", "--ranges", "2"]),
    ("loader", ["range", "--source", "postgres", "--table", "venda", "--number", "1"]),
    ("transformer", ["build"]),
    ("loader with a wrong clock", ["run", "--source", "api"]),
    ("loader", ["redate"]),
]
# The run of the drop ends with 1, because it rejects the file that is not Parquet.
EXIT_CODES = [0, 1, 1, *[0] * (len(COMMANDS) - 3)]

# S3's operations, with the action that IAM checks, on the bucket or on the object
S3 = {
    "HeadBucket": ("s3:ListBucket", "bucket"),
    "ListObjectsV2": ("s3:ListBucket", "bucket"),
    "HeadObject": ("s3:GetObject", "object"),
    "GetObject": ("s3:GetObject", "object"),
    "PutObject": ("s3:PutObject", "object"),
    "CopyObject": ("s3:PutObject", "object"),  # and s3:GetObject on the source
    "DeleteObject": ("s3:DeleteObject", "object"),
    "CreateMultipartUpload": ("s3:PutObject", "object"),
    "UploadPart": ("s3:PutObject", "object"),
    "CompleteMultipartUpload": ("s3:PutObject", "object"),
    "AbortMultipartUpload": ("s3:AbortMultipartUpload", "object"),
}
# The actions on a bucket's key that S3 needs on behalf of the caller
KMS = {
    "HeadObject": {"kms:Decrypt"},
    "GetObject": {"kms:Decrypt"},
    "PutObject": {"kms:GenerateDataKey"},
    "CopyObject": {"kms:Decrypt", "kms:GenerateDataKey"},
    "CreateMultipartUpload": {"kms:GenerateDataKey"},
    "UploadPart": {"kms:Decrypt", "kms:GenerateDataKey"},
    "CompleteMultipartUpload": {"kms:Decrypt"},
}


@dataclass(frozen=True)
class Call:
    """One call as IAM checks it: the role, the action, the resource, and for a key the service that uses it."""

    role: str
    action: str
    resource: str
    via: str | None = None

    def allowed(self, infra: Infra) -> bool:
        """True if the role has the permission."""
        return allows(infra.statements(self.role), self.action, self.resource, self.via)


@pytest.fixture(scope="module")
def recorded(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """The calls of the tasks: task, service, operation and parameters of each."""
    folder = tmp_path_factory.mktemp("as_deployed")
    scratch = {"HOME": "", "TMPDIR": "", "EXTRACT_WORK": "work", "DBT_TARGET_PATH": "target", "DBT_LOG_PATH": "logs"}
    local = {name: str(folder / place) for name, place in scratch.items()} | {"RUN_ID": "first"}
    buckets = [
        values["bucket"] for address, values in infra.resources.items() if address.startswith("aws_s3_bucket.")
    ]
    plan = {
        "buckets": buckets,
        "drop": infra.outputs["drop_urls"]["parquet"].removeprefix("s3://"),
        "set_up": infra.database_set_up("dev", "sandbox"),
        "password": "sandbox",
        "environments": {task: infra.environment(task) | local for task in ("loader", "transformer")},
        "commands": COMMANDS,
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    settings = {
        "DBT_TARGET": "sandbox",
        "SANDBOX_DIR": str(folder / "sandbox"),
        "SANDBOX_SALES": "200",
        "TODAY": "2026-01-10",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-m", "sandbox", "run", "--"]
    command += [sys.executable, "-m", "tests.python.helpers.run_as_deployed"]
    done = subprocess.run(
        [*command, str(folder / "plan.json"), str(folder / "calls.jsonl")],
        cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=1000,
    )  # fmt: skip
    # The users are those that the setup of the database created, with its grants only.
    expected = {"codes": EXIT_CODES, "users": [["IAMR:vendas-loader", False], ["IAMR:vendas-transformer", False]]}
    assert json.loads(done.stdout or "{}") == expected, done.stdout + done.stderr[-5000:]
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def checks_of(infra: Infra, task: str, service: str, operation: str, parameters: dict[str, Any]) -> list[Call]:
    """Returns what IAM checks for one call.

    Raises:
        KeyError: the call is not in the tables above.
    """
    if (service, operation) == ("redshift-serverless", "GetCredentials"):
        workgroup = infra.resources["aws_redshiftserverless_workgroup.this"]["arn"]
        return [Call(task, "redshift-serverless:GetCredentials", workgroup)]
    action, about = {"s3": S3}[service][operation]
    bucket = f"arn:aws:s3:::{parameters['Bucket']}"
    calls = [Call(task, action, bucket if about == "bucket" else f"{bucket}/{parameters['Key']}")]
    if operation == "CopyObject":
        source = parameters["CopySource"]
        path = source if isinstance(source, str) else f"{source['Bucket']}/{source['Key']}"
        calls.append(Call(task, "s3:GetObject", f"arn:aws:s3:::{path}"))
    via = f"s3.{infra.environment('loader')['AWS_REGION']}.amazonaws.com"
    return [
        *calls,
        *(Call(task, of_key, key_of(infra, parameters["Bucket"]), via) for of_key in KMS.get(operation, ())),
    ]


def key_of(infra: Infra, bucket: str) -> str:
    """Returns the ARN of the key that a bucket is encrypted with."""
    (key,) = {
        by_default["kms_master_key_id"]
        for address, values in infra.resources.items()
        if address.startswith("aws_s3_bucket_server_side_encryption_configuration.") and values["bucket"] == bucket
        for rule in values["rule"]
        for by_default in rule["apply_server_side_encryption_by_default"]
    }
    return str(key)


@pytest.fixture(scope="module")
def calls(infra: Infra, recorded: list[list[Any]]) -> set[Call]:
    """What IAM checks for all calls of the tasks."""
    return {call for one in recorded for call in checks_of(infra, *one)}


def test_every_command_that_runs_in_aws_is_recorded() -> None:
    assert {command for task, (command, *_) in COMMANDS if task.startswith("loader")} == set(LOADER_COMMANDS)


@pytest.mark.slow
def test_tasks_have_the_permissions_that_they_use(infra: Infra, calls: set[Call]) -> None:
    assert not [call for call in calls if not call.allowed(infra)]
    # The recorded calls cover everything that the tasks do: reading, landing, rejecting, publishing, the docs.
    assert {(call.role, call.action) for call in calls} >= {
        ("loader", "redshift-serverless:GetCredentials"), ("loader", "s3:DeleteObject"), ("loader", "s3:GetObject"),
        ("loader", "s3:ListBucket"), ("loader", "s3:PutObject"), ("transformer", "s3:GetObject"),
        ("transformer", "redshift-serverless:GetCredentials"), ("transformer", "s3:ListBucket"),
        ("transformer", "s3:PutObject"),
        *((role, action) for role in ("loader", "transformer") for action in ("kms:Decrypt", "kms:GenerateDataKey")),
    }  # fmt: skip
    assert any(call.resource.endswith("/docs/index.html") for call in calls)
    assert any("/_rejected/" in call.resource for call in calls)


@pytest.mark.slow
def test_tasks_use_the_permissions_that_they_have(infra: Infra, calls: set[Call]) -> None:
    """Each action is used, except for those that only large files and broken uploads need."""
    for role in ("loader", "transformer"):
        for statement in infra.statements(role):
            for action in set(statement["Action"]) - {"s3:AbortMultipartUpload"}:
                used = [c for c in calls if c.role == role and allows([statement], action, c.resource, c.via)]
                assert any(c.action == action for c in used), (role, statement["Sid"], action)


@pytest.mark.slow
def test_copy_may_read_the_files_that_the_loader_writes(infra: Infra, recorded: list[list[Any]]) -> None:
    landing = infra.environment("loader")["LANDING_URL"].removeprefix("s3://")
    landed = [
        (parameters["Bucket"], f"arn:aws:s3:::{parameters['Bucket']}/{parameters['Key']}")
        for task, _, operation, parameters in recorded
        if operation == "PutObject" and f"{parameters['Bucket']}/{parameters['Key']}".startswith(f"{landing}/raw_")
    ]
    assert landed
    via = f"s3.{infra.environment('loader')['AWS_REGION']}.amazonaws.com"
    assert all(Call("copy", "s3:GetObject", file).allowed(infra) for _, file in landed)
    assert all(Call("copy", "kms:Decrypt", key_of(infra, bucket), via).allowed(infra) for bucket, _ in landed)
    assert not any(Call("copy", "s3:PutObject", file).allowed(infra) for _, file in landed)


# --- the state machine ---

ECS_SYNC = ("ecs:RunTask", "ecs:StopTask", "ecs:DescribeTasks", "ecs:TagResource")
EVENTS = ("events:PutTargets", "events:PutRule", "events:DescribeRule")


def tasks_of(states: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns every Task state, including those inside Map and Parallel."""
    found = []
    for state in states.values():
        found += [state] if state["Type"] == "Task" else []
        inner = [state.get("ItemProcessor", state.get("Iterator")), *state.get("Branches", [])]
        found += [task for machine in inner if machine for task in tasks_of(machine["States"])]
    return found


def resources_of(task: dict[str, Any], infra: Infra) -> list[Call]:
    """Returns what IAM checks when a Task state runs.

    Raises:
        AssertionError: the resource is not listed here.
    """
    arguments = task.get("Arguments", task.get("Parameters", {}))
    match task["Resource"]:
        case "arn:aws:states:::ecs:runTask.sync":
            calls = []
            for definition in re.findall("'(arn:[^']+)'", arguments["TaskDefinition"]):
                family = definition.rsplit("/", 1)[-1].split(":")[0]
                (address,) = [a for a, v in infra.resources.items() if v.get("family") == family]
                roles = [infra.resources[address][name] for name in ("task_role_arn", "execution_role_arn")]
                running = (
                    f"{definition.split(':task-definition/')[0]}:task/{arguments['Cluster'].rsplit('/', 1)[-1]}/0f1e"
                )
                rule = f"arn:aws:events:{definition.split(':')[3]}:{definition.split(':')[4]}:rule/"
                calls += [
                    Call("state_machine", "ecs:RunTask", definition),
                    *(Call("state_machine", action, running) for action in ECS_SYNC[1:]),
                    *(
                        Call("state_machine", action, f"{rule}StepFunctionsGetEventsForECSTaskRule")
                        for action in EVENTS
                    ),
                    *(Call("state_machine", "iam:PassRole", role) for role in roles),
                ]
            assert len({call.resource for call in calls if call.action == "ecs:RunTask"}) == 2
            return calls
        case "arn:aws:states:::aws-sdk:cloudwatchlogs:getLogEvents":
            group = infra.resources["aws_cloudwatch_log_group.tasks"]
            assert arguments["LogGroupName"] == group["name"]
            stream = f"{group['arn']}:log-stream:loader/pipeline/0f1e"
            return [Call("state_machine", "logs:GetLogEvents", stream)]
        case "arn:aws:states:::sns:publish":
            return [Call("state_machine", "sns:Publish", arguments["TopicArn"])]
        case "arn:aws:states:::aws-sdk:sfn:listExecutions":
            # its own executions
            return [Call("state_machine", "states:ListExecutions", infra.outputs["state_machine_arn"])]
        case other:
            raise AssertionError(f"{other}: not listed here; add it, and to the role in infra/iam.tf")


def test_the_state_machine_has_the_permissions_that_its_states_use(infra: Infra) -> None:
    definition = json.loads(infra.resources["aws_sfn_state_machine.this"]["definition"])
    calls = [call for task in tasks_of(definition["States"]) for call in resources_of(task, infra)]
    assert {call.action for call in calls} >= {"ecs:RunTask", "iam:PassRole", "sns:Publish"}
    assert not [call for call in calls if not call.allowed(infra)]


def test_the_scheduler_has_the_permissions_that_its_schedules_use(infra: Infra) -> None:
    statements = infra.statements("scheduler")
    target = infra.resources["aws_scheduler_schedule.run"]["target"][0]
    snapshot = infra.resources["aws_scheduler_schedule.snapshot"]["target"][0]
    assert allows(statements, "states:StartExecution", target["arn"])
    assert snapshot["arn"].endswith(":aws-sdk:redshiftserverless:createSnapshot")
    assert allows(
        statements,
        "redshift-serverless:CreateSnapshot",
        infra.resources["aws_redshiftserverless_namespace.this"]["arn"],
    )
    for dead in (target, snapshot):
        assert allows(statements, "sqs:SendMessage", dead["dead_letter_config"][0]["arn"])


# --- the deploy command ---

# Its calls, with the action and the resource; None: a person makes the call once, before the role exists.
DEPLOY = {
    ("s3", "HeadBucket"): ("s3:ListBucket", "arn:aws:s3:::empresa-terraform"),
    ("s3", "CreateBucket"): None,
    ("s3", "PutBucketVersioning"): None,
    ("s3", "PutPublicAccessBlock"): None,
    ("s3", "PutBucketEncryption"): None,
    ("s3", "PutBucketPolicy"): None,
    ("s3", "ListObjectsV2"): None,  # of make destroy
    # Operations of other services, which make destroy and make deploy call, have these names too.
    ("ec2", "CreateSnapshot"): None,
    ("ec2", "DescribeImages"): None,
    ("redshift-serverless", "CreateSnapshot"): None,
    ("redshift-serverless", "GetSnapshot"): None,
    ("redshift-data", "ExecuteStatement"): None,  # a person sets up the database
    ("redshift-data", "DescribeStatement"): None,
    ("ecr", "DescribeImageScanFindings"): (
        "ecr:DescribeImageScanFindings", "arn:aws:ecr:sa-east-1:123456789012:repository/vendas",
    ),
    ("s3", "GetObject"): ("s3:GetObject", "arn:aws:s3:::empresa-terraform/vendas/database-set-up.sha256"),
    ("s3", "PutObject"): ("s3:PutObject", "arn:aws:s3:::empresa-terraform/vendas/database-set-up.sha256"),
    ("redshift-serverless", "ListWorkgroups"): ("redshift-serverless:ListWorkgroups", "*"),
    ("service-quotas", "GetServiceQuota"): ("servicequotas:GetServiceQuota", "*"),
    ("ec2", "DescribeAvailabilityZones"): ("ec2:DescribeAvailabilityZones", "*"),
    ("ec2", "DescribeSubnets"): ("ec2:DescribeSubnets", "*"),
    ("ec2", "DescribeTransitGateways"): ("ec2:DescribeTransitGateways", "*"),
    ("ec2", "DescribeTransitGatewayVpcAttachments"): ("ec2:DescribeTransitGatewayVpcAttachments", "*"),
    ("ec2", "DescribeVpcPeeringConnections"): ("ec2:DescribeVpcPeeringConnections", "*"),
    ("ecr", "GetAuthorizationToken"): ("ecr:GetAuthorizationToken", "*"),
    ("ecr", "DescribeImages"): ("ecr:DescribeImages", "arn:aws:ecr:sa-east-1:123456789012:repository/vendas"),
    ("stepfunctions", "StartExecution"): (
        "states:StartExecution", "arn:aws:states:sa-east-1:123456789012:stateMachine:vendas",
    ),
    ("stepfunctions", "DescribeExecution"): (
        "states:DescribeExecution", "arn:aws:states:sa-east-1:123456789012:execution:vendas:manual-1",
    ),
    ("stepfunctions", "GetExecutionHistory"): (
        "states:GetExecutionHistory", "arn:aws:states:sa-east-1:123456789012:execution:vendas:manual-1",
    ),
    ("logs", "FilterLogEvents"): (
        "logs:FilterLogEvents", "arn:aws:logs:sa-east-1:123456789012:log-group:/vendas/tasks",
    ),
}  # fmt: skip


def called_in(folder: Path, *modules: str) -> set[tuple[str, str]]:
    """Returns the AWS operations that a folder calls, or some modules of it, of the services that they name."""
    files = [folder / f"{module}.py" for module in modules] or list(folder.rglob("*.py"))
    calls = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    named = [
        (
            call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id,
            next((str(argument.value) for argument in call.args if isinstance(argument, ast.Constant)), ""),
        )
        for call in calls
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute | ast.Name)
    ]
    available = boto3.Session().get_available_services()
    services = {name for method, name in named if method in ("client", "resource") and name in available}
    methods = {name if method == "get_paginator" else method for method, name in named}
    found = set()
    for service in services:
        model = boto3.client(service, region_name="sa-east-1").meta.service_model
        found |= {(service, operation) for operation in model.operation_names if xform_name(operation) in methods}
    return found


def test_ci_has_the_permissions_that_the_deploy_command_uses(infra: Infra) -> None:
    called = called_in(ROOT / "deploy")
    assert ("stepfunctions", "StartExecution") in called
    assert called <= set(DEPLOY), "this call is not in DEPLOY: add it there and to the role in infra/deploy_role.tf"
    statements = infra.statements("deploy")
    refused = [known for call in called if (known := DEPLOY[call]) and not allows(statements, *known)]
    assert not refused


# The modules whose calls make plan SAVE=1 and make drift make, and the objects that they and Terraform read and write
PLANNING = ("plans", "preflight")
STATE = "arn:aws:s3:::empresa-terraform/vendas"
OF_A_PLAN = [
    ("s3:ListBucket", "arn:aws:s3:::empresa-terraform"), ("s3:GetObject", f"{STATE}/terraform.tfstate"),
    ("s3:PutObject", f"{STATE}/terraform.tfstate.tflock"), ("s3:DeleteObject", f"{STATE}/terraform.tfstate.tflock"),
    ("s3:PutObject", f"{STATE}/plans/0f1e"),
]  # fmt: skip


def test_a_plan_of_ci_has_the_permissions_that_it_uses_and_can_change_nothing(infra: Infra) -> None:
    statements = infra.statements("plan")
    called = {call for call in called_in(ROOT / "deploy", *PLANNING) if call[0] != "s3"}
    assert ("redshift-serverless", "ListWorkgroups") in called
    used = [known for call in called if (known := DEPLOY[call])] + OF_A_PLAN
    assert not [known for known in used if not allows(statements, *known)]
    for action, resource in (
        ("s3:PutObject", f"{STATE}/terraform.tfstate"), ("s3:PutObject", f"{STATE}/database-set-up.sha256"),
        ("s3:GetObject", "arn:aws:s3:::empresa-terraform/outra/terraform.tfstate"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/vendas-loader"),
        ("ecs:RegisterTaskDefinition", "arn:aws:ecs:sa-east-1:123456789012:task-definition/vendas-loader:1"),
    ):  # fmt: skip
        assert not allows(statements, action, resource)


def test_the_calls_in_the_source_of_the_loaders_are_known() -> None:
    """The recorded commands may not reach every client."""
    assert called_in(ROOT / "extract") == {
        ("redshift-serverless", "GetCredentials"),
        ("s3", "DeleteObject"),  # those of the lock
        ("s3", "GetObject"),
        ("s3", "HeadBucket"),  # for the time of S3
        ("s3", "ListObjectsV2"),
        ("s3", "PutObject"),
    }
