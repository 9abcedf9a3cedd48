"""A source database without an encoding: UTF-8 is loaded unchanged, other bytes are reported."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg2
import pytest

from redshift_standin.postgres import PostgresServer
from tests.python.helpers.declared import declare, postgres_table
from tests.python.helpers.world import World


@pytest.fixture
def unencoded(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg2.extensions.connection]:
    """A database of the encoding SQL_ASCII with a table of names."""
    name = f"test_{uuid4().hex[:12]}"
    with closing(postgres_server.connect("postgres")) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"create database {name} encoding 'SQL_ASCII' locale 'C' template template0")
    declare(monkeypatch, postgres_table("cliente", "id", "xmin"))
    monkeypatch.setenv("SOURCE_POSTGRES_DATABASE", name)
    monkeypatch.setenv("RETRY_SECONDS", "60")  # a fault that the user must fix is not retried
    with closing(postgres_server.connect(name)) as connection:
        connection.autocommit = True
        connection.cursor().execute("create table public.cliente (id integer, nome text)")
        yield connection
    postgres_server.drop_database(name)


def test_utf8_is_loaded_unchanged(world: World, unencoded: psycopg2.extensions.connection) -> None:
    unencoded.cursor().execute("insert into public.cliente values (1, convert_from('\\x4a6f73c3a9', 'SQL_ASCII'))")
    outcome = world.run("postgres")

    assert outcome.code == 0, outcome.output
    assert world.query("select id, nome from raw_postgres.cliente") == [(1, "José")]


def test_other_bytes_are_reported_and_nothing_is_loaded(
    world: World, unencoded: psycopg2.extensions.connection
) -> None:
    latin = "convert_from('\\x4a6f73e9', 'SQL_ASCII')"
    unencoded.cursor().execute(f"insert into public.cliente values (1, 'Ana'), (2, {latin})")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert "postgres.cliente: expected texts in UTF-8, got" in outcome.output
    assert ": 0xe9" in outcome.output.replace("\\", "")
    assert "tried again" not in outcome.output
    # The query in the message finds the row, which is loaded once it is fixed.
    found = unencoded.cursor()
    found.execute("select id from public.cliente where nome ~ '[^[:ascii:]]'")
    assert found.fetchall() == [(2,)]
    unencoded.cursor().execute(
        "update public.cliente set nome = convert_from(convert(textsend(nome), 'LATIN1', 'UTF8'), 'SQL_ASCII')"
        " where nome ~ '[^[:ascii:]]'"
    )
    assert world.run("postgres").code == 0
    assert world.query("select nome from raw_postgres.cliente order by id") == [("Ana",), ("José",)]
