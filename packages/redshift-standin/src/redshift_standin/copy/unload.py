"""Runs UNLOAD in the client's session: the query reads what the client's transaction sees."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from redshift_standin.copy.s3 import S3
from redshift_standin.copy.unload_files import Field, Spool, Unloaded, check_types, write
from redshift_standin.copy.unload_statement import parse
from redshift_standin.errors import RedshiftError
from redshift_standin.server.protocol import error_fields
from redshift_standin.server.upstream import Upstream
from redshift_standin.sql.text import quote

_WAITING = 1000  # rows between PostgreSQL and the disk


async def run(
    sql: str, upstream: Upstream, s3: S3, roles: Collection[str], rewrite: Callable[[str], Awaitable[str]]
) -> Unloaded:
    """Runs an UNLOAD statement; `rewrite` returns a query as PostgreSQL runs it.

    Raises:
        RedshiftError: nothing was unloaded, or not all.
    """
    unload = parse(sql)
    s3 = unload.authorization.apply(s3, roles)
    s3.client()
    query = (await rewrite(unload.query)).strip().rstrip(";")
    fields = [
        Field(str(whole), str(kind), int(modifier or -1))
        for whole, kind, modifier in await _describe(upstream, query)
    ]
    check_types(unload, fields)
    spool = Spool(unload, fields)
    try:
        await _read(upstream, query, spool)
        files = await asyncio.to_thread(write, spool, s3)
    finally:
        spool.close()
    return Unloaded(unload, spool.rows, files)


async def _describe(upstream: Upstream, query: str) -> list[list[str | None]]:
    """Returns the name, type and modifier of each column of a query's result."""
    columns = await upstream.described(query)
    rows = ", ".join(
        f"({n}, {quote(name)}, {kind}::oid, {modifier})" for n, (name, kind, modifier) in enumerate(columns)
    )
    return await upstream.ask(
        "select rs.whole(name), format_type(kind, null), modifier "
        f"from (values {rows}) t (n, name, kind, modifier) order by n"
    )


async def _read(upstream: Upstream, query: str, spool: Spool) -> None:
    """Reads the rows of a query to disk."""
    failure: Exception | None = None
    async with upstream.exclusive(_WAITING) as answers:
        await upstream.send(b"Q", f"copy ({query}\n) to stdout".encode() + b"\0", own=True)
        while True:
            kind, body = await answers.get()
            if kind == b"d" and failure is None:
                try:
                    spool.add(body)
                except Exception as error:  # noqa: BLE001 - the rest is read, so that the session lives
                    failure = error
            elif kind == b"E":
                fields = error_fields(body)
                failure = RedshiftError(fields["C"], fields["M"])
            elif kind == b"Z":
                break
    if failure:
        raise failure
