"""HTTP answers that are whole within a time and a size, however slowly their bytes come and however many.

A timeout of requests lies between two bytes: a server that sends one now and then would be waited for without an end.
So a timer shuts the connection of a request that is not over, in its headers as well as in its body. In the same way
the requests that are on their way end when nobody needs their answers any more.

requests reads a body whole, and unpacks it as a whole: a few bytes of gzip become gigabytes. So a body is read and
unpacked in pieces, and no further than its limit.
"""

import socket
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer, local
from typing import Any

from dlt.sources.helpers.requests import Client, ReadTimeout, RequestException, Response
from dlt.sources.helpers.requests.retry import DEFAULT_RETRY_STATUS
from requests.adapters import HTTPAdapter  # noqa: TID251  dlt's client brings none that ends
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from extract.sources.certificate import certificate_error

PIECE = 1 << 16  # bytes of a body that are unpacked at once


class TooLongError(RequestException):
    """An answer whose body is longer than the limit; it is not retried."""


@dataclass(eq=False)
class _Request:
    """A request on its way: the connection that its answer comes by, and whether its time is over."""

    connection: socket.socket | None = None
    over: bool = False

    def comes_by(self, connection: socket.socket | None) -> None:
        """Notes the connection of its answer, which is cut at once where connecting took all of the time."""
        self.connection = connection
        if self.over:
            self.cut()

    def cut(self) -> None:
        """Ends it: whoever reads finds the connection at its end."""
        self.over = True
        if self.connection:
            with suppress(OSError):  # it has just been closed
                self.connection.shutdown(socket.SHUT_RDWR)


_this_thread = local()  # its `request`


class _HTTPConnection(HTTPConnection):
    def getresponse(self) -> Any:
        _this_thread.request.comes_by(self.sock)
        return super().getresponse()


class _HTTPSConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        _this_thread.request.comes_by(self.sock)
        return super().getresponse()


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class DeadlineAdapter(HTTPAdapter):
    """Sends requests for a session, each of which is answered within some seconds and bytes or was not."""

    def __init__(self, seconds: float, connections: int, most_bytes: int) -> None:
        self.seconds = seconds
        self.most_bytes = most_bytes  # of a body, unpacked
        self._on_their_way: set[_Request] = set()
        self._stopped = False
        super().__init__(pool_maxsize=connections)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Makes the connections' pools, of a kind that notes which connection a request has."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Returns the pools of connections by way of a proxy, of the same kind."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager

    def stop(self) -> None:
        """Ends the requests that are on their way, and refuses others."""
        self._stopped = True
        for request in list(self._on_their_way):
            request.cut()

    def send(self, *arguments: Any, **options: Any) -> Response:
        """Returns the answer with all of its body; of one that is no success, maybe with its beginning alone.

        Raises:
            CancelledError: if no answer is needed any more; it is not retried.
            TooLongError: if it is longer than the limit.
            ReadTimeout: if it is not whole in time.
            CertificateError: if the server's certificate is not accepted; it is not retried.
            RequestException: as requests has it.
        """
        request = _this_thread.request = _Request()
        self._on_their_way.add(request)  # before it is asked whether all are stopped
        timer = Timer(self.seconds, request.cut)
        timer.daemon = True
        timer.start()
        try:
            if self._stopped:
                raise CancelledError
            response: Response = super().send(*arguments, **options)
            read_body(response, self.most_bytes)
        except Exception as error:
            if self._stopped:
                raise CancelledError from error
            if request.over:
                raise ReadTimeout(f"no whole answer in {self.seconds:g} s") from error
            if fault := certificate_error(error):
                raise fault from error
            raise
        finally:
            timer.cancel()
            self._on_their_way.discard(request)
        if request.over:  # an end that was ours looks like the answer's, where that has no length
            raise ReadTimeout(f"no whole answer in {self.seconds:g} s")
        return response


def read_body(response: Response, most_bytes: int) -> None:
    """Reads the body of an answer to where `content` has it.

    Raises:
        TooLongError: if it is longer than the limit, and the answer is a success.
    """
    body = bytearray()
    for piece in response.iter_content(PIECE):
        body += piece
        if len(body) > most_bytes:
            response.close()  # with what still comes
            if response.status_code == 200:
                raise TooLongError(f"more than {most_bytes:,} bytes", response=response)
            break
    response._content, response._content_consumed = bytes(body), True


def make_client(adapter: DeadlineAdapter, attempts: int, longest_wait: int) -> Client:
    """Returns a client whose attempts end within the adapter's seconds; between two it waits so many at most."""
    return Client(
        request_timeout=adapter.seconds,
        raise_for_status=False,
        request_max_attempts=attempts,
        request_max_retry_delay=longest_wait,
        session_attrs={"get_adapter": lambda url: adapter},  # noqa: ARG005  requests names it
    )


def is_busy(response: Response) -> bool:
    """Returns whether an answer is one after which such a client asks again: of the last attempt, then."""
    return response.status_code in DEFAULT_RETRY_STATUS
