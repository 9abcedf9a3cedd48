"""Rows on their way from PostgreSQL while those before them are written.

    a session per range, in a thread of its own: COPY (binary) → Arrow record batches ┐
                                                                                      ├ a short queue → who asks
    a session per range …                                                             ┘

ADBC turns a row into Arrow at the cost of one core, so a range per core is read at once, and the one who writes
waits for neither. What is on its way is bounded: the memory is that of a few batches, whatever the table.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from queue import Empty, Full, Queue
from threading import Event, Thread

import pyarrow as pa
from adbc_driver_manager.dbapi import Cursor
from adbc_driver_manager.dbapi import Error as AdbcError

from extract.errors import PassingError
from extract.sources.batches import combined

READ_BYTES = 1 << 20  # of a batch as ADBC makes it: small ones stay in the processor's cache
SILENCE = 300.0  # seconds without a row after which the source counts as gone
PATIENCE = 60.0  # seconds within which a query that is cancelled has ended

Session = Callable[[], AbstractContextManager[Cursor]]


class Stream:
    """Queries that are read at once; `batches` gives what they bring until all of them are done."""

    def __init__(
        self,
        name: str,
        queries: Sequence[str],
        session: Session,
        silence: float = SILENCE,
        patience: float = PATIENCE,
    ) -> None:
        self._name = name
        self._session = session
        self._silence = silence
        self._patience = patience
        self._queue: Queue[pa.RecordBatch | Exception | None] = Queue(maxsize=len(queries))
        self._over = Event()
        self._cursors: list[Cursor] = []
        # One that is stuck in a source which has stopped answering must not keep this process from its end.
        self._threads = [
            Thread(target=self._read, args=(query,), name=f"read {name}", daemon=True) for query in queries
        ]
        for thread in self._threads:
            thread.start()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Gives the batches of all queries, in the order in which they come.

        Raises:
            PassingError: if none comes for too long.
            Exception: the first that a query ended with.
        """
        running = len(self._threads)
        while running:
            try:
                item = self._queue.get(timeout=self._silence)
            except Empty as error:
                raise PassingError(f"{self._name}: no row in {self._silence:g} s") from error
            if isinstance(item, Exception):
                raise item
            if item is None:
                running -= 1
            else:
                yield item

    def close(self) -> None:
        """Ends what still runs, at the source too; what a silent source keeps is left behind after a while."""
        self._over.set()
        # A silent source answers no cancelling either.
        ending = Thread(target=self._cancel, name="cancel", daemon=True)
        ending.start()
        ending.join(self._patience)

    def _cancel(self) -> None:
        for thread in self._threads:
            while thread.is_alive():  # a query may begin just after it was cancelled
                for cursor in tuple(self._cursors):
                    with suppress(AdbcError):  # it is closed already
                        cursor.adbc_cancel()
                thread.join(0.05)

    def _read(self, query: str) -> None:
        try:
            with self._session() as cursor:
                self._cursors.append(cursor)
                cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(READ_BYTES)})
                cursor.execute(query)
                for batch in combined(cursor.fetch_record_batch()):
                    if not self._put(batch):
                        return
            self._put(None)
        except Exception as error:  # noqa: BLE001  raised where it is asked for
            self._put(error)

    def _put(self, item: pa.RecordBatch | Exception | None) -> bool:
        """Puts it into the queue when there is room; returns False if nobody asks any more."""
        while not self._over.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except Full:
                continue
            return True
        return False
