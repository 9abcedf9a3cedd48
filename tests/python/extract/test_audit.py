"""The audit agrees where every row is accounted for, and names each difference with the query that shows it."""

from typing import Any

import duckdb
from world import World

from extract.audit import compare
from extract.build import Models
from extract.raw import RawTable
from extract.sources.postgres import TABLES

(VENDA,) = TABLES

LAYERS = """
create schema bronze; create schema silver;
create table bronze.venda as select id_venda, venda from raw_postgres.venda;
create table silver.venda as from bronze.venda where venda > 15;
create table silver.rejeitada as from bronze.venda where venda <= 15;
"""
MODELS = Models("bronze.venda", "silver.venda", "silver.rejeitada")


class Warehouse:
    """The test's warehouse file, asked and changed by the audit's own means."""

    def __init__(self, world: World) -> None:
        self.world = world

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """What the warehouse answers."""
        return self.world.query(sql)


def differences(world: World, change: str, rows_source: int = 2) -> list[tuple[str, int, int, list[tuple[Any, ...]]]]:
    """What the audit finds after a change, each with what its query shows."""
    world.run("postgres")
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute(LAYERS + change)
    found = list(compare(RawTable(VENDA), rows_source, MODELS, Warehouse(world)))  # type: ignore[arg-type]
    assert [one.what for one in found] == [
        "source = raw", "landed = loaded", "raw = bronze", "bronze = silver + rejected",
    ]  # fmt: skip
    return [(one.what, one.expected, one.found, world.query(one.query)) for one in found if not one.ok]


def test_all_is_accounted_for(world: World) -> None:
    assert differences(world, "") == []


def test_a_row_that_is_lost_in_raw(world: World) -> None:
    found = differences(world, "delete from raw_postgres.venda where id_venda = 2")
    assert [(what, expected, got) for what, expected, got, _ in found] == [
        ("source = raw", 2, 1), ("landed = loaded", 2, 1), ("raw = bronze", 1, 2),
    ]  # fmt: skip
    assert found[1][3][0][1:] == (2, 1)  # the load, with what was landed and what is loaded
    assert found[2][3] == [(2, 1)]  # the sale on one side only


def test_a_row_that_is_lost_between_raw_and_bronze(world: World) -> None:
    ((what, expected, got, rows), *_) = differences(world, "delete from bronze.venda where id_venda = 1")
    assert (what, expected, got, rows) == ("raw = bronze", 2, 1, [(1, 1)])


def test_a_row_that_is_in_no_table_of_silver(world: World) -> None:
    assert differences(world, "delete from silver.rejeitada") == [("bronze = silver + rejected", 2, 1, [(1, 1)])]


def test_a_row_that_is_there_twice(world: World) -> None:
    assert differences(world, "insert into silver.venda from silver.venda") == [
        ("bronze = silver + rejected", 2, 3, [(2, 3)])
    ]


def test_every_run_ends_with_it_and_says_what_differs(world: World) -> None:
    outcome = world.run()
    assert outcome.lines[-1]["message"] == "audit: 6 of 6 counts agree"
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute("delete from raw_parquet.categoria where id = 1")
    outcome = world.run("parquet")
    assert outcome.code == 1
    (wrong, _, last) = [line for line in outcome.lines if "audit" in line["message"]]
    assert (wrong["expected"], wrong["found"]) == (2, 1)
    assert "raw_parquet.categoria" in wrong["query"]
    assert last["message"] == "audit: 0 of 2 counts agree"
