"""Runs commands of the pipeline with the settings of its tasks on ECS, and writes down each call they make to AWS.

    python -m sandbox run -- python run_as_deployed.py <plan.json> <calls.jsonl>

The plan says which buckets there are, and which tasks run which commands with which environment. What cannot be as
deployed, where the warehouse and the sources are, comes from the sandbox. The drop is filled from its folder, and one
file that is no Parquet is put in it. Prints the exit codes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

# Where the sandbox's things are, which a deployed task is told otherwise
SANDBOX = (
    "REDSHIFT_HOST", "REDSHIFT_PORT", "REDSHIFT_DATABASE", "REDSHIFT_WORKGROUP", "REDSHIFT_COPY_ROLE",
    "EMPLOYEES_API_URL", "SOURCE_POSTGRES_HOST", "SOURCE_POSTGRES_PORT", "SOURCE_POSTGRES_DATABASE",
    "SOURCE_POSTGRES_USER", "SOURCE_POSTGRES_SSLMODE", "AWS_REGION", "AWS_DEFAULT_REGION",
)  # fmt: skip


def prepare(plan: dict[str, Any]) -> None:
    """Makes the buckets and fills the drop."""
    s3 = boto3.resource("s3")
    for bucket in plan["buckets"]:
        s3.Bucket(bucket).create()
    folder = Path(os.environ["PARQUET_DROP"])
    drop = s3.Bucket(plan["drop"])
    for file in folder.rglob("*"):
        if file.is_file():
            drop.upload_file(str(file), file.relative_to(folder).as_posix())
    drop.put_object(Key="2026-01-09/categoria.parquet", Body=b"not Parquet")


def run(task: str, environment: dict[str, str], command: list[str], calls: str) -> int:
    """Runs a command as a process of its own, as ECS does; returns its exit code."""
    deployed = {name: value for name, value in environment.items() if name not in SANDBOX}
    record = [sys.executable, str(Path(__file__).with_name("record_calls.py")), calls, task, *command]
    return subprocess.run(record, env=os.environ | deployed, stdout=sys.stderr, check=False, timeout=300).returncode


if __name__ == "__main__":
    plan = json.loads(Path(sys.argv[1]).read_text())
    prepare(plan)
    codes = [run(task, plan["environments"][task], command, sys.argv[2]) for task, command in plan["commands"]]
    sys.stdout.write(f"{codes}\n")
