"""An HTTPS server whose certificate nobody trusts yet."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from redshift_standin.certificates import certificate
from redshift_standin.serving import serving


@contextmanager
def https_server(folder: Path, body: bytes) -> Iterator[tuple[str, Path]]:
    """Serves a body at every path while entered; yields the URL, and the file with its CA."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Logs nothing."""

    public, private = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server, "https"):
        yield f"https://127.0.0.1:{server.server_port}/", public
