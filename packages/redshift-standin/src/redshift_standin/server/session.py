"""One client's session: a proxy between a Redshift client and PostgreSQL.

The client must use TLS and sends its password in clear text inside it. The proxy signs in to PostgreSQL with SCRAM,
which redshift_connector cannot do. It rewrites the statements in Query and Parse, runs COPY itself, and gives columns
and values Redshift's forms (`results.py`). It forwards every other message unchanged.
"""

import asyncio
import re
import ssl
import struct
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from redshift_standin.copy.options import mask_keys, transfers
from redshift_standin.copy.s3 import S3
from redshift_standin.errors import RedshiftError, internal_error, not_implemented
from redshift_standin.server.history import Connected, Executed, History
from redshift_standin.server.incoming import Incoming
from redshift_standin.server.protocol import (
    PROTOCOL_VIOLATION,
    ProtocolError,
    error_fields,
    error_response,
    message,
    parameter_status,
    parse_bind,
    read_client_message,
    read_text,
)
from redshift_standin.server.requests import DESCRIBE, EXECUTE, QUERY, SYNC, Request, Requests
from redshift_standin.server.results import (
    DAY_TO_SECOND,
    INTERVAL,
    NO_SCALE,
    TEXT,
    VERSIONS,
    YEAR_TO_MONTH,
    Column,
    Convert,
    Place,
    conversions,
    convert_row,
    parameter_as_postgres,
    read_columns,
    with_formats,
    write_columns,
)
from redshift_standin.server.start_up import Cancel, is_reserved, read_start_up, upstream_options
from redshift_standin.server.transfers import Transfers
from redshift_standin.server.upstream import SignInError, Upstream
from redshift_standin.sql.isolation import CONFLICT, violation, written_table
from redshift_standin.sql.late_views import LateViews, creates_late_view
from redshift_standin.sql.merge import MANY_MATCHES
from redshift_standin.sql.names import Names, fold_text
from redshift_standin.sql.questions import Questions
from redshift_standin.sql.refusals import absent_function
from redshift_standin.sql.rewrite import translate
from redshift_standin.sql.rows import split_rows
from redshift_standin.sql.statement import Statement, read
from redshift_standin.sql.text import quote, tag
from redshift_standin.sql.tree import change_tree, needs_tree
from redshift_standin.sql.utility import is_truncate

SERVER_VERSION = "8.0.2"  # the PostgreSQL version that Redshift reports
_QUERY_GROUP = re.compile(
    r"\s*(reset|set(\s+session)?)\s+rs\.query_group(\s*(=|\bto\b)\s*'?(?P<name>[^';]*))?",
    re.IGNORECASE | re.DOTALL,
)
SIGN_IN_SECONDS = 60  # as PostgreSQL's authentication_timeout
_Result = TypeVar("_Result")
_UNDEFINED_FUNCTION, _UNDEFINED_TABLE, _NOT_NULL = "42883", "42P01", "23502"
_SYSTEM_VIEW = re.compile(
    r'relation "(?:pg_catalog\.)?((?:stl|stv|svl|svv|svcs|sys)_\w+|pg_\w+_info)" does not exist'
)
_UNKNOWN = (0, 705)
_INTERVAL_IDS = (YEAR_TO_MONTH, DAY_TO_SECOND)
_ROWS_BYTES = 1 << 16  # rows go to the client in pieces of this size: each costs an encryption
_LONG = 10_000  # characters of a statement that is rewritten in a thread of its own
_NO_RESULT = Statement(
    "set rs.copy to ''"
)  # prepared in place of a COPY: like COPY, it has no parameters and no columns


@dataclass(frozen=True)
class _Prepared:
    """A prepared statement."""

    sql: str = ""  # as the client sent it
    statement: Statement = field(default_factory=lambda: Statement(""))
    rewritten: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Backend:
    """The PostgreSQL server, the S3 that COPY reads from, and the roles that may read, as in `server.Options`."""

    host: str
    port: int
    database: str
    s3: S3
    type_ids: dict[int, int]  # Redshift's type ids by PostgreSQL's
    copy_roles: tuple[str, ...] = ()

    def own_type_id(self, type_id: int) -> int:
        """Returns PostgreSQL's id of one of Redshift's types that a client names for a parameter."""
        if type_id in _INTERVAL_IDS:
            return INTERVAL
        return next((own for own, its in self.type_ids.items() if its == type_id), type_id)


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
        self._prepared: dict[bytes, _Prepared] = {}  # by the name of the prepared statement
        self._portals: dict[bytes, _Prepared] = {}  # by the name of the portal
        self._discard_until_sync = False
        self._version = 0  # of the protocol
        self._requests = Requests()
        self._columns: dict[bytes, tuple[Column, ...]] = {}  # by the target of a Describe
        self._parameters: dict[bytes, tuple[int, ...]] = {}  # types, by the name of the prepared statement
        self._convert_values: dict[int, Convert] = {}  # of the rows that PostgreSQL sends now

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
        asked = options.get("client_protocol_version", "")
        self._version = min(int(asked), max(VERSIONS)) if re.fullmatch("[0-9]{1,9}", asked) else 0
        self._connection = self._connected(options)
        self._user, database = options["user"], options.get("database") or options["user"]
        self._database = self._backend.database
        self._upstream = Upstream(*await asyncio.open_connection(self._backend.host, self._backend.port))
        ends.callback(self._upstream.close)
        self._transfers = Transfers(
            self._upstream, self._backend.s3, self._backend.copy_roles, self._history, self._names.whole
        )
        if not await self._sign_in(upstream_options(options, self._database)):
            return False
        if database != self._database:
            raise RedshiftError("3D000", f'database "{database}" does not exist')
        self._record_connection("authenticated")
        ends.callback(self._record_connection, "disconnecting session")
        welcome = message(b"R", struct.pack("!i", 0))
        await self._reply(welcome + parameter_status("server_protocol_version", str(self._version)))
        return True

    def _connected(self, options: dict[str, str]) -> Connected:
        """Returns the event that has what is the same in all events of this connection."""
        host, port = self._to_client.get_extra_info("peername")[:2]
        cipher = self._to_client.get_extra_info("cipher") or ("", "", 0)
        return Connected(
            "initiating session", host, str(port), 0, options.get("database") or options["user"],
            options["user"], 0, cipher[1], cipher[0], options.get("application_name", ""),
            options.get("driver_version", ""), options.get("os_version", ""), options.get("plugin_name") or "none",
            self._version,
        )  # fmt: skip

    def _record_connection(self, event: str) -> None:
        now = datetime.now(UTC)
        duration = (now - self._connection.time) // timedelta(microseconds=1)
        self._history.add_connection(
            replace(self._connection, event=event, process=self._process, microseconds=duration, time=now)
        )

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
        if is_reserved(user):
            self._record_connection("authentication failure")
            raise RedshiftError("28P01", f'password authentication failed for user "{user}"')
        try:
            await self._upstream.sign_in(options, read_text(body))
        except SignInError as error:
            self._record_connection("authentication failure")
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
        extended = {
            b"P": self._parse, b"B": self._bind, b"D": self._describe_columns, b"E": self._execute, b"C": self._close,
        }  # fmt: skip
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
                    if kind == b"S":
                        self._requests.add(Request(SYNC))
                    await self._upstream.send(kind, body)
            except (EOFError, OSError):  # either side closed its connection
                raise
            except Exception as any_error:  # noqa: BLE001 - every error is reported to the client
                error = any_error if isinstance(any_error, RedshiftError) else internal_error(any_error)
                if isinstance(any_error, (ValueError, IndexError, struct.error)) and kind != b"Q":
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
        statements = read(brief)
        if len(statements) == 1 and transfers(statements[0]):
            end = await self._transfer(sql, statements[0])
            await self._reply(end + message(b"Z", self._upstream.status))
            return
        parts = [(self._describe(one.source + rows, one), is_truncate(one)) for one in statements]
        new, rows = await self._rewrite(sql, statements, rows)
        text = ";\n".join(f"{one.sql};\ncommit" if is_truncate(one) else one.sql for one in new) + rows
        for part, commits in parts:
            self._running.append((part, False))
            if commits:
                self._running.append((None, False))
        self._requests.add(Request(QUERY))
        await self._upstream.send(b"Q", text.encode() + b"\0")

    async def _commit(self) -> None:
        """Commits the open transaction, as TRUNCATE does."""
        await self._upstream.settle()
        if self._upstream.status == b"T":
            await self._upstream.ask("commit")

    async def _parse(self, body: bytes) -> None:
        name, text, rest = body.split(b"\0", 2)
        sql = read_text(text)
        brief, rows = split_rows(sql)
        statements = read(brief)
        first = statements[0] if statements else Statement("")
        rewritten = [_NO_RESULT]
        if not transfers(first):
            rewritten, rows = await self._rewrite(sql, statements, rows)
        new = ";\n".join(one.sql for one in rewritten) + rows
        self._prepared[name] = _Prepared(sql, first, tuple(rewritten))
        self._columns.pop(b"S" + name, None)
        self._parameters[name] = types = struct.unpack(f"!{(len(rest) - 2) // 4}i", rest[2:])
        used = max((int(number) for number in re.findall(r"\$(\d+)", new)), default=0)
        self._running.append((self._describe(sql, first), True))
        known = [self._backend.own_type_id(one) for one in types]
        # Redshift accepts parameters that the statement does not use, also without a type.
        known[used:] = [TEXT if one in _UNKNOWN else one for one in known[used:]]
        own = struct.pack(f"!h{len(known)}i", len(known), *known)
        await self._upstream.send(b"P", name + b"\0" + new.encode() + b"\0" + own)

    async def _bind(self, body: bytes) -> None:
        portal, name, _ = body.split(b"\0", 2)
        self._portals[portal] = self._prepared.get(name, _Prepared())
        await self._refresh_bound_views(name)
        body, formats = parse_bind(body, self._parameters.get(name, ()), parameter_as_postgres)
        await self._upstream.send(b"B", body)
        if (columns := self._columns.get(b"S" + name)) is not None:
            self._columns[b"P" + portal] = with_formats(columns, formats)
        else:
            await self._ask_for_columns(b"P" + portal)

    async def _ask_for_columns(self, target: bytes) -> "asyncio.Future[tuple[Column, ...] | None]":
        """Sends a Describe that the client did not send."""
        answer: asyncio.Future[tuple[Column, ...] | None] = asyncio.get_running_loop().create_future()
        self._requests.add(Request(DESCRIBE, target, answer))
        await self._upstream.send(b"D", target + b"\0")
        return answer

    async def _describe_columns(self, body: bytes) -> None:
        """Handles Describe; from version 1 on the answer has the columns' places, which the catalogue shows."""
        target = body.rstrip(b"\0")
        if self._version == 0:
            self._requests.add(Request(DESCRIBE, target))
            await self._upstream.send(b"D", body)
            return
        answer = await self._ask_for_columns(target)
        await self._upstream.send(b"H")
        columns = await answer
        if columns:
            if self._version >= 2:
                columns = self._columns[target] = await self._with_scales(target, columns)
            places = await self._places(columns)
            await self._reply(message(b"T", write_columns(columns, places)))
        elif columns is not None:
            await self._reply(message(b"n"))

    async def _places(self, columns: tuple[Column, ...]) -> list[Place]:
        found: dict[tuple[str | None, str | None], Place] = {}
        if tables := {str(column.table) for column in columns if column.table}:
            for table, number, schema, name, column, nullable, identity in await self._upstream.ask_within(
                "select a.attrelid, a.attnum, rs.whole(n.nspname), rs.whole(c.relname), rs.whole(a.attname),"
                " not a.attnotnull, a.attidentity <> '' from pg_catalog.pg_attribute a"
                " join pg_catalog.pg_class c on c.oid = a.attrelid"
                " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
                f" where a.attnum > 0 and a.attrelid in ({', '.join(tables)})"
            ):
                found[table, number] = Place(
                    schema or "", name or "", column or "", self._database, nullable == "t", identity == "t"
                )
        return [found.get((str(column.table), str(column.number)), Place()) for column in columns]

    async def _with_scales(self, target: bytes, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        """Returns columns in which each NUMERIC has a scale; that of an expression is the greatest of its values.

        Version 2 needs it before the rows. Redshift computes it from the types of the expression.
        """
        missing = [index for index, column in enumerate(columns) if column.has_no_scale]
        if not missing:
            return columns
        scales: list[str | None] = [None] * len(missing)
        prepared = (self._prepared if target[:1] == b"S" else self._portals).get(target[1:], _Prepared())
        sql = "".join(one.sql for one in prepared.rewritten[:1])
        if sql[:6].lower().startswith(("select", "with", "(")) and "$" not in prepared.rewritten[0].code:
            greatest = ", ".join(f"max(pg_catalog.scale(q.c{index}))" for index in missing)
            names = ", ".join(f"c{index}" for index in range(len(columns)))
            try:
                [scales] = await self._upstream.ask_within(f"select {greatest} from ({sql}\n) as q({names})")
            except RedshiftError:
                # The statement's own error, and the client does not know yet that it is prepared.
                if target[:1] == b"S":
                    await self._upstream.forget(target[1:])
                raise
        known = dict(zip(missing, (NO_SCALE if scale is None else int(scale) for scale in scales), strict=True))
        return tuple(
            column.with_scale(known[index]) if index in known else column for index, column in enumerate(columns)
        )

    async def _execute(self, body: bytes) -> None:
        prepared = self._portals.get(body.split(b"\0", 1)[0], _Prepared())
        if transfers(prepared.statement):
            await self._upstream.settle()
            if not self._discard_until_sync:
                await self._reply(await self._transfer(prepared.sql, prepared.statement))
            return
        self._running.append((self._describe(prepared.sql, prepared.statement), False))
        self._requests.add(Request(EXECUTE, b"P" + body.split(b"\0", 1)[0]))
        await self._upstream.send(b"E", body)
        if is_truncate(prepared.statement):
            await self._commit()

    async def _close(self, body: bytes) -> None:
        target = body.rstrip(b"\0")
        self._columns.pop(target, None)
        (self._prepared if body[:1] == b"S" else self._portals).pop(target[1:], None)
        await self._upstream.send(b"C", body)

    async def _rewrite(self, sql: str, statements: list[Statement], rows: str) -> tuple[list[Statement], str]:
        """Returns the statements that PostgreSQL runs in place of a query string's, and the rows of an INSERT.

        Raises:
            RedshiftError: for a statement that is refused; it is recorded in the history.
        """
        failed = self._describe(sql, statements[0] if statements else Statement(""))
        if any(map(transfers, statements)):
            error = not_implemented("COPY or UNLOAD together with other statements in one query string")
            raise self._record_failure(failed, error)
        try:
            new = await self._run_passes(statements)
            rows = self._fold_text(rows) if "\\" in rows else rows
        except RedshiftError as error:
            raise self._record_failure(failed, error) from None
        except (EOFError, OSError):
            raise
        except Exception as error:
            raise self._record_failure(failed, internal_error(error)) from error
        for one in new:
            if "query_group" in one.code and (group := _QUERY_GROUP.match(one.sql)):
                self._label = group["name"]
        if any("sys_" in one.code or "stl_" in one.code for one in new):
            await asyncio.to_thread(self._history.flush)
        return new, rows

    async def _run_passes(self, statements: list[Statement]) -> list[Statement]:
        """Returns statements as PostgreSQL runs them.

        Raises:
            RedshiftError: for a statement that is refused.
        """
        is_long = sum(len(one.source) for one in statements) > _LONG
        new = await asyncio.to_thread(self._translate, statements) if is_long else self._translate(statements)
        await self._refresh_views("\n".join(one.sql for one in new))
        if is_long or any(needs_tree(one) or creates_late_view(one) for one in new):
            return await asyncio.to_thread(self._change_trees, new, asyncio.get_running_loop())
        return [self._late_views.rewrite(one) for one in new]

    async def _rewrite_query(self, sql: str) -> str:
        """Returns the query of UNLOAD as PostgreSQL runs it."""
        return ";\n".join(one.sql for one in await self._run_passes(read(sql)))

    def _translate(self, statements: list[Statement]) -> list[Statement]:
        """Returns statements for PostgreSQL, or for `_change_trees`, and remembers their long names."""
        found = [translate(self._transfers.fill_in(one)) for one in statements]
        for _, long_names in found:
            self._names.add(long_names)
        return [one for one, _ in found]

    def _change_trees(self, statements: list[Statement], loop: asyncio.AbstractEventLoop) -> list[Statement]:
        """Returns statements without the forms for which the database is asked; called in a thread of its own."""

        def wait(question: Callable[[str], Coroutine[Any, Any, _Result]]) -> Callable[[str], _Result]:
            return lambda query: asyncio.run_coroutine_threadsafe(question(query), loop).result()

        questions = Questions(wait(self._has_column), wait(self._upstream.columns), wait(self._upstream.types))
        return [self._late_views.rewrite(change_tree(one, questions)) for one in statements]

    async def _refresh_views(self, sql: str) -> None:
        """Updates the late-binding views that a statement names."""
        if question := self._late_views.refresh_query(sql):
            with suppress(RedshiftError):  # in a failed transaction: PostgreSQL reports it
                await self._upstream.ask(question)

    async def _refresh_bound_views(self, name: bytes) -> None:
        """Updates the late-binding views that a prepared statement names, as part of the client's messages.

        A Query would close the unnamed statement.
        """
        rewritten = self._prepared.get(name, _Prepared()).rewritten
        question = self._late_views.refresh_query("\n".join(one.sql for one in rewritten))
        if not question or self._upstream.status == b"E":
            return
        if self._upstream.is_synced:
            await self._upstream.settle()
            valid = True
        else:  # after an error PostgreSQL would not answer
            answer = await self._ask_for_columns(b"S" + name)
            await self._upstream.send(b"H")
            valid = await answer is not None
        if valid:
            with suppress(RedshiftError):  # PostgreSQL reports it when the statement runs
                await self._upstream.ask_within(question)

    async def _has_column(self, probe: str) -> bool:
        """Returns whether the column that a query selects exists in this session."""
        try:
            [[answer]] = await self._upstream.ask(f"select rs.has_column({quote(probe)})")
        except RedshiftError:  # in a failed transaction: PostgreSQL reports it
            return True
        return answer == "t"

    def _fold_text(self, sql: str) -> str:
        """Returns a part of a statement with names as PostgreSQL has them, and remembers the long ones."""
        folded, found = fold_text(sql)
        self._names.add(found)
        return folded

    async def _transfer(self, sql: str, statement: Statement) -> bytes:
        """Runs COPY or UNLOAD; returns the messages of its end."""
        executed = self._describe(sql, statement)
        try:
            if transfers(statement) == "copy":
                return await self._transfers.copy(sql, executed, self._fold_text)
            return await self._transfers.unload(sql, executed, self._rewrite_query)
        except RedshiftError as error:
            if error.sqlstate == CONFLICT:
                raise self._violation(executed) from None
            raise

    def _describe(self, sql: str, statement: Statement) -> Executed:
        """Returns what the history has of a statement or a query string, whose first statement is given."""
        return Executed(
            self._user, self._database, self._process, self._transaction, mask_keys(sql), statement.text, self._label
        )

    def _record_failure(self, executed: Executed, error: RedshiftError) -> RedshiftError:
        """Adds a failed statement to the history; returns the error."""
        self._history.add(executed, self._names.whole(error.message))
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
            if (converted := self._convert(kind, body)) is None:
                continue
            waiting += message(kind, converted)
            if kind == b"D" and len(waiting) < _ROWS_BYTES:  # another message always follows a row
                continue
            await self._reply(bytes(waiting))
            waiting.clear()

    def _convert(self, kind: bytes, body: bytes) -> bytes | None:
        """Returns the body of one of PostgreSQL's messages as Redshift sends it, None for one that it does not send.

        Keeps the session's state.
        """
        if kind == b"D":
            if (request := self._requests.next) and request.kind == EXECUTE:
                self._convert_values = conversions(self._columns.get(request.target, ()), self._version)
            return convert_row(body, self._convert_values) if self._convert_values else body
        if kind in (b"T", b"n"):
            return self._convert_columns(body if kind == b"T" else None)
        if kind == b"t":
            if (request := self._requests.next) and request.own:
                return None
            types = struct.unpack(f"!{len(body) // 4}i", body[2:])
            return body[:2] + struct.pack(f"!{len(types)}i", *(self._backend.type_ids.get(one, one) for one in types))
        if kind == b"S" and body.startswith(b"server_version\0"):
            return b"server_version\0" + SERVER_VERSION.encode() + b"\0"
        if kind == b"N":
            return self._restore_names(body)
        if kind == b"E":
            return self._convert_error(body)
        if kind in (b"C", b"I", b"s"):
            self._requests.answered(EXECUTE)
        if kind == b"C":
            self._transfers.end_transaction(body)
        if kind in (b"1", b"C", b"I", b"s"):
            executed = self._record_end()
            # PostgreSQL answers SELECT for CREATE MATERIALIZED VIEW.
            if executed and (body == b"CALL\0" or executed.code.startswith("create materialized ")):
                return tag(executed.code).encode() + b"\0"
        elif kind == b"K":
            (self._process,) = struct.unpack("!i", body[:4])
            self._record_connection("initiating session")
        elif kind == b"Z":
            self._requests.end()
            self._running.clear()
            if body == b"I":
                self._transaction = self._history.next_transaction()
        return body

    def _convert_columns(self, body: bytes | None) -> bytes | None:
        """Converts a RowDescription, or None for NoData."""
        columns = read_columns(body, self._backend.type_ids) if body else ()
        columns = tuple(replace(column, name=self._restore_names(column.name)) for column in columns)
        if request := self._requests.answered(DESCRIBE):
            self._columns[request.target] = columns
            if request.own:
                request.own.set_result(columns)
                return None
        else:
            self._convert_values = conversions(columns, self._version)
        if body is None:
            return b""
        return write_columns(columns, [Place()] * len(columns) if self._version else None)

    def _convert_error(self, body: bytes) -> bytes:
        self._requests.fail()
        body = self._restore_names(body)
        fields = error_fields(body)
        error = _redshift_error(fields)
        if fields.get("C") == CONFLICT:
            error = self._violation(self._running[0][0] if self._running else None)
        self._record_end(error.message if error else fields.get("M", "unknown error"))
        self._running.clear()
        if error:
            return error_response(error)[5:]
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


def _redshift_error(fields: Mapping[str, str]) -> RedshiftError | None:
    """Returns the error that replaces one of PostgreSQL's, None if it stays."""
    if fields.get("C") == _UNDEFINED_FUNCTION:
        return absent_function(fields.get("M", ""))
    if fields.get("C") == _UNDEFINED_TABLE and (found := _SYSTEM_VIEW.match(fields.get("M", ""))):
        return not_implemented(f"the system view {found[1]}")
    if fields.get("M", "").startswith("cross-database references"):
        return not_implemented("a relation of another database")
    if fields.get("C") == _NOT_NULL and (column := fields.get("c")):
        return RedshiftError(_NOT_NULL, f"Cannot insert a NULL value into column {column}")
    return None
