"""Faults that pass are met by trying again, with growing random waits, within a limit of time.

Whatever is tried again is whole: a load has an id and a working folder of its own, and is there or not.
"""

import logging
import re
from collections.abc import Callable
from typing import TypeVar

from extract.errors import ExtractError, PassingError, causes, reason

log = logging.getLogger("extract")

T = TypeVar("T")

LONGEST_WAIT = 30  # seconds between two attempts

# What a warehouse, S3 and a network say of a fault that is theirs and passes.
PASSING = re.compile(
    "terminating connection|connection (was )?closed|closed the connection|SSL connection has been closed"
    "|could not receive data|[Cc]onnection re(fused|set)|timed? ?out|EndpointConnectionError|ConnectionClosedError"
    "|SlowDown|Throttling|RequestLimitExceeded|ServiceUnavailable|InternalError|RequestTimeout"
    "|[Ss]erializable isolation violation|could not serialize access|conflict with recovery"
)


def passes(error: BaseException) -> bool:
    """Returns whether a fault may be over in a moment; what is the user's to mend does not pass."""
    chain = causes(error)
    if any(isinstance(link, KeyboardInterrupt) for link in chain):
        return False
    ours = next((link for link in chain if isinstance(link, ExtractError)), None)
    if ours:
        return isinstance(ours, PassingError)
    return any(PASSING.search(f"{type(link).__name__} {link}") for link in chain)


def retried(what: str, seconds: float, work: Callable[[], T]) -> T:
    """Returns what the work returns; a fault that passes is met by another attempt, as long as there is time.

    Raises:
        Exception: the work's last fault.
    """
    from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

    def tell(attempt: RetryCallState) -> None:
        assert attempt.outcome  # noqa: S101  it has just failed
        assert attempt.next_action  # noqa: S101  it is tried again
        error = attempt.outcome.exception()
        assert error  # noqa: S101  the same
        log.warning("%s; tried again in %.1f s", reason(what, error), attempt.next_action.sleep)

    attempts = Retrying(
        retry=retry_if_exception(passes),
        wait=wait_random_exponential(max=LONGEST_WAIT),
        stop=stop_before_delay(seconds),
        before_sleep=tell,
        reraise=True,
    )
    return attempts(work)
