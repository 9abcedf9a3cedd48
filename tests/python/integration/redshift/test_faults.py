"""A fault on the path to Redshift gives one clear line and no partial load; the next run loads the rest."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from extract.__main__ import main
from sandbox.everything import source_settings
from sandbox.sources import api
from tests.python.helpers.faulty_proxy import Answer, faulty_proxy
from tests.python.helpers.redshift_target import RedshiftTarget

pytestmark = pytest.mark.slow

SALES = """
create table public.venda (
  id_venda integer, id_funcionario integer, id_categoria integer, data_venda date, venda double precision
);
insert into public.venda select n, n % 9, n % 10, date '2026-01-01', n * 1.5 from generate_series(1, 1000) n;
"""
# Ends the session in the middle of a COPY, at its 500th row, until the sequence has reached the limit.
CUT = """
create sequence cuts;
create function cut() returns trigger language plpgsql security definer as $$
begin
    if new.id_venda % 1000 = 500 and nextval('cuts') <= {times} then
        perform pg_terminate_backend(pg_backend_pid());
    end if;
    return new;
end $$;
create trigger cut before insert on raw_postgres.venda for each row execute function cut();
"""
UNCUT = "drop function cut cascade; drop sequence cuts"
# Breaks a load off after it emptied a table and before it filled it.
BREAK_OFF = """
create function break_off() returns trigger language plpgsql as $$ begin raise exception 'broken off'; end $$;
create trigger break_off before insert on raw_api.funcionario for each row execute function break_off();
"""
FULL = Answer(
    507, b"<Error><Code>XMinioStorageFull</Code><Message>No space left</Message></Error>", "application/xml"
)
EXPIRED = Answer(
    400,
    b'{"__type": "ExpiredTokenException", "message": "The security token included in the request is expired"}',
    "application/x-amz-json-1.1",
)


@dataclass(frozen=True)
class Outcome:
    """The exit code and output of one run."""

    code: int
    output: str

    @property
    def error(self) -> str:
        """The first error in the log, or the whole output if the run did not start."""
        lines = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        errors = [line["message"] for line in lines if line["level"] == "error"]
        return errors[0] if errors else self.output


@dataclass(frozen=True)
class Shop:
    """Sales at a source, and their warehouse."""

    redshift: RedshiftTarget
    run: Callable[..., Outcome]

    def postgres(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        """Runs a statement in PostgreSQL itself, at the source or below the stand-in; returns its rows."""
        with closing(self.redshift.server.connect(database)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def sell(self) -> None:
        """Adds a thousand sales at the source."""
        self.postgres(
            "source",
            "insert into public.venda select max_id + n, 1, 1, date '2026-01-02', n"
            " from (select max(id_venda) as max_id from public.venda) m, generate_series(1, 1000) n",
        )

    def at_source(self) -> int:
        """Returns the number of sales at the source."""
        ((count,),) = self.postgres("source", "select count(*) from public.venda")
        return int(count)

    def in_raw(self) -> tuple[int, int, int]:
        """Returns how many rows the raw table has, how many of completed loads, and how many distinct sales."""
        (counts,) = self.redshift.execute(
            "select count(*), count(l.load_id), count(distinct case when l.load_id is not null then v.id_venda end)"
            " from raw_postgres.venda v"
            " left join raw_postgres._dlt_loads l on v._dlt_load_id = l.load_id and l.status = 0"
        )
        return counts[0], counts[1], counts[2]

    def is_behind(self) -> bool:
        """Returns whether the test before left sales to load."""
        return self.in_raw()[0] != self.at_source()

    def check_failed(self, outcome: Outcome, *words: str) -> None:
        """Checks that the run failed with one clear line and left nothing in the raw table."""
        assert outcome.code != 0
        for word in words:
            assert word in outcome.error
        assert "Traceback" not in outcome.output
        assert "sandbox" not in outcome.error.replace("IAMR:sandbox", "")  # both halves of the AWS key
        whole = self.at_source() - 1000
        assert self.in_raw() == (whole, whole, whole)

    def check_whole(self, outcome: Outcome) -> None:
        """Checks that the run succeeded, and that every sale is in the raw table once."""
        assert outcome.code == 0, outcome.output
        whole = self.at_source()
        assert self.in_raw() == (whole, whole, whole)


@pytest.fixture(scope="module")
def source(redshift: RedshiftTarget) -> str:
    """The name of the sales' database, which is dropped with the stand-in."""
    redshift.server.create_database("source")
    with closing(redshift.server.connect("source")) as connection, connection, connection.cursor() as cursor:
        cursor.execute(SALES)
    return "source"


@pytest.fixture
def shop(
    redshift: RedshiftTarget,
    source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Shop:
    """A shop whose warehouse has all but its last thousand sales."""
    sales = redshift.server.settings(source)

    def run(source: str = "postgres", **settings: str) -> Outcome:
        with monkeypatch.context() as patch:
            redshift.set(
                patch,
                **source_settings(sales),
                EXTRACT_WORK=str(tmp_path),
                **settings,
            )
            capfd.readouterr()
            code = main(["run", "--source", source])
            out, err = capfd.readouterr()
            return Outcome(code, out + err)

    shop = Shop(redshift, run)
    if not redshift.execute("select 1 from svv_tables where table_schema = 'raw_postgres'") or shop.is_behind():
        shop.check_whole(run())
    shop.sell()
    return shop


def test_a_role_that_may_not_read_the_landing(shop: Shop) -> None:
    role = "arn:aws:iam::000000000000:role/other"
    shop.check_failed(
        shop.run(REDSHIFT_COPY_ROLE=role), f"Not authorized to get credentials of role {role}; check REDSH"
    )
    shop.check_whole(shop.run())


def test_a_bucket_that_is_missing(shop: Shop) -> None:
    outcome = shop.run(LANDING_URL="s3://nowhere/landing")

    shop.check_failed(
        outcome, "landing s3://nowhere/landing: expected a bucket", "check LANDING_URL", "Nothing was done"
    )
    shop.check_whole(shop.run())


def test_the_settings_of_two_targets(shop: Shop) -> None:
    for mixed in ({"DBT_TARGET": "dev"}, {"REDSHIFT_DATABASE": "other"}, {"REDSHIFT_HOST": "prod.example"}):
        shop.check_failed(shop.run(**mixed), "the settings of two targets are mixed up", "Check DBT_TARGET")
    shop.check_whole(shop.run())


def test_an_aws_session_that_ends_midway(shop: Shop) -> None:
    with faulty_proxy(shop.redshift.environment["AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS"]) as serverless:
        serverless.fault = lambda _request, seen: EXPIRED if seen >= 4 else None
        outcome = shop.run(AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS=serverless.url)

        shop.check_failed(outcome, "ExpiredTokenException", "sign in to AWS again, then run again")
        assert len(serverless.requests) > 4
    shop.check_whole(shop.run())


def test_a_password_that_expires_midway_is_replaced(shop: Shop) -> None:
    with faulty_proxy(shop.redshift.environment["AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS"]) as serverless:

        def expire_those_before(_request: str, _seen: int) -> None:
            shop.postgres("dev", """alter role "IAMR:sandbox" valid until '2020-01-01'""")

        serverless.fault = expire_those_before
        shop.check_whole(shop.run(AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS=serverless.url))
        assert len(serverless.requests) > 4


def test_a_connection_that_is_cut_once_is_opened_again(shop: Shop) -> None:
    shop.postgres("dev", CUT.format(times=1))
    try:
        shop.check_whole(shop.run())
        assert shop.postgres("dev", "select is_called from cuts") == [(True,)]
    finally:
        shop.postgres("dev", UNCUT)


def test_a_connection_that_is_cut_each_time(shop: Shop) -> None:
    shop.postgres("dev", CUT.format(times=99))
    try:
        shop.check_failed(shop.run(), "postgres.venda: ", "the warehouse ended the connection: run again")
    finally:
        shop.postgres("dev", UNCUT)
    shop.check_whole(shop.run())


def test_a_landing_without_free_space(shop: Shop) -> None:
    with faulty_proxy(shop.redshift.environment["AWS_ENDPOINT_URL_S3"]) as s3:
        s3.fault = lambda request, _seen: FULL if request.startswith("PUT") and ".parquet" in request else None
        S3FileSystem.clear_instance_cache()  # an instance keeps the address of its first use
        outcome = shop.run(AWS_ENDPOINT_URL_S3=s3.url)
        S3FileSystem.clear_instance_cache()

    shop.check_failed(outcome, "postgres.venda: ", "No space left", "free some space, then run again")
    shop.check_whole(shop.run())


def test_a_raw_table_that_somebody_altered(shop: Shop) -> None:
    shop.redshift.execute("alter table raw_postgres.venda add column nota integer")
    outcome = shop.run()
    shop.redshift.execute("alter table raw_postgres.venda drop column nota")

    shop.check_failed(
        outcome, "Unmatched number of columns between table and file", "the raw table was altered: undo the change"
    )
    shop.check_whole(shop.run())


def test_a_replaced_table_keeps_its_rows_when_the_load_breaks_off(shop: Shop) -> None:
    employees = {1: "Ana", 2: "José D'Ávila"}
    with api.serve(api.names(employees)) as url:
        address = {"EMPLOYEES_API_URL": url, "EMPLOYEES_API_MISSES": "2"}
        assert shop.run("api", **address).code == 0
        shop.postgres("dev", BREAK_OFF)
        outcome = shop.run("api", **address)
        shop.postgres("dev", "drop function break_off cascade")

        assert outcome.code == 1
        assert "broken off" in outcome.error
        assert len(shop.redshift.execute("select id from raw_api.funcionario")) == 2
        assert shop.run("api", **address).code == 0
    assert len(shop.redshift.execute("select id from raw_api.funcionario")) == 2
    # On Redshift TRUNCATE would have committed the empty table; here it is rolled back.
    assert shop.redshift.execute("select 1 from sys_query_history where query_text ilike 'truncate%'") == []


def test_a_column_added_at_the_source_is_copied_to_its_place(shop: Shop) -> None:
    # the last test of this module, as no run removes a column
    shop.check_whole(shop.run())
    shop.postgres("source", "alter table public.venda add column loja integer; update public.venda set loja = 7")
    shop.postgres("source", "insert into public.venda values (999999, 1, 2, '2026-01-03', 4.5, 8)")
    assert shop.run().code == 0

    assert shop.redshift.execute(
        "select id_venda, id_funcionario, id_categoria, data_venda::varchar(10), venda, _deleted, loja"
        " from raw_postgres.venda where id_venda in (1, 999999) order by id_venda, loja"
    ) == [
        (1, 1, 1, "2026-01-01", 1.5, None, 7),
        (1, 1, 1, "2026-01-01", 1.5, None, None),
        (999999, 1, 2, "2026-01-03", 4.5, None, 8),
    ]
    assert shop.redshift.execute(
        """select diststyle, sortkey1 from svv_table_info where "schema" = 'raw_postgres' and "table" = 'venda'"""
    ) == [("KEY(id_venda)", "_dlt_load_id")]
