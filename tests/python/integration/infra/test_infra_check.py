"""`make infra-check` finds mistakes: they are put into a copy of infra/, and the check must name each of them."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.python.helpers import ROOT, missing
from tests.python.helpers.rendered_infra import TERRAFORM, copy, replace_in

CHECKOV = ROOT / ".venv-infra" / "bin" / "checkov"
NOTHING = "true"  # replaces a program that the test is not about


@dataclass(frozen=True)
class Mistake:
    """A text in a file, its wrong replacement, and what the check reports."""

    file: str
    right: str
    wrong: str
    report: str


MISTAKES = (
    Mistake("storage.tf", "restrict_public_buckets = true", "restrict_public_buckets = false", "can be made public."),
    Mistake("storage.tf", '"aws:kms"', '"AES256"', "Every bucket is encrypted with our key."),
    Mistake("storage.tf", '"aws:SecureTransport" = "false"', '"aws:SecureTransport" = "true"', "without TLS"),
    Mistake("storage.tf", 'status = "Enabled"\n  }\n}', 'status = "Suspended"\n  }\n}', "Every bucket is versioned."),
    Mistake("ecr.tf", '"IMMUTABLE"', '"MUTABLE"', "Tags are immutable"),
    Mistake("iam.tf", '["s3:GetObject"], Resource = [for folder in distinct',
            '["s3:*"], Resource = [for folder in distinct', "No action contains a *."),
    Mistake("iam.tf", 'Resource = [aws_ecr_repository.this.arn] }', 'Resource = ["*"] }',
            "applies to every resource."),
    Mistake("iam.tf", "serverless-${local.account}-*/IAMR:", "serverless-${local.account}-*/",
            "database user may COPY."),
    Mistake("iam.tf", '"iam:PassedToService" = "ecs-tasks', '"iam:PassedToService" = "ec2',
            "pass roles to tasks only."),
    Mistake("deploy_role.tf", ":environment:${environment}", ":*", "that requires approval may deploy."),
    Mistake("variables_run.tf", "cron(0 5 * * ? *)", "cron(0 5 ? * MON *)", "runs every day at 5:00"),
    Mistake("schedule.tf", 'input    = jsonencode({})', 'input    = jsonencode({ sources = [] })',
            "for all sources."),
    Mistake("monitoring.tf", "alarm_actions       = [aws_sns_topic.alerts.arn]", "alarm_actions       = []",
            "Every alarm notifies the topic."),
    Mistake("monitoring.tf", 'missing = "breaching"', 'missing = "notBreaching"', "raises the alarm."),
    Mistake("monitoring.tf", "* 60 * 1000", "* 60", "ExecutionTime is in milliseconds."),
    Mistake("redshift.tf", "publicly_accessible  = false", "publicly_accessible  = true", "Redshift is private"),
    Mistake("redshift.tf", 'require_ssl                      = "true"', 'require_ssl                      = "false"',
            "Nobody can sign in without TLS."),
    Mistake("ecs.tf", "readonlyRootFilesystem = true", "readonlyRootFilesystem = false", "writes only to /scratch"),
    Mistake("ecs.tf", "secrets = {}", "secrets = { for name, s in aws_secretsmanager_secret.source : name => s.arn }",
            "Only the loader has the source's password"),
    Mistake("network.tf", "= local.connections[each.value[0]].cidr", '= "0.0.0.0/0"', "in its own network."),
    Mistake("sources.tf", '"${source.prefix}_${setting}" => value', '"${upper(name)}_${setting}" => value',
            "has the settings of each source under its prefix."),
    Mistake("sources.tf", "known.required ? 1 : 0", "1", "Each password is a secret of its own."),
    Mistake("state_machine.tf", "= keys(var.sources)", '= ["api", "parquet", "postgres"]',
            "loads all declared sources."),
    Mistake("database.tf", "for name in keys(var.sources)", 'for name in ["api", "parquet", "postgres"]',
            "Each source has a raw schema that the transformer may read."),
    Mistake("iam.tf", " if length(statement.Resource) > 0]", "]", "no statement is without resources."),
    Mistake("state_machine.tf", 'level                  = "ALL"', 'level                  = "ERROR"',
            "every step is logged."),
    Mistake("state_machine.tf", "= [aws_security_group.task.id]", "= [aws_security_group.redshift.id]",
            "The state machine names the cluster"),
    Mistake("state_machine.tf", "var.fan_out_tasks", "40", "At most eight tasks load ranges of a table"),
    Mistake("outputs.tf", "secret_arn   = aws_redshiftserverless_namespace.this.admin_password_secret_arn",
            'secret_arn   = ""', "The set-up runs as the admin, whose password nobody sees."),
    Mistake("secrets.tf", 'lookup(var.source_secrets, name, "")', 'lookup(var.source_secrets, name, "x")',
            "A missing secret is empty"),
    Mistake("secrets.tf", "recovery_window_in_days = var.protect_data ? 30 : 0", "recovery_window_in_days = 0",
            "can be restored for 30 days."),
    Mistake("storage.tf", '        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }\n', "",
            "two services on its behalf, may use the key."),
    Mistake("ecs.tf", "retention_in_days = var.log_retention_days", "retention_in_days = 7",
            "Every log is encrypted and has a retention."),
    Mistake("ecs.tf", "skip_destroy = true", "skip_destroy = false", "the revisions that a run may still start."),
    Mistake("deploy_role.tf", '["iam:GetOpenIDConnectProvider"]',
            '["iam:GetOpenIDConnectProvider", "redshift-data:ExecuteStatement"]', "cannot sign in to"),
    Mistake("iam.tf", "UseKeyFor", "UseKey", "too many or too few actions"),
    Mistake("ecs.tf", 'mode            = "non-blocking"', 'mode            = "blocking"', "writes only to /scratch"),
    Mistake("monitoring.tf", "dimensions = { Source = source }", 'dimensions = { Source = "api" }',
            "raises an alarm of its own."),
    Mistake("monitoring.tf", 'format("user:project$%s", var.name)', 'format("project$%s", var.name)',
            "counts this deployment's costs"),
    Mistake("monitoring.tf", "ok_actions = each.value.clears_by_itself ? [] :", "ok_actions = false ? [] :",
            "only if somebody had to do something."),
    Mistake("schedule.tf", '"cron(0 12 * * ? *)"', '"cron(0 12 ? * SUN *)"', "created at noon"),
)  # fmt: skip


def seed(folder: Path, mistake: Mistake) -> None:
    """Puts a mistake into a copy of infra/."""
    replace_in(folder / mistake.file, mistake.right, mistake.wrong, 1)


def merge_runs(tests: Path) -> None:
    """Merges the tests that report the mistakes into one run per configuration, because each run takes seconds."""
    head, asserts, others = "", "", ""
    for file in sorted(tests.glob("*.tftest.hcl")):
        head, *runs = re.split(r"^(?=run )", file.read_text(), flags=re.MULTILINE)
        for run in runs:
            if not any(mistake.report in run for mistake in MISTAKES):
                continue
            if "\n  variables {" in run:
                others += run
            else:
                asserts += "".join(re.findall(r"^  assert \{.*?^  \}\n", run, re.MULTILINE | re.DOTALL))
        file.unlink()
    merged = f'{head}run "default" {{\n  command = apply\n\n{asserts}}}\n\n{others}'
    (tests / "merged.tftest.hcl").write_text(merged)


def check(folder: Path, terraform: str, checkov: str) -> subprocess.CompletedProcess[str]:
    """Runs the check on a folder."""
    environment = os.environ | {"TERRAFORM": terraform, "CHECKOV": checkov}
    command = [str(ROOT / "infra" / "check"), str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=500)


def join_lines(text: str) -> str:
    """Returns a text without line breaks, which terraform inserts anywhere."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/ on a machine where terraform has its provider."""
    return copy(tmp_path_factory.mktemp("pristine") / "infra")


@pytest.mark.slow
def test_the_tests_of_terraform_find_each_mistake(pristine: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pristine, tmp_path / "infra")
    merge_runs(folder / "tests")
    for mistake in MISTAKES:
        seed(folder, mistake)
    done = check(folder, TERRAFORM, NOTHING)
    assert done.returncode != 0
    output = join_lines(done.stdout + done.stderr)
    assert [mistake for mistake in MISTAKES if mistake.report not in output] == []


def test_an_unformatted_file_is_refused(pristine: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pristine, tmp_path / "infra")
    seed(folder, Mistake("ecs.tf", "  network_mode  ", "      network_mode  ", ""))
    done = check(folder, TERRAFORM, NOTHING)
    assert done.returncode != 0
    assert "network_mode" in done.stdout
    assert "==> terraform init" not in done.stdout


def test_invalid_terraform_is_refused(pristine: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pristine, tmp_path / "infra")
    seed(folder, Mistake("ecr.tf", "scan_on_push = true", "scan_on_pull = true", ""))
    seed(folder, Mistake("redshift.tf", "aws_security_group.redshift.id", "aws_security_group.warehouse.id", ""))
    done = check(folder, TERRAFORM, NOTHING)
    assert done.returncode != 0
    assert "scan_on_pull" in done.stderr
    assert 'aws_security_group" "warehouse"' in join_lines(done.stderr)
    assert "==> terraform test" not in done.stdout


@pytest.mark.slow
def test_checkov_finds_what_no_test_covers(tmp_path: Path) -> None:
    if not CHECKOV.exists():
        missing.infra_tool("no .venv-infra: make infra-check creates it")
    folder = tmp_path / "infra"
    shutil.copytree(ROOT / "infra", folder, ignore=shutil.ignore_patterns(".terraform", "node_modules"))
    (folder / "added.tf").write_text(
        'resource "aws_s3_bucket" "open" {\n  bucket = "open"\n}\n\n'
        'resource "aws_vpc_security_group_ingress_rule" "ssh" {\n'
        '  security_group_id = aws_security_group.task.id\n  ip_protocol       = "tcp"\n'
        '  from_port         = 22\n  to_port           = 22\n  cidr_ipv4         = "0.0.0.0/0"\n}\n'
    )
    done = check(folder, NOTHING, str(CHECKOV))
    assert done.returncode != 0
    for finding in ("CKV2_AWS_6", "CKV_AWS_24"):  # a bucket that can be public; SSH open to everyone
        assert finding in done.stdout
