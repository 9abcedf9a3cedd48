"""One rule for the names of tables and columns, the same for dlt as for the loaders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.names import LONGEST, normalize
from extract.warehouse.naming import NamingConvention


@pytest.mark.parametrize(
    ("name", "normalized"),
    [
        ("código", "codigo"), ("Preço (R$)", "preco_r"), ("Id Venda", "id_venda"), ("2024", "_2024"), ("a__b", "a_b"),
        ("idVenda", "idvenda"), ("_dlt_load_id", "_dlt_load_id"), ("(x)", "x"), ("x_", "x"), ("ÇÃO", "cao"),
    ],
)  # fmt: skip
def test_a_name_is_folded_to_lowercase_ascii(name: str, normalized: str) -> None:
    assert normalize(name) == normalized


@pytest.mark.parametrize("name", ["", "___", "日本", "!", "a" * (LONGEST + 1)])
def test_a_name_with_nothing_left_or_too_much_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected a name"):
        normalize(name)


@given(st.text(max_size=60))
def test_a_normalized_name_stays_as_it_is_also_for_dlt(name: str) -> None:
    try:
        normalized = normalize(name)
    except ValueError:
        return
    assert normalize(normalized) == normalized
    assert NamingConvention().normalize_path(normalized) == normalized
