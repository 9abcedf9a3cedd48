"""What tasks that run at the same moment do to each other in the warehouse."""

import os
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

import boto3
import psycopg2

from sandbox.everything import everything_up
from sandbox.settings import Settings

ROOT = Path(__file__).parents[3]
# As dlt makes it
LOADS = """create table ops._dlt_loads (
    load_id varchar(64) not null, schema_name varchar(max), status bigint not null,
    inserted_at timestamp with time zone not null, schema_version_hash varchar(max)
)"""


def test_a_first_run_records_itself_where_another_makes_the_same_tables(tmp_path: Path) -> None:
    with everything_up(Settings(tmp_path / "sandbox", 500, date(2026, 1, 10), redshift=True)) as environment:
        client = boto3.client(
            "redshift-serverless", endpoint_url=environment["AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS"],
            region_name=environment["AWS_REGION"], aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip
        signed_in = client.get_credentials(workgroupName=environment["REDSHIFT_WORKGROUP"])
        address = {
            "host": environment["REDSHIFT_HOST"], "port": environment["REDSHIFT_PORT"],
            "dbname": environment["REDSHIFT_DATABASE"], "user": signed_in["dbUser"],
            "password": signed_in["dbPassword"], "sslmode": "verify-full",
            "sslrootcert": environment["REDSHIFT_CA_BUNDLE"],
        }  # fmt: skip
        with closing(psycopg2.connect(**address)) as other, closing(psycopg2.connect(**address)) as watching:
            watching.autocommit = True
            other.cursor().execute("create schema ops")
            other.commit()
            other.cursor().execute(LOADS)  # and not committed: who makes it too now waits
            run = subprocess.Popen(
                [sys.executable, "-m", "extract", "run", "--source", "parquet"],
                cwd=ROOT,
                env=os.environ | environment | {"DBT_TARGET": "sandbox", "EXTRACT_WORK": str(tmp_path / "work")},
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            cursor = watching.cursor()
            waits = False
            while run.poll() is None and not waits:
                cursor.execute("select exists (select 1 from pg_stat_activity where wait_event_type = 'Lock')")
                ((waits,),) = cursor.fetchall()
            other.commit()
            _, errors = run.communicate(timeout=120)
            assert run.returncode == 0, errors
            assert waits
            cursor.execute(
                "select table_name, extract_runs.status from ops.extract_runs"
                " join ops._dlt_loads on _dlt_loads.load_id = extract_runs._dlt_load_id"
            )
            assert cursor.fetchall() == [("categoria", "ok")]
