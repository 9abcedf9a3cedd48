"""Limits of time and locks at the source: what is said, and what is retried."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from psycopg2 import extensions

from tests.python.helpers.world import World


@pytest.fixture
def reader(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The user of the loaders, who may read the sales and nothing else."""
    name = f"leitor_{world.sales.info.dbname}"
    world.execute(f"create role {name} login password 'pw'; grant select on public.venda to {name}")
    monkeypatch.setenv("SOURCE_POSTGRES_USER", name)
    monkeypatch.setenv("SOURCE_POSTGRES_PASSWORD", "pw")
    yield name
    world.execute(f"drop owned by {name}; drop role {name}")


@pytest.fixture
def other(world: World) -> Iterator[extensions.connection]:
    """Another session at the source."""
    with closing(world.server.connect(world.sales.info.dbname)) as connection:
        yield connection


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between attempts, for which no test waits."""
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    monkeypatch.setenv("RETRY_SECONDS", "10")
    return waited


# A policy takes its time for each row: for the count, or in the sessions that read the rows.
SLOW = {"counting": "current_query() ilike '%count(*)%'", "reading": "current_query() not ilike '%count(*)%'"}


@pytest.mark.parametrize("when", SLOW)
@pytest.mark.parametrize("limit", ["statement_timeout", "transaction_timeout"])
def test_a_limit_of_time_is_said_with_its_remedy_and_not_retried(
    world: World, reader: str, waits: list[float], when: str, limit: str
) -> None:
    world.execute(
        f"create function public.devagar(integer) returns boolean language sql as"
        f" $$ select case when {SLOW[when]} then pg_sleep(100) is not null else true end $$;"
        " alter table public.venda enable row level security;"
        " create policy p on public.venda using (public.devagar(id_venda));"
        f" alter role {reader} set {limit} = '2s'"
    )
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert f"took longer than the {limit} of user {reader}; raise that: alter role" in outcome.output
    assert f'\\"{reader}\\" set {limit} = 0. Nothing was loaded' in outcome.output
    assert waits == []


def test_who_locks_a_table_is_said_and_the_run_goes_on_when_it_is_free(
    world: World, other: extensions.connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[float] = []

    def release(seconds: float) -> None:
        said.append(seconds)
        other.rollback()

    monkeypatch.setattr("tenacity.nap.time.sleep", release)
    monkeypatch.setenv("RETRY_SECONDS", "10")
    monkeypatch.setattr("extract.sources.postgres.session.STYLES", {"lock_timeout": "200ms"})
    monkeypatch.setattr("extract.sources.postgres.locks.WAIT", "2s")
    other.cursor().execute("set application_name = 'migração'; alter table public.venda add loja integer")
    outcome = world.run("postgres")

    assert outcome.code == 0, outcome.output
    assert len(said) == 1
    pid = other.info.backend_pid
    assert f'postgres.venda: "public"."venda" in database {world.sales.info.dbname} is locked' in outcome.words
    assert f"held by process {pid} of user postgres (migra" in outcome.words
    assert "idle in transaction since 20" in outcome.words
    assert f"or end it: select pg_terminate_backend({pid}). Nothing was loaded; retrying in" in outcome.words


def test_a_table_that_stays_locked_fails_alone(
    world: World, other: extensions.connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.sources.postgres.session.STYLES", {"lock_timeout": "200ms"})
    monkeypatch.setattr("extract.sources.postgres.locks.WAIT", "2s")
    other.cursor().execute("lock table public.venda in access exclusive mode")
    outcome = world.run("parquet", "postgres")

    assert outcome.code == 1
    assert outcome.status("parquet.categoria") == "ok"
    assert f"held by process {other.info.backend_pid} of user postgres" in outcome.words
