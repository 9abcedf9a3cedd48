"""A signal stops a command even if the main thread was not woken by it."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from extract import interrupt
from tests.python.helpers import PATIENCE


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_is_lost_is_sent_again(monkeypatch: pytest.MonkeyPatch, by: signal.Signals) -> None:
    lost = threading.Event()
    kill, stop = os.kill, interrupt._stop

    def lose_the_first(handle: Callable[..., None]) -> Callable[..., None]:
        def handle_others(*arguments: object) -> None:
            if lost.is_set():
                handle(*arguments)
            lost.set()

        return handle_others

    monkeypatch.setattr(interrupt, "_REPEATED", 0.01)
    if by == signal.SIGTERM:
        monkeypatch.setattr(os, "kill", lose_the_first(kill))
    else:
        monkeypatch.setattr(interrupt, "_stop", lose_the_first(stop))
    with pytest.raises(KeyboardInterrupt), interrupt.listening():
        kill(os.getpid(), by)
        threading.Event().wait(PATIENCE)
    assert lost.is_set()
