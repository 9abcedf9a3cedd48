"""Ctrl-C and SIGTERM, with which a container is stopped, end a command at any point.

A signal raises KeyboardInterrupt, which libraries turn into errors of their own or lose: DuckDB raises "Query
interrupted", dlt and dbt wrap it, ADBC drops one that arrives as a query ends. So the signal itself is noted, and
`check` raises KeyboardInterrupt again wherever an error is handled and before the next piece of work.

A signal that arrives in the instant before the main thread begins to wait does not wake it. So it is repeated until
its handler has run.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_REPEATED = 1.0  # seconds after which a signal is sent again

_requested = threading.Event()
_handled = threading.Event()  # or there is nothing to handle any more


def check(error: BaseException | None = None) -> None:
    """Raises KeyboardInterrupt, from the error that is being handled, if the command is to stop."""
    if _requested.is_set():
        raise KeyboardInterrupt from error


@contextmanager
def listening() -> Iterator[None]:
    """Handles both signals while entered; then they are handled as before.

    SIGTERM is sent on as SIGINT by a thread: ADBC handles SIGINT even in the middle of a query, where no Python
    handler of SIGTERM would run.
    """
    _requested.clear()
    _handled.clear()
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    thread = threading.Thread(target=_forward, args=(receiver,), name="SIGTERM", daemon=True)
    thread.start()
    handlers = {signal.SIGINT: _stop, signal.SIGTERM: _ignore}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    wakeup = signal.set_wakeup_fd(sender)
    try:
        yield
    finally:
        _handled.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(sender)
        thread.join()
        os.close(receiver)
        _requested.clear()


def watch_adbc() -> None:
    """Makes ADBC note a SIGINT too: while it waits for a query, it replaces Python's handler by its own.

    Its handler cancels the query, which does nothing to one that is just ending.
    """
    from adbc_driver_manager import dbapi

    dbapi._blocking_call = _blocking_call  # type: ignore[attr-defined, assignment]  # it has no setting for it


def _blocking_call(work: Callable[..., Any], args: Any, options: Any, cancel: Callable[[], None]) -> Any:
    """Calls ADBC's function of this name and notes when it cancels."""
    from adbc_driver_manager import _lib

    def stop() -> None:
        _requested.set()
        _handled.set()
        cancel()

    try:
        return _lib._blocking_call(work, args, options, stop)
    finally:
        if threading.current_thread() is threading.main_thread():
            check()


def _stop(_number: int, _frame: FrameType | None) -> None:
    _requested.set()
    _handled.set()
    raise KeyboardInterrupt


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Does nothing: a signal wakes the thread only if it has a handler."""


def _forward(receiver: int) -> None:
    while number := os.read(receiver, 1):
        if number[0] == signal.SIGTERM:
            _requested.set()
            os.kill(os.getpid(), signal.SIGINT)
        while number[0] in (signal.SIGINT, signal.SIGTERM) and not _handled.wait(_REPEATED):
            os.kill(os.getpid(), signal.SIGINT)
