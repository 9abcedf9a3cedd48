"""A run can be stopped at any point, by Ctrl-C or as a container is; the next run loads everything."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dlt.load.load import Load

from sandbox.sources.api import Answer, Connection
from tests.python.helpers import PATIENCE, ROOT
from tests.python.helpers.world import World

STOPPED = (130, "stopped; run again to go on\n")


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Runs the program in a process of its own, with the world's settings; kills it at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "extract", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        try:
            yield started
        finally:
            started.kill()


def stopped(started: subprocess.Popen[str], by: signal.Signals) -> tuple[int, str]:
    """Sends the signal; returns the exit code and standard error."""
    started.send_signal(by)
    _, error = started.communicate(timeout=PATIENCE)
    return started.returncode, error


def until(condition: Callable[[], bool], started: subprocess.Popen[str]) -> None:
    """Waits until the condition is true; fails if the program ends before."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert started.poll() is None, started.communicate()
        assert time.monotonic() < end, "it never came to the point where it is to be stopped"


def nothing_left(world: World) -> bool:
    """Returns whether the working folder is empty."""
    return list((world.warehouse.parent / "work").iterdir()) == []


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_stopped_while_it_waits_for_the_api(
    world: World, monkeypatch: pytest.MonkeyPatch, by: signal.Signals
) -> None:
    asked = threading.Event()

    def answer(_employee: int) -> Answer:
        asked.set()
        return Answer(b"", connection=Connection.HELD)

    with monkeypatch.context() as patch:
        patch.setattr(world, "answer", answer)
        with process("run", "--source", "api") as started:
            assert asked.wait(PATIENCE)
            assert stopped(started, by) == STOPPED

    assert nothing_left(world)
    assert world.run("api").code == 0
    assert world.query("select count(*) from raw_api.funcionario") == [(2,)]


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle_of_a_query(world: World, by: signal.Signals) -> None:
    watcher = world.server.connect(world.sales.info.dbname)
    watcher.autocommit = True

    def waiting() -> bool:
        with watcher.cursor() as cursor:
            cursor.execute("select count(*) from pg_locks where not granted")
            return bool(cursor.fetchone() != (0,))

    with process("run", "--source", "postgres") as started, world.sales, world.sales.cursor() as cursor:
        cursor.execute("lock table public.venda in access exclusive mode")
        until(waiting, started)
        assert stopped(started, by) == STOPPED
    watcher.close()

    assert nothing_left(world)
    assert world.run("postgres").code == 0
    assert world.query("select count(*) from raw_postgres.venda") == [(2,)]


def test_a_stop_in_the_last_part_of_a_load_is_not_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = Load.complete_package

    def complete_then_stopped(self: Load, *arguments: Any, **options: Any) -> None:
        complete(self, *arguments, **options)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Load, "complete_package", complete_then_stopped)
        outcome = world.run("api", "postgres")

    assert outcome.code == 130
    assert "postgres.venda: started" not in outcome.output
    assert world.run().code == 0
    assert world.query("select count(*) from raw_postgres.venda") == [(2,)]
