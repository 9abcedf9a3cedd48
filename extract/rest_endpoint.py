"""What a declaration may say of a JSON API: the words of dlt's `rest_api` that are used, and their checks.

    extract: {kind: rest_api, settings: PEDIDOS_API, client: {auth: bearer}}                # the source
    extract:                                                                               # a table
      mode: cursor
      key: [id]
      cursor: atualizado_em
      lag: 1 hour
      endpoint:
        path: pedidos
        params: {sort: id}
        data_selector: dados
        paginator: {type: offset, limit: 100, total_path: total}
        incremental: {start_param: desde}

dlt checks the types of its words and makes the paginator. Refused are words of dlt that would leave rows out without
a trace (`response_actions`, a first or last page, a paginator that is guessed at run time), those that take Python
objects, and those that the declaration has already (`cursor_path`, `lag`, credentials). dlt is imported only where a
JSON API is declared.
"""

import json
import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

CLIENT_WORDS = ("auth", "headers", "paginator")
ENDPOINT_WORDS = ("path", "method", "params", "json", "headers", "data_selector", "paginator", "incremental")
INCREMENTAL_WORDS = ("start_param", "end_param", "initial_value")
PAGINATORS = ("single_page", "offset", "page_number", "json_link", "header_link", "cursor", "header_cursor")
LEAVE_ROWS_OUT = ("page", "maximum_page", "offset", "maximum_offset")  # of the paginators
START = "incremental.start_value"  # dlt's placeholder of the watermark

# Each way to sign in: dlt's words for the credentials, and the settings that have them after the source's prefix.
CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "bearer": {"token": "TOKEN"},
    "api_key": {"api_key": "KEY"},
    "http_basic": {"username": "USER", "password": "PASSWORD"},
}
AUTH_WORDS: Mapping[str, tuple[str, ...]] = {"api_key": ("name", "location")}

SECRET_NAME = re.compile(r"(^|[-_])(token|password|senha|secret|api[-_]?key|authorization|cookie)$", re.IGNORECASE)


def auth_type(client: Mapping[str, Any]) -> str | None:
    """Returns how a source signs in; None if it does not."""
    auth = client.get("auth")
    return auth.get("type") if isinstance(auth, dict) else auth


def credentials(client: Mapping[str, Any]) -> Mapping[str, str]:
    """Returns dlt's words for a source's credentials, each with the end of the setting that has it."""
    return CREDENTIALS.get(auth_type(client) or "", {})


def find_client_problems(client: Any, prefix: str) -> Iterator[str]:
    """Yields what is wrong with the client of a source."""
    if not isinstance(client, dict):
        yield f"client: expected {{{', '.join(CLIENT_WORDS)}}}, got {client!r}"
        return
    yield from unknown_words("client", client, CLIENT_WORDS)
    yield from find_secrets("client: headers", client.get("headers"))
    if "headers" in client and not is_mapping_of_texts(client["headers"]):
        yield f"client: headers: expected a mapping of texts, got {client['headers']!r}"
    if "auth" in client:
        yield from find_auth_problems(client["auth"], prefix)


def find_auth_problems(auth: Any, prefix: str) -> Iterator[str]:
    """Yields what is wrong with the way to sign in."""
    words = auth if isinstance(auth, dict) else {"type": auth}
    kind: Any = words.get("type")
    if kind not in CREDENTIALS:
        yield f"client: auth: expected one of {', '.join(CREDENTIALS)}, got {kind!r}"
        return
    for word, setting in CREDENTIALS[kind].items():
        if word in words:
            yield f"client: auth: found {word}, which dbt would publish; it is the setting {prefix}_{setting}"
    known = ("type", *AUTH_WORDS.get(kind, ()), *CREDENTIALS[kind])
    yield from unknown_words("client: auth", words, known)
    if words.get("location", "header") not in ("header", "query"):
        yield f"client: auth: location: expected header or query, got {words['location']!r}"


def find_endpoint_problems(endpoint: Any, client: Mapping[str, Any], mode: str) -> Iterator[str]:
    """Yields what is wrong with the endpoint of a table."""
    if not isinstance(endpoint, dict):
        yield f"endpoint: expected {{{', '.join(ENDPOINT_WORDS)}}}, got {endpoint!r}"
        return
    yield from unknown_words("endpoint", endpoint, ENDPOINT_WORDS)
    yield from find_type_problems(endpoint)
    for word in ("params", "json", "headers"):
        yield from find_secrets(f"endpoint: {word}", endpoint.get(word))
    path = endpoint.get("path")
    if not isinstance(path, str) or not path or "://" in path or "?" in path:
        yield f"endpoint: path: expected a path below the source's URL, without a query, got {path!r}"
    yield from find_params_problems(endpoint.get("params"))
    yield from find_selector_problems(endpoint.get("data_selector"))
    yield from find_paginator_problems(endpoint.get("paginator", client.get("paginator")))
    yield from find_incremental_problems(endpoint, mode)


def find_type_problems(endpoint: Mapping[str, Any]) -> Iterator[str]:
    """Yields what dlt says of the types of an endpoint's words."""
    from dlt.common.exceptions import DictValidationException
    from dlt.common.validation import validate_dict
    from dlt.sources.rest_api.typing import Endpoint

    own = ("path", "data_selector", "paginator", "incremental")  # checked more strictly
    words = {word: value for word, value in endpoint.items() if word in ENDPOINT_WORDS and word not in own}
    try:
        validate_dict(Endpoint, words, path="endpoint")
        json.dumps(words.get("json"))
    except (DictValidationException, TypeError) as error:
        yield f"endpoint: {describe_error(error)}"


def find_params_problems(params: Any) -> Iterator[str]:
    """Yields the query parameters that would not be sent as they are written."""
    for name, value in params.items() if isinstance(params, dict) else ():
        if isinstance(value, dict | bool):
            yield (
                f"endpoint: params: {name}: expected a text or a number (true and false in quotes, the watermark "
                f"under incremental), got {value!r}"
            )


def find_selector_problems(selector: Any) -> Iterator[str]:
    """Yields what is wrong with the path of the list in an answer."""
    from dlt.common import jsonpath

    expected = "endpoint: data_selector: expected the path of the list in the answer, such as dados, or $"
    if not isinstance(selector, str) or "*" in selector or ".." in selector:
        yield f"{expected}, got {selector!r}"
        return
    try:
        jsonpath.compile_path(selector)
    except Exception as error:  # noqa: BLE001  its parser's errors have no class of their own
        yield f"{expected}, got {selector!r}: {error}"


def find_paginator_problems(paginator: Any) -> Iterator[str]:
    """Yields what is wrong with the paginator of an endpoint."""
    words = paginator if isinstance(paginator, dict) else {"type": paginator}
    if words.get("type") not in PAGINATORS:
        yield (
            f"endpoint: paginator: expected one of {', '.join(PAGINATORS)}, got {words.get('type')!r}; a list that "
            "comes in one answer has single_page"
        )
        return
    for word in LEAVE_ROWS_OUT:
        if word in words:
            yield f"endpoint: paginator: {word} would leave rows out"
    try:
        make_paginator(words)
    except Exception as error:  # noqa: BLE001  dlt's own, Python's, or those of a parser of paths
        yield f"endpoint: paginator: {words['type']}: {describe_error(error)}"


def describe_error(error: Exception) -> str:
    """Returns what dlt or Python says of a word, without the names of their own functions and paths."""
    return re.sub(r"^(Path `[^`]*`: |\w+\.__init__\(\) )", "", " ".join(str(error).split()))


def make_paginator(paginator: Any) -> Any:
    """Returns dlt's paginator of this configuration.

    Raises:
        Exception: what dlt says of it.
    """
    from dlt.common.validation import validate_dict
    from dlt.sources.rest_api import typing
    from dlt.sources.rest_api.config_setup import create_paginator

    words = paginator if isinstance(paginator, dict) else {"type": paginator}
    spec = {
        "offset": typing.OffsetPaginatorConfig,
        "page_number": typing.PageNumberPaginatorConfig,
        "json_link": typing.JSONLinkPaginatorConfig,
        "header_link": typing.HeaderLinkPaginatorConfig,
        "cursor": typing.JSONResponseCursorPaginatorConfig,
        "header_cursor": typing.HeaderCursorPaginatorConfig,
    }.get(words["type"], typing.PaginatorTypeConfig)
    validate_dict(spec, dict(words), path="paginator")
    return create_paginator(dict(words))  # type: ignore[arg-type]


def find_incremental_problems(endpoint: Mapping[str, Any], mode: str) -> Iterator[str]:
    """Yields what is wrong with how an endpoint is asked for changes."""
    incremental = endpoint.get("incremental", {})
    if not isinstance(incremental, dict):
        yield f"endpoint: incremental: expected {{{', '.join(INCREMENTAL_WORDS)}}}, got {incremental!r}"
        return
    yield from unknown_words("endpoint: incremental", incremental, INCREMENTAL_WORDS)
    placed = False
    for word in ("path", "params", "json", "headers"):
        for text in texts_of(endpoint.get(word)):
            try:
                fields = [(name, spec) for _, name, spec, _ in Formatter().parse(text) if name is not None]
            except ValueError:
                yield f"endpoint: {word}: expected each brace of a text twice, got {text!r}"
                continue
            placed = placed or (START, "") in fields
            for name, spec in fields:
                if (name, spec) != (START, ""):
                    yield f"endpoint: {word}: unknown placeholder {name!r}; expected {{{START}}}"
    asks = placed or "start_param" in incremental
    if mode == "cursor" and not asks:
        yield (
            "endpoint: mode cursor needs the parameter that takes the watermark: incremental: {start_param: …}, or "
            f"{{{START}}} in params or json"
        )
    if mode != "cursor" and (asks or incremental):
        yield f"endpoint: incremental: only mode cursor takes it, got mode {mode}"
    if placed and "initial_value" not in incremental:
        yield f"endpoint: incremental: {{{START}}} needs an initial_value for the first read"


def texts_of(value: Any) -> Iterator[str]:
    """Yields the texts in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_of(key)
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)


def unknown_words(what: str, words: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    """Yields the words that are not known."""
    yield from (f"{what}: unknown word {word!r}; expected {', '.join(known)}" for word in words if word not in known)


def is_mapping_of_texts(value: Any) -> bool:
    """Returns whether a value is a mapping of texts to texts."""
    return isinstance(value, dict) and all(isinstance(item, str) for pair in value.items() for item in pair)


def find_secrets(what: str, value: Any) -> Iterator[str]:
    """Yields the names in a value, however deep, that contain a secret."""
    if isinstance(value, dict):
        for name, item in value.items():
            if SECRET_NAME.search(str(name)):
                yield f"{what}: {name}: found a secret, which dbt would publish; sign in by client: auth"
            else:
                yield from find_secrets(what, item)
    elif isinstance(value, list):
        for item in value:
            yield from find_secrets(what, item)
