"""What the loaders say when a source database refuses a session, and whether they try again."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from extract.errors import ExtractError, PassingError
from extract.settings import PostgresSettings, read_settings
from extract.sources.postgres.session import connect
from redshift_standin.certificates import certificate
from redshift_standin.postgres import PostgresServer
from tests.python.helpers import PATIENCE
from tests.python.helpers.declared import POSTGRES


@pytest.fixture(scope="module")
def settings(postgres_server: PostgresServer) -> Iterator[PostgresSettings]:
    """Those of a database that does not take everybody."""
    name, user, closed, full = "recusa", "recusa", "recusa_fechada", "recusa_cheia"
    postgres_server.create_database(name)
    admin = postgres_server.connect(name)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"""
            create role {user} login password 'x';
            create role {closed} nologin password 'x';
            create role {full} login password 'x' connection limit 0;
            create role {user}_sem_connect login password 'x';
            revoke connect on database {name} from public;
            grant connect on database {name} to {user}, {closed}, {full};
        """)
    given = postgres_server.settings(name)
    yield PostgresSettings("CRM", str(given.host), int(given.port), name, user, "x", "disable", None, 5, 1)
    with admin.cursor() as cursor:
        cursor.execute(f"drop owned by {user}, {closed}, {full}")
        cursor.execute(f"drop role {user}, {closed}, {full}, {user}_sem_connect")
    admin.close()
    postgres_server.drop_database(name)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"password": "y"}, 'failed for user "recusa"; check CRM_USER and CRM_PASSWORD'),
        ({"password": ""}, "no password supplied; check CRM_USER and CRM_PASSWORD"),
        ({"user": "ninguém"}, 'failed for user "ninguém"; check CRM_USER and CRM_PASSWORD'),
        ({"user": "recusa_fechada"}, "is not permitted to log in; let the role sign in"),
        ({"user": "recusa_sem_connect"}, "User does not have CONNECT privilege.; grant connect on recusa"),
        ({"database": "nenhum"}, 'database "nenhum" does not exist; check CRM_DATABASE'),
        ({"sslmode": "require"}, "or set CRM_SSLMODE='disable': the password and all rows then travel unencrypted"),
        ({"host": "nowhere.invalid"}, "; check CRM_HOST"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_a_person_must_fix_is_said_and_not_retried(
    settings: PostgresSettings, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ExtractError) as caught, connect(replace(settings, **given)):
        pass

    assert said in str(caught.value)
    assert str(caught.value).startswith("postgres: cannot sign in to database ")
    assert not isinstance(caught.value, PassingError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"port": 1}, "Connection refused"), ({"user": "recusa_cheia"}, "too many connections for role")],
    ids=["down", "full"],
)
def test_what_may_pass_is_retried(settings: PostgresSettings, given: dict[str, Any], said: str) -> None:
    with pytest.raises(PassingError, match=said), connect(replace(settings, **given)):
        pass


def test_a_user_that_is_right_is_let_in(settings: PostgresSettings) -> None:
    with connect(settings):
        pass


ASKS_FOR_THE_PASSWORD = b"R\x00\x00\x00\x08\x00\x00\x00\x03"


@contextmanager
def greedy_server(context: ssl.SSLContext) -> Iterator[tuple[int, list[bytes]]]:
    """A server that speaks TLS and asks for the password as it is; yields its port and what it was sent then."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            plain, _ = listening.accept()
            plain.recv(8)  # a request for TLS
            plain.sendall(b"S")
            with suppress(OSError), context.wrap_socket(plain, server_side=True) as client:
                client.recv(4096)
                client.sendall(ASKS_FOR_THE_PASSWORD)
                got.append(client.recv(4096))

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], got
        thread.join(PATIENCE)


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ({}, False),
        ({"CRM_SSLMODE": "prefer"}, False),
        ({"CRM_CA_BUNDLE": "the server's"}, True),
        ({"CRM_CA_BUNDLE": "another"}, False),
    ],
    ids=["default", "prefer", "verified", "of another"],
)
def test_the_password_itself_is_sent_to_a_verified_server_alone(
    tmp_path: Path,
    words: dict[str, str],
    sent: bool,  # noqa: FBT001
) -> None:
    bundles = {}
    for whose in ("the server's", "another"):
        (tmp_path / whose).mkdir()
        bundles[whose] = certificate(tmp_path / whose)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*bundles["the server's"])
    if "CRM_CA_BUNDLE" in words:
        words = {"CRM_CA_BUNDLE": str(bundles[words["CRM_CA_BUNDLE"]][0])}
    crm = replace(POSTGRES, settings="CRM")
    with greedy_server(context) as (port, got):
        environment = {"CRM_HOST": "localhost", "CRM_PORT": str(port), "CRM_DATABASE": "crm", "CRM_USER": "ana"}
        settings = read_settings([crm], environment | {"CRM_PASSWORD": "segredo"} | words)
        with pytest.raises(ExtractError) as refused, connect(settings.of(crm, PostgresSettings)):
            pass

    assert (b"segredo" in b"".join(got)) is sent
    if not sent:
        assert "set CRM_CA_BUNDLE to" in str(refused.value) or "check CRM_CA_BUNDLE" in str(refused.value)
        assert not isinstance(refused.value, PassingError)
