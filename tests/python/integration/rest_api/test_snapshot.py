"""Mode snapshot: the whole list replaces the raw table, or nothing does."""

from decimal import Decimal

import pytest

from tests.python.helpers.orders_api import Answer
from tests.python.integration.rest_api.conftest import Team, order


def test_the_whole_list_replaces_the_last_one(team: Team) -> None:
    outcome = team.run()
    assert outcome.code == 0, outcome.output
    assert team.loaded() == [(n, Decimal(f"{n}.50"), f"Cliente {n}") for n in range(1, 6)]
    assert [request.params for request in team.api.requests] == [
        {"offset": "0", "limit": "2"}, {"offset": "2", "limit": "2"}, {"offset": "4", "limit": "2"},
    ]  # fmt: skip

    team.api.rows = [order(n, valor=10 * n) for n in (2, 3, 9)]
    assert team.run().code == 0
    assert [row[:2] for row in team.loaded()] == [(2, 20), (3, 30), (9, 90)]
    assert team.runs("mode, status, rows_source, rows_loaded") == [("snapshot", "ok", 5, 5), ("snapshot", "ok", 3, 3)]


TYPES = {
    "id": "integer", "texto": "varchar(40)", "numero": "numeric(20,10)", "duplo": "double precision",
    "sim": "boolean", "dia": "date", "hora": "timestamp", "instante": "timestamptz",
}  # fmt: skip


def test_values_are_loaded_as_the_api_wrote_them(team: Team) -> None:
    team.declare({"paginator": "single_page"}, types=TYPES)
    rows = """[
        {"id": 1, "texto": "São", "numero": 1234567890.0123456789, "duplo": 0.1, "sim": true, "dia": "2026-01-31",
         "hora": "2026-01-31T10:00:00.5", "instante": "2026-01-31T10:00:00-03:00"},
        {"id": 2.0, "texto": {"rua": "A", "n": [1.10, null]}, "numero": "12.50", "duplo": 7, "sim": null},
        {"id": 3, "texto": [], "numero": 1e3}
    ]"""
    team.api.answers[1] = Answer(f'{{"dados": {rows}}}')
    outcome = team.run()
    assert outcome.code == 0, outcome.output
    utc = "cast(instante as varchar)"
    assert team.loaded(f"id, texto, numero, duplo, sim, cast(dia as varchar), cast(hora as varchar), {utc}") == [
        (1, "São", Decimal("1234567890.0123456789"), 0.1, True, "2026-01-31", "2026-01-31 10:00:00.5",
         "2026-01-31 13:00:00+00"),
        (2, '{"rua": "A", "n": [1.10, null]}', Decimal("12.5"), 7.0, None, None, None, None),
        (3, "[]", Decimal(1000), None, None, None, None, None),
    ]  # fmt: skip


def test_a_row_that_does_not_fit_is_a_dead_letter_and_the_others_are_loaded(team: Team) -> None:
    team.api.rows[2] |= {"valor": "dois", "cliente": {"nome": "Ana", "nota": 1.5}, "extra": None}
    outcome = team.run()

    assert outcome.code == 1
    assert outcome.status("pedidos.pedido") == "partial"
    assert (
        "pedidos.pedido: 1 rows have values that do not fit their columns; raw_pedidos.pedido_dead_letter has each "
        "with its reason"
    ) in outcome.output
    assert "source = raw" not in outcome.output  # the audit has nothing to say
    assert [row[0] for row in team.loaded()] == [1, 2, 4, 5]
    assert team.letters() == [("3", team.api.rows[2], 'column valor: expected numeric(18,2), got "dois"')]
    assert team.runs("rows_source, rows_loaded, rows_dead_letter") == [(5, 4, 1)]


def test_a_field_that_is_not_declared_is_loaded_as_text_and_stays_a_column(team: Team) -> None:
    assert team.run().code == 0
    team.api.rows[4] |= {"Observação": 1.50, "produtos": [{"sku": "a"}]}
    outcome = team.run()
    assert outcome.code == 0
    assert "pedidos.pedido: new at the source and loaded: observacao text, produtos text" in outcome.output
    assert team.loaded("observacao, produtos")[-1] == ("1.5", '[{"sku": "a"}]')

    del team.api.rows[4]["Observação"], team.api.rows[4]["produtos"]
    assert team.run().code == 0
    assert team.loaded("observacao, produtos")[-1] == (None, None)


@pytest.mark.slow
def test_new_columns_can_be_refused(team: Team) -> None:
    team.declare(new_columns="refuse")
    assert team.run().code == 0
    team.api.rows[4] |= {"cpf": "123"}
    outcome = team.run()
    assert outcome.code == 1
    assert "the fields cpf are not declared, and the declaration refuses new columns" in outcome.output

    team.declare(new_columns="refuse", columns={"exclude": ["cpf"]})
    team.api.rows[3] |= {"valor": "x", "cpf": "456"}
    assert team.run().code == 1
    assert len(team.loaded()) == 4
    assert "cpf" not in team.letters()[0][1]


def test_a_column_that_every_row_had_and_none_has_now_is_lost(team: Team) -> None:
    team.api.rows[0]["obs"] = "às vezes"
    assert team.run().code == 0
    for row in team.api.rows:
        row["nome"] = row.pop("cliente")
        row.pop("obs", None)
    outcome = team.run()
    assert outcome.code == 1
    assert (
        "pedidos.pedido: column cliente is missing in every row, and every row had it before. Nothing was loaded; "
        "raw_pedidos.pedido keeps its rows."
    ) in outcome.output
    assert "column obs" not in outcome.output
    assert team.loaded()[0] == (1, Decimal("1.50"), "Cliente 1")

    team.declare(columns={"rename": {"nome": "cliente"}})
    assert team.run().code == 0


@pytest.mark.slow
def test_a_list_that_lost_most_of_its_rows_is_refused(team: Team) -> None:
    team.run()
    del team.api.rows[2:]
    outcome = team.run()
    assert outcome.code == 1
    assert "expected at least 50% of the 5 rows of the last read (MINIMUM_SHARE), found 2" in outcome.output
    assert team.run("--accept", "pedidos.pedido").code == 0
    assert len(team.loaded()) == 2


def test_a_key_on_two_pages_means_that_the_pages_shifted(team: Team) -> None:
    team.run()
    first, second = team.api.rows[:2], [*team.api.rows[1:2], order(9)]
    team.declare({"paginator": {"type": "json_link", "next_url_path": "next"}})
    for number, rows in ((4, first), (5, second)):
        team.api.answers[number] = Answer({"dados": rows, "next": "/v1/pedidos?p=2" if number == 4 else None})
    outcome = team.run()
    assert outcome.code == 1
    assert "pedidos.pedido: id = 2 is on page 1 and on page 2: the pages shifted" in outcome.output
    assert len(team.loaded()) == 5


def test_a_key_twice_on_one_page_is_reported_and_both_rows_are_loaded(team: Team) -> None:
    team.api.rows = [order(1), order(1, valor=7)]
    outcome = team.run()
    assert outcome.code == 1
    assert "pedidos.pedido: 1 rows have the key of another row; one row of each key is kept" in outcome.output
    assert len(team.loaded()) == 2
