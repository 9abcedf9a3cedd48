"""Deletions, dead letters, drift, backfills and replays on the path to Redshift, each on sales of its own."""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from extract.__main__ import main
from sandbox.everything import source_settings
from tests.python.helpers import ROOT
from tests.python.helpers.declared import declare, postgres_table
from tests.python.helpers.redshift_target import RedshiftTarget
from tests.python.helpers.wrong_clock import clock_ahead

SALES = """
drop table if exists public.venda cascade;
create table public.venda (
  id_venda integer, id_funcionario integer, id_categoria integer, data_venda date, venda double precision
);
insert into public.venda select n, n % 9, n % 10, date '2026-01-01', n * 1.5 from generate_series(1, 100) n;
"""
FORGET = """
drop schema if exists raw_postgres cascade;
drop schema if exists raw_postgres_staging cascade;
drop schema if exists ops cascade;
drop schema if exists ops_staging cascade;
drop schema if exists bronze cascade;
drop schema if exists silver cascade
"""


@dataclass(frozen=True)
class Shop:
    """Sales at a source, and their warehouse; `do` runs a command of the program."""

    redshift: RedshiftTarget
    do: Callable[..., tuple[int, str]]

    def sell(self, sql: str) -> None:
        """Changes the source."""
        with closing(self.redshift.server.connect("source")) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)

    def run(self, *words: str) -> tuple[int, str]:
        """Loads the sales."""
        return self.do("run", "--source", "postgres", *words)

    def raw(self, columns: str = "count(*)", where: str = "true") -> list[tuple[Any, ...]]:
        """Returns rows of the raw table."""
        return self.redshift.execute(f"select {columns} from raw_postgres.venda where {where} order by 1")

    def dbt(self, *command: str) -> None:
        """Builds the sales' models."""
        assert self.redshift.dbt(*command, "--select", "bronze_venda", "silver_venda").success

    def silver(self) -> list[tuple[Any, ...]]:
        """Returns the number of sales in silver with the amount of the source."""
        return self.redshift.execute("select count(*) from silver.venda where venda = id_venda * 1.5")


@pytest.fixture(scope="module")
def source(redshift: RedshiftTarget) -> str:
    """The name of the sales' database, which is dropped with the stand-in."""
    redshift.server.create_database("source")
    return "source"


@pytest.fixture
def shop(
    redshift: RedshiftTarget,
    source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Shop:
    """A shop with a hundred loaded sales."""
    redshift.set(
        monkeypatch,
        **source_settings(redshift.server.settings(source)),
        EXTRACT_WORK=str(tmp_path),
    )

    def do(*words: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main(list(words))
        out, err = capfd.readouterr()
        return code, out + err

    for statement in FORGET.split(";"):
        redshift.execute(statement)
    shop = Shop(redshift, do)
    shop.sell(SALES)
    code, output = shop.run()
    assert code == 0, output
    return shop


def test_a_deletion_is_found_and_the_audit_agrees(shop: Shop) -> None:
    shop.sell("delete from public.venda where id_venda in (7, 93)")
    code, output = shop.run()

    assert code == 0, output
    assert "audit: 2 of 2 counts agree" in output
    assert shop.raw("id_venda, venda, _deleted", "_deleted") == [(7, None, True), (93, None, True)]


def test_a_row_with_a_text_too_long_for_redshift_is_a_dead_letter(shop: Shop) -> None:
    shop.sell(
        "alter table public.venda add obs text;"
        " insert into public.venda (id_venda, obs) values (101, repeat('x', 65535)), (102, repeat('x', 65536))"
    )
    code, output = shop.run()

    assert code == 1
    assert "postgres.venda: 1 rows have values that the warehouse cannot hold" in output
    assert "audit: 2 of 2 counts agree" in output
    assert shop.raw("id_venda", "id_venda > 100 and _deleted is null") == [(101,)]
    ((key, row, reason),) = shop.redshift.execute("select key, row, reason from raw_postgres.venda_dead_letter")
    assert (key, reason) == ("102", "column obs: expected 65,535 bytes at most")
    assert "… (65538 bytes)" in row


@pytest.mark.slow
def test_a_text_that_bronze_cuts_is_found(shop: Shop) -> None:
    shop.run()
    shop.dbt("build")
    shop.redshift.execute("alter table bronze.venda add column nota varchar(4)")
    shop.redshift.execute("alter table raw_postgres.venda add column nota varchar(80)")
    shop.redshift.execute("update raw_postgres.venda set nota = case when id_venda = 1 then 'ééé' else 'éé' end")

    code, output = shop.do("audit")

    assert code == 1
    (found,) = [line for line in output.splitlines() if "values that bronze does not keep" in line]
    assert '"expected": 0, "found": 1' in found


@pytest.mark.slow
def test_wider_types_keep_the_rows_and_how_the_table_is_distributed(shop: Shop) -> None:
    shop.sell(
        "alter table public.venda add loja varchar(5) default 'norte', add total numeric(8, 2) default 1.25;"
        " alter table public.venda alter id_venda type smallint"  # which arrives as the integer of raw
    )
    assert shop.run()[0] == 0
    keys = "select diststyle, sortkey1 from svv_table_info where schema = 'raw_postgres' and \"table\" = "
    before = shop.redshift.execute(f"{keys}'venda'")
    assert before == [("KEY(id_venda)", "_dlt_load_id")]
    shop.sell("""
        alter table public.venda alter id_venda type bigint, alter total type numeric(12, 3),
            alter loja type varchar(9);
        insert into public.venda values (3000000000, 1, 1, '2026-01-02', 4.5, 'nordeste', 123456789.125);
    """)
    code, output = shop.run()
    assert code == 0, output
    assert "column id_venda was integer as loaded before and is bigint at the source" in output
    assert "column loja had at most 5 characters and may have 9 now" in output
    assert shop.redshift.execute(f"{keys}'venda'") == before
    assert shop.raw("distinct id_venda, total, loja", "id_venda > 99 and total is not null") == [
        (100, Decimal("1.250"), "norte"), (3000000000, Decimal("123456789.125"), "nordeste"),
    ]  # fmt: skip
    code, output = shop.run()
    assert (code, "wider type" in output) == (0, False)

    shop.sell(
        "alter table public.venda alter loja type text;"
        " insert into public.venda (id_venda, loja) values (3000000001, 'centro-oeste')"
    )
    code, output = shop.run()  # in place
    assert code == 0, output
    assert shop.raw("loja", "id_venda = 3000000001") == [("centro-oeste",)]
    assert shop.run()[0] == 0


@pytest.mark.slow
def test_an_accepted_change_reloads_the_table_beside_the_old_one(shop: Shop) -> None:
    shop.sell("alter table public.venda alter venda type varchar(20)")
    code, output = shop.run()
    assert code == 1
    assert "column venda was double precision as loaded before and is text at the source" in output

    code, output = shop.run("--accept", "postgres.venda")
    assert code == 0, output
    assert shop.raw("venda", "id_venda = 1") == [("1.5",)]
    ((kept,),) = shop.redshift.execute(
        "select table_name from svv_tables where table_schema = 'raw_postgres' and table_name like 'venda_until%'"
    )
    assert shop.redshift.execute(f"select count(*) from raw_postgres.{kept}") == [(100,)]


@pytest.mark.slow
def test_a_backfill_reads_its_range_again(shop: Shop) -> None:
    code, output = shop.do("backfill", "--source", "postgres", "--table", "venda", "--from", "11", "--to", "20")
    assert code == 0, output
    assert shop.raw() == [(110,)]
    assert shop.raw("count(distinct id_venda)") == [(100,)]


@pytest.mark.slow
def test_rows_lost_in_raw_are_replayed_from_the_landing_without_the_source(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sell("""alter table public.venda add "order" integer; insert into public.venda (id_venda) values (101)""")
    shop.run()
    everything = shop.raw('id_venda, venda, "order", _dlt_load_id')
    shop.redshift.execute("delete from raw_postgres.venda where mod(id_venda, 2) = 1")
    shop.redshift.execute("update raw_postgres.venda set venda = 0")
    shop.dbt("run")
    assert shop.silver() == [(0,)]
    monkeypatch.delenv("SOURCE_POSTGRES_HOST")
    code, output = shop.do("replay", "--source", "postgres", "--table", "venda")

    assert code == 0, output
    assert "100 rows and 0 dead letters replayed from the landing" in output
    assert shop.raw('id_venda, venda, "order", _dlt_load_id') == everything
    assert shop.redshift.execute(
        'select count(*) from sys_query_history where query_text ilike \'copy raw_postgres."venda" (%"order"%\''
    ) == [(1,)]
    assert "rebuild them: python -m extract build --full-refresh" in output
    shop.dbt("run", "--full-refresh")
    assert shop.silver() == [(100,)]


@pytest.mark.slow
def test_only_the_last_load_of_a_table_that_each_load_replaces_is_replayed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = postgres_table("venda", "id_venda", "full")
    declare(monkeypatch, table)
    shop.run("--accept", "postgres.venda")
    shop.sell("delete from public.venda where id_venda > 98; update public.venda set data_venda = 'infinity'"
              " where id_venda = 1")  # fmt: skip
    shop.run()
    everything = shop.raw("id_venda, _dlt_load_id")
    assert len(everything) == 97
    shop.redshift.execute("delete from raw_postgres.venda where id_venda < 50")
    shop.redshift.execute("delete from raw_postgres.venda_dead_letter")
    code, output = shop.do("replay", "--source", "postgres", "--table", "venda")

    assert code == 0, output
    assert "97 rows and 1 dead letters replayed from the landing" in output
    assert shop.raw("id_venda, _dlt_load_id") == everything
    assert shop.redshift.execute("select key from raw_postgres.venda_dead_letter") == [("1",)]


@pytest.mark.slow
def test_a_load_from_before_the_table_was_reloaded_is_not_replayed(shop: Shop) -> None:
    ((before,),) = shop.raw("distinct _dlt_load_id")
    shop.sell("alter table public.venda alter venda type varchar(20)")
    shop.run("--accept", "postgres.venda")
    everything = shop.raw("id_venda, venda, _dlt_load_id")
    code, output = shop.do("replay", "--source", "postgres", "--table", "venda")

    assert code == 0, output
    assert shop.raw("id_venda, venda, _dlt_load_id") == everything
    code, output = shop.do("replay", "--source", "postgres", "--table", "venda", "--load", before)
    assert code == 2
    assert f"no completed load of the table as it is now is called {before}; ops.extract_runs lists all" in output


@pytest.mark.slow
def test_no_command_shows_the_password_of_the_warehouse(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    password = "s3gr3d0-do-armazem'#"  # noqa: S105  made up, and not the right one
    monkeypatch.chdir(ROOT)
    sign_in = {"REDSHIFT_WORKGROUP": "", "REDSHIFT_USER": "awsuser", "REDSHIFT_PASSWORD": password}
    for name, value in sign_in.items():
        monkeypatch.setenv(name, value)
    table = ("--source", "postgres", "--table", "venda")
    commands = (
        ("run", "--source", "postgres"), ("backfill", *table, "--from", "1", "--to", "9"), ("reconcile",),
        ("replay", *table), ("replay", *table, "--dead-letters"), ("build",), ("audit",),
    )  # fmt: skip
    outcomes = [shop.do("--debug", *command) for command in commands]

    assert [code for code, _ in outcomes] == [2] * len(commands)
    output = "".join(output for _, output in outcomes)
    # No command starts dbt where the warehouse refuses the password.
    assert not shop.redshift.dbt("run", **sign_in, DBT_LOG_LEVEL_FILE="debug").success
    logs = (shop.redshift.folder / "logs" / "dbt.log").read_text()
    assert "Traceback" in output
    assert "awsuser" in output
    assert "awsuser" in logs
    for secret in (password, os.environ["SOURCE_POSTGRES_PASSWORD"]):
        assert secret not in output
        assert secret not in logs


@pytest.mark.slow
def test_a_clock_that_is_ahead_of_s3_is_refused_and_loads_from_the_future_are_redated(shop: Shop) -> None:
    with clock_ahead(400):
        code, output = shop.run()
        assert code == 2
        assert "clock: expected that of S3, 20" in output
        assert "correct this machine's clock" in output
        with pytest.MonkeyPatch.context() as patch:  # as if no clock had been compared
            patch.setattr("extract.load.clock.TOLERANCE", timedelta(days=500))
            shop.sell("update public.venda set id_venda = 101, venda = 151.5 where id_venda = 7")
            assert shop.run()[0] == 0
    code, output = shop.run()
    assert code == 1
    assert "python -m extract redate. Nothing was loaded" in output

    code, output = shop.do("redate")
    assert code == 0, output
    assert "2 loads redated" in output
    assert shop.redshift.execute("select count(*) from raw_postgres._dlt_loads where load_id > '18'") == [(0,)]
    before = shop.raw("id_venda, venda, _deleted, _dlt_load_id")
    assert len(before) == 102
    code, output = shop.do("replay", "--source", "postgres", "--table", "venda")  # their files have their new ids
    assert code == 0, output
    assert shop.raw("id_venda, venda, _deleted, _dlt_load_id") == before
    assert shop.run()[0] == 0
