"""Runs COPY in the client's session, so that it is part of the client's transaction."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from redshift_standin.copy.files import Load, stdin_statement
from redshift_standin.copy.load_errors import (
    CHECK,
    Rejection,
    bare_name,
    load_failure,
    parse_rejection,
    parse_skipped,
)
from redshift_standin.copy.s3 import S3
from redshift_standin.copy.statement import Copy, describe_query, parse, target_columns
from redshift_standin.errors import RedshiftError, internal_error
from redshift_standin.server.protocol import error_fields
from redshift_standin.server.upstream import Upstream
from redshift_standin.sql.text import quote

_GIVEN_UP = "57014"  # PostgreSQL's SQLSTATE of a COPY that the proxy cancelled


@dataclass(frozen=True)
class Loaded:
    """What a COPY did: its Load, the rows that it loaded, and the notices for the client."""

    load: Load
    rows: int
    notices: tuple[str, ...]


class CopyRun:
    """One COPY statement in a session."""

    def __init__(
        self, sql: str, upstream: Upstream, s3: S3, roles: Collection[str], fold: Callable[[str], str]
    ) -> None:
        self._sql, self._upstream, self._s3, self._roles, self._fold = sql, upstream, s3, roles, fold
        self.copy = Copy("", (), "", "")
        self.load: Load | None = None  # once it has begun

    async def run(self) -> Loaded:
        """Runs the statement.

        Raises:
            RedshiftError: nothing was loaded.
        """
        copy = parse(self._sql)
        columns_given = tuple(self._fold(f'"{name}"').strip('"') for name in copy.columns)
        self.copy = copy = replace(copy, table=self._fold(copy.table), columns=columns_given)
        s3 = copy.authorization.apply(self._s3, self._roles)
        columns = target_columns(copy, await self._upstream.ask(describe_query(copy)))
        load = Load(copy, s3, columns)
        # Only then is the number of errors known before the commit.
        own_transaction = (copy.max_errors != 1 or copy.no_load) and self._upstream.status == b"I"
        if own_transaction:
            await self._upstream.ask("begin")
        elif copy.no_load:
            await self._upstream.ask("savepoint rs_noload")
        try:
            rows = await self._load(load)
        except Exception:  # not if the session ends, and its transaction with it
            if own_transaction:
                await self._upstream.ask("rollback")
            raise
        if own_transaction:
            await self._upstream.ask("rollback" if copy.no_load else "commit")
        elif copy.no_load:
            await self._upstream.ask("rollback to savepoint rs_noload; release savepoint rs_noload")
        return Loaded(load, 0 if copy.no_load else rows, tuple(_notices(load, rows)))

    async def _load(self, load: Load) -> int:
        # Two COPYs into one table wait for one another, as on Redshift: until the end of the transaction.
        waiting = f"select rs.begin_copy({quote(load.copy.table)}::regclass)"
        statement = f"{waiting}; {stdin_statement(load.copy, load.columns, skip=load.copy.max_errors != 1)}"
        async with self._upstream.exclusive() as answers:
            await self._upstream.send(b"Q", statement.encode() + b"\0", own=True)
            rows, skipped = await self._stream(load, answers)
        if skipped:
            for detail in await asyncio.to_thread(load.explain, skipped):
                load.errors.append(detail)
            most = load.copy.max_errors
            if most is not None and len(load.errors) >= most:
                raise load_failure(load.copy.table, *load.errors)
        return rows

    async def _stream(self, load: Load, answers: asyncio.Queue[tuple[bytes, bytes]]) -> tuple[int, list[Rejection]]:
        """Sends the rows; returns how many PostgreSQL loaded, and those that it skipped."""
        failure: RedshiftError | None = None
        skipped: list[Rejection] = []
        rows = 0
        while True:
            kind, body = await answers.get()
            if kind == b"G":
                failure = await self._send(load)
            elif kind == b"N":
                if rejection := parse_skipped(error_fields(body)):
                    skipped.append(rejection)
            elif kind == b"C":
                rows = int(body.rstrip(b"\0").rpartition(b" ")[2])
            elif kind == b"E":
                fields = error_fields(body)
                if failure and fields["C"] == _GIVEN_UP:
                    raise failure
                if place := parse_rejection(fields):
                    self.load = load
                    raise await asyncio.to_thread(load.refused, place)
                raise RedshiftError(fields["C"], fields["M"])
            elif kind == b"Z":
                return rows, skipped

    async def _send(self, load: Load) -> RedshiftError | None:
        """Sends all chunks; returns why it could not, so that PostgreSQL does not wait for more rows."""
        chunks = load.chunks()
        try:
            chunk = await asyncio.to_thread(next, chunks, None)
            while chunk is not None:
                self.load = load
                # The next one is made while PostgreSQL reads this one.
                _, chunk = await asyncio.gather(
                    self._upstream.send(b"d", chunk), asyncio.to_thread(next, chunks, None)
                )
            self.load = load
            await self._upstream.send(b"c")
        except Exception as error:  # noqa: BLE001
            if load.files:
                self.load = load
            await self._upstream.send(b"f", b"stand-in\0")
            return error if isinstance(error, RedshiftError) else internal_error(error)
        return None


def _notices(load: Load, rows: int) -> list[str]:
    name = bare_name(load.copy.table)
    found = [f"Load into table '{name}' completed, {rows} record(s) loaded successfully."]
    if load.errors:
        found.append(
            f"Load into table '{name}' completed, {len(load.errors)} record(s) could not be loaded.  {CHECK}"
        )
    return found
