"""The steps of the runbook after the warehouse was taken back to an earlier time: nothing is lost.

AWS restores a namespace from a recovery point or a snapshot; here the database below the stand-in is copied and put
back.
"""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from extract.__main__ import main
from redshift_standin.server.listener import DATABASE
from sandbox.everything import source_settings
from tests.python.helpers.redshift_target import RedshiftTarget, administer

pytestmark = pytest.mark.slow

SALES = """
create table public.venda (
  id_venda integer, id_funcionario integer, id_categoria integer, data_venda date, venda double precision
);
insert into public.venda select n, n % 9, n % 10, date '2026-01-01', n * 1.5 from generate_series(1, 100) n;
"""
SINCE = """
insert into public.venda select n, 1, 1, date '2026-01-02', n * 1.5 from generate_series(101, 150) n;
update public.venda set venda = 0 where id_venda <= 10;
delete from public.venda where id_venda > 140;
"""
END_SESSIONS = (
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' and pid <> pg_backend_pid()"
)


def copy_database(redshift: RedshiftTarget, name: str, copy: str) -> None:
    """Copies a database below the stand-in; replaces the copy if it exists."""
    for database in (name, copy):
        administer(redshift.server, END_SESSIONS.format(database))
    if redshift.server.has_database(copy):
        redshift.server.drop_database(copy)
    administer(redshift.server, "create database {} template {}", copy, name)


def test_after_a_restore_the_next_run_loads_what_is_missing(
    redshift: RedshiftTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sell(sql: str) -> None:
        with closing(redshift.server.connect("shop")) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)

    def load() -> None:
        assert main(["run", "--source", "postgres"]) == 0

    def build() -> None:
        assert redshift.dbt("run", "--select", "bronze_venda", "silver_venda").success

    def silver() -> list[tuple[Any, ...]]:
        return redshift.execute("select count(*), sum(venda) from silver.venda")

    redshift.server.create_database("shop")
    redshift.set(monkeypatch, **source_settings(redshift.server.settings("shop")), EXTRACT_WORK=str(tmp_path))
    sell(SALES)
    load()
    build()
    before = silver()
    copy_database(redshift, DATABASE, "snapshot")

    sell(SINCE)
    load()
    copy_database(redshift, "snapshot", DATABASE)
    assert silver() == before
    assert redshift.execute("select count(*) from raw_postgres.venda") == [(100,)]

    load()
    build()
    assert silver() == [(140, sum(number * 1.5 for number in range(11, 141)))]
