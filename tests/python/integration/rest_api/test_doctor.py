"""The doctor asks each list for its first page, and says what a failing sign-in means."""

import pytest

from tests.python.helpers.orders_api import Answer
from tests.python.integration.rest_api.conftest import Team


def found(team: Team) -> dict[str, tuple[bool, str]]:
    """Returns whether each check passed, and its text."""
    return {line["check"]: (line["ok"], line["message"]) for line in team.main(["doctor"]).lines}


def test_a_list_that_answers(team: Team) -> None:
    assert found(team)["pedidos.pedido"] == (True, "2 rows on the first page, more pages follow; mode snapshot")
    assert len(team.api.requests) == 1

    team.api.rows[0]["valor"] = "um"
    assert found(team)["pedidos.pedido"] == (
        False,
        "2 rows on the first page, more pages follow; mode snapshot; 1 rows do not fit, such as: column valor: "
        'expected numeric(18,2), got "um"',
    )


def test_a_sign_in_that_fails(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.declare(client={"auth": "http_basic"})
    assert found(team)["pedidos: settings"][1].splitlines()[1:] == [
        "  PEDIDOS_API_USER is not set: expected the username to sign in with",
        "  PEDIDOS_API_PASSWORD is not set: expected the password to sign in with",
    ]
    monkeypatch.setenv("PEDIDOS_API_USER", "ana")
    monkeypatch.setenv("PEDIDOS_API_PASSWORD", "errada")
    team.api.respond = lambda _: Answer({}, 401)
    assert found(team)["pedidos.pedido"] == (
        False,
        f"pedidos.pedido: page 1 (GET {team.api.url}/pedidos): expected HTTP 200, got HTTP 401: the API does not "
        "accept the sign-in, or no longer; check PEDIDOS_API_USER and PEDIDOS_API_PASSWORD",
    )
