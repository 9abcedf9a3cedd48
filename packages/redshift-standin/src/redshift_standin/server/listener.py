"""The stand-in as a server on this machine: `with RedshiftServer(postgres, folder, s3_url, key) as server: …`."""

import asyncio
import hashlib
import os
import resource
import secrets
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2
from psycopg2 import extensions, sql

from redshift_standin.certificates import certificate
from redshift_standin.copy.s3 import S3
from redshift_standin.errors import RedshiftError, StandInError
from redshift_standin.postgres import PostgresServer
from redshift_standin.server.history import History
from redshift_standin.server.session import Backend, Session
from redshift_standin.server.start_up import is_reserved
from redshift_standin.signatures import AccessKey
from redshift_standin.sql.late_views import LateViews
from redshift_standin.sql.names import Names

DATABASE = "dev"
_MOST_SESSIONS = 500  # https://docs.aws.amazon.com/redshift/latest/mgmt/amazon-redshift-limits.html
_CATALOG = Path(__file__).parents[1] / "catalog"
_SCRIPTS = tuple(
    path.read_text()
    for path in (
        _CATALOG / "catalog.sql",
        *sorted((_CATALOG / "functions").iterdir()),
        *(
            _CATALOG / f"{name}.sql"
            for name in (
                "utility",
                "parameters",
                "late_views",
                "materialized_views",
                "system_catalog",
                "system_views",
                "transfers",
                "access",
            )
        ),
    )
)
_VERSION = hashlib.sha256("".join(_SCRIPTS).encode()).hexdigest()
_TYPES = {"super": 4000, "varbyte": 6551}  # Redshift's ids, as redshift_connector knows them


@dataclass(frozen=True)
class Options:
    """What clients of a stand-in see. Without a port it is any free one; without a password, a new one."""

    port: int = 0
    database: str = DATABASE
    user: str = "awsuser"  # the admin
    password: str = field(default="", repr=False)
    copy_roles: tuple[str, ...] = ()  # ARNs of the roles that may COPY; without any, each role with the name `copy`


class RedshiftServer:
    """Serves while entered, on a port of 127.0.0.1; its certificate is for localhost.

    COPY reads from the S3 server at `s3_url`, and signs with `key`.

    Attributes:
        port: the port.
        ca_bundle: the file of the CA that clients with verify-full need.
        database: the name of its one database.
        user: the admin user.
        password: of the admin user.

    Raises:
        StandInError: on entering, if the port is taken, or another version of the stand-in created its database.
    """

    host = "localhost"

    def __init__(
        self, postgres: PostgresServer, folder: Path, s3_url: str, key: AccessKey, options: Options | None = None
    ) -> None:
        options = options or Options()
        self._postgres = postgres
        self._s3 = S3(s3_url, key)
        self._copy_roles = options.copy_roles
        self.ca_bundle, self._key = certificate(folder)
        self.port, self.database, self.user = options.port, options.database, options.user
        self.password = options.password or secrets.token_urlsafe(24)
        self._logins = threading.Lock()
        self._passwords = {self.user: self.password}
        self._running = ExitStack()

    def __enter__(self) -> Self:
        if not self._postgres.has_database(self.database):
            self._create_database()
        self._check_version()
        self._own_database()
        self._login(self.user)
        with ExitStack() as stack:
            own = self._postgres.connect(self.database)
            stack.callback(own.close)
            own.autocommit = True
            with own.cursor() as cursor:
                cursor.execute("set synchronous_commit to off")  # the history waits for no disk
            self._history, self._names, self._late_views = History(own), Names(own), LateViews(own)
            stack.callback(self._history.close)
            self._loop = asyncio.new_event_loop()
            stack.callback(self._loop.close)
            listening = self._listen()
            self.port = listening.getsockname()[1]
            ready = threading.Event()
            thread = threading.Thread(target=self._serve, args=(listening, ready), name="redshift")
            thread.start()
            stack.callback(thread.join)
            stack.callback(lambda: self._loop.call_soon_threadsafe(self._stop.set))
            ready.wait()
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def connect(self) -> extensions.connection:
        """A new connection of the admin user through the stand-in; the caller closes it."""
        return psycopg2.connect(
            host=self.host, port=self.port, dbname=self.database, user=self.user, password=self.password,
            sslmode="verify-full", sslrootcert=str(self.ca_bundle),
        )  # fmt: skip

    def temporary_login(self, user: str, seconds: int = 900) -> str:
        """Returns a password that is valid for so many seconds; creates the user if it does not exist."""
        return self._login(user, seconds)

    def _login(self, user: str, seconds: int | None = None) -> str:
        # A role of PostgreSQL has one password. On AWS each temporary password stays valid until it expires.
        password = self._passwords.setdefault(user, secrets.token_urlsafe(24))
        with (
            self._logins,  # PostgreSQL refuses two at once: "tuple concurrently updated"
            closing(self._postgres.connect(self.database)) as connection, connection, connection.cursor() as cursor,
        ):  # fmt: skip
            _create_role(cursor, user)
            name = sql.Identifier(user)
            cursor.execute("select coalesce((now() + make_interval(secs => %s))::text, 'infinity')", [seconds])
            [(until,)] = cursor.fetchall()
            cursor.execute(
                sql.SQL("alter role {} nosuperuser createrole createdb password {} valid until {}").format(
                    name, sql.Literal(password), sql.Literal(until)
                )
            )
            # Every such user may do everything in the one database: it acts as the database's owner.
            cursor.execute("select pg_get_userbyid(datdba) from pg_database where datname = current_database()")
            [(owner,)] = cursor.fetchall()
            if owner != user:
                cursor.execute(sql.SQL("grant {} to {}").format(sql.Identifier(owner), name))
                acts_as = sql.SQL("alter role {} in database {} set role = {}")
                cursor.execute(acts_as.format(name, sql.Identifier(self.database), sql.Identifier(owner)))
        return password

    def _own_database(self) -> None:
        """Gives the database to the admin, unless another admin has it already."""
        with (
            self._logins,
            closing(self._postgres.connect(self.database)) as connection, connection, connection.cursor() as cursor,
        ):  # fmt: skip
            cursor.execute(
                "select rolsuper from pg_database, pg_roles r where r.oid = datdba and datname = current_database()"
            )
            if cursor.fetchone() != (True,):
                return
            _create_role(cursor, self.user)
            admin = sql.Identifier(self.user)
            cursor.execute(sql.SQL("alter database {} owner to {}").format(sql.Identifier(self.database), admin))

    def _create_database(self) -> None:
        with closing(self._postgres.connect("postgres")) as outside, outside.cursor() as cursor:
            outside.autocommit = True
            # Texts are compared by bytes; upper, lower and initcap handle all of Unicode.
            cursor.execute(
                sql.SQL(
                    "create database {} template template0 locale_provider builtin builtin_locale 'C.UTF-8'"
                ).format(sql.Identifier(self.database))
            )
        with closing(self._postgres.connect(self.database)) as connection, connection, connection.cursor() as cursor:
            for script in _SCRIPTS:
                cursor.execute(script)
            cursor.execute("comment on schema rs is %s", [_VERSION])

    def _check_version(self) -> None:
        with closing(self._postgres.connect(self.database)) as connection, connection.cursor() as cursor:
            cursor.execute("select obj_description(to_regnamespace('rs'), 'pg_namespace')")
            if cursor.fetchone() != (_VERSION,):
                raise StandInError(
                    f"the stand-in's database {self.database} was created by another version of it: remove it with"
                    " `make clean`, which removes all data of the sandbox; the next start creates it again"
                )

    def _backend(self) -> Backend:
        with closing(self._postgres.connect(self.database)) as connection, connection.cursor() as cursor:
            cursor.execute("select oid::int, typname from pg_type where typname = any(%s)", [list(_TYPES)])
            ids = {type_id: _TYPES[name] for type_id, name in cursor.fetchall()}
        settings = self._postgres.settings(self.database)
        return Backend(settings.host, settings.port, self.database, self._s3, ids, self._copy_roles)

    def _listen(self) -> socket.socket:
        try:
            return socket.create_server(("127.0.0.1", self.port))
        except OSError as error:
            raise StandInError(
                f"port {self.port} of this machine: {os.strerror(error.errno or 0)}; choose another one, or 0"
            ) from error

    def _serve(self, listening: socket.socket, ready: threading.Event) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.ca_bundle, self._key)
        backend = self._backend()

        async def main() -> None:
            self._stop = asyncio.Event()

            places = _places()
            sessions: set[asyncio.Task[None] | None] = set()  # the loop itself refers to them weakly

            async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                this = asyncio.current_task()
                sessions.add(this)
                try:
                    refusal = _too_many(places) if len(sessions) > places else None
                    shared = self._history, self._names, self._late_views
                    await Session((reader, writer), backend, context, *shared).serve(refusal)
                except asyncio.CancelledError:
                    pass  # the server stops
                finally:
                    sessions.discard(this)

            # A statement may wait in a thread for one that another session has to end first: none waits for a thread.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(places, "redshift"))
            server = await asyncio.start_server(session, sock=listening, backlog=places)
            ready.set()
            await self._stop.wait()
            server.close()
            while others := asyncio.all_tasks() - {asyncio.current_task()}:  # a client may just have connected
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)

        self._loop.run_until_complete(main())


def _places() -> int:
    """Returns how many sessions there may be: as many as on Redshift, or as this process may have files for."""
    return min(_MOST_SESSIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 50)


def _too_many(places: int) -> RedshiftError:
    return RedshiftError("53300", f'connection limit "{places}" exceeded for non-bootstrap users')


def _create_role(cursor: extensions.cursor, user: str) -> None:
    """Creates a role that may sign in, if it does not exist.

    Raises:
        StandInError: the name is one of PostgreSQL's own, or of the stand-in's.
    """
    if is_reserved(user):
        raise StandInError(f"the user {user} is one of the PostgreSQL server itself: choose another name")
    cursor.execute("select 1 from pg_roles where rolname = %s", [user])
    if cursor.fetchone() is None:
        cursor.execute(sql.SQL("create role {} login").format(sql.Identifier(user)))
