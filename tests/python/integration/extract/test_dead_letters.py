"""A row that cannot be loaded is a dead letter, unchanged and with its reason; every other row is loaded."""

import json
from datetime import timedelta
from typing import Any

import pytest

from extract.reading import Limits
from extract.warehouse import targets
from tests.python.helpers.declared import declare, postgres_table
from tests.python.helpers.world import World


def dead_letters(world: World) -> list[tuple[str | None, dict[str, object], str]]:
    rows = world.query("select key, row, reason from raw_postgres.venda_dead_letter order by _dlt_load_id, key")
    return [(key, json.loads(row), reason) for key, row, reason in rows]


@pytest.mark.parametrize(
    ("kind", "value", "in_json", "reason"),
    [
        ("date", "infinity", "infinity", "column quando: expected a date in the years 1 to 9999"),
        pytest.param(
            "date",
            "0044-03-15 BC",
            "0044-03-15 BC",
            "column quando: expected a date in the years 1 to 9999",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "date",
            "12024-01-01",
            "12024-01-01",
            "column quando: expected a date in the years 1 to 9999",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "timestamp",
            "-infinity",
            "-infinity",
            "column quando: expected a timestamp in the years 1 to 9999",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "timestamptz",
            "infinity",
            "infinity",
            "column quando: expected a timestamptz in the years 1 to 9999",
            marks=pytest.mark.slow,
        ),
        ("numeric(30, 2)", "NaN", "NaN", "column quando: expected a decimal128(30, 2), got NaN"),
    ],
)
def test_a_row_with_a_value_that_no_warehouse_can_store_is_a_dead_letter(
    world: World, kind: str, value: str, in_json: str, reason: str
) -> None:
    world.execute(f"alter table public.venda add quando {kind}")
    world.execute(f"update public.venda set quando = '{value}' where id_venda = 2")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert outcome.status("postgres.venda") == "partial"
    assert (
        "1 rows have values that the warehouse cannot hold; raw_postgres.venda_dead_letter has each with its reason"
    ) in outcome.output
    assert world.query("select id_venda from raw_postgres.venda where _deleted is null") == [(1,)]
    ((key, row, why),) = dead_letters(world)
    assert (key, row["quando"], row["venda"], why) == ("2", in_json, 20, reason)


LIMITS = (
    ("date", "0001-01-01"), ("date", "9999-12-31"), ("timestamp", "9999-12-31 23:59:59.999999"),
    ("timestamp", "0001-01-01 00:00:00"), ("double precision", "NaN"), ("double precision", "-Infinity"),
    ("numeric", "NaN"), ("numeric(38, 0)", "9" * 38), ("text", "x" * 1_000_000), ("text", ""),
)  # fmt: skip


def test_a_value_at_the_limit_is_loaded(world: World) -> None:
    for number, (kind, value) in enumerate(LIMITS):
        world.execute(f"alter table public.venda add c{number} {kind}")
        world.execute(f"update public.venda set c{number} = '{value}' where id_venda = 2")
    outcome = world.run("postgres")

    assert outcome.code == 0, outcome.output
    for number, (kind, _) in enumerate(LIMITS):
        ((loaded,),) = world.query(f"select c{number}::varchar from raw_postgres.venda where id_venda = 2")
        with world.sales, world.sales.cursor() as cursor:
            cursor.execute(
                f"select %s::{kind} is not distinct from c{number} from public.venda where id_venda = 2", [loaded]
            )
            assert cursor.fetchone() == (True,), kind


def test_a_row_with_a_text_that_is_too_long_is_a_shortened_dead_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = targets.Warehouse

    def limited(*given: Any, **options: Any) -> targets.Warehouse:
        return real(*given, **options | {"limits": Limits(text=2000, binary=10)})

    monkeypatch.setattr(targets, "Warehouse", limited)
    world.execute(
        "alter table public.venda add obs text, add foto bytea;"
        "insert into public.venda (id_venda, obs) values (3, repeat('á', 1000)), (4, repeat('á', 1001));"
        "insert into public.venda (id_venda, foto)"
        " values (5, '\\x00112233445566778899'), (6, '\\x0011223344556677889900')"
    )
    assert world.run("postgres").code == 1
    assert world.query("select id_venda from raw_postgres.venda where _deleted is null order by 1") == [
        (1,), (2,), (3,), (5,),
    ]  # fmt: skip
    (text, binary) = dead_letters(world)
    assert text[1]["obs"] == '"' + "á" * 199 + "… (2004 bytes)"
    assert text[2] == "column obs: expected 2,000 bytes at most"
    assert (binary[0], binary[2]) == ("6", "column foto: expected 10 bytes at most")


def test_a_dead_letter_is_reported_by_every_run_until_it_is_fixed(world: World) -> None:
    world.execute("update public.venda set data_venda = 'infinity' where id_venda = 2")
    world.run("postgres")
    again = world.run("postgres")
    assert again.code == 1
    assert "postgres.venda: 1 dead letters of earlier loads wait in raw_postgres.venda_dead_letter" in again.output
    world.execute("update public.venda set data_venda = '2024-01-02' where id_venda = 2")
    assert world.run("postgres").code == 0

    assert world.query("select id_venda, _deleted from raw_postgres.venda order by _dlt_load_id, 1") == [
        (1, None), (2, True), (2, None),
    ]  # fmt: skip
    assert len(dead_letters(world)) == 1
    assert world.query(
        "select rows_source, rows_landed, rows_dead_letter from ops.extract_runs order by started_at"
    ) == [
        (2, 2, 1),
        (2, 0, 0),
        (2, 1, 0),
    ]


def test_a_loaded_row_that_becomes_a_dead_letter_does_not_stay_as_it_was(world: World) -> None:
    world.run("postgres")
    world.execute("update public.venda set data_venda = 'infinity', venda = 999 where id_venda = 2")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert "audit: 2 of 2 counts agree" in outcome.output
    assert world.query("select id_venda, venda, _deleted from raw_postgres.venda order by _dlt_load_id, 1") == [
        (1, 10.5, None), (2, 20, None), (2, None, True),
    ]  # fmt: skip


def test_an_infinite_date_is_no_watermark(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = postgres_table("venda", "id_venda", "cursor", cursor="data_venda", lag=timedelta(days=1))
    declare(monkeypatch, table)
    world.execute("insert into public.venda (id_venda, data_venda) values (3, 'infinity')")
    world.run("postgres")
    world.execute("insert into public.venda (id_venda, data_venda) values (4, '2024-01-03')")
    world.run("postgres")

    assert world.query("select id_venda from raw_postgres.venda where id_venda > 2 and _deleted is null") == [(4,)]
    assert world.query("select max(watermark) from ops.extract_runs") == [("2024-01-03",)]


@pytest.mark.slow
def test_a_table_that_is_reloaded_leaves_its_old_dead_letters_behind(world: World) -> None:
    world.execute("alter table public.venda add quando date")
    world.execute("update public.venda set quando = 'infinity' where id_venda = 2")
    world.run("postgres")
    world.execute("delete from public.venda where id_venda = 2")
    outcome = world.main(["run", "--source", "postgres", "--accept", "postgres.venda"])

    assert outcome.code == 0, outcome.output  # its audit counts no deleted key
    assert not world.query("select 1 from duckdb_tables() where table_name = 'venda_dead_letter'")
    ((kept,),) = world.query("select table_name from duckdb_tables() where table_name ^@ 'venda_dead_letter_until_'")
    assert world.query(f"select key from raw_postgres.{kept}") == [("2",)]


@pytest.mark.slow
def test_a_text_that_no_json_of_postgres_holds_is_cut_in_a_dead_letter(world: World) -> None:
    world.execute(
        "alter table public.venda add column texto text;"
        "insert into public.venda values (3, 1, 1, 'infinity', 1, repeat('x', 300000000)),"
        " (4, 1, 1, 'infinity', 1, 'y')"
    )
    outcome = world.run("postgres")
    assert outcome.status("postgres.venda") == "partial"
    letters = world.query("select row from raw_postgres.venda_dead_letter order by _key_1")
    assert [json.loads(row)["texto"] for (row,) in letters] == ["… (300000000 bytes)", "y"]
