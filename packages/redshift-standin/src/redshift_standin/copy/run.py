"""Runs COPY in the client's session, so that it is part of the client's transaction."""

import asyncio
from collections.abc import Collection, Sequence

from redshift_standin.copy import files as copy_files
from redshift_standin.copy.files import S3
from redshift_standin.copy.load_errors import parse_rejection
from redshift_standin.copy.statement import Column, Copy, describe_query, parse, target_columns
from redshift_standin.errors import RedshiftError, internal_error
from redshift_standin.server.protocol import error_fields
from redshift_standin.server.upstream import Upstream
from redshift_standin.sql.text import quote

_GIVEN_UP = "57014"  # PostgreSQL's SQLSTATE of a COPY that the proxy cancelled


async def run(sql: str, upstream: Upstream, s3: S3, roles: Collection[str]) -> bytes:
    """Runs a COPY statement; returns the body of its CommandComplete.

    Raises:
        RedshiftError: nothing was loaded.
    """
    copy = parse(sql, roles)
    columns = target_columns(copy, await upstream.ask(describe_query(copy)))
    async with upstream.exclusive() as answers:
        # Two COPYs into one table wait for one another, as on Redshift: until the end of the transaction.
        waiting = f"select rs.begin_copy({quote(copy.table)}::regclass)"
        statement = f"{waiting}; {copy_files.stdin_statement(copy, columns)}"
        await upstream.send(b"Q", statement.encode() + b"\0", own=True)
        return await _stream(copy, columns, upstream, answers, s3)


async def _stream(
    copy: Copy, columns: Sequence[Column], upstream: Upstream, answers: asyncio.Queue[tuple[bytes, bytes]], s3: S3
) -> bytes:
    unreadable: RedshiftError | None = None
    tag = b""
    while True:
        kind, body = await answers.get()
        if kind == b"G":
            chunks = copy_files.chunks(copy, s3, columns)
            try:
                while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                    await upstream.send(b"d", chunk)
                await upstream.send(b"c")
            except Exception as error:  # noqa: BLE001 - PostgreSQL must not wait for more rows
                unreadable = error if isinstance(error, RedshiftError) else internal_error(error)
                await upstream.send(b"f", b"stand-in\0")
        elif kind == b"C":
            tag = body
        elif kind == b"E":
            fields = error_fields(body)
            if unreadable and fields["C"] == _GIVEN_UP:
                raise unreadable
            if place := parse_rejection(fields):
                raise await asyncio.to_thread(copy_files.load_error, copy, s3, columns, place)
            raise RedshiftError(fields["C"], fields["M"])
        elif kind == b"Z":
            return tag
