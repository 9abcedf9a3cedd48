"""`public.venda` in PostgreSQL contains the sales of the business, in however many steps it was filled."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from typing import Any

import psycopg2
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import make_dsn

from redshift_standin.postgres import PostgresServer
from sandbox.business import FIRST_DAY, Business
from sandbox.errors import SandboxError
from sandbox.sources import venda
from tests.python.helpers import SOAK

OPENING = date(2017, 6, 1)  # soon after the first day, so that each day has many sales
SALES = 60_000

Rows = list[tuple[Any, ...]]


@contextmanager
def no_sales_yet(server: PostgresServer) -> Iterator[PostgresServer]:
    """Yields the server without the database of sales and its user, which are removed at the end too."""
    try:
        yield server
    finally:
        if server.has_database(venda.DATABASE):
            server.drop_database(venda.DATABASE)
        with closing(server.connect("postgres")) as session, session:
            session.cursor().execute(f"drop role if exists {venda.LOADER}")


@pytest.fixture
def server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    with no_sales_yet(postgres_server):
        yield postgres_server


def query(server: PostgresServer, statement: str) -> Rows:
    with closing(server.connect(venda.DATABASE)) as session, session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def everything(server: PostgresServer) -> Rows:
    return query(server, "select venda::text from public.venda order by id_venda")


def test_a_new_table_contains_exactly_the_requested_sales(server: PostgresServer) -> None:
    assert venda.bring_forward(server, SALES, OPENING) == Business(SALES, OPENING)
    assert query(server, "select count(*), min(id_venda), max(id_venda) from venda") == [(SALES, 1, SALES)]
    [(last_day,)] = query(server, "select max(data_venda) from venda")
    assert last_day == OPENING - timedelta(1)


def test_the_table_contains_what_the_business_sold(server: PostgresServer) -> None:
    business = venda.bring_forward(server, SALES, OPENING)
    days = (FIRST_DAY + timedelta(n) for n in range((OPENING - FIRST_DAY).days))
    sold = pa.Table.from_batches([business.sales_on(day) for day in days]).to_pylist()
    held = query(server, "select * from venda order by id_venda")
    assert repr(held) == repr([tuple(sale.values()) for sale in sold])  # repr, as NaN does not equal NaN


def test_its_columns_are_the_sales_system_s(server: PostgresServer) -> None:
    venda.bring_forward(server, 10, OPENING)
    columns = query(
        server,
        """
        select column_name, data_type, is_nullable from information_schema.columns
        where table_schema = 'public' and table_name = 'venda' order by ordinal_position
        """,
    )
    assert columns == [
        ("id_venda", "integer", "NO"),
        ("id_funcionario", "integer", "YES"),
        ("id_categoria", "integer", "YES"),
        ("data_venda", "date", "YES"),
        ("venda", "double precision", "YES"),
    ]
    [(key,)] = query(server, "select pg_get_constraintdef(oid) from pg_constraint where conname = 'venda_pkey'")
    assert key == "PRIMARY KEY (id_venda)"


def test_wrong_sales_are_written_unchanged(server: PostgresServer) -> None:
    venda.bring_forward(server, 100_000, OPENING)
    wrong = query(server, "select * from venda where id_venda % 10000 = 5000 order by 1")
    amounts = [repr(row[4]) for row in wrong]
    assert amounts[:5] == ["None", "nan", "0.0", "-150.0", "inf"]
    assert [row[3] for row in wrong[5:7]] == [None, date(1900, 1, 1)]
    assert (wrong[7][1], wrong[8][2]) == (42, 99)


def test_a_day_adds_its_sales_and_corrects_an_old_one(server: PostgresServer) -> None:
    business = venda.bring_forward(server, SALES, OPENING)
    before = everything(server)
    venda.bring_forward(server, None, OPENING + timedelta(1))
    after = everything(server)
    assert len(after) == business.sales_before(OPENING + timedelta(1)) > SALES
    changed = [number for number, row in enumerate(before, start=1) if after[number - 1] != row]
    correction = business.correction_on(OPENING)
    assert changed == [correction.id_venda]
    assert query(server, f"select * from venda where id_venda = {changed[0]}") == [tuple(vars(correction).values())]


def test_nothing_is_written_to_the_table_when_no_day_has_passed(server: PostgresServer) -> None:
    venda.bring_forward(server, SALES, OPENING)
    before = query(server, "select xmin::text, ctid::text, id_venda from venda order by id_venda")
    venda.bring_forward(server, SALES, OPENING)
    assert query(server, "select xmin::text, ctid::text, id_venda from venda order by id_venda") == before


@pytest.mark.slow
@pytest.mark.soak
@given(st.sets(st.integers(1, 39)))
@example({1, 2, 30, 31})
@settings(max_examples=2 * SOAK)
def test_many_steps_give_the_same_table_as_one_step(postgres_server: PostgresServer, stops: set[int]) -> None:
    end = OPENING + timedelta(40)
    with no_sales_yet(postgres_server):
        venda.bring_forward(postgres_server, SALES, OPENING)
        venda.bring_forward(postgres_server, None, end)
        in_one_step = everything(postgres_server)
    with no_sales_yet(postgres_server):
        venda.bring_forward(postgres_server, SALES, OPENING)
        for stop in sorted(stops):
            venda.bring_forward(postgres_server, None, OPENING + timedelta(stop))
        venda.bring_forward(postgres_server, None, end)
        assert everything(postgres_server) == in_one_step


def test_a_step_that_fails_leaves_no_trace(server: PostgresServer) -> None:
    venda.bring_forward(server, SALES, OPENING)
    before = everything(server)
    with closing(server.connect(venda.DATABASE)) as session, session:
        session.cursor().execute(f"insert into venda (id_venda) values ({SALES + 100})")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        venda.bring_forward(server, None, OPENING + timedelta(1))
    with closing(server.connect(venda.DATABASE)) as session, session:
        session.cursor().execute(f"delete from venda where id_venda = {SALES + 100}")
    assert everything(server) == before
    assert query(server, "select today from sandbox.state") == [(OPENING,)]


def test_another_number_of_sales_is_refused(server: PostgresServer) -> None:
    venda.bring_forward(server, 10, OPENING)
    with pytest.raises(SandboxError, match=r"SANDBOX_SALES is 20, but .* created with 10: .*`make clean`"):
        venda.bring_forward(server, 20, OPENING)


def test_an_earlier_day_is_refused(server: PostgresServer) -> None:
    venda.bring_forward(server, 10, OPENING)
    with pytest.raises(SandboxError, match=r"TODAY is 2017-05-31, but .* already at 2017-06-01: .*`make clean`"):
        venda.bring_forward(server, None, OPENING - timedelta(1))


def test_the_loader_reads_public_and_nothing_else(server: PostgresServer) -> None:
    venda.bring_forward(server, 10, OPENING)
    with closing(server.connect(venda.DATABASE)) as session, session:
        session.cursor().execute("create table public.later as select 1 as n")
    with closing(psycopg2.connect(make_dsn(**vars(venda.loader_settings(server))))) as session:
        session.autocommit = True
        cursor = session.cursor()
        for table, rows in {"venda": 10, "later": 1}.items():
            cursor.execute(f"select count(*) from {table}")
            assert cursor.fetchone() == (rows,)
        for forbidden in (
            "select * from sandbox.state",
            "delete from venda",
            "create table mine (n integer)",
            "create temporary table mine (n integer)",
            "create schema mine",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(forbidden)


def test_progress_is_shown_while_many_sales_are_written(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(venda, "PROGRESS_SECONDS", 0)
    venda.bring_forward(server, 5_000, FIRST_DAY + timedelta(3))
    *_, last = capsys.readouterr().err.splitlines()
    assert last == "sandbox: 5,000 of 5,000 sales in public.venda"
