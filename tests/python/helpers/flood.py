"""An HTTP server whose answer has more bytes than anybody should read."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread


@contextmanager
def flooding(headers: str, pieces: Iterable[bytes]) -> Iterator[str]:
    """Serves an answer with HTTP 200 to every request, in pieces, until the client has enough; yields the URL."""
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}\r\n\r\n".encode()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer(connection: socket.socket) -> None:
            with connection, suppress(ConnectionError):
                connection.recv(4096)
                connection.sendall(head)
                for piece in pieces:
                    connection.sendall(piece)

        def accept() -> None:
            with suppress(OSError):  # it is closed
                while True:
                    connection, _ = listening.accept()
                    Thread(target=answer, args=(connection,), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
