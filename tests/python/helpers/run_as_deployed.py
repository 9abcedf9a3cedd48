"""Runs commands of the pipeline with the settings of its tasks on ECS, and writes down each call they make to AWS.

    python -m sandbox run -- python run_as_deployed.py <plan.json> <calls.jsonl>

The plan says which buckets there are, how the database is set up and with which password, and which tasks run which
commands with which environment. What cannot be as deployed, where the warehouse and the sources are, comes from the
sandbox. The drop is filled from its folder, and one file that is no Parquet is put in it. Each task signs in to the
warehouse as the user that the set-up has made for its role, with the rights that this user was given and no more.
Prints, as JSON, the exit codes and the users that signed in by IAM, each with whether it is a superuser.
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import psycopg2
from psycopg2 import extensions

from redshift_standin import redshift_serverless

# Where the sandbox's things are, which a deployed task is told otherwise
SANDBOX = (
    "REDSHIFT_HOST", "REDSHIFT_PORT", "REDSHIFT_DATABASE", "REDSHIFT_WORKGROUP", "REDSHIFT_COPY_ROLE",
    "EMPLOYEES_API_URL", "SOURCE_POSTGRES_HOST", "SOURCE_POSTGRES_PORT", "SOURCE_POSTGRES_DATABASE",
    "SOURCE_POSTGRES_USER", "SOURCE_POSTGRES_SSLMODE", "AWS_REGION",
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


def admin() -> extensions.connection:
    """Returns a connection of the warehouse's admin; the caller closes it."""
    connection = psycopg2.connect(
        host=os.environ["REDSHIFT_HOST"], port=os.environ["REDSHIFT_PORT"], dbname=os.environ["REDSHIFT_DATABASE"],
        user="awsuser", password=os.environ["SANDBOX_REDSHIFT_PASSWORD"],
        sslmode="verify-full", sslrootcert=os.environ["REDSHIFT_CA_BUNDLE"],
    )  # fmt: skip
    connection.autocommit = True
    return connection


def set_up(statements: str) -> None:
    """Sets up the database."""
    with closing(admin()) as connection, connection.cursor() as cursor:
        # Redshift's system views are for everyone, and it keeps its own notes. The stand-in's are the admin's, and it
        # writes its notes in the client's session, which is a superuser's everywhere else.
        cursor.execute("grant select on all tables in schema pg_catalog to public")
        cursor.execute("grant insert, update, delete on all tables in schema rs to public")
        cursor.execute(statements)


def users() -> list[Any]:
    """Returns who signs in by IAM, and who of them may do everything."""
    with closing(admin()) as connection, connection.cursor() as cursor:
        cursor.execute("select usename, usesuper from pg_user where usename like 'IAMR:%' order by 1")
        return cursor.fetchall()


def run(task: str, environment: dict[str, str], command: list[str], calls: str) -> int:
    """Runs a command as a process of its own, as ECS does; returns its exit code."""
    deployed = {name: value for name, value in environment.items() if name not in SANDBOX}
    deployed["AWS_ACCESS_KEY_ID"] = task  # says who asks to sign in
    record = [sys.executable, str(Path(__file__).with_name("record_calls.py")), calls, task, *command]
    return subprocess.run(record, env=os.environ | deployed, stdout=sys.stderr, check=False, timeout=300).returncode


if __name__ == "__main__":
    plan = json.loads(Path(sys.argv[1]).read_text())
    prepare(plan)
    set_up(plan["set_up"])
    place = os.environ["REDSHIFT_HOST"], int(os.environ["REDSHIFT_PORT"])
    by_task = {task: values["REDSHIFT_USER"] for task, values in plan["environments"].items()}
    with redshift_serverless.serve(lambda *_: plan["password"], *place, by_task) as url:
        os.environ["AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS"] = url
        codes = [run(task, plan["environments"][task], command, sys.argv[2]) for task, command in plan["commands"]]
    sys.stdout.write(json.dumps({"codes": codes, "users": users()}))
