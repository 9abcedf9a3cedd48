"""Clients that send what no client sends, too much, or nothing: an error, nothing is left, and the server lives."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import errors

from redshift_standin.postgres import PostgresServer
from redshift_standin.server import listener, session
from redshift_standin.server.listener import RedshiftServer
from redshift_standin.server.protocol import LONGEST_STATEMENT
from stand_in import ROLE, StandIn

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message of the protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


class Client:
    """A client that sends bytes as they are."""

    def __init__(self, server: RedshiftServer) -> None:
        self._server = server
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)

    def encrypt(self) -> None:
        """Asks for TLS and starts it."""
        self.socket.sendall(SSL_REQUEST)
        assert self.socket.recv(1) == b"S"
        context = ssl.create_default_context(cafile=str(self._server.ca_bundle))
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def start(self, **options: str) -> None:
        """Sends a start-up packet."""
        body = b"".join(f"{name}\0{value}\0".encode() for name, value in options.items()) + b"\0"
        self.socket.sendall(struct.pack("!ii", len(body) + 8, 196608) + body)

    def sign_in(self) -> None:
        """Signs in as the admin."""
        self.encrypt()
        self.start(user="awsuser", database="dev")
        assert self.receive()[0] == b"R"
        self.socket.sendall(message(b"p", self._server.password.encode() + b"\0"))
        self.until(b"Z")

    def receive(self) -> tuple[bytes, bytes]:
        """The server's next message, empty when it has closed the connection."""
        head = self._read(5)
        return (head[:1], self._read(struct.unpack("!i", head[1:])[0] - 4)) if head else (b"", b"")

    def until(self, wanted: bytes) -> list[tuple[bytes, bytes]]:
        """The messages up to one of a kind, or to the end of the connection."""
        messages = [self.receive()]
        while messages[-1][0] not in {wanted, b""}:
            messages.append(self.receive())
        return messages

    def error(self) -> str:
        """The severity, SQLSTATE and text of the error with which the server closes the connection."""
        [(kind, body), *rest] = self.until(b"")
        assert (kind, [one for one, _ in rest]) == (b"E", [b""])
        fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
        return f"{fields[b'S']} {fields[b'C']} {fields[b'M']}"

    def _read(self, size: int) -> bytes:
        data = b""
        with suppress(ConnectionError, ssl.SSLEOFError):
            while len(data) < size and (more := self.socket.recv(size - len(data))):
                data += more
        return data if len(data) == size else b""


@pytest.fixture
def client(stand_in: StandIn) -> Iterator[Client]:
    """A client that has said nothing."""
    made = Client(stand_in.server)
    yield made
    made.socket.close()
    assert stand_in.execute("select 1") == [(1,)]  # the server lives


@contextmanager
def leaving_nothing(redshift_postgres: PostgresServer) -> Iterator[None]:
    """Asserts at the end that PostgreSQL has the sessions that it had, and the process its threads, in due time."""

    def sessions() -> set[int]:
        with closing(redshift_postgres.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute(
                "select pid from pg_stat_activity where backend_type = 'client backend' and datname = 'dev'"
            )
            return {pid for (pid,) in cursor.fetchall()}

    before = sessions()
    yield
    for _ in range(600):
        if sessions() <= before:
            return
        time.sleep(0.1)  # PostgreSQL looks for its client once a second
    raise AssertionError(f"sessions are left: {sessions() - before}")


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (struct.pack("!ii", -1, 196608), "FATAL 08P01 invalid length of startup packet"),
        (struct.pack("!ii", 7, 196608), "FATAL 08P01 invalid length of startup packet"),
        (struct.pack("!ii", 0x7FFFFFFF, 196608), "FATAL 08P01 invalid length of startup packet"),
        (b"GET / HTTP/1.1\r\n\r\n", "FATAL 08P01 invalid length of startup packet"),
        (struct.pack("!ii", 8, 131072), "FATAL 0A000 unsupported frontend protocol 2.0: server supports 3.0 to 3.0"),
        (
            struct.pack("!ii", 9, 80877102) + b"x",
            "FATAL 0A000 unsupported frontend protocol 1234.5678: server supports",
        ),
        (struct.pack("!ii", 9, 196608) + b"\0", "FATAL 28000 no pg_hba.conf entry for host, SSL off"),
    ],
)
def test_a_start_up_packet_that_lies(client: Client, packet: bytes, said: str) -> None:
    client.socket.sendall(packet)
    assert client.error().startswith(said)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"user\0awsuser", "FATAL 08P01 invalid startup packet layout: expected terminator as last byte"),
        (b"user\0\xff\xfe\0\0", "FATAL 08P01 invalid startup packet: it is not UTF-8"),
        (b"\0", "FATAL 28000 no PostgreSQL user name specified in startup packet"),
        (b"database\0dev\0\0", "FATAL 28000 no PostgreSQL user name specified in startup packet"),
        (b"user\0a\0client_encoding\0LATIN1\0\0", "FATAL 0A000 stand-in: the client_encoding LATIN1"),
    ],
)
def test_options_that_are_none(client: Client, body: bytes, said: str) -> None:
    client.encrypt()
    client.socket.sendall(struct.pack("!ii", len(body) + 8, 196608) + body)
    assert client.error().startswith(said)


def test_requests_for_encryption_are_answered_once(client: Client) -> None:
    client.socket.sendall(GSS_REQUEST)
    assert client.socket.recv(1) == b"N"
    client.encrypt()
    client.socket.sendall(SSL_REQUEST)
    assert client.error().startswith("FATAL 0A000 unsupported frontend protocol 1234.5679")


def test_gss_is_refused_again(client: Client) -> None:
    client.socket.sendall(GSS_REQUEST)
    assert client.socket.recv(1) == b"N"
    client.socket.sendall(GSS_REQUEST)
    assert client.error().startswith("FATAL 0A000 unsupported frontend protocol 1234.5680")


def test_a_client_that_never_signs_in(
    stand_in: StandIn, redshift_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SIGN_IN_SECONDS", 0.2)
    with leaving_nothing(redshift_postgres):
        silent, half = Client(stand_in.server), Client(stand_in.server)
        half.encrypt()
        half.start(user="awsuser", database="dev")
        assert half.receive()[0] == b"R"
        assert (silent.receive(), half.receive()) == ((b"", b""), (b"", b""))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"Q" + struct.pack("!i", -1), "invalid message length"),
        (b"Q" + struct.pack("!i", 3), "invalid message length"),
        (b"B" + struct.pack("!i", 0x7FFFFFFF), "invalid message length"),
        (message(b"?"), "invalid frontend message type 63"),
        (message(b"F", b"\0" * 10), "invalid frontend message type 70"),  # a call of a function by its id
    ],
)
def test_a_message_that_is_none(client: Client, redshift_postgres: PostgresServer, sent: bytes, said: str) -> None:
    with leaving_nothing(redshift_postgres):
        client.sign_in()
        client.socket.sendall(sent)
        assert client.error() == f"FATAL 08P01 {said}"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (message(b"Q", b"select '\xff'\0"), b"C22021\0Minvalid byte sequence for encoding \"UTF8\": 0xff\0"),
        (message(b"Q", b"select 1\0; select 2\0"), b"C08P01\0Minvalid message format\0"),
        (message(b"Q"), b""),
        (message(b"P", b"x"), b"C08P01\0Minvalid message format\0"),
        (message(b"B", b"x"), b"C08P01\0Minvalid message format\0"),
        (message(b"B", b"\0nothing\0\0\0\0\0\0\0"), b"prepared statement \"nothing\" does not exist"),
        (message(b"B"), b"C08P01\0"),
        (message(b"E"), b""),
        (message(b"D", b"?"), b""),
        (message(b"C"), b""),
    ],
)  # fmt: skip
def test_the_session_goes_on_after_a_message_of_wrong_content(client: Client, sent: bytes, said: bytes) -> None:
    client.sign_in()
    client.socket.sendall(sent)
    if not sent.startswith(b"Q"):
        client.socket.sendall(message(b"S"))
    answers = client.until(b"Z")
    assert said in b"".join(body for _, body in answers)
    client.socket.sendall(message(b"Q", b"select 41 + 1\0"))
    assert [body[-2:] for kind, body in client.until(b"Z") if kind == b"D"] == [b"42"]


def test_a_statement_that_is_too_large(stand_in: StandIn) -> None:
    with pytest.raises(
        errors.SyntaxError, match=f"Statement is too large. Statement Size: {LONGEST_STATEMENT + 1} bytes"
    ):
        stand_in.execute("select 1".ljust(LONGEST_STATEMENT + 1))
    assert stand_in.execute(f"select length('{'x' * 60000}')") == [(60000,)]
    assert stand_in.execute("select 2".ljust(LONGEST_STATEMENT)) == [(2,)]


@pytest.mark.parametrize("moment", ["a result", "a wait", "a transaction"])
def test_a_client_that_vanishes(stand_in: StandIn, redshift_postgres: PostgresServer, moment: str) -> None:
    stand_in.execute("create table a (x int)")
    with leaving_nothing(redshift_postgres):
        client = Client(stand_in.server)
        client.sign_in()
        if moment == "a result":
            client.socket.sendall(message(b"Q", b"select repeat('x', 60000) from pg_proc\0"))
            client.receive()
        elif moment == "a wait":
            client.socket.sendall(message(b"Q", b"select pg_sleep(600)\0"))
        else:
            client.socket.sendall(message(b"Q", b"begin; insert into t.a values (1)\0"))
            client.until(b"Z")
        client.socket.close()
    stand_in.execute("alter table a add column y int")  # no lock is left
    assert stand_in.execute("select count(*) from a") == [(0,)]


def test_a_client_that_vanishes_during_copy(stand_in: StandIn, redshift_postgres: PostgresServer) -> None:
    stand_in.execute("create table a (x int)")
    stand_in.bucket.put_object(Key="vanish.csv", Body=b"1\n" * 100_000)
    copy = f"copy t.a from 's3://{stand_in.bucket.name}/vanish.csv' iam_role '{ROLE}' csv"
    with closing(stand_in.server.connect()) as other, other.cursor() as cursor:
        cursor.execute("lock table t.a")  # COPY waits
        with leaving_nothing(redshift_postgres):
            client = Client(stand_in.server)
            client.sign_in()
            client.socket.sendall(message(b"Q", copy.encode() + b"\0"))
            wait_for_a_lock(redshift_postgres)
            client.socket.close()
        other.rollback()
    assert stand_in.execute("select count(*) from a") == [(0,)]


def wait_for_a_lock(server: PostgresServer) -> None:
    """Returns when a session of the stand-in waits for a lock."""
    with closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in range(600):
            cursor.execute("select count(*) from pg_locks where not granted")
            if cursor.fetchone() != (0,):
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits")


def test_two_hundred_connections_at_once(stand_in: StandIn, redshift_postgres: PostgresServer) -> None:
    found: list[Any] = []

    def ask(stack: ExitStack) -> None:
        connection = stack.enter_context(closing(stand_in.server.connect()))
        with connection.cursor() as cursor:
            cursor.execute("select 1 as a, a + 1 as b")
            found.append(cursor.fetchall())

    with leaving_nothing(redshift_postgres), ExitStack() as stack:
        threads = [threading.Thread(target=ask, args=(stack,)) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [[(1, 2)]] * 200


def test_more_connections_than_there_may_be(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = listener._places
    assert limited() <= 500
    monkeypatch.setattr(session.Session, "serve", refuse_all(session.Session.serve))
    with pytest.raises(psycopg2.OperationalError, match='connection limit "3" exceeded for non-bootstrap users'):
        stand_in.server.connect()


def refuse_all(serve: Callable[..., Any]) -> Callable[..., Any]:
    """A `serve` that takes every client for one too many."""
    return lambda one, _: serve(one, listener._too_many(3))


def test_another_host_name(stand_in: StandIn) -> None:
    server = stand_in.server
    with pytest.raises(psycopg2.OperationalError, match="does not match host name"):
        psycopg2.connect(
            host="outra.exemplo", hostaddr="127.0.0.1", port=server.port, dbname="dev", user="awsuser",
            password=server.password, sslmode="verify-full", sslrootcert=str(server.ca_bundle),
        )  # fmt: skip
    assert stand_in.execute("select 1") == [(1,)]


WIRE = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(message, st.sampled_from([bytes([one]) for one in b"BCDEHPQSXcdfp"]), st.binary(max_size=30)),
        st.builds(message, st.just(b"Q"), st.text(max_size=30).map(lambda text: text.encode() + b"\0")),
    ),
    max_size=8,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=WIRE, signed_in=st.booleans())
def test_any_bytes(stand_in: StandIn, sent: list[bytes], signed_in: bool) -> None:  # noqa: FBT001
    client = Client(stand_in.server)
    with closing(client.socket):
        if signed_in:
            client.sign_in()
        with suppress(ConnectionError, ssl.SSLError):
            client.socket.sendall(b"".join(sent))
            if not signed_in:
                client.socket.shutdown(socket.SHUT_WR)
                client.until(b"")
    assert stand_in.execute("select 1") == [(1,)]
