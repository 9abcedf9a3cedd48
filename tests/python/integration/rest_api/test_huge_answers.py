"""An answer that would exhaust the memory fails its table with one clear line; the process stays small."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import pytest

from extract.errors import ExtractError
from tests.python.helpers.flood import flooding
from tests.python.helpers.orders_api import Answer
from tests.python.helpers.peak import GIB, measure
from tests.python.integration.rest_api.conftest import Team, order

MIB = bytes(1 << 20)
ENDLESS = ("Content-Type: application/json", lambda: repeat(MIB.replace(b"\0", b" ")))
GZIP = ("Content-Encoding: gzip", lambda: repeat(gzip.compress(MIB * 16), 192))  # 3 GB in 3 MB
DEFLATE = ("Content-Encoding: deflate", lambda: [zlib.compress(MIB * 32)])
TWICE = ("Content-Encoding: gzip, gzip", lambda: [gzip.compress(gzip.compress(MIB * 32))])
SINGLE = {"data_selector": "$", "paginator": "single_page"}

Body = tuple[str, Callable[[], Iterator[bytes]]]


@pytest.mark.parametrize("body", [ENDLESS, GZIP, DEFLATE, TWICE], ids=["endless", "gzip", "deflate", "gzip twice"])
def test_a_body_is_read_to_its_limit(team: Team, monkeypatch: pytest.MonkeyPatch, body: Body) -> None:
    headers, pieces = body
    monkeypatch.setenv("PEDIDOS_API_MAX_MB", "2")
    with flooding(headers, pieces()) as url:
        monkeypatch.setenv("PEDIDOS_API_URL", url)
        with pytest.raises(ExtractError) as error:
            team.read()
    assert str(error.value) == (
        "pedidos.pedido: page 1: expected an answer of at most 2,000,000 bytes, unpacked, got more; ask the API for "
        "smaller pages, or raise PEDIDOS_API_MAX_MB. Nothing was loaded"
    )


def test_a_body_of_just_the_limit_is_read(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEDIDOS_API_MAX_MB", "1")
    team.declare(SINGLE)
    rows = [order(1)]
    rows[0]["cliente"] = "x" * (1_000_000 - len(json.dumps(rows)) + len(rows[0]["cliente"]))
    team.api.respond = lambda _: Answer(rows)
    assert team.read()[0]["cliente"] == rows[0]["cliente"]


def test_the_status_is_said_of_an_error_page_that_never_ends(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEDIDOS_API_MAX_MB", "1")
    team.api.respond = lambda _: Answer(MIB * 2, 403)
    with pytest.raises(ExtractError, match="expected HTTP 200, got HTTP 403: the API does not allow this"):
        team.read()


@pytest.mark.parametrize("document", ["[%s1]" % ("{}," * 100_000), "[[%s]]" % ("1," * 100_000 + "1")])
def test_an_answer_of_too_many_values_is_refused(team: Team, monkeypatch: pytest.MonkeyPatch, document: str) -> None:
    monkeypatch.setenv("PEDIDOS_API_MAX_MB", "1")
    team.declare(SINGLE)
    team.api.respond = lambda _: Answer(document)
    with pytest.raises(ExtractError, match=r"expected JSON, got b'.*' \(more than 62,500 values\); ask .* raise PED"):
        team.read()


def test_commas_in_texts_are_no_values(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEDIDOS_API_MAX_MB", "1")
    team.declare(SINGLE)
    team.api.respond = lambda _: Answer([order(1, cliente='[\\"{,' * 50_000)])
    assert len(team.read()) == 1


def test_a_document_that_is_too_deep_is_refused(team: Team) -> None:
    for levels in (*range(800, 1100, 7), 100_000):  # a library may have raised the limit
        nested: Any = "[" * levels + "]" * levels
        team.api.respond = lambda _, nested=nested: Answer(f'{{"dados": [{{"id": 1, "x": {nested}}}], "total": 1}}')
        try:
            team.read()
        except ExtractError as error:
            assert "(too many brackets within each other)" in str(error)
            return
    pytest.fail("no level was too deep")


def test_a_value_that_is_too_deep_or_too_long_makes_its_row_a_dead_letter(team: Team) -> None:
    deep, digits = "[" * 500 + "]" * 500, "9" * 5_000
    rows = [f'{{"id": 1, "cliente": {deep}}}', f'{{"id": 2, "valor": {digits}}}', f'{{"id": {digits}}}']
    rows += ['{"id": 5, "valor": 1e999999999}', '{"id": 6, "valor": 1e99999999999999999999}', '{"id": 7}']
    team.declare(SINGLE)
    team.api.respond = lambda _: Answer(f"[{', '.join(rows)}]")
    outcome = team.run()

    assert outcome.code == 1
    assert "pedidos.pedido: 5 rows have values that do not fit their columns" in outcome.output
    assert team.loaded("id") == [(7,)]
    reasons = team.query("select reason from raw_pedidos.pedido_dead_letter order by key nulls first")
    assert [reason for (reason,) in reasons] == [
        "column id: expected integer, got " + "9" * 60 + "…",
        "column cliente: expected varchar(400), got more than 100 brackets within each other",
        "column valor: expected numeric(18,2), got " + "9" * 60 + "…",
        "column valor: expected numeric(18,2), got 1e999999999",
        "column valor: expected numeric(18,2), got 1e99999999999999999999",
    ]


def test_ever_new_fields_are_refused_in_a_short_message(team: Team) -> None:
    team.declare(SINGLE)
    team.api.respond = lambda _: Answer([{"id": 1} | {f"campo_{n}": n for n in range(20_000)}])
    outcome = team.run()
    assert outcome.code == 1
    assert "pedidos.pedido: expected at most 1,600 fields, got more: id, valor," in outcome.words
    assert len(outcome.output) < 2_000


@pytest.mark.slow
@pytest.mark.usefixtures("team")
@pytest.mark.parametrize("body", [ENDLESS, GZIP], ids=["endless", "gzip"])
def test_a_body_without_end_takes_little_memory(monkeypatch: pytest.MonkeyPatch, body: Body) -> None:
    headers, pieces = body
    with flooding(headers, pieces()) as url:
        monkeypatch.setenv("PEDIDOS_API_URL", url)
        run = measure("run")
    assert run.code == 1, run.output
    assert "expected an answer of at most 32,000,000 bytes, unpacked, got more" in run.output
    assert run.peak < GIB


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", ["1.1", '{"id":1,"cliente":"%s"}' % ("\\ud83d\\ude00" * 50)], ids=["numbers", "texts"]
)
def test_the_densest_answer_takes_little_memory(team: Team, row: str) -> None:
    body = f"[{','.join([row] * min(31_900_000 // (len(row) + 1), 1_990_000))}]"
    team.declare(SINGLE)
    team.api.respond = lambda _: Answer(body)
    run = measure("run")
    assert run.code == 1, run.output
    assert "expected a list of objects, got 1.1" in run.output or "have the key of another row" in run.output
    assert run.peak < GIB
