"""Retries of transient faults, with growing random waits, within a limit of time.

Whatever is retried is whole: a load has an id and a working folder of its own, and exists completely or not at all.
"""

import logging
import re
from collections.abc import Callable
from typing import TypeVar

from extract import interrupt
from extract.errors import ExtractError, NotRecordedError, PassingError, UnansweredError, causes, reason

log = logging.getLogger("extract")

T = TypeVar("T")

LONGEST_WAIT = 30  # seconds between two attempts

# Transient faults in the words of the warehouse, S3 and the network.
PASSING = re.compile(
    "terminating connection|connection (was )?closed|closed the connection|SSL connection has been closed"
    "|could not receive data|[Cc]onnection re(fused|set)|timed? ?out|EndpointConnectionError|ConnectionClosedError"
    "|SlowDown|Throttling|RequestLimitExceeded|ServiceUnavailable|InternalError|RequestTimeout"
    r"|\(50[0234]\)|reduce your request rate"
    "|[Ss]erializable isolation violation|could not serialize access|conflict with recovery"
)


def passes(error: BaseException) -> bool:
    """Returns whether a fault is transient; a fault that the user has to fix is not."""
    chain = causes(error)
    ours = next((link for link in chain if isinstance(link, ExtractError)), None)
    if ours:
        return isinstance(ours, PassingError)
    return any(PASSING.search(f"{type(link).__name__} {link}") for link in chain)


def may_pass(error: BaseException) -> bool:
    """Returns whether a later run may succeed although nobody has done anything: the fault may pass, or is not known.

    A fault of our own is known. It may pass if it says so, or if it came from a transient one, such as that of a
    warehouse that does not answer.
    """
    chain = causes(error)
    ours = next((link for link in chain if isinstance(link, ExtractError)), None)
    if ours is None or isinstance(ours, PassingError | UnansweredError | NotRecordedError):
        return True
    return any(PASSING.search(f"{type(link).__name__} {link}") for link in chain[chain.index(ours) + 1 :])


def retried(what: str, seconds: float, work: Callable[[], T]) -> T:
    """Returns what the work returns; retries it after a transient fault, as long as there is time.

    Raises:
        KeyboardInterrupt: if the command is to stop, whatever error a library has made of it.
        Exception: the last fault of the work.
    """
    from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

    def attempt() -> T:
        try:
            return work()
        except Exception as error:
            interrupt.check(error)
            if any(isinstance(cause, KeyboardInterrupt) for cause in causes(error)):
                raise KeyboardInterrupt from error
            raise

    def warn(state: RetryCallState) -> None:
        assert state.outcome  # noqa: S101  it has just failed
        assert state.next_action  # noqa: S101  it is retried
        error = state.outcome.exception()
        assert error  # noqa: S101  the same
        log.warning("%s; retrying in %.1f s", reason(what, error), state.next_action.sleep)

    attempts = Retrying(
        retry=retry_if_exception(passes),
        wait=wait_random_exponential(max=LONGEST_WAIT),
        stop=stop_before_delay(seconds),
        before_sleep=warn,
        reraise=True,
    )
    return attempts(attempt)
