"""A run can be stopped at any point, by Ctrl-C or as a container is; the next run loads everything."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import pytest
from dlt.load.load import Load

from extract.warehouse.targets import Warehouse
from sandbox.sources.api import Answer, Connection
from tests.python.helpers import PATIENCE, ROOT
from tests.python.helpers.world import World

STOPPED = (130, "stopped; run again to continue\n")
SIGNALS = [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]


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


@pytest.mark.parametrize("by", SIGNALS)
def test_stopped_while_it_waits_for_the_api(
    world: World, monkeypatch: pytest.MonkeyPatch, by: signal.Signals
) -> None:
    monkeypatch.setenv("EMPLOYEES_API_TIMEOUT", "3000")  # seconds, for which nothing must wait now
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


@pytest.mark.parametrize("by", SIGNALS)
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


# Functions at whose n-th call the signal arrives, from the first read to the last query of the audit.
QUICK = [
    ("extract.warehouse.targets.Warehouse._answer", 4),
    ("dlt.pipeline.pipeline.Pipeline.load", 3),
    ("extract.load.runner.record", 1),
]
OTHERS = [
    ("extract.warehouse.targets.Warehouse.pipeline", 1),
    ("extract.warehouse.targets.Warehouse._answer", 1),
    ("extract.sources.postgres.read.PostgresRead.open", 1),
    ("extract.report.LogProgress.advanced", 1),
    ("dlt.pipeline.pipeline.Pipeline.extract", 1),
    ("dlt.pipeline.pipeline.Pipeline.normalize", 2),
    ("dlt.load.load.Load.complete_package", 2),
    ("extract.load.runner.compare_counts", 1),
    ("extract.load.runner.reconcile_if_due", 2),
    ("extract.report.print_summary", 1),
    ("extract.checks.audit.compare", 1),
    ("extract.report.print_comparisons", 1),
]


@pytest.mark.parametrize("becomes", ["an error", "nothing"])
@pytest.mark.parametrize(
    ("name", "call"),
    [*QUICK, *(pytest.param(*point, marks=pytest.mark.slow) for point in OTHERS)],
    ids=lambda value: str(value).rsplit(".", 1)[-1],
)
def test_a_stop_at_any_point_ends_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, call: int, becomes: str
) -> None:
    """A library turns the signal into an error of its own, or loses it."""
    owner, attribute = find_owner(name)
    real = getattr(owner, attribute)
    calls = 0

    def stopped_once(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != call:
            return real(*arguments, **options)
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        if becomes == "an error":  # with nothing of the signal in it, as an extension in C raises it
            raise RuntimeError("Query interrupted")
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, attribute, stopped_once)
        outcome = world.main(["run"])

    assert calls >= call, outcome.output
    assert outcome.code == 130, outcome.output
    assert outcome.output.splitlines()[-1] == "stopped; run again to continue"
    assert "Query interrupted" not in outcome.output
    assert "not recorded" not in outcome.output
    assert nothing_left(world)
    assert world.run("postgres").code == 0
    assert world.query("select count(*), count(distinct id_venda) from raw_postgres.venda") == [(2, 2)]


def find_owner(name: str) -> tuple[Any, str]:
    """Returns the module or class that a dotted name belongs to, and its last part."""
    owner, _, attribute = name.rpartition(".")
    try:
        return import_module(owner), attribute
    except ModuleNotFoundError:
        module, _, of_class = owner.rpartition(".")
        return getattr(import_module(module), of_class), attribute


@pytest.mark.slow
@pytest.mark.parametrize("command", ["audit", "doctor", "reconcile"])
def test_a_lost_stop_is_not_lost_in_other_commands(
    world: World, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    assert world.run().code == 0
    answer = Warehouse._answer

    def stopped_first(self: Warehouse, sql: str) -> Any:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return answer(self, sql)

    monkeypatch.setattr(Warehouse, "_answer", stopped_first)
    if command == "doctor":
        monkeypatch.setattr("extract.sources.api.ask", lambda *_: signal.raise_signal(signal.SIGINT))
    outcome = world.main([command])

    assert (outcome.code, outcome.output.splitlines()[-1]) == (130, "stopped; run again to continue")


@pytest.mark.slow
@pytest.mark.parametrize("by", SIGNALS)
def test_stopped_while_dbt_builds(world: World, monkeypatch: pytest.MonkeyPatch, by: signal.Signals) -> None:
    reported: list[str] = []

    def stopped_at_the_third(event: Any, _on_node: Callable[[str], None]) -> None:
        if event.info.name == "NodeFinished":
            reported.append(event.data.node_info.node_name)
            if len(reported) == 3:
                os.kill(os.getpid(), by)

    for name, folder in {"DBT_TARGET_PATH": "target", "DBT_LOG_PATH": "logs"}.items():
        monkeypatch.setenv(name, str(world.warehouse.with_name(folder)))
    monkeypatch.setattr("extract.transform.build.report_node", stopped_at_the_third)
    outcome = world.main(["run", "--build"])

    assert len(reported) >= 3
    assert (outcome.code, outcome.output.splitlines()[-1]) == (130, "stopped; run again to continue")
    assert "audit" not in outcome.output


def test_a_stop_that_adbc_drops_is_noted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It handles SIGINT itself while it waits; a query that is just ending is not cancelled by it."""
    from adbc_driver_manager import _lib

    def call_and_cancel(work: Callable[..., Any], args: Any, options: Any, cancel: Callable[[], None]) -> Any:
        result = work(*args, **options)
        cancel()
        return result

    monkeypatch.setattr(_lib, "_blocking_call", call_and_cancel)
    outcome = world.run("postgres")

    assert (outcome.code, outcome.output.splitlines()[-1]) == (130, "stopped; run again to continue")
