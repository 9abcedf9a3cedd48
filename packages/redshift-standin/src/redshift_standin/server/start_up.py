"""A client's first packets: TLS, a CancelRequest, and the options of its session.

https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
"""

import asyncio
import re
import shlex
import ssl
import struct
from dataclasses import dataclass

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.postgres import SUPERUSER
from redshift_standin.server.protocol import GSS_REQUEST, PROTOCOL, PROTOCOL_VIOLATION, SSL_REQUEST
from redshift_standin.sql.settings import STARTED_WITH

_CANCEL_REQUEST = 80877102
_LONGEST = 10_000  # bytes of a start-up packet, as in PostgreSQL
_OPTION = re.compile(r"(?:-c|--)\s*(?P<name>[\w.-]+)=(?P<value>.*)", re.DOTALL)
# What the stand-in itself relies on, whatever a client or a role's settings say.
_ALWAYS = {"client_encoding": "UTF8", "standard_conforming_strings": "on", "createrole_self_grant": "set, inherit"}


@dataclass(frozen=True)
class Cancel:
    """A CancelRequest, which PostgreSQL takes as it is: its key is PostgreSQL's own."""

    packet: bytes


def is_reserved(user: str) -> bool:
    """Returns whether a name is that of a role of PostgreSQL or of the stand-in, as which no client signs in."""
    return user == SUPERUSER or user.startswith(("pg_", "rs_"))


async def read_start_up(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
) -> dict[str, str] | Cancel:
    """Returns the options of a client that uses TLS, or what it asks to cancel.

    Raises:
        RedshiftError: for packets that no client sends, and for a client without TLS.
    """
    refused: set[int] = set()  # requests that a client may make once
    while True:
        length, number = struct.unpack("!ii", await reader.readexactly(8))
        if not 8 <= length <= _LONGEST:
            raise RedshiftError(PROTOCOL_VIOLATION, "invalid length of startup packet")
        body = await reader.readexactly(length - 8)
        if number in refused or number not in {SSL_REQUEST, GSS_REQUEST}:
            break
        refused.add(number)
        writer.write(b"S" if number == SSL_REQUEST else b"N")
        await writer.drain()
        if number == SSL_REQUEST:
            refused.add(GSS_REQUEST)
            await writer.start_tls(context)
    if number == _CANCEL_REQUEST and length == 16:
        return Cancel(struct.pack("!ii", length, number) + body)
    if number != PROTOCOL:
        major, minor = number >> 16 & 0xFFFF, number & 0xFFFF
        raise RedshiftError("0A000", f"unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0")
    if SSL_REQUEST not in refused:
        raise RedshiftError("28000", "no pg_hba.conf entry for host, SSL off")
    return _read_options(body)


def _read_options(body: bytes) -> dict[str, str]:
    if not body.endswith(b"\0"):
        raise RedshiftError(PROTOCOL_VIOLATION, "invalid startup packet layout: expected terminator as last byte")
    try:
        words = body.decode().split("\0")
    except UnicodeDecodeError:
        raise RedshiftError(PROTOCOL_VIOLATION, "invalid startup packet: it is not UTF-8") from None
    options = {name: value for name, value in zip(words[::2], words[1::2], strict=False) if name}
    if not options.get("user"):
        raise RedshiftError("28000", "no PostgreSQL user name specified in startup packet")
    return options


def upstream_options(options: dict[str, str], database: str) -> dict[str, str]:
    """Returns what PostgreSQL gets of a client's options: the settings that Redshift has, and those of the stand-in.

    Raises:
        RedshiftError: for an encoding other than UTF-8.
    """
    encoding = options.get("client_encoding", "UTF8").strip("'\"")
    if encoding.upper().replace("-", "") not in {"UTF8", "UNICODE"}:
        raise not_implemented(f"the client_encoding {encoding}")
    settings = {name.lower(): value for name, value in options.items()}
    for word in _split(settings.pop("options", "")):
        if found := _OPTION.fullmatch(word):
            settings[found["name"].lower().replace("-", "_")] = found["value"]
    kept = {name: value for name, value in settings.items() if name in STARTED_WITH}
    return {"user": options["user"], "database": database} | kept | _ALWAYS


def _split(options: str) -> list[str]:
    """Returns the words of `options`; `-c name=value` is one word."""
    try:
        words = shlex.split(options)
    except ValueError:
        words = options.split()
    return re.split("\0", re.sub("(^|\0)-c\0", r"\1-c ", "\0".join(words)))
