"""Passing faults are retried for a limited time; faults that the user must fix are reported at once."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from extract.errors import ExtractError, PassingError
from extract.retry import passes, retried
from tests.python.helpers.world import World


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between attempts, for which no test waits."""
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    return waited


@contextmanager
def cutting(port: int, cuts: int) -> Iterator[int]:
    """Forwards connections to a server, except for the first ones, which are closed; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        left = cuts
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if left:
                left -= 1
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", port))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def test_a_source_that_cuts_its_connections_is_retried(
    world: World, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRY_SECONDS", "600")
    with cutting(int(world.environment["SOURCE_POSTGRES_PORT"]), cuts=2) as port:
        monkeypatch.setenv("SOURCE_POSTGRES_PORT", str(port))
        outcome = world.run("postgres")

    assert outcome.code == 0, outcome.output
    assert outcome.output.count("retrying in") == 2
    assert len(waits) == 2
    assert world.query("select count(*) from raw_postgres.venda") == [(2,)]


def test_a_source_that_dies_midway_is_read_again_without_duplicates(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fix(_seconds: float) -> None:
        world.execute("drop policy p on public.venda; create policy p on public.venda using (true)")

    monkeypatch.setattr("tenacity.nap.time.sleep", fix)
    monkeypatch.setenv("RETRY_SECONDS", "600")
    with world.ends_sessions(2, "copy%") as reader:
        for name, value in reader.items():
            monkeypatch.setenv(name, value)
        outcome = world.run("postgres")

    assert outcome.output.count("retrying in") == 1
    assert outcome.code == 0, outcome.output
    assert world.query("select count(*) from raw_postgres.venda") == [(2,)]


@pytest.mark.parametrize(("seconds", "more_than_once"), [(0, False), (60, True)])
def test_retries_end(
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    more_than_once: bool,  # noqa: FBT001
) -> None:
    def never() -> None:
        raise PassingError("the source is away")

    monkeypatch.setattr("tenacity.time.monotonic", lambda: sum(waits))  # only the waits take time
    with pytest.raises(PassingError):
        retried("x", seconds, never)
    assert sum(waits) <= seconds
    assert (len(waits) > 0) == more_than_once


@pytest.mark.parametrize(
    "error",
    [
        ExtractError("postgres.venda: connection refused to a column"),
        ValueError("password authentication failed"),
    ],
)
def test_a_fault_that_the_user_must_fix_is_not_retried(error: BaseException) -> None:
    assert not passes(error)


@pytest.mark.parametrize(
    "said",
    [
        "An error occurred (SlowDown) when calling the PutObject operation",
        "ERROR: 1023 DETAIL: Serializable isolation violation on table",
        "server closed the connection unexpectedly",
        "Could not connect to the endpoint URL: EndpointConnectionError",
    ],
)
def test_a_passing_fault_of_the_warehouse_or_s3_is_retried(said: str) -> None:
    try:
        try:
            raise RuntimeError(said)
        except RuntimeError as cause:
            raise OSError("the load failed") from cause
    except OSError as error:
        assert passes(error)
