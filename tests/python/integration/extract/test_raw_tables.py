"""Which keys a raw table shows: the last version of a key decides, whatever the history, the key and the engine."""

from collections.abc import Sequence
from typing import cast
from uuid import uuid4

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extract.warehouse.raw_tables import RawTable, read_raw_table
from extract.warehouse.targets import Warehouse
from tests.python.helpers.declared import postgres_table
from tests.python.helpers.duckdb_warehouse import DuckDBWarehouse

VENDA = postgres_table("venda", "id_venda", "xmin")
PAIR = postgres_table("par", ("empresa", "codigo"), "xmin")

KINDS = ("row", "row", "row", "deletion", "dead letter")
# Each load: its status, and what it has of each key.
LOADS = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 2]), st.dictionaries(st.integers(1, 12), st.sampled_from(KINDS), max_size=5)),
    max_size=6,
)
Loads = Sequence[tuple[int, dict[int, str]]]

TABLES = """
create schema raw_postgres;
create table raw_postgres._dlt_loads (load_id varchar, schema_name varchar, status integer);
create table raw_postgres.venda (id_venda integer, _deleted boolean, _dlt_load_id varchar);
create table raw_postgres.venda_dead_letter ({columns}key varchar, _dlt_load_id varchar);
"""


def fill(connection: duckdb.DuckDBPyConnection, loads: Loads, *, typed: bool) -> RawTable:
    """Returns the raw table after these loads. Dead letters had their key as text alone once."""
    connection.execute(TABLES.format(columns="_key_1 integer, " if typed else ""))
    for load_id, (status, rows) in enumerate(loads, start=100):
        connection.execute("insert into raw_postgres._dlt_loads values (?, 'venda', ?)", [str(load_id), status])
        for key, kind in rows.items():
            deleted = None if kind == "row" else True
            connection.execute("insert into raw_postgres.venda values (?, ?, ?)", [key, deleted, str(load_id)])
            if kind == "dead letter":
                letter = [*([key] if typed else []), str(key), str(load_id)]
                places = ", ".join("?" for _ in letter)
                connection.execute(f"insert into raw_postgres.venda_dead_letter values ({places})", letter)
    return read_raw_table(VENDA, cast("Warehouse", DuckDBWarehouse(connection)))


def last_versions(loads: Loads) -> dict[int, str]:
    """The last completed version of each key."""
    return {key: kind for status, rows in loads if status == 0 for key, kind in rows.items()}


@given(loads=LOADS, typed=st.booleans())
@example(loads=[(0, {1: "row"}), (0, {1: "deletion"}), (0, {1: "row"})], typed=True)
@example(loads=[(0, {1: "row"}), (0, {1: "dead letter"}), (0, {1: "deletion"})], typed=False)
def test_the_last_version_of_a_key_decides(loads: Loads, typed: bool) -> None:  # noqa: FBT001
    with duckdb.connect() as connection:
        raw = fill(connection, loads, typed=typed)
        keys = sorted(key for (key,) in connection.execute(raw.current_keys).fetchall())
        ((rows,),) = connection.execute(raw.rows_of_source).fetchall()
        waiting = {key for (key,) in connection.execute(raw.waiting_letters()).fetchall()}
    last = last_versions(loads)
    assert keys == sorted(key for key, kind in last.items() if kind != "deletion")
    assert rows == len(keys)
    assert waiting == {key for key, kind in last.items() if kind == "dead letter"}


@pytest.mark.parametrize("first", ["text", "uuid", "date", "numeric(12, 2)", "boolean", "bytea", "timestamp"])
def test_a_key_may_have_any_types_and_columns(first: str) -> None:
    values = {
        "text": ("'a'", "'a ç'"), "uuid": (f"'{uuid4()}'", f"'{uuid4()}'"),
        "date": ("'2024-01-01'", "'2024-01-02'"), "numeric(12, 2)": ("1.00", "1.50"), "boolean": ("true", "false"),
        "bytea": ("'a'::blob", "'b'::blob"), "timestamp": ("'2024-01-01 00:00:00'", "'2024-01-01 00:00:01'"),
    }[first]  # fmt: skip
    one, other = values
    with duckdb.connect() as connection:
        connection.execute(
            "create schema raw_postgres;"
            "create table raw_postgres._dlt_loads as"
            " from (values ('1', 'par', 0), ('2', 'par', 0)) t(load_id, schema_name, status);"
            f"create table raw_postgres.par (empresa {first}, codigo varchar, _deleted boolean,"
            " _dlt_load_id varchar);"
            f"insert into raw_postgres.par values ({one}, 'x', null, '1'), ({one}, 'y', null, '1'),"
            f" ({other}, 'x', null, '1'), ({one}, 'x', true, '2'), (null, 'x', null, '2'), ({other}, null, null, '2')"
        )
        raw = read_raw_table(PAIR, cast("Warehouse", DuckDBWarehouse(connection)))
        found = connection.execute(f"select count(*), min(codigo), max(codigo) from ({raw.current_keys})").fetchall()
        ((without,),) = connection.execute(raw.rows_without_key).fetchall()
    assert found == [(2, "x", "y")]
    assert without == 2
