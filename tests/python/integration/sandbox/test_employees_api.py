"""The employees API keeps its contract over real HTTP, and breaks it in every way that a test may choose."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from urllib.parse import urlsplit

import pytest

from sandbox.business import Business
from sandbox.sources.api import NOT_CORRECT, Answer, Connection, names, serve
from tests.python.helpers import PATIENCE

OPENING = date(2026, 3, 1)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(names(Business(1, OPENING).employees(OPENING))) as url:
        yield url


def client(url: str, timeout: float = PATIENCE) -> http.client.HTTPConnection:
    host = urlsplit(url).netloc
    return http.client.HTTPConnection(host, timeout=timeout)


def get(url: str, query: str) -> tuple[int, str | None, bytes]:
    with closing(client(url)) as connection:
        connection.request("GET", f"{urlsplit(url).path}{query}")
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()


@pytest.mark.parametrize(("id_", "name"), [(1, "Ana Conceição"), (3, "Márcia D'Ávila"), (9, "Fátima Brandão")])
def test_a_known_id_gets_the_name_as_plain_text_in_utf_8(url: str, id_: int, name: str) -> None:
    assert get(url, f"?id={id_}") == (200, "text/plain", name.encode())


@pytest.mark.parametrize("query", ["?id=10", "?id=0", "?id=-1", "?id=abc", "?id=", "", "?name=1", "?id=1.0"])
def test_anything_else_is_not_correct_and_still_200(url: str, query: str) -> None:
    assert get(url, query) == (200, "text/plain", NOT_CORRECT.encode())


def test_another_path_is_not_found(url: str) -> None:
    assert get(url.removesuffix("junior") + "senior", "?id=1")[0] == 404


def test_one_connection_carries_many_requests(url: str) -> None:
    with closing(client(url)) as connection:
        connection.connect()
        sock = connection.sock
        for _ in range(3):
            connection.request("GET", f"{urlsplit(url).path}?id=1")
            assert connection.getresponse().read() == "Ana Conceição".encode()
            assert connection.sock is sock


def test_several_requests_are_answered_at_once() -> None:
    together = threading.Barrier(4, timeout=PATIENCE)

    def answer(id_: int) -> Answer:
        together.wait()
        return Answer(str(id_).encode())

    def ask(url: str, id_: int) -> None:
        assert get(url, f"?id={id_}")[2] == str(id_).encode()

    with serve(answer) as url:
        clients = [threading.Thread(target=ask, args=(url, id_)) for id_ in range(4)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
    assert not together.broken


def answers_with(fault: Answer) -> Callable[[int], Answer]:
    return lambda _: fault


def test_a_status_a_type_and_headers_can_be_asked_for() -> None:
    fault = Answer(b"<h1>later</h1>", status=503, content_type="text/html", headers={"Retry-After": "0"})
    with serve(answers_with(fault)) as url, closing(client(url)) as connection:
        connection.request("GET", f"{urlsplit(url).path}?id=1")
        response = connection.getresponse()
        assert (response.status, response.read()) == (503, b"<h1>later</h1>")
        assert response.headers["Content-Type"] == "text/html"
        assert response.headers["Retry-After"] == "0"


def test_an_answer_can_break_off_in_the_middle() -> None:
    fault = Answer(b"half", headers={"Content-Length": "8", "Connection": "close"})
    with serve(answers_with(fault)) as url, pytest.raises(http.client.IncompleteRead):
        get(url, "?id=1")


def test_a_connection_can_be_cut() -> None:
    with (
        serve(answers_with(Answer(b"", connection=Connection.CUT))) as url,
        pytest.raises(http.client.RemoteDisconnected),
    ):
        get(url, "?id=1")


def test_a_held_connection_times_out_at_the_client() -> None:
    held = Answer(b"", connection=Connection.HELD)
    with serve(answers_with(held)) as url, closing(client(url, timeout=0.05)) as connection:
        connection.request("GET", f"{urlsplit(url).path}?id=1")
        with pytest.raises(TimeoutError):
            connection.getresponse()


def test_stopping_ends_held_and_idle_connections_and_every_thread() -> None:
    before = threading.active_count()
    held = threading.Event()

    def answer(id_: int) -> Answer:
        if id_ == 1:
            return Answer(b"one")
        held.set()
        return Answer(b"", connection=Connection.HELD)

    with serve(answer) as url:
        idle, waiting = client(url), client(url)
        idle.request("GET", f"{urlsplit(url).path}?id=1")
        assert idle.getresponse().read() == b"one"
        waiting.request("GET", f"{urlsplit(url).path}?id=2")
        assert held.wait(PATIENCE)
    with closing(waiting), closing(idle):
        assert threading.active_count() == before
        with pytest.raises(http.client.RemoteDisconnected):
            waiting.getresponse()


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with serve(answers_with(Answer(b"x" * 1_000_000))) as url:
        with closing(client(url)) as connection:  # the client leaves before it reads the answer
            connection.request("GET", f"{urlsplit(url).path}?id=1")
        get(url, "?id=1")
    assert capfd.readouterr() == ("", "")
