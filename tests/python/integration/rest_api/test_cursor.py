"""Mode cursor: what changed since the greatest cursor is appended; nothing is lost between two reads."""

import pytest

from tests.python.helpers.orders_api import Answer
from tests.python.integration.rest_api.conftest import Team, order


def asked_since(team: Team) -> list[str | None]:
    """Returns the watermark of each first page that the API was asked for."""
    return [request.params.get("desde") for request in team.api.requests if request.offset == 0]


def test_what_changed_since_the_greatest_cursor_less_the_lag_is_appended(team: Team) -> None:
    team.declare_cursor()
    assert team.run().code == 0
    team.api.rows[1] |= {"cliente": "Novo", "atualizado_em": "2026-01-06T12:30:00Z"}
    outcome = team.run()
    assert outcome.code == 0, outcome.output
    assert team.run().code == 0

    assert asked_since(team) == [None, "2026-01-05T11:00:00Z", "2026-01-06T11:30:00Z"]
    assert [row for row in team.loaded("id, cliente") if row[0] == 2] == [
        (2, "Cliente 2"), (2, "Novo"), (2, "Novo"),
    ]  # fmt: skip
    assert team.runs("rows_source, watermark") == [
        (5, "2026-01-05T12:00:00Z"), (2, "2026-01-06T12:30:00Z"), (1, "2026-01-06T12:30:00Z"),
    ]  # fmt: skip
    # Nothing changed: an empty load, of which the audit knows that nothing was to come.
    team.api.rows = []
    assert team.run().code == 0


@pytest.mark.slow
def test_the_watermark_can_stand_anywhere_in_the_request(team: Team) -> None:
    team.declare_cursor(
        endpoint={"params": {"filtro": "atualizado_em >= {incremental.start_value}"}},
        incremental={"initial_value": "2020-01-01"},
    )
    team.run()
    team.run()
    first = [request.params["filtro"] for request in team.api.requests if request.offset == 0]
    assert first == ["atualizado_em >= 2020-01-01", "atualizado_em >= 2026-01-05T11:00:00Z"]


@pytest.mark.parametrize(
    ("kind", "lag", "values", "watermark"),
    [("date", "12 hours", ["2026-01-31", "2026-01-30"], "2026-01-30"),
     pytest.param("integer", 10, [100, 99], "90", marks=pytest.mark.slow),
     pytest.param("timestamp", 0, ["2026-01-31T10:00:00.5", None], "2026-01-31T10:00:00.500000",
                  marks=pytest.mark.slow)],
)  # fmt: skip
def test_a_cursor_may_be_a_date_a_number_or_a_time_without_a_zone(
    team: Team, kind: str, lag: str | int, values: list[object], watermark: str
) -> None:
    team.declare_cursor(
        endpoint={"paginator": "single_page"}, lag=lag, types={"id": "integer", "atualizado_em": kind}
    )
    team.api.answers[1] = Answer({"dados": [order(n, atualizado_em=value) for n, value in enumerate(values)]})
    assert team.run().code == 0
    team.run()
    assert asked_since(team) == [None, watermark]


def test_a_cursor_in_the_future_is_no_watermark(team: Team) -> None:
    team.declare_cursor()
    team.api.rows[4]["atualizado_em"] = "2999-01-01T00:00:00Z"
    assert team.run().code == 0
    assert len(team.loaded()) == 5
    assert team.runs("watermark") == [("2026-01-04T12:00:00Z",)]


def test_rows_that_change_while_they_are_read_are_loaded_and_read_again(team: Team) -> None:
    team.declare_cursor(endpoint={"paginator": {"type": "json_link", "next_url_path": "next"}})
    changed = order(1, atualizado_em="2026-01-06T12:00:00Z", cliente="Novo")
    team.api.answers[1] = Answer({"dados": [order(1), order(2)], "next": "/v1/pedidos?p=2"})
    team.api.answers[2] = Answer({"dados": [changed], "next": None})
    team.api.answers[3] = Answer({"dados": [order(2), order(3), changed], "next": None})
    outcome = team.run()
    assert outcome.code == 0, outcome.output
    assert "id = 1 is on page 1 and on page 2: rows changed while they were read" in outcome.output
    assert team.run().code == 0
    assert team.run().code == 0

    # The row that had slipped to a page that was read already is not missing.
    assert {row[0] for row in team.loaded("id")} == {1, 2, 3}
    assert asked_since(team)[2:] == [None, "2026-01-06T11:00:00Z"]


def test_a_dead_letter_takes_out_the_version_before_and_is_read_again_by_a_backfill(team: Team) -> None:
    team.declare_cursor()
    team.run()
    team.api.rows[4] |= {"valor": "cinco"}
    team.api.rows.append(order(6, id=None))
    outcome = team.run()
    assert outcome.code == 1
    assert team.loaded("id, valor, _deleted")[-1] == (5, None, True)
    assert [(key, why) for key, _, why in team.letters()] == [
        ("5", 'column valor: expected numeric(18,2), got "cinco"'),
        (None, "column id: expected a value in the key, got none"),
    ]
    assert "source = raw" not in outcome.output

    team.api.rows[4:] = [order(5, atualizado_em="2025-12-01T00:00:00Z")]  # behind the watermark
    outcome = team.run()
    assert "1 dead letters of earlier loads wait in raw_pedidos.pedido_dead_letter" in outcome.output
    assert "python -m extract backfill --source pedidos --table pedido --from … --to …" in outcome.output

    words = ["--source", "pedidos", "--table", "pedido", "--from", "2025-12-01", "--to", "2025-12-31"]
    assert team.main(["backfill", *words]).code == 0
    assert asked_since(team)[-1] == "2025-12-01T00:00:00Z"
    assert team.run().code == 0
    assert asked_since(team)[-1] == "2026-01-05T11:00:00Z"  # the backfill left the watermark


def test_a_backfill_asks_for_its_end_too(team: Team) -> None:
    team.declare_cursor(incremental={"start_param": "desde", "end_param": "ate"})
    words = ["--source", "pedidos", "--table", "pedido", "--from", "2026-01-02", "--to", "2026-01-03"]
    assert team.main(["backfill", *words]).code == 0
    assert team.api.requests[0].params["ate"] == "2026-01-04T00:00:00Z"
    wrong = team.main(["backfill", *words[:-1], "3"])
    assert "expected two dates YYYY-MM-DD of atualizado_em, got 2026-01-02 and 3" in wrong.output
    replay = team.main(["replay", *words[:4], "--dead-letters"])
    assert "its rows cannot be asked for by key; read them again: python -m extract backfill" in replay.output


@pytest.mark.slow
def test_a_cursor_of_another_type_starts_the_table_again(team: Team) -> None:
    team.declare_cursor()
    team.run()
    types = {"id": "integer", "atualizado_em": "varchar(100)", "versao": "integer"}
    team.declare_cursor(cursor="versao", lag=0, types=types)
    outcome = team.run()
    assert outcome.code == 1
    assert "expected a watermark of the cursor versao, got 2026-01-05T12:00:00Z of another column" in outcome.output
