"""A client's messages, read ahead: a client that vanishes is noticed while its statement runs."""

import asyncio

from redshift_standin.errors import RedshiftError
from redshift_standin.server.protocol import read_client_message

_AHEAD = 4  # messages


class Incoming:
    """The messages that a client has sent and that are not handled yet, in their order."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._messages: asyncio.Queue[tuple[bytes, bytes | RedshiftError]] = asyncio.Queue(_AHEAD)

    async def read(self) -> None:
        """Reads until the client says that it ends.

        Raises:
            IncompleteReadError: the client vanished.
            ProtocolError: it sent what is no message.
        """
        kind = b""
        while kind != b"X":
            kind, body = await read_client_message(self._reader)
            await self._messages.put((kind, body))
        await asyncio.get_running_loop().create_future()  # its statements still run

    async def next(self) -> tuple[bytes, bytes | RedshiftError]:
        """Returns the kind of the next message, and its body or why it cannot be accepted."""
        return await self._messages.get()
