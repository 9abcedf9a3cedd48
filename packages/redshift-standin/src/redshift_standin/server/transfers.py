"""COPY and UNLOAD of one session: what they did is in the history, and the session knows its last ones."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from redshift_standin.copy import unload
from redshift_standin.copy.load_errors import LoadError, LoadErrorDetail, bare_name
from redshift_standin.copy.run import CopyRun
from redshift_standin.copy.s3 import S3
from redshift_standin.copy.unload_files import Unloaded
from redshift_standin.errors import RedshiftError
from redshift_standin.server.history import Executed, History, Transfer
from redshift_standin.server.protocol import info, message
from redshift_standin.server.upstream import Upstream
from redshift_standin.sql.statement import Statement

_LAST = re.compile(
    r"(?<![\w.])(?:pg_catalog\s*\.\s*)?(pg_last_(?:copy|unload)_(?:id|count))\s*\(\s*\)", re.IGNORECASE
)
_NONE = {"pg_last_copy_id": -1, "pg_last_copy_count": 0, "pg_last_unload_id": -1, "pg_last_unload_count": 0}
_FORMATS = {"text": "Text", "csv": "CSV", "json": "JSON", "parquet": "Parquet", "fixedwidth": "Fixedwidth"}


class Transfers:
    """Runs COPY and UNLOAD."""

    def __init__(
        self, upstream: Upstream, s3: S3, roles: Collection[str], history: History, whole: Callable[[str], str]
    ) -> None:
        """`whole` returns text with names as clients have them."""
        self._upstream, self._s3, self._roles, self._history, self._whole = upstream, s3, roles, history, whole
        self._last = dict(_NONE)
        self._committed = dict(_NONE)

    async def copy(self, sql: str, executed: Executed, fold: Callable[[str], str]) -> bytes:
        """Runs COPY; returns the messages of its end. `fold` returns names as PostgreSQL has them.

        Raises:
            RedshiftError: nothing was loaded.
        """
        run = CopyRun(sql, self._upstream, self._s3, self._roles, fold)
        try:
            loaded = await run.run()
        except RedshiftError as error:
            details = error.details if isinstance(error, LoadError) else ()
            transfer = _copied(run, 0, details) if run.load or details else None
            await self._record(executed, transfer, error)
            raise
        await self._record(executed, _copied(run, loaded.rows, tuple(loaded.load.errors)))
        return b"".join(map(info, loaded.notices)) + message(b"C", b"COPY\0")

    async def unload(self, sql: str, executed: Executed, rewrite: Callable[[str], Awaitable[str]]) -> bytes:
        """Runs UNLOAD; returns the messages of its end.

        Raises:
            RedshiftError: nothing was unloaded, or not all.
        """
        try:
            unloaded = await unload.run(sql, self._upstream, self._s3, self._roles, rewrite)
        except RedshiftError as error:
            self._history.add(executed, self._whole(error.message))
            raise
        await self._record(executed, _unloaded(unloaded))
        text = f"UNLOAD completed, {unloaded.rows} record(s) unloaded successfully."
        return info(text) + message(b"C", b"UNLOAD\0")

    async def _record(
        self, executed: Executed, transfer: Transfer | None, error: RedshiftError | None = None
    ) -> None:
        if transfer:
            transfer = replace(transfer, table=self._whole(transfer.table))
        written = self._history.add(executed, self._whole(error.message) if error else None, transfer)
        if not transfer:
            return
        query_id = await asyncio.wrap_future(written)
        self._last[f"pg_last_{transfer.kind}_id"] = query_id
        self._last[f"pg_last_{transfer.kind}_count"] = transfer.rows
        if error or self._upstream.status == b"I":
            self._committed = dict(self._last)

    def end_transaction(self, tag: bytes) -> None:
        """Forgets the COPY and UNLOAD of a transaction that was rolled back."""
        if tag == b"ROLLBACK\0":
            self._last = dict(self._committed)
        elif tag == b"COMMIT\0":
            self._committed = dict(self._last)

    def fill_in(self, statement: Statement) -> Statement:
        """Returns a statement with the ids and counts of the last COPY and UNLOAD as arguments of their functions."""
        if not statement.has(*_NONE):
            return statement
        return statement.change(
            lambda code: _LAST.sub(lambda m: f"pg_catalog.{m[1]}({self._last[m[1].lower()]})", code)
        )


def _copied(run: CopyRun, rows: int, errors: tuple[LoadErrorDetail, ...]) -> Transfer:
    load = run.load
    copy = load.copy if load else run.copy
    files = tuple((file, 0, 0) for file in load.files) if load else ()
    return Transfer(
        "copy", f"s3://{copy.bucket}/{copy.key}", _FORMATS[copy.format], bare_name(copy.table), copy.compression,
        rows, files, load.size if load else 0, errors,
    )  # fmt: skip


def _unloaded(unloaded: Unloaded) -> Transfer:
    unload = unloaded.unload
    files = tuple((file.url, file.length, file.rows) for file in unloaded.files)
    return Transfer(
        "unload", f"s3://{unload.bucket}/{unload.prefix}", _FORMATS[unload.format], "", unload.compression,
        unloaded.rows, files, sum(file.length for file in unloaded.files),
    )  # fmt: skip
