"""What PostgreSQL has still to answer, in the order of the client's messages."""

import asyncio
from collections import deque
from dataclasses import dataclass

from redshift_standin.server.results import Column

QUERY, SYNC, DESCRIBE, EXECUTE = b"Q", b"S", b"D", b"E"
_ENDS = (QUERY, SYNC)


@dataclass(frozen=True)
class Request:
    """A message to PostgreSQL. `target` is as in Describe: `P` and a portal's name, or `S` and a statement's.

    The answer of an `own` one does not go to the client: it is the result of the future, None after an error.
    """

    kind: bytes
    target: bytes = b""
    own: "asyncio.Future[tuple[Column, ...] | None] | None" = None


class Requests:
    """The requests that are not answered yet."""

    def __init__(self) -> None:
        self._open: deque[Request] = deque()
        self._failed = False

    def add(self, request: Request) -> None:
        """Adds a request that is sent now. After an error PostgreSQL answers none until the next Sync."""
        self._failed = self._failed and request.kind not in _ENDS
        if self._failed:
            _drop(request)
        else:
            self._open.append(request)

    @property
    def next(self) -> Request | None:
        """The request that PostgreSQL answers next."""
        return self._open[0] if self._open else None

    def answered(self, kind: bytes) -> Request | None:
        """Removes the next request if it is of this kind; returns it."""
        return self._open.popleft() if self._open and self._open[0].kind == kind else None

    def fail(self) -> None:
        """Removes what PostgreSQL does not answer after an error."""
        while self._open and self._open[0].kind not in _ENDS:
            _drop(self._open.popleft())
        self._failed = not self._open

    def end(self) -> None:
        """Removes everything up to the message that a ReadyForQuery answers."""
        self.fail()
        self._failed = False
        if self._open:
            self._open.popleft()


def _drop(request: Request) -> None:
    if request.own and not request.own.done():
        request.own.set_result(None)
