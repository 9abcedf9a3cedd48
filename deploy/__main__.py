"""The command line: `python -m deploy --help`."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from deploy import execution, image, image_check, logs, state, terraform
from deploy.errors import DeployError
from deploy.settings import Settings, read_settings

DESCRIPTION = """\
Deploys the pipeline to AWS and works with it there. docs/aws.md goes through it from an empty account on."""

LOOK_BACK = timedelta(hours=1)

console = Console(highlight=False, soft_wrap=True)


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    main = argparse.ArgumentParser("python -m deploy", description=DESCRIPTION)
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("plan", help="show what `up` would change")
    up = commands.add_parser("up", help="build and push the image of this commit, then apply infra/")
    up.add_argument("--yes", action="store_true", help="do not ask: it was approved elsewhere")
    commands.add_parser("destroy", help="remove everything that was deployed; asks")
    run = commands.add_parser("run", help="start an execution and follow it to its end")
    run.add_argument(
        "--input", default="{}", help='JSON, such as {"sources": ["postgres"]} (default: {}, everything)'
    )
    commands.add_parser("logs", help="the tasks' log of the last hour, and on from there until Ctrl-C")
    commands.add_parser("check-image", help="build the image and run the pipeline in it, on this machine")
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parser().parse_args(arguments)
    commands = {"plan": plan, "up": up, "destroy": destroy, "run": run, "logs": show_logs, "check-image": check_image}
    try:
        return commands[options.command](options)
    except DeployError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    except (BotoCoreError, ClientError) as error:
        console.print(f"error: AWS: {error}; check the credentials and their region", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def ready(*, make: bool = False) -> Settings:
    """Readies Terraform and its state, whose bucket is made if that is wanted; returns the settings.

    Raises:
        DeployError: if there is no such bucket and none is to be made.
    """
    settings = read_settings(os.environ)
    if not state.exists(settings):
        if not make:
            raise DeployError(f"nothing is deployed: there is no bucket {settings.state_bucket}; run make deploy")
        state.make(settings)
        console.print(f"made the bucket of Terraform's state: {settings.state_bucket}", markup=False)
    terraform.init(settings)
    return settings


def plan(_options: argparse.Namespace) -> int:
    """Shows what would change."""
    ready(make=True)
    terraform.plan(image.commit())
    return 0


def up(options: argparse.Namespace) -> int:
    """Deploys the commit that is checked out."""
    image.refuse_uncommitted()
    tag = image.commit()
    region = ready(make=True).region
    repository = terraform.repository_url()
    if repository is None:
        console.print("first of all the image's repository, where the image has to be before anything runs it")
        terraform.apply(tag, target=terraform.REPOSITORY, approve=options.yes)
        repository = terraform.repository_url()
    if repository is None:
        raise DeployError(f"infra: {terraform.REPOSITORY} was applied and there is no output ecr_repository_url")
    pushed = image.push(repository, region, tag)
    console.print(f"image {tag}: {'pushed' if pushed else 'is there already'}", markup=False)
    terraform.apply(tag, approve=options.yes)
    console.print("deployed; make run-aws starts it, make logs shows what it logs")
    return 0


def destroy(_options: argparse.Namespace) -> int:
    """Removes what was deployed."""
    settings = read_settings(os.environ)
    ready()
    terraform.destroy(image.commit())
    console.print(
        f"removed; left are the bucket of Terraform's state, {settings.state_bucket}, the weekly snapshots and the "
        "task definitions: docs/aws.md says how to remove them",
        markup=False,
    )
    return 0


def run(options: argparse.Namespace) -> int:
    """Runs the pipeline in AWS; returns 0 if it went well, else 1."""
    ready()
    deployed = terraform.outputs()
    client = boto3.client("stepfunctions", region_name=deployed.region)
    arn = execution.start(client, deployed.state_machine_arn, options.input)
    console.print(f"{arn}\n{execution.console_url(deployed.region, arn)}", markup=False)
    begun = datetime.now(UTC)
    with console.status("started") as status:

        def tell(steps: Sequence[execution.Step], running: set[str]) -> None:
            for step in steps:
                console.print(f"{step.time.astimezone():%H:%M:%S}  {step.state}: {step.what}", markup=False)
            status.update(", ".join(sorted(running)) or "between two steps")

        try:
            end = execution.follow(client, arn, tell)
        except KeyboardInterrupt:
            console.print("not followed any more; it goes on in AWS, at the address above")
            raise
    took = str(datetime.now(UTC) - begun).split(".")[0]
    if end.ok:
        console.print(f"went well in {took}; docs: {deployed.docs_url}", markup=False)
        return 0
    why = ": ".join(filter(None, [end.error, execution.in_words(end.cause or "")]))
    console.print(f"{end.status.lower().replace('_', ' ')} after {took}; {why}", style="red", markup=False)
    return 1


def show_logs(_options: argparse.Namespace) -> int:
    """Shows what the tasks log, without an end."""
    ready()
    deployed = terraform.outputs()
    client = boto3.client("logs", region_name=deployed.region)
    for line in logs.follow(client, deployed.log_group, datetime.now(UTC) - LOOK_BACK):
        console.print(f"{line.time.astimezone():%H:%M:%S}  {line.stream}  {line.message}", markup=False)
    return 0


def check_image(_options: argparse.Namespace) -> int:
    """Builds the image and runs the pipeline in it, where there is something to do that with."""
    engine = image_check.engine()
    if engine is None:
        console.print("skipped: no Docker daemon here, and no buildah with mmdebstrap for root", style="yellow")
        return 0
    console.print(f"with {engine.name}", markup=False)
    image_check.check(engine)
    console.print("the image is built, and the pipeline went well in it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
