"""An HTTP proxy that answers some requests itself instead of the service behind it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from redshift_standin.serving import serving


@dataclass(frozen=True)
class Answer:
    """An answer instead of the service's own."""

    status: int
    body: bytes
    content_type: str


SILENCE = Answer(0, b"", "")  # no answer at all, until the proxy ends


@dataclass
class Proxy:
    """The URL of the proxy, its requests such as `PUT /bucket/key`, and its fault.

    `fault` gets a request and the number of requests before it. It returns an answer, or None to ask the service.
    """

    url: str = ""
    fault: Callable[[str, int], Answer | None] = lambda _request, _seen: None
    requests: list[str] = field(default_factory=list)


@contextmanager
def faulty_proxy(service: str) -> Iterator[Proxy]:
    """Runs a proxy before the service at this URL while entered."""
    proxy, over = Proxy(), Event()
    address = urlsplit(service)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = f"{self.command} {self.path}"
            instead = proxy.fault(request, len(proxy.requests))
            proxy.requests.append(request)
            if instead is SILENCE:
                over.wait()
                self.close_connection = True
                return
            if instead:
                self.answer(instead.status, {"Content-Type": instead.content_type}, instead.body)
                return
            connection = HTTPConnection(address.hostname or "", address.port)
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            self.answer(response.status, dict(response.getheaders()), response.read())
            connection.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on  # noqa: N815  the names that http.server calls

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Logs nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    with serving(server, "faulty-proxy"):
        try:
            yield proxy
        finally:
            over.set()
