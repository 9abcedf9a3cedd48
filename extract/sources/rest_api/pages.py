"""The pages of a list, through dlt's `RESTClient`, its paginators and its authentication.

Of dlt's `rest_api` this uses the configuration of an endpoint and all that asks an API. It does not use dlt's
resources: those would guess the type of each column in each load, spread nested values over further tables, and
store a watermark of their own. Rows are converted in rows.py instead.

dlt follows a paginator wherever it leads. Here a list that is not read whole is an error: an answer without the list,
a page that comes twice, pages that lead to another server, a total that changes or is not reached.
"""

import logging
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from dlt.common import jsonpath
from dlt.common.configuration.specs import RuntimeConfiguration
from dlt.sources.helpers import requests
from dlt.sources.helpers.rest_client.auth import APIKeyAuth, AuthConfigBase, BearerTokenAuth, HttpBasicAuth
from dlt.sources.helpers.rest_client.client import PageData, RESTClient
from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    JSONLinkPaginator,
    JSONResponseCursorPaginator,
    OffsetPaginator,
    PageNumberPaginator,
)
from dlt.sources.rest_api.config_setup import expand_placeholders

from extract.declarations import RestTable, Source
from extract.errors import ExtractError, PassingError, UnansweredError, redact
from extract.names import listed
from extract.rest_endpoint import START, auth_type, credentials, make_paginator
from extract.settings import RestSettings
from extract.sources.certificate import CertificateError
from extract.sources.deadline import DeadlineAdapter, TooLongError, is_busy, make_client
from extract.sources.rest_api.values import TooManyValuesError, from_json, shorten

log = logging.getLogger("extract")

# A value of JSON takes up to 200 bytes of memory, however few it has in an answer.
BYTES_PER_VALUE = 16  # of an answer, at least, on average

LONGEST_WAIT = 60  # seconds between two attempts, and that a `Retry-After` is waited for
SHIFTED = "the pages shifted while they were read. Nothing was loaded; run again, or ask the API for a stable order"


@dataclass(frozen=True)
class Page:
    """The rows of one answer."""

    number: int  # from 1
    rows: list[Any]
    is_last: bool


class JSONClient(RESTClient):
    """dlt's client of an API, whose answers must be JSON with a list in it."""

    def __init__(self, source: Source, settings: RestSettings, what: str, attempts: int) -> None:
        self.source = source
        self.settings = settings
        self.what = what  # is read, for messages
        self.attempts = attempts
        adapter = DeadlineAdapter(settings.timeout, connections=1, most_bytes=settings.most_bytes)
        client = make_client(adapter, attempts, LONGEST_WAIT)
        super().__init__(
            base_url=settings.url,
            headers=dict(source.client.get("headers", {})),
            auth=make_auth(source, settings),
            session=client.session,
            config=RuntimeConfiguration(),
        )

    def extract_response(self, response: requests.Response, data_selector: Any) -> list[Any]:
        """Returns the list in an answer.

        Raises:
            ExtractError: if it is no success, no JSON, or has no list at the selector.
        """
        document = self.parse(response)
        found = find_values(data_selector, document)
        if not found:
            got = f"the fields {listed(document)}" if isinstance(document, dict) else shorten(document)
            raise self.fault(response, f"expected a list at data_selector {data_selector}, got {got}")
        rows = found[0]
        if rows is None:
            return []
        if not isinstance(rows, list):
            raise self.fault(response, f"expected a list at data_selector {data_selector}, got {shorten(rows)}")
        return rows

    def parse(self, response: requests.Response) -> Any:
        """Returns the document of an answer; paginators get the same instead of parsing it again.

        Raises:
            ExtractError: if it is no success, or no JSON.
        """
        if response.status_code != 200:
            raise self.fault(response, self.refusal(response))
        try:
            document = from_json(response.content, self.settings.most_bytes // BYTES_PER_VALUE)
        except TooManyValuesError as error:
            raise self.fault(
                response,
                f"expected JSON, got {response.content[:60]!r} ({error}); ask the API for smaller pages, or raise "
                f"{self.settings.prefix}_MAX_MB",
            ) from error
        except ValueError as error:
            raise self.fault(response, f"expected JSON, got {response.content[:60]!r} ({error})") from error
        response.json = lambda **_: document  # type: ignore[method-assign]
        return document

    def refusal(self, response: requests.Response) -> str:
        """Returns what the status of an answer says, and what to check."""
        prefix = self.source.settings
        names = [f"{prefix}_{setting}" for setting in credentials(self.source.client).values()]
        status = response.status_code
        got = f"expected HTTP 200, got HTTP {status}"
        match status:
            case 401 if names:
                return f"{got}: the API does not accept the sign-in, or no longer; check {' and '.join(names)}"
            case 401:
                return (
                    f"{got}: the API asks for a sign-in; set {prefix}_TOKEN, {prefix}_KEY, or {prefix}_USER and "
                    f"{prefix}_PASSWORD, and declare client: {{auth: …}}, as extract add does"
                )
            case 403:
                return (
                    f"{got}: the API does not allow this to {'the one who signs in' if names else 'everybody'}; ask "
                    f"its owner for access, or check {' and '.join(names) or 'client: {auth: …} in the declaration'}"
                )
            case 404:
                return f"{got}: no such endpoint; check {prefix}_URL and the path of the endpoint"
            case _ if 300 <= status < 400:
                target = without_query(response.headers.get("Location", ""))
                return f"{got}, a redirection to {target}; the sign-in is not sent there; check {prefix}_URL"
            case _ if is_busy(response):
                return f"{got} in {self.attempts} attempts; check that the API is up, or raise {prefix}_ATTEMPTS"
            case _:
                return f"{got}: {response.content[:200].decode(errors='replace')}; check the endpoint's params"

    def fault(self, response: requests.Response, text: str) -> ExtractError:
        """Returns the error of an answer, without the query of its URL, which may contain a key."""
        request = f"{response.request.method} {without_query(response.url)}"
        kind = UnansweredError if is_busy(response) else ExtractError
        return kind(redact(f"{self.what} ({request}): {text}. Nothing was loaded", self.settings.secrets))


def make_auth(source: Source, settings: RestSettings) -> AuthConfigBase | None:
    """Returns dlt's authentication with the credentials of the settings."""
    auth = source.client.get("auth")
    words = {word: value for word, value in auth.items() if word != "type"} if isinstance(auth, dict) else {}
    kinds = {"bearer": BearerTokenAuth, "api_key": APIKeyAuth, "http_basic": HttpBasicAuth}
    kind = kinds.get(auth_type(source.client) or "")
    return kind(**words, **settings.credentials) if kind else None


def find_values(path: Any, document: Any) -> list[Any]:
    """Returns what a document has at a path; nothing if it is neither an object nor a list."""
    return jsonpath.find_values(path, document) if isinstance(document, dict | list) else []  # type: ignore[arg-type]


def server_of(url: str) -> str:
    """Returns the scheme, the host and the port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def without_query(url: str) -> str:
    """Returns a URL without its query and whatever else may be secret."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def read_pages(
    table: RestTable, settings: RestSettings, start: str | None = None, end: str | None = None, attempts: int = 0
) -> Iterator[Page]:
    """Yields the pages of a list, or of what changed from `start` and, if it can be asked, to `end`.

    Raises:
        ExtractError: if the list cannot be read whole.
        PassingError: if its pages shifted while they were read.
    """
    what = f"{table.full_name}: page {{}}"
    client = JSONClient(table.source, settings, what.format(1), attempts or settings.attempts)
    paginator = make_paginator(table.endpoint.get("paginator", table.source.client.get("paginator")))
    checks = PageChecks(table, settings, paginator)
    pages = client.paginate(
        paginator=paginator,
        data_selector=table.endpoint["data_selector"],
        hooks={"response": []},  # dlt's would raise an error before the answer can be explained
        allow_redirects=False,
        **make_request(table, start, end),
    )
    for number in count(1):
        client.what = what.format(number)
        try:
            page = next(pages)
        except CertificateError as error:
            raise ExtractError(f"{client.what}: {error.advice(settings.prefix)}. Nothing was loaded") from error
        except TooLongError as error:
            raise ExtractError(
                f"{client.what}: expected an answer of at most {settings.most_bytes:,} bytes, unpacked, got more; "
                f"ask the API for smaller pages, or raise {settings.prefix}_MAX_MB. Nothing was loaded"
            ) from error
        except requests.RequestException as error:
            raise UnansweredError(
                f"{client.what}: expected an answer, got none in {client.attempts} attempts of at most "
                f"{settings.timeout:g} s ({type(error).__name__}); check that the API is up, and "
                f"{settings.prefix}_URL. Nothing was loaded"
            ) from error
        except (ValueError, TypeError, AttributeError) as error:  # a paginator's, which may show the whole answer
            text = " ".join(str(error).replace("`", "").split()).partition(" got ")[0].rstrip(", ")
            raise ExtractError(f"{client.what}: paginator: {text}. Nothing was loaded") from error
        checks.check(number, page)
        is_last = not (paginator.has_next_page and page.request.url)  # the link to no page may be an empty text
        yield Page(number, page, is_last)
        if is_last:
            checks.finish(number)
            return


def make_request(table: RestTable, start: str | None, end: str | None) -> dict[str, Any]:
    """Returns what the first page is asked with, in the words of dlt's client."""
    endpoint = table.endpoint
    incremental = endpoint.get("incremental", {})
    if start is None and "initial_value" in incremental:
        start = str(incremental["initial_value"])
    request = {
        word: expand_placeholders(deepcopy(endpoint[word]), {START: start}, preserve_value_type=word == "json")
        for word in ("path", "params", "json", "headers")
        if word in endpoint
    }
    request["method"] = endpoint.get("method", "GET")
    params = request["params"] = request.get("params") or {}
    for word, value in (("start_param", start), ("end_param", end)):
        if word in incremental and value is not None:
            params[incremental[word]] = value
    return request


class PageChecks:
    """Whether the pages of a list are all of it, each once."""

    def __init__(self, table: RestTable, settings: RestSettings, paginator: BasePaginator) -> None:
        self.table = table
        self.paginator = paginator
        self.server = server_of(settings.url)
        self.asked: set[bytes] = set()  # of each page, what asks for the next one
        self.pages: dict[bytes, int] = {}
        self.rows = 0
        self.total: int | None = None
        self.last: PageData[Any] | None = None
        self.was_short = False

    def check(self, number: int, page: PageData[Any]) -> None:
        """Checks a page, and what its paginator asks for next.

        Raises:
            ExtractError: if the pages repeat themselves or lead elsewhere.
            PassingError: if the API's own total changes.
        """
        what = f"{self.table.full_name}: page {number}"
        self.rows += len(page)
        self.last = page
        self.check_total(what, page)
        if page:
            content = sha256()
            for row in page:
                content.update(repr(row).encode(errors="backslashreplace"))
            mark = content.digest()
            if (same := self.pages.setdefault(mark, number)) != number:
                raise ExtractError(
                    f"{what}: expected other rows than those of page {same}, got the same; check the paginator: the "
                    "API does not seem to know its parameter. Nothing was loaded"
                )
        if isinstance(self.paginator, OffsetPaginator):
            self.check_limit(what, len(page), self.paginator.limit)
        request = page.request
        if not self.paginator.has_next_page or not request.url:
            return
        url = str(request.url)
        if server_of(url) != self.server:
            raise ExtractError(
                f"{what}: expected a next page on {self.server}, got {server_of(url)}; the sign-in is not sent "
                "there. Nothing was loaded"
            )
        mark = sha256(repr((url, request.params, request.json)).encode()).digest()
        if mark in self.asked:
            raise ExtractError(
                f"{what}: expected another next page, got one that was read before "
                f"({without_query(url)}); check the paginator. Nothing was loaded"
            )
        self.asked.add(mark)

    def check_total(self, what: str, page: PageData[Any]) -> None:
        """Notes the total that the API gives with a page, which must stay the same."""
        path = getattr(self.paginator, "total_path", None)
        if path is None:
            return
        found = find_values(path, page.response.json())
        total = int(found[0]) if found and str(found[0]).isdecimal() else None
        if total is None and not page:
            return  # dlt ends at an empty page, whatever else is in it
        if self.total not in (None, total):
            raise PassingError(f"{what}: expected a total of {self.total:,} as before, got {total}: {SHIFTED}")
        self.total = total

    def check_limit(self, what: str, rows: int, limit: int) -> None:
        """Checks that only the last page has fewer rows than the limit: dlt's offset advances by the limit."""
        if rows > limit or (rows and self.was_short):
            raise ExtractError(
                f"{what}: expected {limit} rows on each page but the last (paginator: limit), got another number; "
                "write the number that the API gives. Nothing was loaded"
            )
        self.was_short = rows < limit

    def finish(self, pages: int) -> None:
        """Checks at the end that the API's own total was read.

        Raises:
            PassingError: if it was not.
        """
        what = self.table.full_name
        if pages == 1 and (nothing := self.find_nothing()):
            log.warning(
                "%s: one page was read, and %s finds nothing in it; check that there are no more", what, nothing
            )
        if self.total is None:
            return
        if isinstance(self.paginator, OffsetPaginator) and self.rows != self.total:
            raise PassingError(
                f"{what}: expected {self.total:,} rows, which is the API's own total, got {self.rows:,}: {SHIFTED}"
            )
        if isinstance(self.paginator, PageNumberPaginator) and pages != max(self.total, 1):
            raise ExtractError(
                f"{what}: expected {self.total:,} pages (paginator: total_path), got {pages:,}; if total_path is the "
                "number of rows, write total_path: null: the first empty page is then the end. Nothing was loaded"
            )

    def find_nothing(self) -> str | None:
        """Returns the path that leads to the next page, if it is missing; a null is not missing."""
        match self.paginator:
            case JSONLinkPaginator():
                word, path = "next_url_path", self.paginator.next_url_path
            case JSONResponseCursorPaginator():
                word, path = "cursor_path", self.paginator.cursor_path
            case _:
                return None
        found = self.last is not None and find_values(path, self.last.response.json())
        return None if found else f"{word} {path}"
