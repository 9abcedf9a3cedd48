"""One client's session: a proxy between a Redshift client and PostgreSQL.

The client must use TLS and sends its password in clear text inside it. The proxy signs in to PostgreSQL with SCRAM,
which redshift_connector cannot do. It rewrites the statements in Query and Parse, runs COPY itself, and replaces
PostgreSQL's type ids in RowDescription. It forwards every other message unchanged.
"""

import asyncio
import re
import ssl
import struct
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from redshift_standin.copy import run as copying
from redshift_standin.copy.files import S3
from redshift_standin.copy.load_errors import LoadError
from redshift_standin.copy.statement import is_copy
from redshift_standin.errors import RedshiftError, internal_error, not_implemented
from redshift_standin.postgres import SUPERUSER
from redshift_standin.server.history import Executed, History
from redshift_standin.server.incoming import Incoming
from redshift_standin.server.protocol import (
    PROTOCOL_VIOLATION,
    ProtocolError,
    error_fields,
    error_response,
    message,
    read_client_message,
    read_text,
    row_description,
)
from redshift_standin.server.start_up import Cancel, read_start_up, upstream_options
from redshift_standin.server.upstream import SignInError, Upstream
from redshift_standin.sql.isolation import CONFLICT, violation, written_table
from redshift_standin.sql.late_views import LateViews
from redshift_standin.sql.lateral import expand_aliases
from redshift_standin.sql.merge import MANY_MATCHES
from redshift_standin.sql.names import Names, fold
from redshift_standin.sql.refusals import absent_function
from redshift_standin.sql.rewrite import rewrite
from redshift_standin.sql.rows import split_rows
from redshift_standin.sql.stars import expand_stars
from redshift_standin.sql.text import COMMENTS, quote, statements, tag
from redshift_standin.sql.utility import is_truncate

SERVER_VERSION = "8.0.2"  # the PostgreSQL version that Redshift reports
_QUERY_GROUP = re.compile(
    rf"{COMMENTS}(reset|set(\s+session)?)\s+rs\.query_group(\s*(=|\bto\b)\s*'?(?P<name>[^';]*))?",
    re.IGNORECASE | re.DOTALL,
)
SIGN_IN_SECONDS = 60  # as PostgreSQL's authentication_timeout
_Result = TypeVar("_Result")
_UNDEFINED_FUNCTION = "42883"
_ROWS_BYTES = 1 << 16  # rows go to the client in pieces of this size: each costs an encryption
_NO_RESULT = "set rs.copy to ''"  # prepared in place of a COPY: like COPY, it has no parameters and no columns


@dataclass(frozen=True)
class Backend:
    """The PostgreSQL server, the S3 that COPY reads from, and the roles that may read, as in `server.Options`."""

    host: str
    port: int
    database: str
    s3: S3
    type_ids: dict[int, int]  # Redshift's type ids by PostgreSQL's
    copy_roles: tuple[str, ...] = ()


class Session:
    """One client's session, from its start-up packet to its end."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        backend: Backend,
        context: ssl.SSLContext,
        history: History,
        names: Names,
        late_views: LateViews,
    ) -> None:
        self._from_client, self._to_client = client
        self._backend = backend
        self._context = context
        self._history = history
        self._names = names
        self._late_views = late_views
        self._process = 0
        self._transaction = history.next_transaction()
        self._label: str | None = None
        # In the order of their answers; True if it is only parsed. None is a COMMIT that the client did not send.
        self._running: deque[tuple[Executed | None, bool]] = deque()
        self._prepared: dict[bytes, str] = {}  # by the name of the prepared statement, as the client sent it
        self._portals: dict[bytes, str] = {}
        self._discard_until_sync = False

    async def serve(self, refusal: RedshiftError | None = None) -> None:
        """Serves the client until either side closes its connection, or refuses it."""
        with ExitStack() as ends:
            ends.callback(self._to_client.close)
            try:
                async with asyncio.timeout(SIGN_IN_SECONDS):
                    begun = await self._begin(ends, refusal)
                if begun:
                    await self._pump()
            except RedshiftError as error:
                await self._refuse(error)
            except (asyncio.IncompleteReadError, OSError, TimeoutError):
                pass  # either side closed its connection, or the client never signed in

    async def _begin(self, ends: ExitStack, refusal: RedshiftError | None) -> bool:
        """Reads the client's first packets and signs it in; returns whether a session has begun.

        Raises:
            RedshiftError: the client is refused.
        """
        options = await read_start_up(self._from_client, self._to_client, self._context)
        if isinstance(options, Cancel):
            await self._cancel(options.packet)
            return False
        if refusal:
            raise refusal
        self._user, database = options["user"], options.get("database") or options["user"]
        self._database = self._backend.database
        self._upstream = Upstream(*await asyncio.open_connection(self._backend.host, self._backend.port))
        ends.callback(self._upstream.close)
        if not await self._sign_in(upstream_options(options, self._database)):
            return False
        if database != self._database:
            raise RedshiftError("3D000", f'database "{database}" does not exist')
        await self._reply(message(b"R", struct.pack("!i", 0)))
        return True

    async def _refuse(self, error: RedshiftError) -> None:
        with suppress(OSError):
            await self._reply(error_response(error, "FATAL"))

    async def _cancel(self, packet: bytes) -> None:
        """Forwards a CancelRequest."""
        _, server = await asyncio.open_connection(self._backend.host, self._backend.port)
        server.write(packet)
        await server.drain()
        server.close()

    async def _sign_in(self, options: dict[str, str]) -> bool:
        """Asks the client for its password and signs in to PostgreSQL with it."""
        await self._reply(message(b"R", struct.pack("!i", 3)))
        kind, body = await read_client_message(self._from_client)
        if kind != b"p" or isinstance(body, RedshiftError):
            raise ProtocolError(f"expected password response, got message type {kind[0]}")
        user = options["user"]
        if user == SUPERUSER or user.startswith(("pg_", "rs_")):
            raise RedshiftError("28P01", f'password authentication failed for user "{user}"')
        try:
            await self._upstream.sign_in(options, read_text(body))
        except SignInError as error:
            await self._reply(message(b"E", error.args[0]))
            return False
        return True

    async def _pump(self) -> None:
        """Forwards messages both ways until either side closes its connection."""
        incoming = Incoming(self._from_client)
        ways = [
            asyncio.create_task(way)
            for way in (incoming.read(), self._client_to_server(incoming), self._server_to_client())
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _client_to_server(self, incoming: Incoming) -> None:
        extended = {b"P": self._parse, b"B": self._bind, b"E": self._execute, b"C": self._close}
        while True:
            kind, body = await incoming.next()
            if self._discard_until_sync and kind != b"S":
                continue
            self._discard_until_sync = False
            try:
                if isinstance(body, RedshiftError):
                    raise body
                if kind == b"Q":
                    await self._query(read_text(body))
                elif handle := extended.get(kind):
                    await handle(body)
                else:
                    await self._upstream.send(kind, body)
            except (EOFError, OSError):  # either side closed its connection
                raise
            except Exception as any_error:  # noqa: BLE001 - every error is reported to the client
                error = any_error if isinstance(any_error, RedshiftError) else internal_error(any_error)
                if isinstance(any_error, (ValueError, struct.error)) and kind != b"Q":
                    error = RedshiftError(PROTOCOL_VIOLATION, "invalid message format")
                await self._upstream.fail_transaction()
                await self._reply(
                    error_response(RedshiftError(error.sqlstate, self._names.whole(error.message), error.detail_text))
                )
                if kind == b"Q":
                    await self._reply(message(b"Z", self._upstream.status))
                else:
                    self._discard_until_sync = True

    async def _query(self, sql: str) -> None:
        """Handles a Query message, which may contain several statements."""
        brief, rows = split_rows(sql)
        if is_copy(brief):
            tag = await self._copy(sql)
            await self._reply(message(b"C", tag) + message(b"Z", self._upstream.status))
            return
        parts = [self._describe(one + rows) for one in statements(brief)]
        new = await self._rewrite(sql)
        if not rows and any(is_truncate(part.text) for part in parts):
            new = ";\n".join(f"{one};\ncommit" if is_truncate(one) else one for one in statements(new))
        for part in parts:
            self._running.append((part, False))
            if not rows and is_truncate(part.text):
                self._running.append((None, False))
        await self._upstream.send(b"Q", new.encode() + b"\0")

    async def _commit(self) -> None:
        """Commits the open transaction, as TRUNCATE does."""
        await self._upstream.settle()
        if self._upstream.status == b"T":
            await self._upstream.ask("commit")

    async def _parse(self, body: bytes) -> None:
        name, text, rest = body.split(b"\0", 2)
        sql = read_text(text)
        new = _NO_RESULT if is_copy(sql) else await self._rewrite(sql)
        self._prepared[name] = sql
        self._running.append((self._describe(sql), True))
        await self._upstream.send(b"P", name + b"\0" + new.encode() + b"\0" + rest)

    async def _bind(self, body: bytes) -> None:
        portal, name, _ = body.split(b"\0", 2)
        self._portals[portal] = self._prepared.get(name, "")
        await self._refresh_views(self._portals[portal])
        await self._upstream.send(b"B", body)

    async def _execute(self, body: bytes) -> None:
        sql = self._portals.get(body.split(b"\0", 1)[0], "")
        if is_copy(sql):
            await self._upstream.settle()
            if not self._discard_until_sync:
                await self._reply(message(b"C", await self._copy(sql)))
            return
        self._running.append((self._describe(sql), False))
        await self._upstream.send(b"E", body)
        if is_truncate(sql):
            await self._commit()

    async def _close(self, body: bytes) -> None:
        (self._prepared if body[:1] == b"S" else self._portals).pop(body[1:].rstrip(b"\0"), None)
        await self._upstream.send(b"C", body)

    async def _rewrite(self, sql: str) -> str:
        """Returns the query string that PostgreSQL runs in place of the client's.

        Raises:
            RedshiftError: for a statement that is refused; it is recorded in the history.
        """
        brief, rows = split_rows(sql)
        if any(is_copy(one) for one in statements(brief)):
            error = not_implemented("COPY together with other statements in one query string")
            raise self._record_failure(sql, error)
        try:
            new = await asyncio.to_thread(rewrite, self._fold(brief))
            await self._refresh_views(new)
            new = await asyncio.to_thread(self._expand, new, asyncio.get_running_loop())
            new += self._fold(rows) if "\\" in rows else rows
        except RedshiftError as error:
            raise self._record_failure(sql, error) from None
        except (EOFError, OSError):
            raise
        except Exception as error:
            raise self._record_failure(sql, internal_error(error)) from error
        if group := _QUERY_GROUP.match(new):
            self._label = group["name"]
        if "sys_" in new or "stl_" in new:
            await asyncio.to_thread(self._history.flush)
        return new

    def _expand(self, sql: str, loop: asyncio.AbstractEventLoop) -> str:
        """Returns SQL without the forms for which the database is asked; called in a thread of its own."""

        def wait(question: Callable[[str], Coroutine[Any, Any, _Result]]) -> Callable[[str], _Result]:
            return lambda probe: asyncio.run_coroutine_threadsafe(question(probe), loop).result()

        sql = expand_stars(sql, wait(self._upstream.columns))
        sql = expand_aliases(sql, wait(self._has_column))
        return self._late_views.rewrite(sql)

    async def _refresh_views(self, sql: str) -> None:
        """Updates the late-binding views that a statement names."""
        if question := self._late_views.refresh_query(sql):
            with suppress(RedshiftError):  # in a failed transaction: PostgreSQL reports it
                await self._upstream.ask(question)

    async def _has_column(self, probe: str) -> bool:
        """Returns whether the column that a query selects exists in this session."""
        try:
            [[answer]] = await self._upstream.ask(f"select rs.has_column({quote(probe)})")
        except RedshiftError:  # in a failed transaction: PostgreSQL reports it
            return True
        return answer == "t"

    def _fold(self, sql: str) -> str:
        """Returns SQL with names as PostgreSQL has them, and remembers the long ones."""
        folded, found = fold(sql)
        self._names.add(found)
        return folded

    async def _copy(self, sql: str) -> bytes:
        executed = self._describe(sql)
        try:
            tag = await copying.run(self._fold(sql), self._upstream, self._backend.s3, self._backend.copy_roles)
        except LoadError as error:
            self._history.add(executed, self._names.whole(error.message), error.detail)
            raise
        except RedshiftError as error:
            self._history.add(executed, self._names.whole(error.message))
            if error.sqlstate == CONFLICT:
                raise self._violation(executed) from None
            raise
        self._history.add(executed)
        return tag

    def _describe(self, sql: str) -> Executed:
        return Executed(self._user, self._database, self._process, self._transaction, sql, self._label)

    def _record_failure(self, sql: str, error: RedshiftError) -> RedshiftError:
        """Adds a failed statement to the history; returns the error."""
        self._history.add(self._describe(sql), self._names.whole(error.message))
        return error

    async def _server_to_client(self) -> None:
        waiting = bytearray()
        async for kind, body in self._upstream.messages():
            if kind == b"S" and body.startswith(b"standard_conforming_strings\0"):
                continue  # Redshift does not send it, and a client that receives it does not escape backslashes
            if kind in (b"C", b"N") and self._running and self._running[0][0] is None:
                if kind == b"C":
                    self._running.popleft()
                continue
            waiting += message(kind, self._convert(kind, body))
            if kind == b"D" and len(waiting) < _ROWS_BYTES:  # another message always follows a row
                continue
            await self._reply(bytes(waiting))
            waiting.clear()

    def _convert(self, kind: bytes, body: bytes) -> bytes:
        """Returns the body of one of PostgreSQL's messages as Redshift sends it; keeps the session's state."""
        if kind == b"T":
            return row_description(body, self._restore_names, lambda own: self._backend.type_ids.get(own, own))
        if kind == b"S" and body.startswith(b"server_version\0"):
            return b"server_version\0" + SERVER_VERSION.encode() + b"\0"
        if kind == b"N":
            return self._restore_names(body)
        if kind == b"E":
            return self._convert_error(body)
        if kind in (b"1", b"C", b"I", b"s"):
            executed = self._record_end()
            if body == b"CALL\0" and executed:
                return tag(executed.text).encode() + b"\0"
        elif kind == b"K":
            (self._process,) = struct.unpack("!i", body[:4])
        elif kind == b"Z":
            self._running.clear()
            if body == b"I":
                self._transaction = self._history.next_transaction()
        return body

    def _convert_error(self, body: bytes) -> bytes:
        body = self._restore_names(body)
        fields = error_fields(body)
        absent = absent_function(fields.get("M", "")) if fields.get("C") == _UNDEFINED_FUNCTION else None
        if fields.get("C") == CONFLICT:
            absent = self._violation(self._running[0][0] if self._running else None)
        self._record_end(absent.message if absent else fields.get("M", "unknown error"))
        self._running.clear()
        if absent:
            return error_response(absent)[5:]
        # The context is removed: it may name functions of the stand-in.
        body = b"\0".join(part for part in body.split(b"\0") if part[:1] != b"W")
        return body.replace(b"MERGE command cannot affect row a second time", MANY_MATCHES.encode())

    def _violation(self, executed: Executed | None) -> RedshiftError:
        table = written_table(executed.text) if executed else ""
        return violation(self._names.table_id(table), self._transaction, self._process)

    def _restore_names(self, text: bytes) -> bytes:
        return self._names.whole(text.decode()).encode()

    def _record_end(self, error: str | None = None) -> Executed | None:
        """Adds the first of the running statements to the history; returns it."""
        if not self._running:
            return None
        executed, parsed = self._running.popleft()
        if executed and (error or not parsed):
            self._history.add(executed, error)
        return executed

    async def _reply(self, data: bytes) -> None:
        self._to_client.write(data)
        await self._to_client.drain()
