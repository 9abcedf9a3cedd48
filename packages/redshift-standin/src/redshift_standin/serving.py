"""A small server in a thread of this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from threading import Thread


@contextmanager
def serving(server: BaseServer, name: str) -> Iterator[None]:
    """Answers requests in a thread of this name while entered; closes the server and its thread at the end."""
    with server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=name)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
