"""A session's connection to PostgreSQL, for the client's messages and for the proxy's own queries."""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scramp import ScramClient

from redshift_standin.errors import RedshiftError
from redshift_standin.server.protocol import (
    PROTOCOL,
    column_names,
    column_types,
    error_fields,
    message,
    read_message,
    row_values,
)

_EXTENDED = {b"P", b"B", b"D", b"E", b"C", b"F", b"H"}


class SignInError(Exception):
    """PostgreSQL refused the sign-in; the argument is the body of its ErrorResponse."""


class Upstream:
    """The connection of one session to PostgreSQL.

    Attributes:
        status: as in the last ReadyForQuery: b"I" idle, b"T" in a transaction, b"E" in a failed transaction.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.status = b"I"
        self._unanswered: deque[bool] = deque()  # for each Query and Sync: whether the proxy itself sent it
        self._unsynced = False  # messages of the extended protocol were sent since the last Sync
        self._idle = asyncio.Event()
        self._idle.set()
        self._diverted: asyncio.Queue[tuple[bytes, bytes]] | None = None

    async def sign_in(self, options: dict[str, str], password: str) -> bytes:
        """Signs in with SCRAM; returns the body of AuthenticationOk.

        Raises:
            SignInError: PostgreSQL refuses.
        """
        scram = ScramClient(["SCRAM-SHA-256"], options["user"], password)
        packet = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in options.items()) + b"\0"
        self._writer.write(struct.pack("!ii", len(packet) + 8, PROTOCOL) + packet)
        while True:
            kind, body = await read_message(self._reader)
            if kind == b"E":
                raise SignInError(body)
            (step,) = struct.unpack("!i", body[:4])
            if step == 10:
                first = scram.get_client_first().encode()
                self._writer.write(message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
            elif step == 11:
                scram.set_server_first(body[4:].decode())
                self._writer.write(message(b"p", scram.get_client_final().encode()))
            elif step == 0:
                return body

    async def send(self, kind: bytes, body: bytes | memoryview = b"", *, own: bool = False) -> None:
        """Sends a message; the ReadyForQuery of an `own` one does not go to the client."""
        if kind in (b"Q", b"S"):
            self._unanswered.append(own)
            self._unsynced = False
            self._idle.clear()
        elif kind in _EXTENDED:
            self._unsynced = True
        self._writer.write(message(kind) if not body else kind + struct.pack("!i", len(body) + 4))
        self._writer.write(body)
        await self._writer.drain()

    async def messages(self) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yields PostgreSQL's messages to the client until PostgreSQL closes the connection."""
        while True:
            kind, body = await read_message(self._reader)
            own = False
            if kind == b"Z":
                self.status = body
                own = self._unanswered.popleft() if self._unanswered else False
            if self._diverted is not None:
                await self._diverted.put((kind, body))
            elif not own:
                yield kind, body
            if not self._unanswered:
                self._idle.set()

    @property
    def is_synced(self) -> bool:
        """Whether nothing was sent after the last Sync or Query."""
        return not self._unsynced

    async def settle(self) -> None:
        """Returns when PostgreSQL has answered everything that was sent."""
        if self._unsynced:
            await self.send(b"S", own=True)
        await self._idle.wait()

    @asynccontextmanager
    async def exclusive(self, waiting: int = 0) -> AsyncIterator[asyncio.Queue[tuple[bytes, bytes]]]:
        """While entered, PostgreSQL's messages go to the queue and not to the client.

        With `waiting`, PostgreSQL itself waits while so many are not taken: the taker must do nothing else.
        """
        await self.settle()
        self._diverted = asyncio.Queue(waiting)
        try:
            yield self._diverted
            await self._idle.wait()
        finally:
            self._diverted = None

    async def ask(self, sql: str) -> list[list[str | None]]:
        """Runs a query that the client does not see; returns its rows.

        Raises:
            RedshiftError: PostgreSQL's error.
        """
        return [list(row_values(body)) for kind, body in await self._answers(sql) if kind == b"D"]

    async def ask_within(self, sql: str) -> list[list[str | None]]:
        """Runs a query that the client does not see without an end of what it sent; returns its rows.

        PostgreSQL must have answered everything before. It is not asked to end the implicit transaction, which would
        close the client's portals.

        Raises:
            RedshiftError: PostgreSQL's error. The client must send Sync, as after an error of its own.
        """
        rows: list[list[str | None]] = []
        error: RedshiftError | None = None
        self._diverted = asyncio.Queue()
        try:
            await self.send(b"P", b"rs\0" + sql.encode() + b"\0\0\0")
            await self.send(b"B", b"rs\0rs\0" + bytes(6))
            await self.send(b"E", b"rs\0" + bytes(4))
            await self.send(b"C", b"Prs\0")
            await self.send(b"C", b"Srs\0")
            await self.send(b"H")
            closed = 0
            while closed < 2 and error is None:
                kind, body = await self._diverted.get()
                if kind == b"E":
                    fields = error_fields(body)
                    error = RedshiftError(fields["C"], fields["M"])
                if kind == b"D":
                    rows.append(list(row_values(body)))
                closed += kind == b"3"
        finally:
            self._diverted = None
        if error:
            await self.forget(b"rs")
            raise error
        return rows

    async def forget(self, statement: bytes) -> None:
        """Closes a prepared statement, as if its Parse had failed."""
        async with self.exclusive() as queue:
            await self.send(b"C", b"S" + statement + b"\0")
            await self.send(b"S", own=True)
            while (await queue.get())[0] != b"Z":
                pass

    async def columns(self, sql: str) -> list[str]:
        """Runs a query that the client does not see; returns the names of its columns.

        Raises:
            RedshiftError: PostgreSQL's error.
        """
        return [name for kind, body in await self._answers(sql) if kind == b"T" for name in column_names(body)]

    async def types(self, sql: str) -> list[tuple[int, int]]:
        """Runs a query that the client does not see; returns the type id and the type modifier of each column.

        A transaction of the client goes on even if the query fails.

        Raises:
            RedshiftError: PostgreSQL's error.
        """
        await self.settle()
        within = self.status == b"T"
        if within:
            await self.ask("savepoint rs_types")
        try:
            answers = await self._answers(sql)
        finally:
            if within:
                await self.ask("rollback to rs_types; release rs_types")
        return [
            (type_id, modifier)
            for kind, body in answers
            if kind == b"T"
            for _, type_id, modifier in column_types(body)
        ]

    async def described(self, sql: str) -> list[tuple[str, int, int]]:
        """Returns the name, type id and type modifier of each column of a query, which is not run.

        Raises:
            RedshiftError: PostgreSQL's error.
        """
        answers = await self._answers(f"select * from ({sql}\n) rs_query limit 0")
        return [column for kind, body in answers if kind == b"T" for column in column_types(body)]

    async def _answers(self, sql: str) -> list[tuple[bytes, bytes]]:
        answers = []
        async with self.exclusive() as queue:
            await self.send(b"Q", sql.encode() + b"\0", own=True)
            while (answer := await queue.get())[0] != b"Z":
                answers.append(answer)
        for fields in (error_fields(body) for kind, body in answers if kind == b"E"):
            raise RedshiftError(fields["C"], fields["M"])
        return answers

    async def fail_transaction(self) -> None:
        """Fails the open transaction, as an error of Redshift does."""
        await self.settle()
        if self.status == b"T":
            try:
                await self.ask("do $$ begin raise exception 'refused'; end $$")
            except RedshiftError:
                return

    def close(self) -> None:
        """Closes the connection."""
        self._writer.close()
