"""Tasks that run at the same time, in the warehouse."""

import os
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path
from time import monotonic, sleep

import boto3
import psycopg2
import pytest

from extract.declarations import Source
from extract.load.records import APPEND_ID, APPEND_ID_TYPE
from extract.load.runner import RUNS_COLUMNS
from redshift_standin.postgres import PostgresServer
from sandbox.everything import everything_up, source_settings
from sandbox.settings import Settings
from tests.python.helpers import PATIENCE, ROOT
from tests.python.helpers.own_project import declare_in
from tests.python.helpers.redshift_target import redshift_up


@pytest.mark.slow
def test_a_first_run_is_recorded_while_another_creates_the_same_tables(tmp_path: Path) -> None:
    declare_in(
        tmp_path, Source("parquet", "parquet", "PARQUET"), {"categoria": {"mode": "files", "key": ["id"]}},
        categoria={"id": "bigint", "nome_categoria": "varchar(400)"},
    )  # fmt: skip
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
            columns = ", ".join(f'"{name}" {kind}' for name, kind in RUNS_COLUMNS.items())
            other.cursor().execute(
                f"create table ops.extract_runs ({columns}, {APPEND_ID} {APPEND_ID_TYPE})"
            )  # and not committed: another transaction that creates it waits
            run = subprocess.Popen(
                [sys.executable, "-m", "extract", "run", "--source", "parquet"],
                cwd=ROOT,
                env=os.environ | environment | {
                    "DBT_TARGET": "sandbox", "DBT_PROJECT_DIR": str(tmp_path), "EXTRACT_WORK": str(tmp_path / "work"),
                },
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            cursor = watching.cursor()
            waits = False
            while run.poll() is None and not waits:
                cursor.execute("select exists (select 1 from pg_locks where not granted)")
                ((waits,),) = cursor.fetchall()
            other.commit()
            _, errors = run.communicate(timeout=PATIENCE)
            assert run.returncode == 0, errors
            assert waits
            cursor.execute("select table_name, status from ops.extract_runs")
            assert cursor.fetchall() == [("categoria", "ok")]


@pytest.mark.slow
def test_ranges_of_a_table_load_at_the_same_time_and_nothing_else_does(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    table = ("--source", "postgres", "--table", "venda")
    words = {"mode": "xmin", "key": ["id_venda"]}
    declare_in(tmp_path, Source("postgres", "postgres", "SOURCE_POSTGRES"), {"venda": words})
    with redshift_up(postgres_server, tmp_path) as target:
        target.server.create_database("source")
        login = target.server.settings("source")
        settings = {
            **source_settings(login),
            "DBT_TARGET": "sandbox", "DBT_PROJECT_DIR": str(tmp_path), "EXTRACT_WORK": str(tmp_path / "work"),
            "RUN_ID": "all-the-same",
        }  # fmt: skip

        def started(*words: str) -> "subprocess.Popen[str]":
            return subprocess.Popen(
                [sys.executable, "-m", "extract", *words], cwd=ROOT, env=os.environ | target.environment | settings,
                text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip

        def done(process: "subprocess.Popen[str]") -> tuple[int, str]:
            output, _ = process.communicate(timeout=PATIENCE)
            return process.returncode, output

        with closing(target.server.connect("source")) as source, source.cursor() as cursor:
            cursor.execute(
                "create table public.venda (id_venda integer, id_funcionario integer, id_categoria integer,"
                " data_venda date, venda double precision);"
                " insert into public.venda select n, 1, 1, '2026-01-01', n from generate_series(1, 5000) n;"
                " update public.venda set data_venda = 'infinity' where id_venda in (1, 5000)"
            )
            source.commit()
            assert done(started("plan", *table, "--ranges", "3"))[0] == 0
            tables = "select count(*) from raw_postgres._dlt_version"
            versions = target.execute(tables)

            cursor.execute("lock table public.venda in access exclusive mode")  # so that all of them wait
            ranges = [started("range", *table, "--number", str(number)) for number in (1, 2, 3)]
            waiting = (
                "select count(distinct pid) from pg_locks where not granted and relation = 'public.venda'::regclass"
            )
            end = monotonic() + PATIENCE
            waits = 0
            while waits < 3:
                assert monotonic() < end, [done(process) for process in ranges]
                sleep(0.1)
                cursor.execute(waiting)
                ((waits,),) = cursor.fetchall()
            for words in (("run", "--source", "postgres"), ("plan", *table, "--ranges", "3")):
                code, output = done(started(*words))
                assert code == 2
                assert "landing, raw_postgres.venda.range-" in output
                assert "has been writing to it since" in output
            cursor.execute("update public.venda set venda = 0 where id_venda in (10, 2500, 4990)")
            source.commit()

        for code, output in map(done, ranges):
            assert code == 0, output
        assert target.execute(tables) == versions
        code, output = done(started("run", "--source", "postgres"))
        assert "audit: 2 of 2 counts agree" in output
        assert "2 dead letters of earlier loads wait" in output
        assert target.execute("select count(*) from raw_postgres._dlt_pipeline_state") == [(2,)]
        assert target.execute(
            "select count(*), count(distinct id_venda), sum(case when venda = 0 then 1 else 0 end)"
            " from raw_postgres.venda join raw_postgres._dlt_loads on load_id = _dlt_load_id and status = 0"
            " where _deleted is null"
        ) == [(5000 - 2 + 3, 5000 - 2, 3)]  # the ranges had read them before they changed
