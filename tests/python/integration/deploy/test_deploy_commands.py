"""`python -m deploy` with the real git, moto as AWS, and a docker and a terraform that record their arguments."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import boto3
import pytest
from dlt.sources.helpers import requests
from moto.server import ThreadedMotoServer

from deploy import database, image, removal, terraform
from deploy.__main__ import main
from deploy.sources import describe
from extract.declarations import Source
from tests.python.helpers import ROOT
from tests.python.helpers.aws_answers import Answers, serve

REGION = "sa-east-1"
BUCKET = "empresa-terraform"

# Records its arguments and standard input; prints the contents of the file with its name and command, if it exists.
PROGRAM = """#!{python}
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
text = sys.stdin.read() if "--password-stdin" in sys.argv else ""
call = [pathlib.Path(__file__).name, *sys.argv[1:], *([text] if text else [])]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")
if "destroy" in sys.argv:
    folder = pathlib.Path(sys.argv[1].removeprefix("-chdir="))
    (here / "unprotected").write_text(str((folder / "unprotected_override.tf").exists()))
for name, variable in {{"platform": "DOCKER_DEFAULT_PLATFORM", "secrets": "TF_VAR_source_secrets"}}.items():
    if variable in os.environ:
        (here / name).write_text(os.environ[variable])
for word in sys.argv[1:]:
    if word.startswith("-out="):
        pathlib.Path(word.removeprefix("-out=")).write_text(" ".join(sys.argv[2:-1]))
    if sys.argv[2:3] == ["apply"] and word.endswith(".tfplan"):
        (here / "applied").write_text(pathlib.Path(word).read_text())
if call[0] == "terraform" and sys.argv[2:4] == ["providers", "lock"]:
    (pathlib.Path(sys.argv[1].removeprefix("-chdir=")) / ".terraform.lock.hcl").write_text(str(sys.argv[4:]))
for word in (word for word in sys.argv[1:] if not word.startswith("-")):
    if (answer := here / f"{{call[0]}}.{{word}}").exists():
        print(answer.read_text())
    if (then := here / f"{{call[0]}}.{{word}}.then").exists():
        then.rename(here / f"{{call[0]}}.output")
    if (here / f"{{call[0]}}.{{word}}.fails").exists():
        sys.exit(1)
"""


# A project with one declared source
CRM = """
sources:
  - name: raw_crm
    config: {meta: {extract: {kind: postgres, settings: CRM}}}
    tables:
      - name: conta
        config: {meta: {extract: {mode: full}}}
"""


# What Terraform prints of a plan, as far as the checks of the account need it
VARIABLES: dict[str, Any] = {
    "name": "vendas", "region": REGION, "sources": {"crm": {}}, "connections": {}, "routes": {},
    "existing_network": None, "zone_ids": [], "fan_out_tasks": 8, "task_cpu": 2048, "redshift_base_capacity": 8,
}  # fmt: skip
PLAN = {"variables": {name: {"value": value} for name, value in VARIABLES.items()}, "resource_changes": []}

SET_UP = {
    "procedure": "create or replace procedure …",
    "namespace_id": "n-1",
    "secret_arn": "arn:aws:secretsmanager:x",
}
# The outputs of a complete deployment, without those that name resources of moto
OUTPUTS: dict[str, Any] = {
    "name": "vendas", "database": "vendas", "namespace": "vendas", "workgroup": "vendas", "buckets": [],
    "protect_data": True, "database_set_up": SET_UP, "state_machine_arn": "unused", "log_group": "unused",
    "docs_url": "unused",
}  # fmt: skip


class Machine:
    """The programs on PATH, and the calls of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("docker", "terraform"):
            (folder / name).write_text(PROGRAM.format(python=sys.executable))
            (folder / name).chmod(0o755)
        self.answer("terraform", "output", "{}")
        self.answer("terraform", "show", json.dumps(PLAN))

    def answer(self, program: str, word: str, text: str) -> None:
        """From now on the program prints this when the word is among its arguments."""
        (self.folder / f"{program}.{word}").write_text(text)

    def fails(self, program: str, word: str) -> None:
        """From now on the program fails when the word is among its arguments."""
        (self.folder / f"{program}.{word}.fails").touch()

    def calls(self, program: str, word: str) -> list[list[str]]:
        """The arguments of each call of the program with the word among them."""
        return [call[1:] for call in self.all_calls() if call[0] == program and word in call]

    def order(self) -> list[str]:
        """The calls that change something: each program's name and its command."""
        commands = [f"{call[0]} {call[2] if call[0] == 'terraform' else call[1]}" for call in self.all_calls()]
        return [command for command in commands if command not in ("terraform output", "terraform show")]

    def all_calls(self) -> list[list[str]]:
        """Every call, in order."""
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Answers]:
    with serve() as answers:
        yield answers


@pytest.fixture
def answers(server: Answers) -> Answers:
    """Service Quotas, the Data API and Redshift Serverless, where everything succeeds."""
    server.calls.clear()
    server.answer("GetServiceQuota", {"Quota": {"Value": 4000}})
    server.answer("ListWorkgroups", {"workgroups": []})
    server.answer("ExecuteStatement", {"Id": "s-1"})
    server.answer("DescribeStatement", {"Status": "STARTED"}, {"Status": "FINISHED"})
    server.answer("CreateSnapshot", {})
    server.answer("GetSnapshot", {"snapshot": {"status": "CREATING"}}, {"snapshot": {"status": "AVAILABLE"}})
    return server


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: str, answers: Answers) -> Machine:
    """A machine with an empty AWS account, and a repository with one commit."""
    requests.post(f"{aws}/moto-api/reset", timeout=10).raise_for_status()
    programs = tmp_path / "bin"
    programs.mkdir()
    root = tmp_path / "clone"
    (root / "infra" / "unprotected").mkdir(parents=True)
    (root / "infra" / "unprotected" / "override.tf").write_text("# unprotected\n")
    (root / "infra" / ".terraform.lock.hcl").write_text("locked\n")
    (root / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    (root / "models").mkdir()
    (root / "models" / "_raw_crm__sources.yml").write_text(CRM)
    (root / "Dockerfile").write_text("FROM scratch\n")
    git(root, "init", "-q")
    commit(root)
    for name, value in {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": aws,
        "AWS_ENDPOINT_URL_SERVICE_QUOTAS": answers.url,
        "AWS_ENDPOINT_URL_REDSHIFT_DATA": answers.url,
        "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS": answers.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "TF_VAR_name": "vendas",
        "TF_VAR_region": REGION,
        "STATE_BUCKET": BUCKET,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DOCKER_DEFAULT_PLATFORM", raising=False)
    monkeypatch.setattr(image, "ROOT", root)
    monkeypatch.setattr(terraform, "FOLDER", root / "infra")
    monkeypatch.setattr(database, "POLL_SECONDS", 0)
    monkeypatch.setattr(removal, "POLL_SECONDS", 0)
    return Machine(programs)


def git(root: Path, *command: str) -> None:
    """Runs git in a repository."""
    author = ["-c", "user.name=Ana", "-c", "user.email=ana@empresa.example"]
    program = shutil.which("git")
    assert program
    subprocess.run([program, "-C", str(root), *author, *command], check=True)


def commit(root: Path) -> None:
    """Commits everything."""
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Change")


def outputs(machine: Machine, **values: Any) -> None:
    """Makes these the outputs of Terraform."""
    machine.answer("terraform", "output", json.dumps({name: {"value": value} for name, value in values.items()}))


def deployed(machine: Machine) -> str:
    """Creates the image repository and makes it an output of Terraform; returns its URL."""
    ecr = boto3.client("ecr", region_name=REGION)
    url = str(ecr.create_repository(repositoryName="vendas")["repository"]["repositoryUri"])
    outputs(machine, **OUTPUTS, ecr_repository_url=url)
    return url


DEPLOYED = '{"name":"vendas","database":"vendas"}'


def variables(tag: str, deployed: str = DEPLOYED) -> list[str]:
    """Returns the variables that Terraform gets."""
    sources = describe([Source("crm", "postgres", "CRM")])
    assert sources["crm"]["settings"]["PASSWORD"] == {"required": True, "secret": True}
    return [
        "-var=name=vendas",
        f"-var=region={REGION}",
        f"-var=image_tag={tag}",
        f"-var=state_bucket={BUCKET}",
        f"-var=sources={json.dumps(sources, separators=(',', ':'))}",
        f"-var=deployed={deployed}",
    ]


def test_up_pushes_the_image_of_the_commit_and_then_applies(machine: Machine) -> None:
    url = deployed(machine)
    tag = image.commit()

    assert main(["up"]) == 0

    assert machine.order() == [
        "terraform init", "docker build", "docker login", "docker push", "terraform apply",
    ]  # fmt: skip
    (build,) = machine.calls("docker", "build")
    assert build == ["build", "--tag", f"{url}:{tag}", str(image.ROOT)]
    assert machine.calls("docker", "push") == [["push", f"{url}:{tag}"]]
    assert machine.calls("terraform", "apply")[0][1:] == ["apply", *variables(tag)]
    assert len(tag) == 40


def test_the_image_is_built_for_fargate(machine: Machine) -> None:
    deployed(machine)
    machine.fails("docker", "build")

    assert main(["up"]) == 1

    assert (machine.folder / "platform").read_text() == "linux/amd64"
    assert "terraform apply" not in machine.order()


def test_the_password_of_the_registry_is_passed_only_on_standard_input(machine: Machine) -> None:
    deployed(machine)
    main(["up"])

    (login,) = machine.calls("docker", "login")
    *words, password = login
    assert words[:4] == ["login", "--username", "AWS", "--password-stdin"]
    assert password
    assert password not in words


def test_an_existing_image_is_not_pushed_again(machine: Machine) -> None:
    deployed(machine)
    ecr = boto3.client("ecr", region_name=REGION)
    ecr.put_image(repositoryName="vendas", imageManifest=json.dumps(MANIFEST), imageTag=image.commit())

    assert main(["up"]) == 0

    assert machine.order() == ["terraform init", "terraform apply"]


MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": "sha256:1"},
    "layers": [],
}


def test_in_an_empty_account_the_repository_comes_before_the_image(machine: Machine) -> None:
    deployed(machine)
    (machine.folder / "terraform.output").rename(machine.folder / "terraform.apply.then")
    machine.answer("terraform", "output", "{}")

    assert main(["up", "--yes"]) == 0

    assert machine.order() == [
        "terraform init", "terraform apply", "docker build", "docker login", "docker push", "terraform apply",
    ]  # fmt: skip
    tag = image.commit()
    assert [call[1:] for call in machine.calls("terraform", "apply")] == [
        ["apply", *variables(tag, "null"), f"-target={terraform.REPOSITORY}", "-auto-approve"],
        ["apply", *variables(tag), "-auto-approve"],
    ]


@pytest.mark.usefixtures("machine")
def test_a_repository_that_was_not_created_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["up"]) == 1

    assert "output ecr_repository_url is missing" in capfd.readouterr().out


@pytest.mark.parametrize("change", ["untracked", "changed"])
def test_uncommitted_changes_are_refused_before_anything_is_done(
    machine: Machine, capfd: pytest.CaptureFixture[str], change: str
) -> None:
    file = image.ROOT / ("novo.py" if change == "untracked" else "Dockerfile")
    file.write_text("FROM other\n")

    assert main(["up"]) == 1

    output = capfd.readouterr().out
    assert "the image is tagged with its commit; commit or remove these files first" in output
    assert file.name in output
    assert machine.all_calls() == []


def test_the_bucket_of_the_state_is_private(machine: Machine) -> None:
    assert main(["plan"]) == 0

    s3 = boto3.client("s3", region_name=REGION)
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == REGION
    (init,) = machine.calls("terraform", "init")
    assert {
        f"-backend-config=bucket={BUCKET}", "-backend-config=key=vendas/terraform.tfstate",
        f"-backend-config=region={REGION}", "-backend-config=encrypt=true", "-backend-config=use_lockfile=true",
    } <= set(init)  # fmt: skip
    assert main(["plan"]) == 0  # the second one finds it


def test_secrets_are_passed_in_the_environment_and_named_but_never_printed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_PASSWORD", "segredo")
    monkeypatch.setenv("CRM_HOST", "db.example.com")
    monkeypatch.setenv("OTHER_PASSWORD", "outro")

    assert main(["plan"]) == 0

    assert (machine.folder / "secrets").read_text() == '{"CRM_PASSWORD":"segredo"}'
    output = capfd.readouterr().out
    assert "sources: crm\n" in output
    assert "secrets in the environment, each stored only if its version is new: CRM_PASSWORD\n" in output
    assert "segredo" not in output + json.dumps(machine.all_calls())


def test_wrong_declarations_are_reported_before_anything_is_done(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    file = image.ROOT / "models" / "_raw_crm__sources.yml"
    file.write_text(CRM.replace("mode: full", "mode: fast"))

    assert main(["plan"]) == 1

    assert "table conta: mode: expected one of full, cursor, xmin, got 'fast'" in capfd.readouterr().out
    assert machine.all_calls() == []
    assert boto3.client("s3", region_name=REGION).list_buckets()["Buckets"] == []


def test_a_project_without_sources_is_deployed(machine: Machine) -> None:
    (image.ROOT / "models" / "_raw_crm__sources.yml").unlink()

    assert main(["plan"]) == 0

    assert "-var=sources={}" in machine.calls("terraform", "plan")[0]


def test_plan_applies_nothing(machine: Machine) -> None:
    assert main(["plan"]) == 0

    assert machine.order() == ["terraform init", "terraform plan"]


# --- the plan that was approved ---


def save_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Plans as CI does, and returns the output of its job."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    assert main(["plan", "--save"]) == 0
    name, digest = (tmp_path / "output").read_text().strip().split("=")
    assert name == "plan"
    return digest


def test_the_plan_that_was_approved_is_what_is_applied(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    deployed(machine)
    monkeypatch.setenv("CRM_PASSWORD", "segredo")
    digest = save_plan(tmp_path, monkeypatch)
    assert f"make deploy PLAN={digest} applies exactly this plan" in capfd.readouterr().out

    assert main(["up", "--plan", digest]) == 0

    (planned,) = machine.calls("terraform", "plan")
    assert (machine.folder / "applied").read_text() == " ".join(planned[1:-1])
    (applied,) = machine.calls("terraform", "apply")
    assert applied[1:3] == ["apply", "-input=false"]
    assert len(applied) == 4  # the plan, and no variable beside it
    assert not Path(applied[3]).exists()
    assert (machine.folder / "secrets").read_text() == '{"CRM_PASSWORD":"segredo"}'  # a plan contains none
    assert machine.order()[-4:] == ["docker build", "docker login", "docker push", "terraform apply"]


def test_a_plan_of_another_commit_is_refused(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    deployed(machine)
    digest = save_plan(tmp_path, monkeypatch)
    (image.ROOT / "Dockerfile").write_text("FROM other\n")
    commit(image.ROOT)

    assert main(["up", "--plan", digest]) == 1

    assert f"no plan of commit {image.commit()} with digest {digest}" in capfd.readouterr().out
    assert not machine.calls("terraform", "apply") and not machine.calls("docker", "push")


def test_a_plan_that_was_changed_after_the_approval_is_refused(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    deployed(machine)
    digest = save_plan(tmp_path, monkeypatch)
    s3 = boto3.client("s3", region_name=REGION)
    (stored,) = s3.list_objects_v2(Bucket=BUCKET, Prefix="vendas/plans/")["Contents"]
    s3.put_object(Bucket=BUCKET, Key=stored["Key"], Body=b"another plan")

    assert main(["up", "--plan", digest]) == 1

    assert f"expected digest {digest}, got " in capfd.readouterr().out
    assert not machine.calls("terraform", "apply")


def test_a_plan_that_terraform_refuses_is_reported_with_the_remedy(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    deployed(machine)
    digest = save_plan(tmp_path, monkeypatch)
    machine.fails("terraform", "apply")

    assert main(["up", "--plan", digest]) == 1

    output = " ".join(capfd.readouterr().out.split())
    assert "If Terraform calls the plan stale, another deployment came between: make a new plan" in output
    assert "are set up" not in output


def test_the_first_deployment_has_no_saved_plan(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    digest = save_plan(tmp_path, monkeypatch)

    assert main(["up", "--plan", digest]) == 1

    assert "run make deploy without a saved plan first" in " ".join(capfd.readouterr().out.split())
    assert not machine.calls("terraform", "apply")


@pytest.mark.usefixtures("machine")
def test_an_account_that_is_not_ready_has_no_plan_to_approve(answers: Answers) -> None:
    answers.answer("GetServiceQuota", {"Quota": {"Value": 6}})

    assert main(["plan", "--save"]) == 1

    assert boto3.client("s3", region_name=REGION).list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


# --- several deployments of one configuration ---


def test_a_deployment_has_values_of_its_own(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    own = image.ROOT / "infra" / "deployments" / "vendas-staging.tfvars"
    own.parent.mkdir()
    own.write_text('alert_emails = ["dados@empresa.example"]\n')
    commit(image.ROOT)

    assert main(["plan"]) == 0
    assert "deployment vendas in sa-east-1, with infra/terraform.tfvars\n" in capfd.readouterr().out
    monkeypatch.setenv("TF_VAR_name", "vendas-staging")
    assert main(["plan"]) == 0

    shown = (
        "deployment vendas-staging in sa-east-1, with infra/terraform.tfvars and "
        "infra/deployments/vendas-staging.tfvars"
    )
    assert shown in " ".join(capfd.readouterr().out.split())
    production, staging = machine.calls("terraform", "plan")
    assert not any(word.startswith("-var-file") for word in production)
    # Terraform takes the last value: the name of the deployment is also that of its state.
    assert staging[2:4] == [f"-var-file={own}", "-var=name=vendas-staging"]
    keys = [word for call in machine.calls("terraform", "init") for word in call if "config=key" in word]
    assert keys == [f"-backend-config=key={name}/terraform.tfstate" for name in ("vendas", "vendas-staging")]


# --- drift ---


def drifted(actions: list[str], changed: list[str] | None = None) -> dict[str, Any]:
    """A plan of Terraform for the alarm, in which AWS has another alarm than the state if `changed` is given."""
    alarm = {"address": 'aws_cloudwatch_metric_alarm.this["slow"]', "change": {"actions": actions}}
    network = {"address": "aws_vpc.this[0]", "change": {"actions": ["no-op"]}}
    by_itself = {"address": "aws_vpc.this[0]", "change": {"actions": ["update"]}}
    drift = [by_itself, *([alarm | {"change": {"actions": changed}}] if changed else [])]
    return PLAN | {"resource_changes": [alarm, network], "resource_drift": drift}


@pytest.mark.parametrize(("changed", "word"), [(["update"], "changed"), (["delete"], "deleted")])
def test_drift_names_what_was_changed_in_aws(
    machine: Machine, capfd: pytest.CaptureFixture[str], changed: list[str], word: str
) -> None:
    main(["plan"])
    outputs(machine, **OUTPUTS, image_tag="d" * 40)
    machine.answer("terraform", "show", json.dumps(drifted(["create"], changed)))

    assert main(["drift"]) == 1

    output = " ".join(capfd.readouterr().out.split())
    assert "vendas was changed in AWS, and not by Terraform:" in output
    assert f'aws_cloudwatch_metric_alarm.this["slow"]: {word}' in output
    assert "make deploy sets it back" in output
    assert "aws_vpc" not in output  # Terraform would not change it
    # The deployed commit counts, not the one that waits for its approval.
    assert machine.calls("terraform", "plan")[-1][1:-1] == ["plan", *variables("d" * 40)]


def test_what_was_not_deployed_yet_is_no_drift(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    main(["plan"])
    outputs(machine, **OUTPUTS, image_tag="d" * 40)
    machine.answer("terraform", "show", json.dumps(drifted(["update"])))

    assert main(["drift"]) == 0

    output = " ".join(capfd.readouterr().out.split())
    assert 'not deployed yet, and no drift: aws_cloudwatch_metric_alarm.this["slow"]: update' in output
    assert "vendas: AWS has what was deployed" in output
    assert not machine.calls("terraform", "apply")


# --- the scan of the image ---


def test_the_worst_of_what_aws_found_in_the_image_is_shown_and_the_rest_counted(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    deployed(machine)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", answers.url)
    answers.answer("DescribeImages", {"imageDetails": []})
    package = [{"key": "package_name", "value": "zlib"}, {"key": "package_version", "value": "1:1.3"}]
    found = [
        {
            "name": "CVE-1",
            "severity": "CRITICAL",
            "uri": "https://security-tracker.debian.org/CVE-1",
            "attributes": package,
        },
        {"name": "CVE-2", "severity": "LOW", "attributes": package},
    ]
    answers.answer(
        "DescribeImageScanFindings",
        {
            "imageScanStatus": {"status": "COMPLETE"},
            "imageScanFindings": {"findings": found, "findingSeverityCounts": {"LOW": 1, "CRITICAL": 1}},
        },
    )

    assert main(["up"]) == 0

    lines = capfd.readouterr().out
    assert f"image {image.commit()}: vulnerabilities that AWS knows: 1 critical, 1 low\n" in lines
    assert "critical: CVE-1 in zlib 1:1.3: https://security-tracker.debian.org/CVE-1" in lines
    assert "CVE-2" not in lines


def test_an_image_that_was_not_scanned_is_deployed(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    deployed(machine)

    assert main(["up"]) == 0

    assert "not scanned for vulnerabilities" in capfd.readouterr().out


# --- the lock file ---


def test_a_plan_and_then_a_deployment_work_in_a_new_clone(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    """The order of docs/guide/aws.md: the plan records the provider, which is committed before the deployment."""
    deployed(machine)
    (image.ROOT / "infra" / ".terraform.lock.hcl").unlink()
    commit(image.ROOT)

    assert main(["up"]) == 1
    assert "infra/.terraform.lock.hcl is missing: make plan writes it; commit it" in capfd.readouterr().out
    assert machine.all_calls() == []

    assert main(["plan"]) == 0
    assert "recorded the provider in infra/.terraform.lock.hcl: commit it" in capfd.readouterr().out
    (lock,) = machine.calls("terraform", "lock")
    assert lock[1:] == [
        "providers", "lock", "-platform=linux_amd64", "-platform=linux_arm64", "-platform=darwin_arm64",
    ]  # fmt: skip

    assert main(["up"]) == 1
    assert "?? infra/.terraform.lock.hcl" in capfd.readouterr().out

    commit(image.ROOT)
    assert main(["up", "--yes"]) == 0
    assert main(["plan"]) == 0
    assert main(["up", "--yes"]) == 0
    assert len(machine.calls("terraform", "lock")) == 1
    assert all("-lockfile=readonly" in call for call in machine.calls("terraform", "init"))


# --- the database ---


def test_the_database_is_set_up_after_the_apply_and_again_only_if_the_set_up_changed(
    machine: Machine, answers: Answers
) -> None:
    url = deployed(machine)

    assert main(["up"]) == 0

    where = {"WorkgroupName": "vendas", "Database": "vendas", "SecretArn": SET_UP["secret_arn"]}
    first = [{**where, "Sql": SET_UP["procedure"]}, {**where, "Sql": "call public.grant_access()"}]
    assert answers.called("ExecuteStatement") == first
    assert len(answers.called("DescribeStatement")) == 3  # the first one was running

    assert main(["up"]) == 0
    assert answers.called("ExecuteStatement") == first

    for number, change in enumerate([{"procedure": "create …"}, {"procedure": "create …", "namespace_id": "n-2"}], 2):
        outputs(machine, **OUTPUTS | {"database_set_up": SET_UP | change}, ecr_repository_url=url)
        assert main(["up"]) == 0
        assert len(answers.called("ExecuteStatement")) == 2 * number


def test_a_set_up_that_fails_shows_the_error_of_the_database_and_runs_again(
    machine: Machine, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    deployed(machine)
    answers.answer(
        "DescribeStatement", {"Status": "FINISHED"}, {"Status": "FAILED", "Error": "ERROR: no role reader"}
    )

    assert main(["up"]) == 1

    output = " ".join(capfd.readouterr().out.split())
    assert (
        "the statement that calls the procedure (infra/sql/grant_access.sql) ended as FAILED: ERROR: no role"
        in output
    )
    assert "fix the cause and run make deploy again" in output
    answers.answer("DescribeStatement", {"Status": "FINISHED"})
    assert main(["up"]) == 0
    assert len(answers.called("ExecuteStatement")) == 4


def test_ci_is_refused_a_changed_set_up_with_the_remedy(
    machine: Machine, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    deployed(machine)
    answers.answer("ExecuteStatement", ("AccessDeniedException", "not authorized to perform ExecuteStatement"))

    assert main(["up", "--yes"]) == 1

    output = " ".join(capfd.readouterr().out.split())
    assert "roles, users, schemas or grants have changed, and this identity may not set them up" in output
    assert "a person runs make deploy on this commit" in output


# --- the account ---


def test_a_plan_reports_everything_that_aws_would_refuse(
    machine: Machine, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = {
        "address": 'aws_secretsmanager_secret_version.source["CRM_PASSWORD"]', "index": "CRM_PASSWORD",
        "change": {"actions": ["create"]},
    }  # fmt: skip
    machine.answer("terraform", "show", json.dumps(PLAN | {"resource_changes": [secret]}))
    answers.answer("GetServiceQuota", {"Quota": {"Value": 6}})

    assert main(["plan"]) == 1

    output = " ".join(capfd.readouterr().out.split())
    assert "the account is not ready; fix these before make deploy: CRM_PASSWORD: Terraform would store" in output
    assert "Fargate On-Demand vCPU resource count: expected at least 16 for 8 tasks at once, got 6" in output
    (planned,) = machine.calls("terraform", "plan")
    (shown,) = machine.calls("terraform", "show")
    assert planned[-1] == f"-out={shown[-1]}"
    assert not Path(shown[-1]).exists()


# --- removal ---


def test_protected_data_is_not_removed_and_what_would_be_lost_is_listed(
    machine: Machine, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["plan"])
    s3 = boto3.client("s3", region_name=REGION)
    for bucket, count in (("vendas-landing", 2), ("vendas-drop", 1)):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        for number in range(count):
            s3.put_object(Bucket=bucket, Key=f"{number}.parquet", Body=b"")
    outputs(machine, **OUTPUTS | {"buckets": ["vendas-landing", "vendas-drop"]})

    assert main(["destroy"]) == 1

    output = capfd.readouterr().out
    for line in (
        "the data is protected (protect_data); make destroy would delete for good:",
        "Redshift namespace vendas with database vendas",
        "bucket vendas-landing: 2 objects",
        "bucket vendas-drop: 1 object,",
        "TF_VAR_protect_data=false make deploy",
    ):
        assert line in output
    assert machine.calls("terraform", "destroy") == []
    assert answers.called("CreateSnapshot") == []


def test_destroy_takes_a_snapshot_and_then_asks_for_approval(
    machine: Machine, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["plan"])
    outputs(machine, **OUTPUTS | {"protect_data": False})

    assert main(["destroy"]) == 0

    (snapshot,) = answers.called("CreateSnapshot")
    assert snapshot["namespaceName"] == "vendas"
    assert snapshot["snapshotName"].startswith("vendas-final-")
    assert answers.called("GetSnapshot") == [{"snapshotName": snapshot["snapshotName"]}] * 2
    (destroy,) = machine.calls("terraform", "destroy")
    assert destroy[1:] == ["destroy", *variables(image.commit())]
    # Without the protection, which is back afterwards
    assert (machine.folder / "unprotected").read_text() == "True"
    assert not (image.ROOT / "infra" / "unprotected_override.tf").exists()
    output = capfd.readouterr().out
    assert f"snapshot {snapshot['snapshotName']}: can be restored for 30 days" in output
    assert f"removed, except for the bucket of Terraform's state, {BUCKET}, the snapshots" in output


def test_nothing_is_removed_without_a_snapshot(
    machine: Machine, answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["plan"])
    outputs(machine, **OUTPUTS | {"protect_data": False})
    answers.answer("GetSnapshot", {"snapshot": {"status": "FAILED"}})

    assert main(["destroy"]) == 1

    assert "expected AVAILABLE, got FAILED; nothing was removed" in capfd.readouterr().out
    assert machine.calls("terraform", "destroy") == []


def test_the_protection_is_back_after_a_removal_that_fails(machine: Machine) -> None:
    main(["plan"])
    outputs(machine, **OUTPUTS | {"protect_data": False})
    machine.fails("terraform", "destroy")

    assert main(["destroy"]) == 1

    assert not (image.ROOT / "infra" / "unprotected_override.tf").exists()


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("command", ["destroy", "run", "logs"])
def test_a_command_on_a_deployment_creates_nothing(capfd: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command]) == 1

    assert "nothing is deployed" in capfd.readouterr().out
    assert boto3.client("s3", region_name=REGION).list_buckets()["Buckets"] == []


def test_an_incomplete_deployment_is_reported(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    main(["plan"])
    outputs(machine, ecr_repository_url="unused")

    assert main(["run"]) == 1

    assert "the deployment is incomplete; run make deploy" in capfd.readouterr().out


@pytest.mark.usefixtures("machine")
def test_every_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TF_VAR_name")
    monkeypatch.setenv("TF_VAR_region", "brasil")
    monkeypatch.setenv("STATE_BUCKET", "")

    assert main(["plan"]) == 1

    output = capfd.readouterr().out
    assert "TF_VAR_name is not set" in output
    assert "TF_VAR_region: expected an AWS region, such as sa-east-1, got 'brasil'" in output
    assert "STATE_BUCKET is not set" in output


def test_a_missing_program_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["plan"])
    (machine.folder / "terraform").unlink()
    git = shutil.which("git")
    assert git
    (machine.folder / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(machine.folder))

    assert main(["plan"]) == 1

    assert (
        "cannot run terraform: No such file or directory; docs/guide/aws.md lists what to install"
        in capfd.readouterr().out
    )


def test_a_failed_run_reports_where_and_why(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["plan"])
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    states = boto3.client("stepfunctions", region_name=REGION)
    arn = states.create_state_machine(
        name="vendas", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/vendas"
    )["stateMachineArn"]
    outputs(machine, **OUTPUTS | {"state_machine_arn": arn})
    monkeypatch.setenv("SF_EXECUTION_HISTORY_TYPE", "FAILURE")

    assert main(["run", "--input", '{"sources": ["api"]}']) == 1

    output = capfd.readouterr().out
    (execution,) = states.list_executions(stateMachineArn=arn)["executions"]
    assert f"#/v2/executions/details/{execution['executionArn']}" in output
    assert "failed after 0:00:" in output


def test_infra_has_the_variables_and_outputs_that_deploy_uses() -> None:
    infra = "\n".join(file.read_text() for file in (ROOT / "infra").glob("*.tf"))

    outputs = set(re.findall(r'^output "(\w+)"', infra, re.MULTILINE))
    assert {field.name for field in fields(terraform.Outputs)} | {
        "ecr_repository_url",
        "image_tag",
        *OUTPUTS,
    } <= outputs
    assert {"name", "region", "image_tag", "state_bucket", "sources", "source_secrets", "deployed"} <= set(
        re.findall(r'^variable "(\w+)"', infra, re.MULTILINE)
    )
    kind, name = terraform.REPOSITORY.split(".")
    assert f'resource "{kind}" "{name}"' in infra
    assert 'backend "s3" {}' in infra


def test_everything_that_contains_data_is_protected() -> None:
    """The resources with prevent_destroy are those that `make destroy` unprotects."""
    infra = ROOT / "infra"
    blocks = [
        (match[1], match[2])
        for file in infra.glob("*.tf")
        for match in re.finditer(r'^resource "(\w+)" "(\w+)" \{(?:.*\n)*?\}', file.read_text(), re.MULTILINE)
        if "prevent_destroy = true" in match[0]
    ]
    override = (infra / "unprotected" / "override.tf").read_text()
    removed = re.findall(
        r'^resource "(\w+)" "(\w+)" \{\n  lifecycle \{\n    prevent_destroy = false', override, re.MULTILINE
    )
    data = {("aws_kms_key", "this"), ("aws_s3_bucket", "this"), ("aws_redshiftserverless_namespace", "this")}
    assert set(blocks) == set(removed) == data
