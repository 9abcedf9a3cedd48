"""A JSON API in a declaration: every problem is named before anything starts, and no secret is accepted."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from extract.declarations import DeclarationError, RestTable, read_declarations
from extract.errors import SettingsError
from extract.settings import RestSettings, read_settings

ENDPOINT = {"path": "pedidos", "data_selector": "dados", "paginator": "single_page"}
COLUMNS = {"id": "integer", "em": "timestamptz"}
CURSOR = {"mode": "cursor", "cursor": "em", "lag": "1 hour"}


def declare(
    folder: Path, endpoint: Any, client: Any = None, columns: dict[str, str] | None = None, **words: Any
) -> Path:
    """Writes a project with one list of a JSON API."""
    source = {"kind": "rest_api", "settings": "PEDIDOS"} | ({"client": client} if client is not None else {})
    table = {
        "name": "pedido",
        "config": {"meta": {"extract": {"mode": "snapshot", "key": ["id"], "endpoint": endpoint} | words}},
        "columns": [{"name": name, "data_type": kind} for name, kind in (columns or COLUMNS).items()],
    }
    sources = [{"name": "raw_pedidos", "config": {"meta": {"extract": source}}, "tables": [table]}]
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "fontes.yml").write_text(yaml.safe_dump({"sources": sources}))
    return folder


def problems(folder: Path) -> list[str]:
    """Returns what is wrong with the declarations."""
    with pytest.raises(DeclarationError) as error:
        read_declarations(folder)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def test_a_list_is_read(tmp_path: Path) -> None:
    endpoint = ENDPOINT | {"method": "POST", "json": {"desde": "{incremental.start_value}"},
                           "incremental": {"initial_value": "2020-01-01"}}  # fmt: skip
    client = {"auth": {"type": "api_key", "name": "X-Key"}, "headers": {"Accept": "application/json"}}
    (table,) = read_declarations(declare(tmp_path, endpoint, client, **CURSOR)).tables
    assert isinstance(table, RestTable)
    assert (table.endpoint, table.source.client, table.cursor) == (endpoint, client, "em")


PAGINATOR = "endpoint: paginator: "


@pytest.mark.parametrize(
    ("endpoint", "words", "problem"),
    [
        ({"pat": "x"}, {}, "endpoint: unknown word 'pat'; expected path, method, params, json"),
        ({"response_actions": []}, {}, "endpoint: unknown word 'response_actions'"),
        ({"method": "PUT"}, {}, "endpoint: field `method=PUT` is not one of: ['GET', 'POST'"),
        ({"params": [1]}, {}, "field `params` with value `[1]` has invalid type `list` while `dict` is expected"),
        ({"params": {"ativo": True}}, {}, "params: ativo: expected a text or a number (true and false in quotes"),
        ({"params": {"desde": {"type": "incremental"}}}, {}, "params: desde: expected a text or a number"),
        ({"path": "https://x.y/pedidos"}, {}, "endpoint: path: expected a path below the source's URL"),
        ({"path": "pedidos?limit=1"}, {}, "endpoint: path: expected a path below the source's URL, without a query"),
        ({"data_selector": None}, {}, "endpoint: data_selector: expected the path of the list in the answer"),
        ({"data_selector": "dados[*]"}, {}, "endpoint: data_selector: expected the path of the list in the answer"),
        ({"data_selector": "dados["}, {}, "endpoint: data_selector: expected the path of the list in the answer"),
        ({"paginator": None}, {}, f"{PAGINATOR}expected one of single_page, offset, page_number, json_link"),
        ({"paginator": "auto"}, {}, f"{PAGINATOR}expected one of single_page, offset, page_number, json_link"),
        ({"paginator": "offset"}, {}, f"{PAGINATOR}offset: missing 1 required positional argument: 'limit'"),
        ({"paginator": {"type": "offset", "limit": 2, "largura": 3}}, {}, "received unexpected fields `{'largura'}`"),
        ({"paginator": {"type": "offset", "limit": "2"}}, {}, "field `limit=2` has invalid type `str` while `int`"),
        ({"paginator": {"type": "page_number", "maximum_page": 9}}, {}, "maximum_page would leave rows out"),
        ({"incremental": {"start_param": "desde"}}, {}, "endpoint: incremental: only mode cursor takes it"),
        ({"params": {"de": "{incremental.start_value}"}}, {}, "endpoint: incremental: only mode cursor takes it"),
        ({"params": {"de": "{hoje}"}}, {}, "endpoint: params: unknown placeholder 'hoje'"),
        ({"params": {"de": "{"}}, {}, "endpoint: params: expected each brace of a text twice, got '{'"),
        ({"path": "p/{resources.a.id}"}, {}, "endpoint: path: unknown placeholder 'resources.a.id'"),
        ({}, CURSOR, "endpoint: mode cursor needs the parameter that takes the watermark: incremental"),
        ({"params": {"de": "{incremental.start_value}"}}, CURSOR, "needs an initial_value for the first read"),
        ({"incremental": {"cursor_path": "em"}}, CURSOR, "incremental: unknown word 'cursor_path'"),
        ({"incremental": {"start_param": "de"}}, CURSOR | {"lag": 3}, "lag: expected a time such as 1 day"),
        ({"incremental": {"start_param": "de"}}, CURSOR | {"cursor": "x"}, "cursor: column x needs a data_type"),
        ({"incremental": {"start_param": "de"}}, CURSOR | {"key": []}, "key: mode cursor needs one"),
        ({}, {"key": ["nr"]}, "key: column nr needs a data_type under columns"),
        ({}, {"new_columns": "maybe"}, "new_columns: expected take or refuse, got 'maybe'"),
        ({"headers": {"Authorization": "Bearer x"}}, {}, "endpoint: headers: Authorization: found a secret"),
        ({"params": {"api_key": "x"}}, {}, "endpoint: params: api_key: found a secret, which dbt would publish"),
        ({"json": {"app": {"app_secret": "x"}}}, {}, "endpoint: json: app_secret: found a secret"),
        ({"params": {"u": "https://ana:senha@x.y"}}, {}, "endpoint: found a secret, which dbt would publish"),
    ],
)  # fmt: skip
def test_an_endpoint_that_cannot_work_is_refused(
    tmp_path: Path, endpoint: dict[str, Any], words: dict[str, Any], problem: str
) -> None:
    found = problems(declare(tmp_path, ENDPOINT | endpoint, **words))
    assert any(problem in line for line in found), found
    assert all(line.startswith("models/fontes.yml: source raw_pedidos, table pedido: ") for line in found)


@pytest.mark.parametrize(
    ("client", "problem"),
    [
        ("bearer", "client: expected {auth, headers, paginator}, got 'bearer'"),
        ({"base_url": "https://x"}, "client: unknown word 'base_url'"),
        ({"auth": "oauth"}, "client: auth: expected one of bearer, api_key, http_basic, got 'oauth'"),
        ({"auth": {"type": "bearer", "token": "x"}}, "found token, which dbt would publish; it is the setting"),
        ({"auth": {"type": "bearer", "name": "x"}}, "client: auth: unknown word 'name'"),
        ({"auth": {"type": "api_key", "location": "cookie"}}, "location: expected header or query, got 'cookie'"),
        ({"headers": {"X-Api-Key": "x"}}, "client: headers: X-Api-Key: found a secret"),
        ({"headers": {"a": 1}}, "client: headers: expected a mapping of texts"),
    ],
)  # fmt: skip
def test_a_client_that_cannot_work_is_refused(tmp_path: Path, client: Any, problem: str) -> None:
    found = problems(declare(tmp_path, ENDPOINT, client))
    assert any(line.startswith("models/fontes.yml: source raw_pedidos: ") for line in found)
    assert any(problem in line for line in found), found


def test_a_type_that_json_does_not_have_is_refused(tmp_path: Path) -> None:
    (found,) = problems(declare(tmp_path, ENDPOINT, columns={"id": "integer", "foto": "varbyte"}))
    assert "columns: foto: expected a type that JSON has, got binary; declare varchar" in found


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    found = problems(declare(tmp_path, {"path": ""}, {"auth": "x"}, **CURSOR))
    assert len(found) == 5, found


def test_the_settings_follow_from_the_way_to_sign_in(tmp_path: Path) -> None:
    declared = read_declarations(declare(tmp_path, ENDPOINT, {"auth": "http_basic"}))
    environment = {"PEDIDOS_URL": "https://x.y/v1", "PEDIDOS_USER": "ana", "PEDIDOS_PASSWORD": "a b/ç"}
    settings = read_settings(declared.sources, environment)
    found = settings.of(declared.sources[0], RestSettings)
    assert found.credentials == {"username": "ana", "password": "a b/ç"}
    assert "a b/ç" not in repr(settings)
    assert settings.secrets == ("a b/ç", "a%20b%2F%C3%A7", "a+b%2F%C3%A7", "YW5hOmEgYi/Dpw==")

    wrong = environment | {"PEDIDOS_URL": "https://ana:senha@x.y", "PEDIDOS_PASSWORD": "a\nb", "PEDIDOS_USER": ""}
    with pytest.raises(SettingsError) as error:
        read_settings(declared.sources, wrong)
    assert str(error.value).count("PEDIDOS_") == 3
    assert "senha" not in str(error.value)
