"""An API that returns one value for each id → `raw_<source>.<table>`.

    GET <URL>?id=1, 2, 3 … → the whole list, with proof of its end → one atomic replace

The API has no list and no time of change. The only way to know the employees is to ask for each id, and the only way
to know who left is to compare whole lists. So the whole list is one snapshot that replaces the last one, or nothing
is: an id that cannot be read would otherwise look like an employee who left.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pyarrow as pa

from extract.declarations import ApiTable
from extract.errors import ExtractError, UnansweredError
from extract.reading import Limits, OwnRead, Reading, State
from extract.settings import ApiSettings, Settings

if TYPE_CHECKING:
    from dlt.sources.helpers import requests

LONGEST_ANSWER = 1 << 20  # bytes, of which a name has fewer, and a page that explains an error too

UNKNOWN_ID = "The argument is not correct"  # the API's answer, with HTTP 200, to an id nobody has


@dataclass(frozen=True)
class ApiRead(OwnRead):
    """The read that every run makes of an endpoint."""

    table: ApiTable

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:  # noqa: ARG002  a snapshot needs no state, a value is short
        """Walks the ids to the end of the list and gives the whole list as one batch.

        Raises:
            ExtractError: naming the id, the URL and the answer, if an id cannot be read; if the end is not proved
                before the upper bound; or if no id is known.
        """
        table = self.table
        values = walk(table, settings.of(table.source, ApiSettings))
        schema = pa.schema([pa.field("id", pa.int64(), False), pa.field(table.column, pa.string(), False)])  # noqa: FBT003
        batch = pa.record_batch([list(values), list(values.values())], schema=schema)
        yield Reading(schema, iter([batch]), rows_source=len(values), text_lengths={table.column: table.length})


@contextmanager
def open_client(api: ApiSettings, attempts: int) -> Iterator["requests.Client"]:
    """Gives a client; each attempt ends within `api.timeout`, whatever arrives in that time, and all at the end."""
    from extract.sources.deadline import DeadlineAdapter, make_client  # with dlt, which takes its time

    adapter = DeadlineAdapter(api.timeout, api.concurrency, LONGEST_ANSWER)
    try:
        yield make_client(adapter, attempts, longest_wait=30)
    finally:
        adapter.stop()


def walk(table: ApiTable, api: ApiSettings) -> dict[int, str]:
    """Returns the name of every id from 1 on, in the order of the ids.

    The end is proved by `api.misses` consecutive unknown ids. `api.concurrency` requests are in flight at once: each
    answer lets the next id be asked for, over a connection that stays open; a `Retry-After` is waited for.
    """
    url = urljoin(api.url, table.path)
    names: dict[int, str] = {}
    last_known = 0
    asked: deque[tuple[int, Future[str | None]]] = deque()
    # What is still asked at the end, or at a Ctrl-C, ends before the pool waits for it.
    with ThreadPoolExecutor(api.concurrency) as pool, open_client(api, api.attempts) as asking:
        try:
            for ahead in range(1, api.max_id + 2 * api.concurrency):
                if ahead <= api.max_id:
                    asked.append((ahead, pool.submit(ask, asking, table, api, ahead)))
                if ahead < 2 * api.concurrency or not asked:  # one answer that is late leaves the others work to do
                    continue
                employee, answer = asked.popleft()
                if (name := answer.result()) is not None:
                    names[employee] = name
                    last_known = employee
                elif employee - last_known >= api.misses:
                    if not names:
                        raise ExtractError(
                            f"{table.full_name}: no name at all: ids 1 to {employee} are unknown to {url}; "
                            f"check {table.source.settings}_URL. The last snapshot stays"
                        )
                    return names
        finally:
            for _, answer in asked:
                answer.cancel()
    raise ExtractError(
        f"{table.full_name}: the end of the list is not proved: id {last_known} is known and the walk stops at "
        f"{table.source.settings}_MAX_ID={api.max_id}, before {api.misses} consecutive unknown ids; "
        f"{repeated_text(names) or 'raise it'}. The last snapshot stays"
    )


def repeated_text(names: dict[int, str]) -> str | None:
    """Returns what is wrong if the last ids have one text, which is then the API's own for an unknown id."""
    last = next(reversed(names.values()), "")
    times = len(list(takewhile(last.__eq__, reversed(names.values()))))
    if times < 2:
        return None
    return f"the last {times} ids have one text, {last!r}; for an unknown id the API must answer {UNKNOWN_ID!r}"


def ask(client: "requests.Client", table: ApiTable, api: ApiSettings, employee: int) -> str | None:
    """Returns the name of one id, or None for an id nobody has.

    Raises:
        ExtractError: if the answer is anything but a name or the API's text for an unknown id.
    """
    from dlt.sources.helpers import requests

    from extract.sources.certificate import CertificateError
    from extract.sources.deadline import TooLongError, is_busy

    url = urljoin(api.url, table.path)
    asked = f"{table.full_name}: id {employee} ({url}?id={employee})"
    kept = "The last snapshot stays"
    try:
        # A redirection would carry the key to wherever it leads.
        response = client.get(
            url,
            params={"id": employee},
            headers={"x-api-key": api.key} if api.key else None,
            allow_redirects=api.key is None,
        )
    except CertificateError as error:
        raise ExtractError(f"{asked}: {error.advice(table.source.settings)}. {kept}") from error
    except TooLongError as error:
        raise ExtractError(f"{asked}: expected a name, got {error}. {kept}") from error
    except requests.RequestException as error:
        raise UnansweredError(
            f"{asked}: expected a name, got no answer in {api.attempts} attempts of at most {api.timeout:g} s "
            f"({type(error).__name__}); check that the API is up. {kept}"
        ) from error
    if response.status_code != 200:
        busy = is_busy(response)
        attempts = f" after {api.attempts} attempts" if busy else ""
        raise (UnansweredError if busy else ExtractError)(
            f"{asked}: expected HTTP 200 with a name, got HTTP {response.status_code}{attempts}. {kept}"
        )
    try:
        # Without a charset in the header `response.text` would guess Latin-1 and spoil every accent.
        charset = response.encoding if "charset" in content_type(response) else None
        name = response.content.decode(charset or "utf-8")
    except (UnicodeDecodeError, LookupError) as error:
        raise ExtractError(f"{asked}: expected text in UTF-8, got {response.content[:40]!r}. {kept}") from error
    name = name.strip()
    if name == UNKNOWN_ID:
        return None
    if fault := invalid_name_reason(name, content_type(response), table.length):
        raise ExtractError(f"{asked}: expected a name in plain text, got {fault}. {kept}")
    return name


def content_type(response: "requests.Response") -> str:
    """Returns the answer's content type in lower case, empty where it has none."""
    return response.headers.get("Content-Type", "").lower()


def invalid_name_reason(text: str, kind: str, longest: int) -> str | None:
    """Returns what the text is if it cannot be a person's name, else None."""
    if not text:
        return "an empty body"
    if "html" in kind or text.startswith("<"):
        return f"HTML: {text[:60]!r}"
    if "json" in kind or text[0] in "{[":
        return f"JSON: {text[:60]!r}"
    if not text.isprintable():
        return f"control characters: {text[:60]!r}"
    if len(text) > longest:
        return f"{len(text)} characters where {longest} are the most: {text[:60]!r}…"
    return None
