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

import boto3
import pytest
from dlt.sources.helpers import requests
from moto.server import ThreadedMotoServer

from deploy import image, terraform
from deploy.__main__ import main
from deploy.sources import describe
from extract.declarations import Source
from tests.python.helpers import ROOT

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
for name, variable in {{"platform": "DOCKER_DEFAULT_PLATFORM", "secrets": "TF_VAR_source_secrets"}}.items():
    (here / name).write_text(os.environ.get(variable, ""))
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


class Machine:
    """The programs on PATH, and the calls of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("docker", "terraform"):
            (folder / name).write_text(PROGRAM.format(python=sys.executable))
            (folder / name).chmod(0o755)
        self.answer("terraform", "output", "{}")

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
        return [command for command in commands if command != "terraform output"]

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


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: str) -> Machine:
    """A machine with an empty AWS account, and a repository with one commit."""
    requests.post(f"{aws}/moto-api/reset", timeout=10).raise_for_status()
    programs = tmp_path / "bin"
    programs.mkdir()
    root = tmp_path / "clone"
    (root / "infra").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "models" / "_raw_crm__sources.yml").write_text(CRM)
    (root / "Dockerfile").write_text("FROM scratch\n")
    git = ["git", "-C", str(root), "-c", "user.name=Ana", "-c", "user.email=ana@empresa.example"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First"]):
        subprocess.run([*git, *command], check=True)
    for name, value in {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": aws,
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
    return Machine(programs)


def deployed(machine: Machine) -> str:
    """Creates the image repository and makes it an output of Terraform; returns its URL."""
    ecr = boto3.client("ecr", region_name=REGION)
    url = str(ecr.create_repository(repositoryName="vendas")["repository"]["repositoryUri"])
    machine.answer("terraform", "output", json.dumps({"ecr_repository_url": {"value": url}}))
    return url


def variables(tag: str) -> list[str]:
    """Returns the variables that Terraform gets."""
    sources = describe([Source("crm", "postgres", "CRM")])
    assert sources["crm"]["settings"]["PASSWORD"] == {"required": True, "secret": True}
    return [
        f"-var=image_tag={tag}",
        f"-var=state_bucket={BUCKET}",
        f"-var=sources={json.dumps(sources, separators=(',', ':'))}",
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
    given = variables(image.commit())
    assert [call[1:] for call in machine.calls("terraform", "apply")] == [
        ["apply", *given, f"-target={terraform.REPOSITORY}", "-auto-approve"],
        ["apply", *given, "-auto-approve"],
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

    assert machine.calls("terraform", "plan")[0][-1] == "-var=sources={}"


def test_plan_applies_nothing(machine: Machine) -> None:
    assert main(["plan"]) == 0

    assert machine.order() == ["terraform init", "terraform plan"]


def test_destroy_asks_for_approval(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    main(["plan"])

    assert main(["destroy"]) == 0

    (destroy,) = machine.calls("terraform", "destroy")
    assert destroy[1:] == ["destroy", *variables(image.commit())]
    assert (
        f"removed, except for the bucket of Terraform's state, {BUCKET}, the weekly snapshots"
        in capfd.readouterr().out
    )


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("command", ["destroy", "run", "logs"])
def test_a_command_on_a_deployment_creates_nothing(capfd: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command]) == 1

    assert "nothing is deployed" in capfd.readouterr().out
    assert boto3.client("s3", region_name=REGION).list_buckets()["Buckets"] == []


def test_an_incomplete_deployment_is_reported(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    main(["plan"])
    deployed(machine)

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
    known = dict.fromkeys(("log_group", "docs_url"), "unused") | {"state_machine_arn": arn}
    machine.answer("terraform", "output", json.dumps({name: {"value": value} for name, value in known.items()}))
    monkeypatch.setenv("SF_EXECUTION_HISTORY_TYPE", "FAILURE")

    assert main(["run", "--input", '{"sources": ["api"]}']) == 1

    output = capfd.readouterr().out
    (execution,) = states.list_executions(stateMachineArn=arn)["executions"]
    assert f"#/v2/executions/details/{execution['executionArn']}" in output
    assert "failed after 0:00:" in output


def test_infra_has_the_variables_and_outputs_that_deploy_uses() -> None:
    infra = "\n".join(file.read_text() for file in (ROOT / "infra").glob("*.tf"))

    outputs = set(re.findall(r'^output "(\w+)"', infra, re.MULTILINE))
    assert {field.name for field in fields(terraform.Outputs)} | {"ecr_repository_url"} <= outputs
    assert {"name", "region", "image_tag", "state_bucket", "sources", "source_secrets"} <= set(
        re.findall(r'^variable "(\w+)"', infra, re.MULTILINE)
    )
    kind, name = terraform.REPOSITORY.split(".")
    assert f'resource "{kind}" "{name}"' in infra
    assert 'backend "s3" {}' in infra
