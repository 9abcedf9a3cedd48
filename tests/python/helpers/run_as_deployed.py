"""Runs commands of the pipeline with the settings of its tasks on ECS, and records each call that they make to AWS.

    python -m sandbox run -- python run_as_deployed.py <plan.json> <calls.jsonl>

The plan contains the buckets, the setup of the database and its password, and the commands with the environment of
each task. The addresses of the warehouse and the sources cannot be as deployed: they come from the sandbox. The
drop is filled from the sandbox's folder, and with one file that is not Parquet. Each task signs in to the warehouse
as the user that the setup created for its role, with the permissions of that user only. Prints, as JSON, the exit
codes, and for each user that signs in through IAM whether it is a superuser.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import boto3
import psycopg2
from psycopg2 import extensions

from redshift_standin.postgres import SUPERUSER, PostgresServer
from redshift_standin.server import redshift_serverless
from redshift_standin.signatures import AccessKey

# The settings that come from the sandbox
SANDBOX = (
    "REDSHIFT_HOST", "REDSHIFT_PORT", "REDSHIFT_DATABASE", "REDSHIFT_WORKGROUP", "REDSHIFT_COPY_ROLE",
    "EMPLOYEES_API_URL", "SOURCE_POSTGRES_HOST", "SOURCE_POSTGRES_PORT", "SOURCE_POSTGRES_DATABASE",
    "SOURCE_POSTGRES_USER", "SOURCE_POSTGRES_SSLMODE", "AWS_REGION",
)  # fmt: skip


def prepare(plan: dict[str, Any]) -> None:
    """Creates the buckets and fills the drop."""
    s3 = boto3.resource("s3")
    for bucket in plan["buckets"]:
        s3.Bucket(bucket).create()
    folder = Path(os.environ["PARQUET_DROP"])
    bucket, _, prefix = plan["drop"].partition("/")
    drop = s3.Bucket(bucket)
    for file in folder.rglob("*"):
        if file.is_file():
            drop.upload_file(str(file), f"{prefix}/{file.relative_to(folder).as_posix()}")
    drop.put_object(Key=f"{prefix}/2026-01-09/categoria.parquet", Body=b"not Parquet")


def admin() -> extensions.connection:
    """Returns a connection of the warehouse's admin; the caller closes it."""
    connection = psycopg2.connect(
        host=os.environ["REDSHIFT_HOST"], port=os.environ["REDSHIFT_PORT"], dbname=os.environ["REDSHIFT_DATABASE"],
        user="awsuser", password=os.environ["SANDBOX_REDSHIFT_PASSWORD"],
        sslmode="verify-full", sslrootcert=os.environ["REDSHIFT_CA_BUNDLE"],
    )  # fmt: skip
    connection.autocommit = True
    return connection


def set_up_database(statements: str) -> None:
    """Sets up the database, in PostgreSQL itself: the stand-in has no stored procedures."""
    password = PostgresServer(Path(os.environ["SANDBOX_DIR"]) / "postgres")._home / "password"
    connection = psycopg2.connect(
        host=os.environ["SOURCE_POSTGRES_HOST"], port=os.environ["SOURCE_POSTGRES_PORT"],
        dbname=os.environ["REDSHIFT_DATABASE"], user=SUPERUSER, password=password.read_text(),
    )  # fmt: skip
    with closing(connection), connection, connection.cursor() as cursor:
        cursor.execute(statements)


def users() -> list[Any]:
    """Returns the users that sign in through IAM, and whether each is a superuser."""
    with closing(admin()) as connection, connection.cursor() as cursor:
        cursor.execute("select usename, usesuper from pg_user where usename like 'IAMR:%' order by 1")
        return cursor.fetchall()


def run(plan: dict[str, Any], sign_in: dict[str, str], calls: str) -> list[int]:
    """Runs the plan's commands one after another, each with its task's URL to sign in; returns their exit codes."""
    requests = []
    for who, command in plan["commands"]:
        task, wrong_clock = who.split()[0], who.endswith(" with a wrong clock")
        deployed = {name: value for name, value in plan["environments"][task].items() if name not in SANDBOX}
        deployed["AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS"] = sign_in[task]
        requests.append(
            json.dumps(
                {
                    "task": task,
                    "environment": {**os.environ, **deployed},
                    "command": command,
                    "wrong_clock": wrong_clock,
                }
            )
        )
    program = [sys.executable, str(Path(__file__).with_name("record_calls.py")), calls]
    scratch = {name: plan["environments"]["loader"][name] for name in ("HOME", "TMPDIR")}
    done = subprocess.run(
        program, env=os.environ | scratch, input="\n".join(requests), stdout=subprocess.PIPE, text=True, check=False
    )
    return [int(line) for line in done.stdout.split()]


if __name__ == "__main__":
    plan = json.loads(Path(sys.argv[1]).read_text())
    prepare(plan)
    set_up_database(plan["set_up"])
    place = os.environ["REDSHIFT_HOST"], int(os.environ["REDSHIFT_PORT"])
    key = AccessKey(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    with ExitStack() as stack:
        sign_in = {
            task: stack.enter_context(
                redshift_serverless.serve(lambda *_: plan["password"], *place, key, values["REDSHIFT_USER"])
            )
            for task, values in plan["environments"].items()
        }
        codes = run(plan, sign_in, sys.argv[2])
    sys.stdout.write(json.dumps({"codes": codes, "users": users()}))
