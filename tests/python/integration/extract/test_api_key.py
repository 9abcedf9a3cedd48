"""The employees API's key: sent to the API, and to nobody else."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from dlt.sources.helpers import requests

from extract.errors import ExtractError, SettingsError
from extract.settings import ApiSettings, read_settings
from extract.sources.api import ask
from redshift_standin.serving import serving
from tests.python.helpers.declared import API, FUNCIONARIO

KEY = "chave-muito-secreta"


@contextmanager
def server(redirect_to: str | None = None) -> Iterator[tuple[str, list[str | None]]]:
    """Serves an API that answers every id with a name or a redirection; yields its URL and the keys it received."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["x-api-key"])
            self.send_response(302 if redirect_to else 200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            if redirect_to:
                self.send_header("Location", redirect_to)
            self.end_headers()
            self.wfile.write(b"" if redirect_to else "Conceição".encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Logs nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(http, "employees-api"):
        yield f"http://127.0.0.1:{http.server_address[1]}/employees", keys


def settings(url: str, key: str) -> ApiSettings:
    read = read_settings([API], {"EMPLOYEES_API_URL": url, "EMPLOYEES_API_KEY": key})
    return read.of(API, ApiSettings)


def client() -> requests.Client:
    return requests.Client(raise_for_status=False, request_max_attempts=1)


@pytest.mark.parametrize(("key", "sent"), [(KEY, KEY), ("", None)])
def test_the_key_is_sent_if_one_is_set(key: str, sent: str | None) -> None:
    with server() as (url, keys):
        assert ask(client(), FUNCIONARIO, settings(url, key), 1) == "Conceição"
    assert keys == [sent]


def test_the_key_is_not_sent_to_the_target_of_a_redirection() -> None:
    redirected = pytest.raises(ExtractError, match="got HTTP 302")
    with server() as (elsewhere, stolen), server(redirect_to=elsewhere) as (url, _), redirected:
        ask(client(), FUNCIONARIO, settings(url, KEY), 1)
    assert stolen == []


def test_the_key_is_a_secret() -> None:
    environment = {"EMPLOYEES_API_URL": "https://api.example.com", "EMPLOYEES_API_KEY": KEY}
    read = read_settings([API], environment)
    assert KEY not in repr(read)
    assert read.secrets == (KEY,)
    with pytest.raises(SettingsError) as error:
        read_settings([API], environment | {"EMPLOYEES_API_KEY": f"{KEY}\r\nx: y"})
    assert "EMPLOYEES_API_KEY" in str(error.value)
    assert KEY not in str(error.value)
