"""What the first pages of a JSON API say of a list: where it is in the answer, its pages, its columns and its key.

dlt finds the list and recognises paginators by the words in an answer. What it suggests is tried on the API: the
first page must be the same, and the second one another. A paginator that nobody recognises is an error where the
API's own total shows that one answer is not all.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from extract.declarations import RestTable, Source
from extract.errors import ExtractError, redact
from extract.names import normalize
from extract.rest_endpoint import CREDENTIALS, find_secrets
from extract.scaffold.found import FoundColumn, FoundTable, name_columns, text_type
from extract.settings import RestSettings, read_settings
from extract.sources.rest_api.values import DATE, MOMENT

Rows = Sequence[Mapping[str, Any]]

REASON = "Every run reads the whole list; mode cursor reads what changed, if the API can be asked for that."
ONE_PAGE = "No further page was found: if the list has more, write its paginator."
TOTAL = re.compile(r"total|count|total[-_]?(count|items|records|registros|elements|results)", re.IGNORECASE)
NO_NEXT = ("next", "links.next", "paging.next", "pagination.next", "meta.next", "_links.next")
LIMIT = 100  # rows on a page, of an API that takes a limit
HEADER = "X-API-Key"  # of a key, unless the declaration names another one


def choose_client(prefix: str) -> dict[str, Any]:
    """Returns the client of a new source: it signs in with the credentials that are set."""
    for kind, settings in CREDENTIALS.items():
        if all(os.environ.get(f"{prefix}_{setting}") for setting in settings.values()):
            return {"auth": {"type": kind, "name": HEADER} if kind == "api_key" else kind}
    return {}


def find_lists(source: Source, addresses: Sequence[str]) -> Iterator[tuple[str, FoundTable | ExtractError]]:
    """Yields the list at each address, which is a URL or a path below the URL of the source."""
    setting = f"{source.settings}_URL"
    base = os.environ.get(setting, "").rstrip("/")
    for address in addresses:
        settings = None
        try:
            base, path, params = split_address(source, address, base)
            environment = os.environ | {"DBT_TARGET": "local", setting: base}
            settings = read_settings([source], environment).of(source, RestSettings)
            yield address, find_list(source, settings, path, params)
        except ExtractError as error:
            secrets = settings.secrets if settings else ()
            shown = address.partition("?")[0]  # a query may have a key
            yield shown, ExtractError(redact(str(error).removesuffix(". Nothing was loaded"), secrets))


def split_address(source: Source, address: str, base: str) -> tuple[str, str, dict[str, Any]]:
    """Returns the URL of the source, the path below it, and the query parameters of an address.

    Without a `base`, the URL of the source is what stands before the last part of the address.

    Raises:
        ExtractError: if it is not below the URL of the source, or has a secret.
    """
    setting = f"{source.settings}_URL"
    parts = urlsplit(address)
    url = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/") if parts.scheme else ""
    params = {name: int(v) if v.isdecimal() and str(int(v)) == v else v for name, v in parse_qsl(parts.query)}
    if "@" in parts.netloc or [*find_secrets("query", params)]:
        raise ExtractError(
            f"found a secret in the address; set {source.settings}_TOKEN, …_KEY, or …_USER and …_PASSWORD instead"
        )
    if not url:
        if not base:
            raise ExtractError(f"expected a URL, or {setting} to be set, which the path follows")
        return base, parts.path.strip("/"), params
    base = base or parent_url(address)
    path = url.removeprefix(f"{base}/")
    if path == url or "://" not in base:
        raise ExtractError(f"expected an address below that of {setting}, such as {base}/{normalize(source.name)}")
    return base, path, params


def parent_url(address: str) -> str:
    """Returns a URL without its last part and its query."""
    return address.partition("?")[0].rstrip("/").rpartition("/")[0]


def find_list(source: Source, settings: RestSettings, path: str, params: dict[str, Any]) -> FoundTable:
    """Returns what an endpoint says of its list.

    Raises:
        ExtractError: if it has none, or how to ask for its further pages is not known.
    """
    from dlt.sources.helpers import requests
    from dlt.sources.helpers.rest_client.detector import find_response_page_data

    from extract.sources.certificate import CertificateError
    from extract.sources.rest_api.pages import JSONClient, find_values

    client = JSONClient(source, settings, path, settings.attempts)
    try:
        response = client.get(path, params=params, allow_redirects=False)
    except CertificateError as error:
        raise ExtractError(error.advice(settings.prefix)) from error
    except requests.RequestException as error:
        raise ExtractError(f"expected an answer, got none ({type(error).__name__}); check the address") from error
    document = client.parse(response)
    steps, rows = find_response_page_data(document)
    selector = ".".join(steps)
    if not isinstance(rows, list) or find_values(selector, document) != [rows]:
        raise ExtractError(f"expected a list in the answer, got the fields {', '.join(document) or 'none'}")
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ExtractError(
            f"expected objects in the list at {selector}, got {'none' if not rows else 'other values'}"
        )
    endpoint = {"path": path, **({"params": params} if params else {}), "data_selector": selector}
    table = RestTable(normalize(path.rpartition("/")[2]), "snapshot", source, endpoint=endpoint)
    paginator, further = find_paginator(table, settings, response, rows)
    columns, rename = find_columns([*rows, *further])
    return FoundTable(
        table.name, f"List {path} of the API", "", columns, find_key([*rows, *further], table.name), "snapshot",
        f"{REASON} {ONE_PAGE}" if paginator == "single_page" else REASON, rename,
        endpoint=endpoint | {"paginator": paginator}, sampled=True,
    )  # fmt: skip


def find_paginator(table: RestTable, settings: RestSettings, response: Any, rows: Rows) -> tuple[Any, Rows]:
    """Returns how the list is read to its end, and the rows of its second page.

    Raises:
        ExtractError: if the API has more rows, and no paginator reads them.
    """
    faults: list[str] = []
    for paginator in suggest_paginators(response, len(rows)):
        try:
            first, *second = read_first_pages(table, settings, paginator)
        except ExtractError as error:
            faults.append(str(error))
            continue
        if first == rows:  # else it begins elsewhere
            return paginator, second[0] if second else []
    total = find_total(response.json())
    if total and total[1] == len(rows) and has_offset(table, settings, total[0], rows):
        return {"type": "offset", "limit": LIMIT, "total_path": total[0]}, []
    if faults or (total and total[1] > len(rows)):
        why = (
            faults[0]
            if faults
            else f"it has {total[1] if total else 'more'} rows and gives {len(rows)} in one answer"
        )
        raise ExtractError(
            f"how to ask for further pages is not known: {why}. Declare it by hand: docs/guide/tables.md"
        )
    return "single_page", []


def has_offset(table: RestTable, settings: RestSettings, total_path: str, rows: Rows) -> bool:
    """Returns whether a list that came in one answer comes in two if it is asked for by offset and limit."""
    half = {"type": "offset", "limit": (len(rows) + 1) // 2, "total_path": total_path}
    try:
        pages = read_first_pages(table, settings, half)
    except ExtractError:
        return False
    return len(pages) == 2 and [row for page in pages for row in page] == rows


def read_first_pages(table: RestTable, settings: RestSettings, paginator: Any) -> list[Rows]:
    """Returns the rows of the first two pages.

    Raises:
        ExtractError: if they cannot be read, or are the same.
    """
    from extract.sources.rest_api.pages import read_pages

    tried = replace(table, endpoint={**table.endpoint, "paginator": paginator})
    return [list(page.rows) for page in islice(read_pages(tried, settings), 2)]


def suggest_paginators(response: Any, rows: int) -> Iterator[Any]:
    """Yields the paginators that an answer looks like, in the words of a declaration."""
    from dlt.sources.helpers.rest_client.detector import PaginatorFactory
    from dlt.sources.helpers.rest_client.paginators import (
        HeaderLinkPaginator,
        JSONLinkPaginator,
        JSONResponseCursorPaginator,
        PageNumberPaginator,
    )

    from extract.sources.rest_api.pages import find_values

    found, _ = PaginatorFactory().create_paginator(response)
    match found:
        case HeaderLinkPaginator():
            yield "header_link"
        case JSONLinkPaginator():
            yield {"type": "json_link", "next_url_path": str(found.next_url_path)}
        case JSONResponseCursorPaginator():
            path = str(found.cursor_path)
            for name in dict.fromkeys(("cursor", path.rpartition(".")[2], "after", "page_token")):
                yield {"type": "cursor", "cursor_path": path, "cursor_param": name}
        case PageNumberPaginator():
            for base in (0, 1):
                yield {"type": "page_number", "base_page": base, "total_path": str(found.total_path)}
    document = response.json()
    for path in NO_NEXT:
        if find_values(path, document) == [None]:  # the list has one page today
            yield {"type": "json_link", "next_url_path": path}
    total = find_total(document)
    if total and total[1] > rows:
        yield {"type": "offset", "limit": rows, "total_path": total[0]}
        for base in (0, 1):
            yield {"type": "page_number", "base_page": base, "total_path": None}


def find_total(document: Any, path: str = "") -> tuple[str, int] | None:
    """Returns where an answer has the number of all rows, and this number; None if it has none."""
    for name, value in document.items() if isinstance(document, dict) else ():
        if TOTAL.fullmatch(name) and isinstance(value, int) and not isinstance(value, bool):
            return path + name, value
        if isinstance(value, dict) and not path and (found := find_total(value, f"{name}.")):
            return found
    return None


def find_columns(rows: Rows) -> tuple[list[FoundColumn], dict[str, str]]:
    """Returns the columns of rows, and the fields whose name in raw does not follow from their own."""
    names = name_columns(list(dict.fromkeys(name for row in rows for name in row)))
    columns = []
    rename = {}
    for name, loaded in names.items():
        data_type = infer_type([row[name] for row in rows if row.get(name) is not None])
        origin = f"Field `{name}` of the API."
        columns.append(FoundColumn(loaded, data_type, data_type, origin=origin, at_source=name))
        with suppress(ValueError):
            if normalize(name) == loaded:
                continue
        rename[name] = loaded
    return columns, rename


def infer_type(values: Sequence[Any]) -> str:
    """Returns a type that has all of these values, and more of their kind."""
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "bigint" if all(-(2**63) <= value < 2**63 for value in values) else "numeric(38, 0)"
    if kinds and kinds <= {int, Decimal}:
        return infer_number([Decimal(value) for value in values])
    if kinds == {str}:
        if all(DATE.fullmatch(value) for value in values):
            return "date"
        found = [MOMENT.fullmatch(value) for value in values]
        zones = {bool(one["zone"]) for one in found if one}
        if all(found) and len(zones) == 1:
            return "timestamptz" if zones == {True} else "timestamp"
    return text_type(None)


def infer_number(values: Sequence[Decimal]) -> str:
    """Returns numeric with room for more digits, or double precision where numeric has none."""
    scale = max(9, *(-int(value.as_tuple().exponent) for value in values))
    whole = max(value.adjusted() + 1 for value in values)
    return f"numeric(38, {scale})" if scale + max(whole, 18) <= 38 else "double precision"


def find_key(rows: Rows, name: str) -> tuple[str, ...]:
    """Returns the field that is called like a key and has each value once; none if no field is like that."""
    names = dict.fromkeys((name, name.removesuffix("s")))
    for column in ("id", *(found for one in names for found in (f"id_{one}", f"{one}_id"))):
        values = [row.get(column) for row in rows]
        if all(isinstance(value, str | int) for value in values) and len(set(values)) == len(values):
            return (column,)
    return ()
