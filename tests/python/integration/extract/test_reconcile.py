"""Keys deleted at the source are marked, and keys that no load contains are read."""

from collections.abc import Collection
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract.load.reconcile import Reconciliation, key_literal, to_bytes
from extract.reading import Limits
from extract.settings import read_settings
from extract.sources.postgres.columns import SourceColumn
from extract.sources.postgres.snapshot import open_snapshot
from extract.warehouse.raw_tables import RawTable
from tests.python.helpers import SOAK
from tests.python.helpers.declared import POSTGRES, declare, postgres_table
from tests.python.helpers.world import Outcome, World

VENDA = postgres_table("venda", "id_venda", "xmin")


def raw_events(world: World) -> list[tuple[Any, ...]]:
    return world.query("select id_venda, venda, _deleted from raw_postgres.venda order by _dlt_load_id, id_venda")


def test_a_deletion_at_the_source_is_found_by_the_counts_of_the_next_run(world: World) -> None:
    world.run("postgres")
    world.execute("delete from public.venda where id_venda = 1")
    outcome = world.run("postgres")

    assert outcome.code == 0
    assert raw_events(world) == [(1, 10.5, None), (2, 20, None), (1, None, True)]
    assert world.query(
        "select mode, rows_source, rows_landed, rows_deleted from ops.extract_runs order by started_at"
    ) == [("xmin", 2, 2, 0), ("xmin", 1, 0, 0), ("reconcile", 1, 1, 1)]


@pytest.mark.slow
def test_a_deleted_key_can_return_and_be_deleted_again(world: World) -> None:
    world.run("postgres")
    world.execute("delete from public.venda where id_venda = 1")
    world.run("postgres")
    world.execute("insert into public.venda (id_venda, venda) values (1, 7)")
    world.run("postgres")
    world.execute("delete from public.venda where id_venda = 1")
    world.run("postgres")
    world.run("postgres")

    assert raw_events(world)[2:] == [(1, None, True), (1, 7, None), (1, None, True)]


def test_a_reconciliation_contains_every_row_without_a_key(world: World) -> None:
    world.execute("insert into public.venda (venda) values (1), (2)")
    world.run("postgres")
    world.execute("delete from public.venda where id_venda = 1")
    world.run("postgres")

    assert world.query("select count(*) from raw_postgres.venda where id_venda is null group by _dlt_load_id") == [
        (2,),
        (2,),
        (2,),
    ]


def test_a_table_that_was_emptied(world: World) -> None:
    world.run("postgres")
    world.execute("delete from public.venda")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert (
        "postgres.venda: expected at least 50% of the 2 keys loaded before to exist still (MINIMUM_SHARE), 2 are"
        " gone; none of them was deleted. If that is right: python -m extract reconcile"
    ) in outcome.output
    assert raw_events(world)[2:] == []

    assert world.main(["reconcile"]).code == 0
    assert raw_events(world)[2:] == [(1, None, True), (2, None, True)]


def test_on_demand_it_finds_what_the_counts_hide(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = postgres_table("venda", "id_venda", "cursor", cursor="id_venda", lag=0)
    declare(monkeypatch, table)
    world.execute("update public.venda set id_venda = id_venda + 10")
    world.run("postgres")
    world.execute("delete from public.venda where id_venda = 11; insert into public.venda (id_venda) values (3)")
    world.run("postgres")
    assert world.query("select count(*) from raw_postgres.venda where id_venda = 3") == [(0,)]

    outcome = world.main(["reconcile"])
    assert outcome.code == 0
    assert outcome.status("postgres.venda") == "ok"
    assert world.query(
        "select id_venda, _deleted from raw_postgres.venda where id_venda in (3, 11) order by _dlt_load_id, 1"
    ) == [
        (11, None),
        (3, None),
        (11, True),
    ]


def test_a_dead_letter_that_is_deleted_at_the_source_is_deleted(world: World) -> None:
    world.execute("update public.venda set data_venda = 'infinity' where id_venda = 2")
    world.run("postgres")
    world.execute("delete from public.venda where id_venda = 2")
    assert world.run("postgres").code == 1  # until the counts show that it was deleted
    assert world.run("postgres").code == 0

    assert raw_events(world) == [(1, 10.5, None), (2, None, True), (2, None, True)]
    assert world.query("select count(*) from ops.extract_runs where mode = 'reconcile'") == [(1,)]


KEY_TYPES = {
    "text": ("'a'", "'b '", "'ç'"),
    "uuid": tuple(f"'{n}0000000-0000-0000-0000-000000000000'" for n in "123"),
    "date": ("'2024-01-01'", "'2024-02-29'", "'9999-12-31'"),
    "timestamptz": ("'2024-01-01 00:00:00+00'", "'2024-01-01 00:00:00.000001+00'", "'2024-01-02 00:00:00+03'"),
    "numeric(12, 2)": ("1.00", "1.50", "-3.25"),
    "numeric": ("1.00", "12345678901234567890123.5", "-3.25"),
    "bytea": ("'\\x00'", "'\\x0001'", "'\\xff'"),
    "varchar(20)": ("'a'", "'A'", "'a, b'"),
    "bigint": ("1", "-5", "9007199254740993"),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in ("uuid", "text") else pytest.mark.slow) for kind in KEY_TYPES]
)
def test_deletions_and_missed_rows_of_a_key_of_any_type_are_found(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    one, other, third = KEY_TYPES[kind]
    world.execute(
        f"create table public.item (empresa {kind}, codigo text, valor integer);"
        f"insert into public.item values ({one}, 'x', 1), ({one}, 'y', 2), ({other}, 'x', 3), (null, 'x', 4)"
    )
    declare(monkeypatch, postgres_table("item", ("empresa", "codigo"), "cursor", cursor="valor", lag=0))
    assert_agreed(world.run("postgres"))

    # The cursor sees neither the deletion nor the rows below the watermark.
    world.execute(
        f"delete from public.item where empresa = {one} and codigo = 'x';"
        f"insert into public.item values ({third}, 'x', 0), ({third}, 'y', 0)"
    )
    assert_agreed(world.run("postgres"))
    assert world.query("select codigo, valor from raw_postgres.item where _deleted") == [("x", None)]
    assert world.query("select count(*) from raw_postgres.item where valor = 0") == [(2,)]

    # A key that comes back exists again.
    world.execute(f"insert into public.item values ({one}, 'x', 9)")
    assert_agreed(world.run("postgres"))


@given(st.binary(max_size=20))
def test_a_binary_key_is_the_same_however_the_warehouse_returns_it(value: bytes) -> None:
    assert {to_bytes(value), to_bytes(value.hex()), to_bytes(f"\\x{value.hex()}")} == {value}
    assert key_literal(SourceColumn("k", "k", "bytea", -1), value.hex()) == f"'\\x{value.hex()}'"


@pytest.mark.slow
def test_a_table_with_a_text_key_that_was_emptied_is_reconciled_on_demand(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.execute("create table public.item (codigo text, valor integer); insert into item values ('a', 1), ('b', 2)")
    declare(monkeypatch, postgres_table("item", "codigo", "xmin"))
    world.run("postgres")
    world.execute("delete from public.item where codigo = 'b'")
    assert_agreed(world.run("postgres"))  # the list of keys exists now
    world.execute("delete from public.item")
    refused = world.run("postgres")
    assert refused.code == 1
    assert "1 are gone; none of them was deleted. If that is right: python -m extract reconcile" in refused.output

    assert world.main(["reconcile"]).code == 0
    assert_agreed(world.run("postgres"))


@pytest.mark.slow
def test_a_key_that_is_accepted_with_another_type_is_reconciled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.execute("create table public.item (codigo date, valor integer); insert into item select '2024-01-01', 1")
    world.execute("insert into item select '2024-01-02', 1")
    declare(monkeypatch, postgres_table("item", "codigo", "xmin"))
    world.run("postgres")
    world.execute("delete from public.item where codigo = '2024-01-02'")
    assert_agreed(world.run("postgres"))
    world.execute("alter table item alter codigo type text; insert into item values ('a', 2), ('b', 3)")
    assert world.main(["run", "--accept", "postgres.item"]).code == 0
    world.execute("delete from public.item where codigo = 'b'")
    assert_agreed(world.run("postgres"))


def test_a_repeated_key_that_is_corrected_at_the_source_is_reported_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.execute("create table public.item (codigo text, valor integer); insert into item values ('a', 1), ('a', 2)")
    declare(monkeypatch, postgres_table("item", "codigo", "xmin"))
    repeated = world.run("postgres")
    assert repeated.code == 1
    assert "1 rows have the key of another row, such as codigo = a" in repeated.output
    world.execute("update public.item set codigo = 'b' where valor = 2")
    assert_agreed(world.run("postgres"))


def test_a_table_without_a_key_is_compared_as_a_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.execute("create table public.medida (valor integer); insert into medida values (1), (1), (null)")
    declare(monkeypatch, postgres_table("medida", (), "full"))
    assert_agreed(world.run("postgres"))
    assert world.query("select count(*), count(valor) from raw_postgres.medida") == [(3, 2)]
    world.execute("delete from public.medida where valor is null")
    assert_agreed(world.run("postgres"))


def assert_agreed(outcome: Outcome) -> None:
    assert outcome.lines[-1]["message"] == "audit: 2 of 2 counts agree", outcome.output
    assert outcome.code == 0, outcome.output


KEYS = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 2500)


@pytest.mark.soak
@settings(max_examples=40 * SOAK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(common=st.sets(KEYS, max_size=30), gone=st.sets(KEYS, max_size=5), missing=st.sets(KEYS, max_size=5))
def test_exactly_the_differences_are_found_for_any_keys(
    world: World, common: set[int], gone: set[int], missing: set[int]
) -> None:
    gone, missing = gone - common - missing, missing - common
    world.execute("drop table if exists public.chaves; create table public.chaves (id bigint)")
    if common | missing:
        world.execute(f"insert into public.chaves values {values(common | missing)}")

    with duckdb.connect() as raw:
        raw.execute(
            "create schema raw_postgres; create table raw_postgres._dlt_loads as select '1' as load_id, 'chaves' as"
            " schema_name, 0 as status; create table raw_postgres.chaves"
            " (id bigint, _deleted boolean, _dlt_load_id varchar)"
        )
        if common | gone:
            rows = values(common | gone)
            raw.execute(f"insert into raw_postgres.chaves select id, null, '1' from (values {rows}) v(id)")
        table = postgres_table("chaves", "id", "xmin")
        due = Reconciliation(table, RawTable(table, key_types=("bigint",)), lambda sql: raw.execute(sql).fetchall())
        with open_snapshot(table, read_settings([POSTGRES], world.environment), Limits()) as snapshot:
            expected = tuple([(key,) for key in sorted(keys)] for keys in (gone, missing))
            assert due.compare_ranges(snapshot) == expected


@pytest.mark.parametrize("first", [1, 2500, 2**40])
def test_sets_of_the_same_number_and_sum_are_distinguished(world: World, first: int) -> None:
    gone, missing = {first, first + 3}, {first + 1, first + 2}
    test_exactly_the_differences_are_found_for_any_keys.hypothesis.inner_test(  # type: ignore[attr-defined]
        world, common={first * 3000}, gone=gone, missing=missing
    )


def values(keys: Collection[int]) -> str:
    return ", ".join(f"({key})" for key in sorted(keys))
