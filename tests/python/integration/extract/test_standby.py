"""A replica that answers while it replays its primary's log is a source like any other, also in mode xmin."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import make_dsn

from extract.sources.postgres import snapshot as postgres_snapshot
from redshift_standin import postgres
from redshift_standin.postgres import PostgresServer
from sandbox.errors import SandboxError
from tests.python.helpers.world import VENDA, World

pytestmark = pytest.mark.slow

# A commit waits until the next server has applied it, so that no test waits for a replica.
REPLICATED = {
    "wal_level": "replica", "max_wal_senders": "10",
    "synchronous_standby_names": "*", "synchronous_commit": "remote_apply",
}  # fmt: skip


class Replica(PostgresServer):
    """A hot standby of another server, made by its own `pg_basebackup`."""

    def __init__(self, folder: Path, primary: PostgresServer) -> None:
        super().__init__(folder, **REPLICATED)
        self._primary = primary

    def _create_cluster(self) -> None:
        login = self._primary.settings("postgres")
        (self._home / "password").write_text(login.password)
        data = self._home / "data"
        data.mkdir(mode=0o700)
        os.chown(data, *postgres._server_user())
        source = make_dsn(**vars(login))
        made = self._spawn(
            "pg_basebackup", f"--pgdata={data}", "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
            f"--dbname={source}",
        )  # fmt: skip
        if made.wait() != 0:
            raise SandboxError(f"pg_basebackup failed:\n{self._log_tail()}")


def execute(server: PostgresServer, sql: str) -> list[tuple[Any, ...]]:
    """Runs statements, each in a transaction of its own; returns the rows of the last."""
    with closing(server.connect("postgres")) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[PostgresServer]]:
    """A primary with the sales, its replica, and a replica of that."""
    folder = tmp_path_factory.mktemp("standby")
    with PostgresServer(folder / "primary", **REPLICATED) as primary:
        # No replica is connected yet.
        execute(primary, f"set synchronous_commit = local; {VENDA}")
        with Replica(folder / "first", primary) as first, Replica(folder / "second", first) as second:
            yield [primary, first, second]


def read_from(world: World, server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs the extract on a server; returns the keys that were loaded."""
    login = server.settings("postgres")
    for name, value in {
        "PORT": str(login.port), "DATABASE": login.dbname, "USER": login.user, "PASSWORD": login.password,
        "READERS": "2",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"SOURCE_POSTGRES_{name}", value)
    outcome = world.run("postgres")
    assert outcome.code == 0, outcome.output
    last = "(select max(load_id) from raw_postgres._dlt_loads)"
    return [key for (key,) in world.query(f"select id_venda from raw_postgres.venda where _dlt_load_id = {last}")]


def test_new_rows_are_read_from_a_replica(
    world: World, line: list[PostgresServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_snapshot, "RANGE_BYTES", 8192)  # so that sessions share one exported snapshot
    primary, replica, _ = line
    execute(primary, "insert into public.venda (id_venda) select generate_series(3, 2000)")
    assert execute(replica, "select pg_is_in_recovery()") == [(True,)]
    assert sorted(read_from(world, replica, monkeypatch)) == list(range(1, 2001))

    execute(
        primary,
        "insert into public.venda (id_venda) values (2001); update public.venda set venda = 9 where id_venda = 1",
    )
    assert sorted(read_from(world, replica, monkeypatch)) == [1, 2001]
    execute(primary, "insert into public.venda (id_venda) values (2002)")
    assert sorted(read_from(world, primary, monkeypatch)) == [2002]  # its ids are the primary's own


def test_a_promoted_replica_is_read_whole(
    world: World, line: list[PostgresServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, second = line
    assert read_from(world, second, monkeypatch) == [1, 2]
    execute(first, "select pg_promote()")
    # The second follows the first onto its timeline, long before its next checkpoint records it.
    execute(first, "insert into public.venda (id_venda) values (3)")
    assert sorted(read_from(world, second, monkeypatch)) == [1, 2, 3]
    assert read_from(world, second, monkeypatch) == []


def test_an_open_transaction_on_the_primary_is_not_skipped(
    world: World, line: list[PostgresServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, replica, _ = line
    assert read_from(world, replica, monkeypatch) == [1, 2]
    with closing(primary.connect("postgres")) as slow, slow.cursor() as cursor:
        cursor.execute("insert into public.venda (id_venda) values (3)")
        execute(primary, "insert into public.venda (id_venda) values (4)")
        assert read_from(world, replica, monkeypatch) == [4]
        slow.commit()
    assert 3 in read_from(world, replica, monkeypatch)
