"""Messages of PostgreSQL's protocol, https://www.postgresql.org/docs/current/protocol-message-formats.html."""

import asyncio
import struct
from collections.abc import Callable, Iterator, Sequence

from redshift_standin.errors import RedshiftError

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
PROTOCOL = 196608
PROTOCOL_VIOLATION = "08P01"
LONGEST_STATEMENT = 1 << 24  # bytes, https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
_LONGEST = 1 << 30  # bytes of any message, as in PostgreSQL
# FunctionCall is not among them: it calls functions of PostgreSQL by their ids.
_CLIENT_KINDS = {b"B", b"C", b"D", b"E", b"H", b"P", b"Q", b"S", b"X", b"c", b"d", b"f", b"p"}


class ProtocolError(RedshiftError):
    """A client sent what is no message: where the next one begins is unknown, so the session ends."""

    def __init__(self, message: str) -> None:
        super().__init__(PROTOCOL_VIOLATION, message)


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Returns a message of this kind."""
    return kind + struct.pack("!i", len(body) + 4) + body


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Returns the kind and body of the next message."""
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head[:1], await reader.readexactly(length - 4)


async def read_client_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes | RedshiftError]:
    """Returns the kind of a client's next message, and its body or why it cannot be accepted; the session goes on.

    Raises:
        ProtocolError: what follows is not a message.
    """
    head = await reader.readexactly(5)
    kind, (length,) = head[:1], struct.unpack("!i", head[1:])
    if kind not in _CLIENT_KINDS:
        raise ProtocolError(f"invalid frontend message type {head[0]}")
    if not 4 <= length <= _LONGEST:
        raise ProtocolError("invalid message length")
    if kind in {b"Q", b"P"} and length - 5 > LONGEST_STATEMENT:
        left = length - 4
        while left:
            left -= len(await reader.readexactly(min(left, 1 << 16)))
        size = f"Statement Size: {length - 5} bytes. Maximum Allowed: {LONGEST_STATEMENT} bytes"
        return kind, RedshiftError("42601", f"Statement is too large. {size}")
    return kind, await reader.readexactly(length - 4)


def read_text(body: bytes) -> str:
    """Returns text of a client, without the byte that ends it.

    Raises:
        RedshiftError: it is not UTF-8.
    """
    try:
        text = body.removesuffix(b"\0").decode()
    except UnicodeDecodeError as error:
        wrong = " ".join(f"0x{byte:02x}" for byte in body[error.start : error.end])
        raise RedshiftError("22021", f'invalid byte sequence for encoding "UTF8": {wrong}') from None
    if "\0" in text:
        raise RedshiftError(PROTOCOL_VIOLATION, "invalid message format")
    return text


def error_response(error: RedshiftError, severity: str = "ERROR") -> bytes:
    """Returns an ErrorResponse."""
    fields = [("S", severity), ("V", severity), ("C", error.sqlstate), ("M", error.message)]
    if error.detail_text:
        fields.append(("D", error.detail_text))
    return message(b"E", b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields) + b"\0")


def error_fields(body: bytes) -> dict[str, str]:
    """Returns the fields in the body of an ErrorResponse or NoticeResponse by letter."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def row_values(body: bytes) -> Iterator[str | None]:
    """Yields the values of a DataRow as text."""
    place = 2
    while place < len(body):
        (length,) = struct.unpack("!i", body[place : place + 4])
        place += 4
        yield None if length < 0 else body[place : place + length].decode()
        place += max(length, 0)


def column_names(body: bytes) -> Iterator[str]:
    """Yields the names in a RowDescription."""
    (count,) = struct.unpack("!h", body[:2])
    place = 2
    for _ in range(count):
        end = body.index(b"\0", place)
        yield body[place:end].decode()
        place = end + 19


def column_types(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Yields the name, type id and type modifier of each column in a RowDescription."""
    (count,) = struct.unpack("!h", body[:2])
    place = 2
    for _ in range(count):
        end = body.index(b"\0", place)
        type_id, _, modifier = struct.unpack("!ihi", body[end + 7 : end + 17])
        yield body[place:end].decode(), type_id, modifier
        place = end + 19


def info(text: str) -> bytes:
    """Returns a NoticeResponse with a message to the user."""
    fields = (("S", "INFO"), ("V", "INFO"), ("C", "00000"), ("M", text))
    return message(b"N", b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields) + b"\0")


def parameter_status(name: str, value: str) -> bytes:
    """Returns a ParameterStatus."""
    return message(b"S", f"{name}\0{value}\0".encode())


def parse_bind(body: bytes, types: Sequence[int], convert: Callable[[int, bytes], bytes]) -> tuple[bytes, list[int]]:
    """Returns the body of a Bind, and its formats for the columns.

    The binary values of parameters are replaced by those that `convert` returns for the type and the value.
    """
    place = body.index(b"\0", body.index(b"\0") + 1) + 1
    formats, place = _shorts(body, place)
    start = place
    (count,) = struct.unpack("!h", body[place : place + 2])
    place += 2
    values = b""
    for index in range(count):
        (length,) = struct.unpack("!i", body[place : place + 4])
        value = body[place + 4 : place + 4 + max(length, 0)]
        place += 4 + len(value)
        form = formats[index if len(formats) > 1 else 0] if formats else 0
        if length >= 0 and form and index < len(types):
            value = convert(types[index], value)
        values += struct.pack("!i", len(value) if length >= 0 else -1) + value
    columns, _ = _shorts(body, place)
    return body[: start + 2] + values + body[place:], columns


def _shorts(body: bytes, place: int) -> tuple[list[int], int]:
    """Returns the list of numbers of 16 bits at a place, and the place after it."""
    (count,) = struct.unpack("!h", body[place : place + 2])
    end = place + 2 + 2 * count
    return list(struct.unpack(f"!{count}h", body[place + 2 : end])), end
