"""`extract add` on lists of a JSON API: what it writes loads, builds and passes, and every value is the API's."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from extract.declarations import Source
from extract.errors import ExtractError
from extract.scaffold.rest_api import find_lists, infer_type
from redshift_standin.postgres import PostgresServer
from tests.python.helpers.orders_api import Answer, OrdersAPI, Request, serve_orders
from tests.python.helpers.redshift_target import redshift_up
from tests.python.integration.scaffold.conftest import Team

pytestmark = pytest.mark.slow

ROWS = [
    {
        "id": number,
        "Código": f"A{number}",
        "valor": 10.25 * number,
        "ativo": number % 2 == 0,
        "criado": f"2026-01-{number:02}",
        "atualizadoEm": f"2026-01-{number:02}T12:00:00Z",
        "cliente": {"nome": "São", "notas": [1.5, None]},
        "desconto": None,
        "order": number,
    }
    for number in range(1, 6)
]


@pytest.fixture
def api() -> Iterator[OrdersAPI]:
    """An API with five orders, which needs a token."""

    def respond(request: Request) -> Answer:
        if request.headers.get("Authorization") != "Bearer s3gr3do":
            return Answer({}, 401)
        limit = int(request.params.get("limit", 2))
        return Answer({"dados": api.rows[request.offset :][:limit], "total": len(api.rows)})

    with serve_orders() as api:
        api.rows, api.respond = list(ROWS), respond
        yield api


def test_a_list_is_added_loaded_and_built(team: Team, api: OrdersAPI) -> None:
    url = f"{api.url}/pedidos?sort=id"
    refused = team.extract("add", "rest_api", url, "--name", "pedidos", code=1)
    assert "got HTTP 401: the API asks for a sign-in; set REST_API_TOKEN, REST_API_KEY, or REST_API_USER" in refused

    team.environment["REST_API_TOKEN"] = "s3gr3do"  # noqa: S105
    said = team.extract("add", "rest_api", url, "--name", "pedidos")
    assert "rest_api.pedidos: mode snapshot, key id." in said
    assert f"set REST_API_URL='{api.url}' in .env" in said
    declared = team.read("models/bronze/_raw_rest_api__sources.yml")
    assert "extract: {kind: rest_api, settings: REST_API, client: {auth: bearer}}" in declared
    assert "paginator: {type: offset, limit: 2, total_path: total}" in declared
    assert "params: {sort: id}" in declared

    team.environment["REST_API_URL"] = api.url
    team.extract("run", "--build")
    assert team.loaded("""
        select id, codigo, valor, ativo, criado, atualizadoem at time zone 'UTC', cliente, desconto, "order"
        from silver.pedidos where id = 2
    """) == [
        (2, "A2", Decimal("20.5"), True, date(2026, 1, 2), datetime(2026, 1, 2, 12),  # noqa: DTZ001
         '{"nome": "São", "notas": [1.5, null]}', None, 2),
    ]  # fmt: skip
    assert team.loaded("select count(*) from silver.pedidos") == [(5,)]
    team.extract("audit")
    team.lint()

    assert "declared already, no difference" in team.extract("add", "rest_api", "pedidos")
    api.rows = [row | {"novo": 1} for row in ROWS]
    assert "rest_api.pedidos: new: novo bigint" in team.extract("add", "rest_api", "pedidos", "--update")
    assert "s3gr3do" not in declared + said + refused


def test_changes_are_appended_and_built_on_redshift(
    team: Team, api: OrdersAPI, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    api.respond = lambda request: by_change(request, api.rows)
    with redshift_up(postgres_server, tmp_path / "redshift") as redshift:
        team.environment.update(redshift.environment | {"DBT_TARGET": "prod", "PEDIDOS_URL": api.url})
        address = ["pedidos", "pedidos", "--kind", "rest_api"]
        team.extract("add", *address, "--only-raw")
        file = team.project / "models/bronze/_raw_pedidos__sources.yml"
        cursor = "mode: cursor\n              cursor: atualizadoem\n              lag: 1 hour"
        incremental = "data_selector: dados\n                incremental: {start_param: desde}"
        text = file.read_text().replace("mode: snapshot", cursor).replace("data_selector: dados", incremental)
        file.write_text(text)
        team.extract("add", *address)
        team.extract("run")

        # Two versions of one row in one load, a value that does not fit, and a new column.
        new, newer = ({**ROWS[0], "valor": valor, "atualizadoEm": f"2026-01-{day}T00:00:00Z"}
                      for valor, day in ((99, 10), (1, 20)))  # fmt: skip
        wrong = {**ROWS[1], "valor": "x", "atualizadoEm": "2026-01-19T00:00:00Z", "extra": {"a": 1.50}}
        api.rows += [newer, new, wrong]
        refused = team.extract("run", code=1)
        assert "1 rows have values that do not fit their columns" in refused
        assert redshift.execute("select key, reason from raw_pedidos.pedidos_dead_letter") == [
            ("2", 'column valor: expected numeric(38,9), got "x"')
        ]
        api.rows[-1] = wrong | {"valor": 2, "atualizadoEm": "2026-01-21T00:00:00Z"}
        assert "audit: 4 of 4 counts agree" in team.extract("run", "--build")
        assert redshift.execute("select id, valor from silver.pedidos order by id") == [
            (1, 1), (2, 2), (3, Decimal("30.75")), (4, 41), (5, Decimal("51.25")),
        ]  # fmt: skip
        assert redshift.execute("select extra from raw_pedidos.pedidos where extra is not null") == [('{"a": 1.5}',)]


def by_change(request: Request, rows: list[dict[str, Any]]) -> Answer:
    """Returns a page of what changed since a time, with a link to the next one."""
    since = request.params.get("desde", "")
    rows = [row for row in rows if str(row["atualizadoEm"]) >= since]
    following = f"/v1/pedidos?desde={since}&offset={request.offset + 4}" if len(rows) > request.offset + 4 else None
    return Answer({"dados": rows[request.offset :][:4], "next": following})


PAGES = {"type": "page_number", "total_path": "total_pages"}


def by_number(request: Request, base: int) -> Answer:
    """Returns a page by its number."""
    number = int(request.params.get("page", base)) - base
    return Answer({"items": ROWS[2 * number :][:2], "total_pages": 3}) if number >= 0 else Answer({}, 400)


def by_cursor(request: Request) -> Answer:
    """Returns a page after an id."""
    after = int(request.params.get("after", 0))
    return Answer({"results": ROWS[after:][:2], "meta": {"next_cursor": after + 2 if after < 4 else None}})


def by_link(request: Request) -> Answer:
    """Returns the list itself, with the next page in a header."""
    link = f'</v1/pedidos?offset={request.offset + 2}>; rel="next"'
    return Answer(ROWS[request.offset :][:2], headers={"Link": link} if request.offset < 4 else {})


@pytest.mark.parametrize(
    ("respond", "selector", "paginator"),
    [
        (lambda request: by_number(request, 0), "items", PAGES | {"base_page": 0}),
        (lambda request: by_number(request, 1), "items", PAGES | {"base_page": 1}),
        (by_cursor, "results", {"type": "cursor", "cursor_path": "meta.next_cursor", "cursor_param": "after"}),
        (by_link, "$", "header_link"),
        (
            lambda _: Answer({"lista": {"x": ROWS}, "links": {"next": None}}),
            "lista.x",
            {"type": "json_link", "next_url_path": "links.next"},
        ),
        (
            lambda request: Answer({"data": ROWS[request.offset :][: request.limit], "count": 5}),
            "data",
            {"type": "offset", "limit": 100, "total_path": "count"},
        ),
        (lambda _: Answer(ROWS), "$", "single_page"),
    ],
)  # fmt: skip
def test_the_list_and_its_paginator_are_found(
    api: OrdersAPI, respond: Any, selector: str, paginator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDIDOS_URL", api.url)
    api.respond = respond
    ((_, found),) = find_lists(Source("pedidos", "rest_api", "PEDIDOS"), [f"{api.url}/pedidos"])
    assert not isinstance(found, ExtractError), found
    assert found.endpoint == {"path": "pedidos", "data_selector": selector, "paginator": paginator}
    assert found.key == ("id",)


@pytest.mark.parametrize(
    ("address", "respond", "said"),
    [
        ("pedidos", lambda _: Answer({"dados": ROWS, "total": 9}), "how to ask for further pages is not known"),
        ("pedidos", lambda _: Answer({"dados": 1}), "expected a list in the answer, got the fields dados"),
        ("pedidos", lambda _: Answer([1]), "expected objects in the list at $, got other values"),
        ("pedidos", lambda _: Answer([]), "expected objects in the list at $, got none"),
        ("pedidos", lambda _: Answer("<html>"), "expected JSON, got b'<html>'"),
        ("pedidos?api_key=x", None, "found a secret in the address; set PEDIDOS_TOKEN"),
        ("http://ana:senha@x.y/pedidos", None, "found a secret in the address"),
        ("http://x.y/pedidos", None, "expected an address below that of PEDIDOS_URL"),
    ],
)
def test_an_address_that_cannot_be_added(
    api: OrdersAPI, address: str, respond: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDIDOS_URL", api.url)
    api.respond = respond
    ((_, found),) = find_lists(Source("pedidos", "rest_api", "PEDIDOS"), [address])
    assert isinstance(found, ExtractError)
    assert said in str(found)


@pytest.mark.parametrize(
    ("values", "data_type"),
    [
        ([True, False], "boolean"), ([1, 2**40], "bigint"), ([2**70], "numeric(38, 0)"),
        ([1, Decimal("2.50")], "numeric(38, 9)"), ([Decimal("0.12345678901")], "numeric(38, 11)"),
        ([Decimal("1E-25")], "double precision"), (["2026-01-31"], "date"), (["2026-01-31", ""], "varchar(65535)"),
        (["2026-01-31T10:00:00Z"], "timestamptz"), (["2026-01-31 10:00"], "timestamp"),
        (["2026-01-31T10:00:00Z", "2026-01-31T10:00:00"], "varchar(65535)"), ([1, "a"], "varchar(65535)"),
        ([{"a": 1}], "varchar(65535)"), ([], "varchar(65535)"),
    ],
)  # fmt: skip
def test_types_are_inferred(values: list[Any], data_type: str) -> None:
    assert infer_type(values) == data_type
