"""A source that does not answer, or whose answer never ends, is given up after the timeout of the settings."""

import os
import select
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from extract.errors import ExtractError, PassingError
from extract.settings import ApiSettings, PostgresSettings, read_settings
from extract.sources.api import walk
from extract.sources.postgres.session import session
from extract.sources.postgres.stream import Stream
from redshift_standin.certificates import certificate
from tests.python.helpers import PATIENCE
from tests.python.helpers.declared import FUNCIONARIO, POSTGRES
from tests.python.helpers.world import World

DEADLINE = 0.3  # seconds for an answer
HEADERS = b"HTTP/1.1 200 OK\r\nX-Slow: "
BODY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n"


@contextmanager
def dripping(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serves an API that begins its answer with these bytes and continues with one letter at a time, without end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip(connection: socket.socket) -> None:
            with connection if context is None else context.wrap_socket(connection, server_side=True) as client:
                client.recv(4096)
                client.sendall(answer)
                while not select.select([client], [], [], DEADLINE / 10)[0]:  # until the client closes the connection
                    client.sendall(b"a")

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:  # it is closed
                    return
                Thread(target=drip, args=(connection,), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        yield f"{'https' if context else 'http'}://localhost:{listening.getsockname()[1]}/"
        listening.shutdown(socket.SHUT_RDWR)


def asked(url: str) -> str:
    """Returns the error of reading the employees of an API."""
    settings = ApiSettings(url=url, concurrency=2, misses=1, max_id=10, timeout=DEADLINE, attempts=2)
    begun = monotonic()
    with pytest.raises(ExtractError) as refused:
        walk(FUNCIONARIO, settings)
    assert monotonic() - begun < PATIENCE
    return str(refused.value)


@pytest.mark.parametrize("answer", [HEADERS, BODY, SIZED], ids=["headers", "body", "body of a known size"])
def test_an_api_whose_answer_never_ends(answer: bytes) -> None:
    with dripping(answer) as url:
        assert "got no answer in 2 attempts of at most 0.3 s (ReadTimeout)" in asked(url)


def test_an_api_whose_answer_never_ends_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, key)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with dripping(BODY, context) as url:
        assert "got no answer in 2 attempts of at most 0.3 s (ReadTimeout)" in asked(url)


def test_a_database_that_does_not_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts the connection, no program answers
        monkeypatch.setenv("SOURCE_POSTGRES_PORT", str(silent.getsockname()[1]))
        monkeypatch.setenv("SOURCE_POSTGRES_CONNECT_TIMEOUT", "1")
        begun = monotonic()
        outcome = world.run("postgres")

    assert outcome.code == 1
    assert "cannot sign in to database" in outcome.output
    assert "timeout expired" in outcome.output
    assert monotonic() - begun < PATIENCE


def test_a_session_that_does_not_answer_is_abandoned(world: World) -> None:
    settings = read_settings([POSTGRES]).of(POSTGRES, PostgresSettings)
    stream = Stream("venda", ["select pg_sleep(1000)"], lambda: session(settings), silence=0.5, patience=0.5)
    with closing(world.server.connect(world.environment["SOURCE_POSTGRES_DATABASE"])) as watching:
        watching.autocommit = True
        with watching.cursor() as cursor:
            pid = None
            while not pid:
                cursor.execute(
                    "select pid from pg_stat_activity where query like '%pg_sleep(1000)%' and wait_event = 'PgSleep'"
                )
                pid = next((number for (number,) in cursor.fetchall()), None)
    begun = monotonic()
    os.kill(pid, signal.SIGSTOP)  # it does not react to a cancel either
    try:
        with pytest.raises(PassingError, match=r"venda: no row in 0\.5 s"):
            list(stream.batches())
        stream.close()
        assert monotonic() - begun < PATIENCE
    finally:
        os.kill(pid, signal.SIGCONT)
