"""The number of keys of a raw table, counted without a distinct over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from extract.sources.postgres.table import TABLES
from extract.warehouse.raw_tables import RawTable, apart, raw_table
from extract.warehouse.targets import Warehouse
from tests.python.helpers import SOAK

KINDS = ("row", "row", "row", "deletion", "dead letter")
# Each load has a status, and at most one row of each key.
LOADS = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 2]), st.dictionaries(st.integers(1, 12), st.sampled_from(KINDS), max_size=5)),
    max_size=6,
)


@dataclass(frozen=True)
class Asked:
    """A warehouse for queries."""

    connection: duckdb.DuckDBPyConnection

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query."""
        return self.connection.execute(sql).fetchall()


def loaded(connection: duckdb.DuckDBPyConnection, loads: Sequence[tuple[int, dict[int, str]]]) -> RawTable:
    """Returns the raw table after these loads."""
    loads_of, rows_of, letters_of = ["(null, null, null)"], ["(null, null, null)"], []
    for load_id, (status, rows) in enumerate(loads, start=100):
        loads_of.append(f"('{load_id}', 'venda', {status})")
        rows_of += [f"({key}, {'null' if kind == 'row' else 'true'}, '{load_id}')" for key, kind in rows.items()]
        letters_of += [f"('{key}', '{load_id}')" for key, kind in rows.items() if kind == "dead letter"]
    connection.execute(
        "create schema raw_postgres;"
        " create table raw_postgres._dlt_loads (load_id varchar, schema_name varchar, status integer);"
        " create table raw_postgres.venda (id_venda integer, _deleted boolean, _dlt_load_id varchar);"
        f" insert into raw_postgres._dlt_loads values {', '.join(loads_of)};"
        f" insert into raw_postgres.venda values {', '.join(rows_of)}"
    )
    if letters_of:  # the table exists only after the first one
        connection.execute(
            "create table raw_postgres.venda_dead_letter (key varchar, _dlt_load_id varchar);"
            f" insert into raw_postgres.venda_dead_letter values {', '.join(letters_of)}"
        )
    return raw_table(TABLES[0], cast("Warehouse", Asked(connection)))


@pytest.mark.soak
@settings(max_examples=100 * SOAK)
@given(loads=LOADS)
@example(loads=[(0, {1: "row"}), (0, {5: "row", 1: "deletion"})])  # loads of separate keys, and a deletion in one
@example(loads=[(0, {1: "row"}), (0, {1: "deletion"})])
def test_the_number_of_keys_is_that_of_the_current_keys(loads: list[tuple[int, dict[int, str]]]) -> None:
    with duckdb.connect() as connection:
        raw = loaded(connection, loads)
        (counted,) = connection.execute(raw.number_of_keys).fetchall()
        (current,) = connection.execute(f"select count(*) from ({raw.current_keys})").fetchall()
    assert counted == current


def test_loads_of_ranges_are_the_base_together() -> None:
    loads = [(0, dict.fromkeys(range(first, first + 10), "row")) for first in (21, 1, 11)]
    with duckdb.connect() as connection:
        raw = loaded(connection, [*loads, (2, {40: "row"}), (0, {5: "row", 25: "row", 31: "row"})])
    assert raw.base_loads == ("100", "101", "102")


def test_of_loads_with_text_keys_one_is_the_base() -> None:
    assert apart([("1", "a", "b"), ("2", "c", "d")]) == ("1",)
    assert apart([]) == ()
