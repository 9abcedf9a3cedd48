"""How long a request to S3 is tried: as long as RETRY_SECONDS says, with a line of the log for each wait.

S3 is busy at times, and then asks for another attempt. Its clients would try a fixed number of times without a word,
s3fs around botocore and dlt around s3fs. So botocore asks here instead, before each attempt and after each answer.
"""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import fsspec
from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import AioSession  # type: ignore[import-untyped]
from aiohttp import AddrInfoType
from botocore.retries.standard import (
    ExponentialBackoff,
    OrRetryChecker,
    RetryContext,
    RetryEventAdapter,
    ThrottledRetryableChecker,
    TransientRetryableChecker,
)
from s3fs import S3FileSystem  # type: ignore[import-untyped]

log = logging.getLogger("extract")

TEMPORARY = OrRetryChecker([TransientRetryableChecker(), ThrottledRetryableChecker()])
CONTEXT = RetryEventAdapter()
BACKOFF = ExponentialBackoff()  # up to 20 seconds

SHORTEST_ANSWER, LONGEST_ANSWER = 5, 15  # seconds for S3 to connect, to take some bytes of a file, or to answer

ALL = ""  # stands for all requests


@dataclass(eq=False)  # hashable, as botocore wants it
class Patience:
    """Decides whether a request is sent again: not if it, or every request, has failed for some seconds.

    It remembers that beyond the request, so that whoever asks for the same once more does not begin to wait afresh.
    """

    seconds: float
    failing_since: dict[str, float] = field(default_factory=dict)
    unanswered: dict[str, tuple[float, Exception]] = field(default_factory=dict)  # when it was given up, and why

    @property
    def answer(self) -> float:
        """The seconds for one answer, so few that there is time for several attempts."""
        return min(max(self.seconds / 4, SHORTEST_ANSWER), LONGEST_ANSWER)

    def register(self, session: AioSession) -> None:
        """Makes a session ask for the requests to S3 of its clients."""
        session.register("before-send.s3", self.begin)
        session.register("needs-retry.s3", self.decide)

    def open_socket(self, address: AddrInfoType) -> socket.socket:
        """Returns a socket for a connection that breaks if S3 takes no byte of what it is sent in time.

        aiohttp's timeout begins when all has been sent. Linux alone has this one.
        """
        family, kind, protocol, *_ = address
        opened = socket.socket(family, kind, protocol)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.answer * 1000))
        return opened

    def begin(self, request: Any, **_words: Any) -> None:
        """Notes when an attempt begins, which sends its body at once: for leave, aiohttp would wait without an end.

        Raises:
            Exception: the error of the last attempt, if S3 has just left this request, or every one, without an
                answer for all of the time. It would take some more seconds to not answer.
        """
        now = monotonic()
        request.context.pop("begun", None)
        for what in (f"{request.method} {request.url}", ALL):
            if what in self.unanswered:
                given_up, error = self.unanswered[what]
                if now - given_up < self.seconds:
                    raise error
        request.context["begun"] = now
        request.headers.pop("Expect", None)  # it is not signed

    def decide(self, request_dict: dict[str, Any], **words: Any) -> float | None:
        """Returns the seconds to wait before the request is sent again; None if it is not."""
        context = CONTEXT.create_retry_context(request_dict=request_dict, **words)
        both = (f"{request_dict['method']} {request_dict['url']}", ALL)
        if not TEMPORARY.is_retryable(context):
            for what in both:
                self.failing_since.pop(what, None)
                self.unanswered.pop(what, None)
            return None
        begun = context.request_context.get("begun")
        if begun is None:
            return None
        now = monotonic()
        wait: float = BACKOFF.delay_amount(context)
        end = now + wait + (now - begun)  # of the next attempt, which may take as long as this one
        over = [what for what in both if end - self.failing_since.setdefault(what, begun) >= self.seconds]
        if not over:
            log.warning("S3: %s: %s; retrying in %.1f s", context.operation_model.name, describe(context), wait)
            return wait
        if context.caught_exception:
            self.unanswered |= dict.fromkeys(over, (now, context.caught_exception))
        return None


def describe(context: RetryContext) -> str:
    """Returns what went wrong."""
    if context.caught_exception is not None:
        return f"{type(context.caught_exception).__name__}: {context.caught_exception}"
    error = context.parsed_response.get("Error", {})
    return f"HTTP {context.http_response.status_code}, {error.get('Code')}: {error.get('Message')}"


@contextmanager
def bounded_s3_retries(seconds: float) -> Iterator[None]:
    """Bounds and logs, while entered, the retries of all that reads and writes S3 by s3fs."""
    patience = Patience(seconds)
    session = AioSession()
    config = AioConfig(
        # None of botocore's own; the mode `legacy` would raise an error before it asks here.
        retries={"mode": "standard", "total_max_attempts": 1},
        connector_args={"socket_factory": patience.open_socket},
    )
    session.set_default_client_config(config)
    patience.register(session)
    before, defaults = (S3FileSystem.retries, S3FileSystem.read_timeout), fsspec.config.conf.get("s3", {})
    S3FileSystem.retries = 2  # a body that broke off is read once more
    S3FileSystem.read_timeout = patience.answer
    fsspec.config.conf["s3"] = defaults | {"session": session}
    try:
        yield
    finally:
        fsspec.config.conf["s3"] = defaults
        S3FileSystem.retries, S3FileSystem.read_timeout = before
