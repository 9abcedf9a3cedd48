"""A JSON API of orders over real HTTP: pages by offset, by number, by link and by cursor, and its faults."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from redshift_standin.serving import serving


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; a document is sent as JSON, bytes and texts as they are."""

    document: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The bytes after the headers."""
        if isinstance(self.document, bytes):
            return self.document
        return (self.document if isinstance(self.document, str) else json.dumps(self.document)).encode()


@dataclass(frozen=True)
class Request:
    """A request that the API received."""

    path: str
    params: dict[str, Any]  # of the query and of a body of JSON
    headers: dict[str, str]

    @property
    def offset(self) -> int:
        """The parameter of this name; 0 without it."""
        return int(self.params.get("offset", 0))

    @property
    def limit(self) -> int:
        """The parameter of this name; 100 without it."""
        return int(self.params.get("limit", 100))


@dataclass
class OrdersAPI:
    """The API; a test changes its rows and how it answers. `requests` are those it received."""

    url: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)  # of the n-th request, from 1, instead of its rows
    respond: Callable[[Request], Answer] | None = None
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        """Returns the answer to a request: the rows from `offset`, at most `limit`, that changed since `desde`."""
        self.requests.append(request)
        if special := self.answers.get(len(self.requests)):
            return special
        if self.respond:
            return self.respond(request)
        since = request.params.get("desde", "")
        rows = [row for row in self.rows if str(row.get("atualizado_em", "")) >= since]
        limit = int(request.params.get("limit", 2))
        return Answer({"dados": rows[request.offset :][:limit], "total": len(rows)})


@contextmanager
def serve_orders() -> Iterator[OrdersAPI]:
    """Serves the API on a free port of 127.0.0.1 while entered."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            params = dict(parse_qsl(url.query)) | (json.loads(body) if body else {})
            answer = api.answer(Request(url.path, params, dict(self.headers)))
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(answer.body))} | answer.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api = OrdersAPI(f"http://127.0.0.1:{server.server_address[1]}/v1")
    with serving(server, "orders-api"):
        yield api
