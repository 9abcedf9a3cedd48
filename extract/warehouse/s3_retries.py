"""How often a request to S3 is sent again: as long as RETRY_SECONDS says, with a line of the log for each wait.

S3 is busy at times, and then asks for another attempt. Its clients would try a fixed number of times without a word,
s3fs around botocore and dlt around s3fs. So botocore asks here instead, after each answer of S3.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import fsspec
from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import AioSession  # type: ignore[import-untyped]
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

ALL = ""  # stands for all requests


@dataclass(eq=False)  # hashable, as botocore wants it
class Patience:
    """Decides whether a request is sent again: not if it, or every request, has failed for some seconds.

    It remembers that beyond the request, so that whoever asks for the same once more does not begin to wait afresh.
    """

    seconds: float
    failing_since: dict[str, float] = field(default_factory=dict)
    unanswered: dict[str, Exception] = field(default_factory=dict)  # in vain; S3 takes seconds to not answer

    def register(self, session: AioSession) -> None:
        """Makes a session ask for the requests to S3 of its clients."""
        session.register("before-send.s3", self.refuse)
        session.register("needs-retry.s3", self.decide)

    def refuse(self, request: Any, **_words: Any) -> None:
        """Raises the error of a request that has remained without an answer for all of the time."""
        if error := self.unanswered.get(f"{request.method} {request.url}"):
            raise error

    def decide(self, request_dict: dict[str, Any], **words: Any) -> float | None:
        """Returns the seconds to wait before the request is sent again; None if it is not."""
        context = CONTEXT.create_retry_context(request_dict=request_dict, **words)
        request = f"{request_dict['method']} {request_dict['url']}"
        if not TEMPORARY.is_retryable(context):
            for what in (request, ALL):
                self.failing_since.pop(what, None)
            return None
        now = monotonic()
        begun = min(self.failing_since.setdefault(what, now) for what in (request, ALL))
        wait: float = BACKOFF.delay_amount(context)
        if now + wait - begun >= self.seconds:
            if context.caught_exception:
                self.unanswered[request] = context.caught_exception
            return None
        log.warning("S3: %s: %s; retrying in %.1f s", context.operation_model.name, describe(context), wait)
        return wait


def describe(context: RetryContext) -> str:
    """Returns what went wrong."""
    if context.caught_exception is not None:
        return f"{type(context.caught_exception).__name__}: {context.caught_exception}"
    error = context.parsed_response.get("Error", {})
    return f"HTTP {context.http_response.status_code}, {error.get('Code')}: {error.get('Message')}"


@contextmanager
def bounded_s3_retries(seconds: float) -> Iterator[None]:
    """Bounds and logs, while entered, the retries of all that reads and writes S3 by s3fs."""
    session = AioSession()
    # None of botocore's own; the mode `legacy` would raise an error before it asks here.
    session.set_default_client_config(AioConfig(retries={"mode": "standard", "total_max_attempts": 1}))
    Patience(seconds).register(session)
    before, defaults = S3FileSystem.retries, fsspec.config.conf.get("s3", {})
    S3FileSystem.retries = 2  # a body that broke off is read once more
    fsspec.config.conf["s3"] = defaults | {"session": session}
    try:
        yield
    finally:
        fsspec.config.conf["s3"] = defaults
        S3FileSystem.retries = before
