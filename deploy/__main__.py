"""The command line: `python -m deploy --help`."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy import database, drift, execution, image, inputs, logs, plans, preflight, removal, state, terraform
from deploy.errors import DeployError
from deploy.settings import Settings, read_settings
from deploy.sources import declared_sources, read_secrets
from extract.logs import console

DESCRIPTION = """\
Deploys the pipeline to AWS and works with the deployment. docs/guide/aws.md starts at an empty account."""

LOGS_SINCE = timedelta(hours=1)
SET_UP = "database-set-up.sha256"  # beside the state: which set-up the database has


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    main = argparse.ArgumentParser("python -m deploy", description=DESCRIPTION)
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    planned = commands.add_parser("plan", help="show what `up` would change, and check the account")
    planned.add_argument("--save", action="store_true", help="store the plan beside the state, and print its digest")
    up = commands.add_parser("up", help="build and push the image of this commit, then apply infra/")
    how = up.add_mutually_exclusive_group()
    how.add_argument("--yes", action="store_true", help="do not ask for approval")
    how.add_argument("--plan", metavar="DIGEST", help="apply the plan of this commit that `plan --save` has stored")
    commands.add_parser("drift", help="compare AWS with what was deployed; 1 if somebody has changed it")
    commands.add_parser("destroy", help="remove everything that was deployed, unless protected; asks for approval")
    run = commands.add_parser("run", help="start an execution and follow it until it ends")
    what = run.add_mutually_exclusive_group()
    what.add_argument(
        "--input", default="{}", help='a JSON object, such as {"sources": ["postgres"]} (default: {}, all sources)'
    )
    what.add_argument(
        "--command",
        dest="words",
        metavar="COMMAND",
        help="a command of the loaders, such as 'backfill --source postgres --table venda --from … --to …'",
    )
    commands.add_parser("logs", help="show the tasks' logs of the last hour and follow them until Ctrl-C")
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parser().parse_args(arguments)
    commands = {"plan": plan, "up": up, "drift": show_drift, "destroy": destroy, "run": run, "logs": show_logs}
    try:
        return commands[options.command](options)
    except DeployError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    except (BotoCoreError, ClientError) as error:
        console.print(f"error: AWS: {error}; check your credentials and the region", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def initialise(*, create: bool = False) -> Settings:
    """Initialises Terraform with its state bucket, which is created if `create` is set; returns the settings.

    It records the provider if this has not been done.

    Raises:
        DeployError: the bucket does not exist and `create` is not set.
    """
    settings = read_settings(os.environ)
    if not state.exists(settings):
        if not create:
            raise DeployError(f"nothing is deployed: bucket {settings.state_bucket} does not exist; run make deploy")
        state.create(settings)
        console.print(f"created the bucket of Terraform's state: {settings.state_bucket}", markup=False)
    if not terraform.is_locked():
        terraform.lock()
        console.print(f"recorded the provider in infra/{terraform.LOCK}: commit it", markup=False)
    terraform.init(settings)
    return settings


def read_release(settings: Settings) -> terraform.Release:
    """Returns the release of the commit that is checked out; prints its values, its sources and their secrets.

    Raises:
        DeployError: the declarations are wrong.
    """
    release = terraform.Release(image.commit(), declared_sources(image.ROOT))
    names = ", ".join(source.name for source in release.sources) or "(none)"
    secrets = ", ".join(read_secrets(release.sources, os.environ)) or "(none)"
    own = terraform.values_file(settings)
    values = ["infra/terraform.tfvars", *([f"infra/deployments/{own.name}"] if own.exists() else [])]
    console.print(f"deployment {settings.name} in {settings.region}, with {' and '.join(values)}", markup=False)
    console.print(f"sources: {names}", markup=False)
    console.print(f"secrets in the environment, each stored only if its version is new: {secrets}", markup=False)
    return release


def plan(options: argparse.Namespace) -> int:
    """Shows what would change, and checks the account; returns 1 if AWS would refuse a part of it."""
    release = read_release(read_settings(os.environ))
    settings = initialise(create=True)
    planned = terraform.plan(settings, release)
    findings = preflight.check(
        preflight.read_plan(planned.described),
        lambda service: boto3.client(service, region_name=settings.region),
        read_secrets(release.sources, os.environ).keys(),
    )
    for unchecked in findings.unchecked:
        console.print(f"not checked: {unchecked}", style="yellow", markup=False)
    if findings.problems:
        raise DeployError(
            "\n  ".join(["the account is not ready; fix these before make deploy:", *findings.problems])
        )
    console.print("the account is ready: quotas, zones, addresses, routes and secrets", markup=False)
    if options.save:
        save_plan(settings, release, planned.content)
    return 0


def save_plan(settings: Settings, release: terraform.Release, content: bytes) -> None:
    """Stores a plan, and prints the command that applies it; to a workflow on GitHub it is the output `plan`."""
    digest = plans.save(settings, release.image_tag, content)
    console.print(f"saved; make deploy PLAN={digest} applies exactly this plan", markup=False)
    if outputs := os.environ.get("GITHUB_OUTPUT"):
        with Path(outputs).open("a") as file:
            file.write(f"plan={digest}\n")


def up(options: argparse.Namespace) -> int:
    """Deploys the commit that is checked out."""
    image.refuse_uncommitted()
    if not terraform.is_locked():
        raise DeployError(f"infra/{terraform.LOCK} is missing: make plan writes it; commit it, then run make deploy")
    release = read_release(read_settings(os.environ))
    settings = initialise(create=True)
    approved = plans.load(settings, release.image_tag, options.plan) if options.plan is not None else None
    repository = terraform.repository_url()
    if repository is None and approved is None:
        console.print("creating the image repository first: the image must be in it before a task can start")
        terraform.apply(settings, release, target=terraform.REPOSITORY, approve=options.yes)
        repository = terraform.repository_url()
    if repository is None:
        raise DeployError(
            f"infra: output ecr_repository_url is missing, {terraform.REPOSITORY} is not deployed; run make deploy "
            "without a saved plan first"
        )
    push_image(repository, settings, release)
    if approved is None:
        terraform.apply(settings, release, approve=options.yes)
    else:
        apply_approved(approved, release)
    set_up_database(settings)
    console.print("deployed; make run-aws starts a run, make logs shows its logs")
    return 0


def push_image(repository: str, settings: Settings, release: terraform.Release) -> None:
    """Pushes the image of the release unless the repository has it, and prints what AWS found in it."""
    pushed = image.push(repository, settings.region, release.image_tag)
    console.print(f"image {release.image_tag}: {'pushed' if pushed else 'already pushed'}", markup=False)
    for line in image.read_vulnerabilities(repository, settings.region, release.image_tag):
        console.print(line, markup=False)


def apply_approved(content: bytes, release: terraform.Release) -> None:
    """Applies the plan that was approved.

    Raises:
        DeployError: it failed, or the state has changed since it was made.
    """
    try:
        terraform.apply_plan(content, release)
    except DeployError as error:
        raise DeployError(
            f"{error}. If Terraform calls the plan stale, another deployment came between: make a new plan, on "
            "GitHub with Re-run all jobs"
        ) from error


def show_drift(_options: argparse.Namespace) -> int:
    """Compares AWS with what was deployed; returns 1 if somebody has changed it without Terraform.

    Raises:
        DeployError: what was changed; or nothing is deployed.
    """
    settings = initialise()
    tag = terraform.read_outputs().get("image_tag")
    if tag is None:
        raise DeployError("infra: output image_tag is missing: run make deploy")
    found = drift.read(terraform.plan(settings, terraform.Release(tag, declared_sources(image.ROOT))).described)
    if found.waiting:
        console.print("\n  ".join(["not deployed yet, and no drift:", *found.waiting]), markup=False)
    if found.changed:
        raise DeployError(
            "\n  ".join([f"{settings.name} was changed in AWS, and not by Terraform:", *found.changed])
            + "\nmake deploy sets it back. To keep a change, write it into infra/ first"
        )
    console.print(f"{settings.name}: AWS has what was deployed", markup=False)
    return 0


def set_up_database(settings: Settings) -> None:
    """Sets up the roles, users, schemas and grants of the database, if they have changed or the namespace is new."""
    set_up = terraform.outputs().set_up
    if state.read(settings, SET_UP) == set_up.digest:
        return
    with console.status("setting up the database"):
        database.run(boto3.client("redshift-data", region_name=settings.region), set_up)
    state.write(settings, SET_UP, set_up.digest)
    console.print(f"database {set_up.database}: roles, users, schemas and grants are set up", markup=False)


def destroy(_options: argparse.Namespace) -> int:
    """Removes the deployment, after a last snapshot of the warehouse.

    Raises:
        DeployError: the data is protected; the text lists what would be lost.
    """
    release = read_release(read_settings(os.environ))
    settings = initialise()
    known = terraform.read_outputs()
    namespace = known.get("namespace")
    if known.get("protect_data", True):
        s3 = boto3.client("s3", region_name=settings.region)
        losses = removal.describe_losses(s3, known.get("buckets", []), namespace, known.get("database"))
        raise DeployError(
            "\n  ".join(["the data is protected (protect_data); make destroy would delete for good:", *losses])
            + "\nTo remove it all the same, run TF_VAR_protect_data=false make deploy, then make destroy"
        )
    if namespace:
        with console.status("creating the last snapshot"):
            snapshot = removal.create_snapshot(
                boto3.client("redshift-serverless", region_name=settings.region), namespace
            )
        console.print(
            f"snapshot {snapshot}: can be restored for {removal.SNAPSHOT_DAYS} days, then AWS deletes its key",
            markup=False,
        )
    terraform.destroy(settings, release)
    console.print(
        f"removed, except for the bucket of Terraform's state, {settings.state_bucket}, the snapshots and the "
        "task definitions; docs/guide/aws.md describes how to remove them",
        markup=False,
    )
    return 0


def run(options: argparse.Namespace) -> int:
    """Runs the pipeline in AWS; returns 0 if the execution succeeded, else 1."""
    given = inputs.make_input(options.words) if options.words else inputs.read_input(options.input)
    region = initialise().region
    deployed = terraform.outputs()
    client = boto3.client("stepfunctions", region_name=region)
    arn = execution.start(client, deployed.state_machine_arn, given)
    console.print(f"{arn}\n{execution.console_url(region, arn)}", markup=False)
    with console.status("started") as status:
        try:
            end = execution.follow(client, arn, partial(console.print, markup=False), status.update)
        except KeyboardInterrupt:
            console.print("stopped following; still running in AWS, see the address above")
            raise
    if not end.ok:
        console.print(end.summary, style="red", markup=False)
        return 1
    console.print(f"{end.summary}; docs: {deployed.docs_url}", markup=False)
    return 0


def show_logs(_options: argparse.Namespace) -> int:
    """Shows the logs of the tasks until it is interrupted."""
    region = initialise().region
    client = boto3.client("logs", region_name=region)
    for line in logs.follow(client, terraform.outputs().log_group, datetime.now(UTC) - LOGS_SINCE):
        console.print(f"{line.time.astimezone():%H:%M:%S}  {line.stream}  {line.message}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
