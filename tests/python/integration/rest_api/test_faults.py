"""A list that cannot be read whole fails its table with one clear line; what was loaded before stays."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extract.errors import ExtractError
from tests.python.helpers.https_server import https_server
from tests.python.helpers.orders_api import Answer, Request
from tests.python.integration.rest_api.conftest import Team, order

pytestmark = pytest.mark.slow

TOKEN = "s3gr3do+muito/longo"  # noqa: S105  percent-encoded in a URL
LINK = {"paginator": {"type": "json_link", "next_url_path": "links.next"}}


def page(rows: list[Any], following: str | int | None = None, **fields: Any) -> Answer:
    """Returns a page with a link to the following one."""
    return Answer({"dados": rows, "links": {"next": following}} | fields)


def test_a_busy_api_is_asked_again(team: Team) -> None:
    busy = Answer({"motivo": "devagar"}, 429, {"Retry-After": "0"})
    team.api.answers = {1: busy, 3: Answer("<html>", 503)}
    assert team.run().code == 0
    assert [request.offset for request in team.api.requests] == [0, 0, 2, 2, 4]
    assert len(team.loaded()) == 5


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, "got HTTP 429 in 2 attempts; check that the API is up, or raise PEDIDOS_API_ATTEMPTS"),
        (500, "got HTTP 500 in 2 attempts"),
        (401, "got HTTP 401: the API does not accept the sign-in, or no longer; check PEDIDOS_API_TOKEN"),
        (403, "got HTTP 403: the API does not allow this to the one who signs in"),
        (404, "got HTTP 404: no such endpoint; check PEDIDOS_API_URL and the path of the endpoint"),
        (302, "got HTTP 302, a redirection to http://127.0.0.1:9/login; the sign-in is not sent there"),
        (400, 'got HTTP 400: {"motivo": "corte *** ruim"}; check the endpoint\'s params'),
    ],
)
def test_a_failure_in_the_middle_loads_nothing(
    team: Team, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    monkeypatch.setenv("PEDIDOS_API_TOKEN", TOKEN)
    team.declare(client={"auth": "bearer"})
    assert team.run().code == 0
    team.api.rows = [order(n, valor=0) for n in range(1, 8)]
    location = {"Location": f"http://127.0.0.1:9/login?token={TOKEN}", "Retry-After": "0"}
    fault = Answer({"motivo": f"corte {TOKEN} ruim"}, status, location)
    requests = len(team.api.requests)
    team.api.respond = lambda request: fault if request.offset else page(team.api.rows[:2], total=7)
    outcome = team.run()

    assert outcome.code == 1
    assert f"pedidos.pedido: page 2 (GET {team.api.url}/pedidos): expected HTTP 200, {said}" in outcome.words
    assert TOKEN not in outcome.output
    assert len(team.api.requests) - requests == (3 if status in (429, 500) else 2)
    assert sum(float(valor) for _, valor, _ in team.loaded()) == 17.5  # as before
    assert team.api.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("client", "settings", "sent"),
    [
        ({"auth": "api_key"}, {"KEY": TOKEN}, ("Authorization", TOKEN)),
        ({"auth": {"type": "api_key", "name": "X-Key"}}, {"KEY": TOKEN}, ("X-Key", TOKEN)),
        ({"auth": "http_basic"}, {"USER": "ana", "PASSWORD": "p w"}, ("Authorization", "Basic YW5hOnAgdw==")),
        ({"headers": {"Accept": "application/vnd.x+json"}}, {}, ("Accept", "application/vnd.x+json")),
    ],
)
def test_each_way_to_sign_in(
    team: Team,
    monkeypatch: pytest.MonkeyPatch,
    client: dict[str, Any],
    settings: dict[str, str],
    sent: tuple[str, str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"PEDIDOS_API_{name}", value)
    team.declare(client=client)
    assert len(team.read()) == 5
    assert [request.headers.get(sent[0]) for request in team.api.requests] == [sent[1]] * 3


def test_a_key_in_the_query_is_in_no_output(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEDIDOS_API_KEY", TOKEN)
    team.declare(client={"auth": {"type": "api_key", "name": "chave", "location": "query"}})
    team.api.answers = {1: Answer("<html>ops", 200)}
    outcome = team.main(["--debug", "run"])
    assert team.api.requests[0].params["chave"] == TOKEN
    assert "expected JSON, got b'<html>ops'" in outcome.output

    monkeypatch.setenv("PEDIDOS_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PEDIDOS_API_ATTEMPTS", "1")
    outcome2 = team.main(["--debug", "run"])
    assert "pedidos.pedido: page 1: expected an answer, got none in 1 attempts" in outcome2.output
    for text in (outcome.output, outcome2.output):
        assert "traceback of pedidos.pedido" in text
        assert TOKEN not in text
        assert "s3gr3do%2Bmuito" not in text


def numbered(request: Request, rows: list[Any], **fields: Any) -> Answer:
    """Returns a page by its number, from 1."""
    number = int(request.params["page"])
    return Answer({"dados": rows[2 * number - 2 :][:2]} | fields)


LOOP = [{"id": 1}, {"id": 2}]
OTHER = "http://outro.example/v1/pedidos?token=x"
FAULTS: list[tuple[str, dict[str, Any], Callable[[Request], Answer], str]] = [
    ("no JSON", {}, lambda _: Answer(b"\xff\xfe"), "expected JSON, got b'\\xff\\xfe'"),
    ("no JSON object", {}, lambda _: Answer("12"), "expected a list at data_selector dados, got 12"),
    ("other field", {}, lambda _: Answer({"linhas": [], "total": 0}),
     "expected a list at data_selector dados, got the fields linhas, total"),
    ("object", {}, lambda _: Answer({"dados": {"id": 1}, "total": 1}),
     'expected a list at data_selector dados, got {"id": 1}'),
    ("same page", {"paginator": {"type": "offset", "limit": 2, "total_path": None}},
     lambda _: Answer({"dados": LOOP}),
     "page 2: expected other rows than those of page 1, got the same; check the paginator"),
    ("same link", LINK, lambda _: page([], "/v1/pedidos?p=2"),
     "page 2: expected another next page, got one that was read before"),
    ("other server", LINK, lambda _: page(LOOP, OTHER), "got http://outro.example; the sign-in is not sent there"),
    ("lower limit", {"paginator": {"type": "offset", "limit": 3, "total_path": None}},
     lambda request: Answer({"dados": [order(n) for n in range(1, 9)][request.offset :][:2]}),
     "page 2: expected 3 rows on each page but the last (paginator: limit), got another number"),
    ("total changes", {}, lambda request: Answer({"dados": [order(request.offset + 1), order(request.offset + 2)],
                                                  "total": 6 - request.offset // 2}),
     "page 2: expected a total of 6 as before, got 5: the pages shifted while they were read"),
    ("total not reached", {}, lambda request: Answer({"dados": [] if request.offset else LOOP, "total": 6}),
     "expected 6 rows, which is the API's own total, got 2: the pages shifted"),
    ("link that is none", LINK, lambda _: page(LOOP, 2), "page 1: paginator: "),
    ("no total", {}, lambda _: Answer({"dados": LOOP}), "page 1: paginator: Total items not found in the response"),
    ("total of rows", {"paginator": {"type": "page_number", "base_page": 1}},
     lambda request: numbered(request, [order(n) for n in range(1, 5)], total=4),
     "expected 4 pages (paginator: total_path), got 3; if total_path is the number of rows, write total_path: null"),
]  # fmt: skip


@pytest.mark.parametrize(("endpoint", "respond", "said"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_list_that_is_not_read_whole_is_an_error(
    team: Team, endpoint: dict[str, Any], respond: Callable[[Request], Answer], said: str
) -> None:
    team.declare(endpoint)
    team.api.respond = respond
    with pytest.raises(ExtractError) as error:
        team.read()
    assert said in str(error.value)
    assert "token=x" not in str(error.value)
    assert "othing was loaded" in str(error.value)


def linked(request: Request) -> Answer:
    """Returns five orders on pages that lead to each other by a relative link; the last link is an empty text."""
    rows = [order(n) for n in range(1, 6)]
    return page(rows[request.offset :][:2], f"?offset={request.offset + 2}" if request.offset < 4 else "")


def headed(request: Request) -> Answer:
    """Returns five orders, the list itself, with the next page in a header."""
    rows = [order(n) for n in range(1, 6)]
    link = f'</v1/pedidos?offset={request.offset + 2}>; rel="next"'
    return Answer(rows[request.offset :][:2], headers={"Link": link} if request.offset < 4 else {})


def keyed(request: Request) -> Answer:
    """Returns five orders, each page with the id after which the next one begins."""
    after = int(request.params.get("apos", 0))
    return Answer({"dados": [order(n) for n in range(1, 6)][after:][:2], "apos": after + 2 if after < 4 else None})


@pytest.mark.parametrize(
    ("endpoint", "respond"),
    [
        (LINK, linked),
        ({"paginator": "header_link", "data_selector": "$"}, headed),
        ({"paginator": {"type": "cursor", "cursor_path": "apos", "cursor_param": "apos"}}, keyed),
        (
            {
                "method": "POST",
                "json": {"filtro": {"ativo": True}},
                "paginator": {"type": "cursor", "cursor_path": "apos", "cursor_body_path": "apos"},
            },
            keyed,
        ),
        (
            {"paginator": {"type": "page_number", "base_page": 1, "total_path": "paginas"}},
            lambda request: numbered(request, [order(n) for n in range(1, 6)], paginas=3),
        ),
        (
            {"paginator": {"type": "page_number", "base_page": 1, "total_path": None}},
            lambda request: numbered(request, [order(n) for n in range(1, 6)]),
        ),
    ],
)
def test_each_paginator_reads_all_pages(
    team: Team, endpoint: dict[str, Any], respond: Callable[[Request], Answer]
) -> None:
    team.declare(endpoint)
    team.api.respond = respond
    assert [row["id"] for row in team.read()] == [1, 2, 3, 4, 5]


def test_one_page_without_a_word_of_the_next_is_doubtful(team: Team) -> None:
    team.declare({"params": None, "paginator": {"type": "json_link", "next_url_path": "proxima"}})
    team.api.respond = lambda _: Answer(json.dumps({"dados": [order(1)], "next": "/v1/pedidos?p=2"}))
    assert "one page was read, and next_url_path proxima finds nothing in it" in team.run().output


def test_a_certificate_that_is_not_accepted_is_named(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.declare()
    with https_server(tmp_path / "tls", b"{}") as (url, _):
        monkeypatch.setenv("PEDIDOS_API_URL", url.rstrip("/"))
        outcome = team.run()

    assert outcome.code == 1
    assert "the certificate of its server is not accepted: self-signed certificate" in outcome.words
    assert "Check the host in PEDIDOS_API_URL, or set REQUESTS_CA_BUNDLE" in outcome.words
