"""The employees API over real HTTP: `GET /api_challenge_junior?id=N` answers with the employee's name.

The contract is the real service's: the name in UTF-8 as `text/plain`, which names no charset, and HTTP 200 with
`NOT_CORRECT` when the id is unknown or not a number.
"""

import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from redshift_standin.serving import serving

PATH = "/api_challenge_junior"
NOT_CORRECT = "The argument is not correct"


class Connection(Enum):
    """What the server does with the client's connection."""

    KEPT = auto()
    """The answer is sent and the connection stays open for the next request."""
    CUT = auto()
    """The connection is closed before a byte of an answer."""
    HELD = auto()
    """Nothing is sent until the client gives up or the server stops."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer.

    Attributes:
        body: the bytes after the headers.
        headers: sent besides Content-Type and Content-Length, or instead of them: a `Content-Length` beyond the
            body's, with `Connection: close`, is an answer that ends too early.
        connection: `CUT` and `HELD` send nothing of the answer.
    """

    body: bytes
    status: int = HTTPStatus.OK
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)
    connection: Connection = Connection.KEPT


def names(employees: Mapping[int, str]) -> Callable[[int], Answer]:
    """Returns the real service's answers: each employee's name, and `NOT_CORRECT` for any other id."""
    return lambda id_: Answer(employees.get(id_, NOT_CORRECT).encode())


@contextmanager
def serve(answer: Callable[[int], Answer]) -> Iterator[str]:
    """Serves `answer(id)` on a free port of 127.0.0.1 while entered; yields the URL to ask with `?id=N`."""
    server = _Server(answer)
    with serving(server, "employees-api"):
        yield f"http://127.0.0.1:{server.server_address[1]}{PATH}"


class _Server(ThreadingTCPServer):
    """One thread a connection; when it closes, so do its connections, and every thread ends."""

    request_queue_size = 128

    def __init__(self, answer: Callable[[int], Answer]) -> None:
        self.answer = answer
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for connection in tuple(self._connections):
            with suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that went away is no news
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together: apart, each answer would wait for the client's delayed ACK

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            answer = self.server.answer(int(parse_qs(url.query).get("id", [""])[0]))
        except ValueError:
            answer = Answer(NOT_CORRECT.encode())
        match answer.connection:
            case Connection.KEPT:
                self._send(answer)
            case Connection.CUT:
                self.close_connection = True
            case Connection.HELD:
                self.close_connection = True
                while self.connection.recv(4096):
                    pass

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
        for name, value in (headers | dict(answer.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Prints nothing: the pipeline's log is the one to read."""
