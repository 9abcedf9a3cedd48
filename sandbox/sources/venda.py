"""The table `public.venda` of the sales system, brought forward with the business.

The database `vendas` contains it and `sandbox.state`, one row with the business and the date it was brought to. The
pipeline's user, `loader`, can read the first and not the second.
"""

import io
import secrets
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the class is spelt so
from pyarrow import csv

from redshift_standin.postgres import ConnectionSettings, PostgresServer
from sandbox.business import FIRST_DAY, Business
from sandbox.errors import SandboxError

DATABASE = "vendas"
LOADER = "loader"
DEFAULT_SALES = 100_000

PROGRESS_SECONDS = 2
"""Seconds between two lines of progress while the table is filled."""

_DAYS_AT_ONCE = 30

_CREATE = f"""
    create table public.venda (
        id_venda integer not null,
        id_funcionario integer,
        id_categoria integer,
        data_venda date,
        venda double precision
    );
    create schema sandbox;
    create table sandbox.state (sales integer not null, opening date not null, today date not null);
    revoke temporary on database {DATABASE} from public;
    create role {LOADER} login;
    grant select on all tables in schema public to {LOADER};
    alter default privileges in schema public grant select on tables to {LOADER};
"""

_CORRECT = """
    update public.venda
    set (id_funcionario, id_categoria, data_venda, venda)
        = (%(id_funcionario)s, %(id_categoria)s, %(data_venda)s, %(venda)s)
    where id_venda = %(id_venda)s
"""


def bring_forward(server: PostgresServer, sales: int | None, today: date) -> Business:
    """Brings `public.venda` to `today`, in one transaction; returns the business it belongs to.

    The first time, the business opens on `today` with `sales` sales; without `sales`, with `DEFAULT_SALES`.

    Raises:
        SandboxError: if the table belongs to a business of another size, or is already past `today`.
    """
    if not server.has_database(DATABASE):
        server.create_database(DATABASE)
    with closing(server.connect(DATABASE)) as session, session, session.cursor() as cursor:
        known = _known_business(cursor)
        if known is None:
            return _open(cursor, Business(sales or DEFAULT_SALES, today))
        business, come_to = known
        _check(business, sales, come_to, today)
        _insert(cursor, business, come_to, today)
        cursor.executemany(_CORRECT, [vars(business.correction_on(day)) for day in _days(come_to, today)])
        cursor.execute("update sandbox.state set today = %s where today < %s", [today, today])
        return business


def last_date(server: PostgresServer) -> date | None:
    """Returns the date that the table was last brought to; None if it does not exist."""
    if not server.has_database(DATABASE):
        return None
    with closing(server.connect(DATABASE)) as session, session, session.cursor() as cursor:
        known = _known_business(cursor)
    return known[1] if known else None


def loader_settings(server: PostgresServer) -> ConnectionSettings:
    """Returns how the user `loader` connects; it can read `public` alone. Each call sets a new password."""
    password = secrets.token_urlsafe(24)
    with closing(server.connect(DATABASE)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(LOADER), sql.Literal(password)))
    return replace(server.settings(DATABASE), user=LOADER, password=password)


def _known_business(cursor: Cursor) -> tuple[Business, date] | None:
    """Returns the business whose sales the table has, and the date it was brought to."""
    cursor.execute("select from pg_tables where schemaname = 'sandbox' and tablename = 'state'")
    if not cursor.rowcount:
        return None
    cursor.execute("select sales, opening, today from sandbox.state")
    [(sales, opening, come_to)] = cursor.fetchall()
    return Business(sales, opening), come_to


def _open(cursor: Cursor, business: Business) -> Business:
    cursor.execute(_CREATE)
    _insert(cursor, business, FIRST_DAY, business.opening)
    cursor.execute("alter table public.venda add primary key (id_venda)")
    cursor.execute(
        "insert into sandbox.state values (%s, %s, %s)", [business.sales, business.opening, business.opening]
    )
    return business


def _check(business: Business, sales: int | None, come_to: date, today: date) -> None:
    if sales not in (None, business.sales):
        raise SandboxError(
            f"SANDBOX_SALES is {sales}, but this demo was created with {business.sales}: "
            "unset SANDBOX_SALES to keep it, or run `make clean` to start again"
        )
    if today < come_to:
        raise SandboxError(
            f"TODAY is {today}, but this demo is already at {come_to}: "
            "unset TODAY to stay there, or run `make clean` to start again"
        )


def _insert(cursor: Cursor, business: Business, first: date, end: date) -> None:
    """Adds the sales from `first` to the day before `end`; prints its progress on stderr if it takes long."""
    total = business.sales_before(end) - business.sales_before(first)
    done, said = 0, time.monotonic()
    days = _days(first, end)
    for start in range(0, len(days), _DAYS_AT_ONCE):
        sales = pa.Table.from_batches([business.sales_on(day) for day in days[start : start + _DAYS_AT_ONCE]])
        text = io.BytesIO()  # not ADBC, a third faster: it turns a Ctrl-C in its midst into an error of its own
        # In one chunk: for a first chunk of no rows, pyarrow writes what happens to lie in its buffer.
        csv.write_csv(sales.combine_chunks(), text, csv.WriteOptions(include_header=False))
        text.seek(0)
        cursor.copy_expert("copy public.venda from stdin (format csv)", text)
        done += sales.num_rows
        if time.monotonic() - said >= PROGRESS_SECONDS:
            said = time.monotonic()
            sys.stderr.write(f"sandbox: {done:,} of {total:,} sales in public.venda\n")


def _days(first: date, end: date) -> list[date]:
    return [first + timedelta(n) for n in range((end - first).days)]
