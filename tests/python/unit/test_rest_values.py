"""A JSON value is loaded as it is, or makes its row a dead letter: nothing is rounded, cut or guessed."""

from decimal import Decimal

import pytest

from extract.declarations import Column, RestTable, Source
from extract.errors import ExtractError
from extract.reading import Limits
from extract.sources.rest_api.rows import Rows
from extract.sources.rest_api.values import from_json, to_json

TYPES = {
    "id": "integer", "texto": "varchar(16)", "numero": "numeric(20,10)", "duplo": "double precision",
    "sim": "boolean", "dia": "date", "hora": "timestamp", "instante": "timestamptz",
}  # fmt: skip


def table(mode: str = "snapshot", key: tuple[str, ...] = ()) -> RestTable:
    """Returns a table with a column of each type."""
    columns = tuple(Column(name, kind) for name, kind in TYPES.items())
    return RestTable("t", mode, Source("pedidos", "rest_api", "PEDIDOS_API"), key, columns)


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("id", '"7"', 'integer, got "7"'),
        ("id", "7.5", "integer, got 7.5"),
        ("id", "true", "integer, got true"),
        ("id", "3000000000", "integer, got 3000000000"),
        ("texto", '"cinco e mais seis"', 'varchar(16), got "cinco e mais seis"'),
        ("texto", '"a\\u0000b"', 'varchar(16), got "a\\u0000b"'),
        ("texto", '"\\ud800"', 'varchar(16), got "\\ud800"'),
        ("numero", "0.12345678901", "numeric(20,10), got 0.12345678901"),
        ("numero", "12345678901", "numeric(20,10), got 12345678901"),
        ("numero", '"doze"', 'numeric(20,10), got "doze"'),
        ("duplo", "1e999", "double precision, got 1E+999"),
        ("sim", "1", "boolean, got 1"),
        ("dia", '"31/01/2026"', 'date, got "31/01/2026"'),
        ("dia", '"2026-02-30"', 'date, got "2026-02-30"'),
        ("hora", '"2026-01-31T10:00:00Z"', 'timestamp, got "2026-01-31T10:00:00Z"'),
        ("hora", '"2026-01-31T10:00:00.1234567"', 'timestamp, got "2026-01-31T10:00:00.1234567"'),
        ("instante", '"2026-01-31T10:00:00"', 'timestamptz, got "2026-01-31T10:00:00"'),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused(column: str, value: str, shown: str) -> None:
    rows = Rows(table(), Limits())
    good, letters = rows.convert(from_json(f'[{{"outra": 1}}, {{"{column}": {value}}}]'.encode()))
    assert good.num_rows == 1
    assert letters["reason"].to_pylist() == [f"column {column}: expected {shown}"]


def test_a_number_keeps_its_digits() -> None:
    text = '{"n": [1.10, 12345678901234567890.123456789, -0.0, 1E-7], "s": "é", "x": null, "b": true}'
    assert to_json(from_json(text.encode())) == text
    rows = Rows(table(), Limits())
    good, _ = rows.convert(from_json(b'[{"numero": 0.3, "n": 0.30}, {"numero": 1234567890.0123456789, "n": 7}]'))
    assert good["numero"].to_pylist() == [Decimal("0.3"), Decimal("1234567890.0123456789")]
    assert good["n"].to_pylist() == ["0.30", "7"]


def test_a_text_longer_than_the_warehouse_takes_is_refused_and_cut_in_its_dead_letter() -> None:
    rows = Rows(table(key=("id",)), Limits(text=2000))
    good, letters = rows.convert([{"id": 1, "livre": "x" * 2000}, {"id": 2, "livre": "é" * 2000}])
    assert good["id"].to_pylist() == [1]
    (letter,) = letters.to_pylist()
    assert letter["row"] == f'{{"id": 2, "livre": "{"é" * 200}… (4000 bytes)"}}'
    assert (letter["_key_1"], letter["key"]) == (2, "2")


def test_in_mode_cursor_a_row_without_a_key_is_a_dead_letter_and_one_with_a_key_is_taken_out() -> None:
    rows = Rows(table("cursor", ("id", "dia")), Limits())
    documents = [{"id": 1, "dia": None}, {"id": 2, "dia": "2026-01-01", "sim": "sim"}]
    good, letters = rows.convert(documents)
    assert letters["reason"].to_pylist() == [
        "column dia: expected a value in the key, got none", 'column sim: expected boolean, got "sim"',
    ]  # fmt: skip
    assert letters["key"].to_pylist() == [None, "2, 2026-01-01"]
    (deletion,) = good.to_pylist()
    assert (deletion["id"], deletion["_deleted"], deletion["texto"]) == (2, True, None)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"Preço": 1, "preco": 2}, "two fields would both be preco in raw, 'preco' is one; rename it"),
        ({"_deleted": 1}, "field _deleted: the loaders need the name _deleted; rename it"),
        ({"%": 1}, "field '%': expected a name with letters or digits"),
        ("a", 'expected a list of objects, got "a" in it; check data_selector'),
    ],
)
def test_what_is_no_row_is_an_error(row: object, said: str) -> None:
    with pytest.raises(ExtractError) as error:
        Rows(table(), Limits()).convert([row])
    assert said in str(error.value)
