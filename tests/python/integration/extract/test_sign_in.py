"""What the loaders say when a source database refuses a session, and whether they try again."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from extract.errors import ExtractError, PassingError
from extract.settings import PostgresSettings
from extract.sources.postgres.session import connect
from redshift_standin.postgres import PostgresServer


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
