"""SUPER between COPY, the database and clients."""

import pytest

from redshift_standin.super_values import to_client, to_stored
from stand_in import StandIn


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('{"b": 1.50, "a": [null, "x\\u00e9", true, {}]}', '{"b":1.50,"a":[null,"xé",true,{}]}'),
        ('"a \\"b\\""', '"a \\"b\\""'),
        ("12.50", "12.50"),
        ("12e2", "1.2e+3"),
        ("-0.00012e0", "-1.2e-4"),
        ("0e5", "0e+0"),
        ('"\\u0001"', '"\\u0001"'),
    ],
)
def test_clients_see_the_json_that_was_loaded(stand_in: StandIn, given: str, shown: str) -> None:
    stored = to_stored(given)
    assert stored is not None
    assert to_client(stored.encode()).decode() == shown
    [[parsed]] = stand_in.execute("select json_parse('" + given.replace("\\", "\\\\") + "')")
    assert parsed == shown


def test_null_is_sqls_null() -> None:
    assert to_stored("null") is None


@pytest.mark.parametrize("text", ["{", "NaN", '{"a": 1, "a": 2}', "abc"])
def test_what_is_no_json_of_redshift_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        to_stored(text)
