"""A table that changes its columns or loses most of its rows is refused until its name is accepted."""

import pytest

from extract.reading import Limits
from extract.warehouse import targets
from tests.python.helpers.declared import declare, postgres_table
from tests.python.helpers.world import World

COMMAND = "To load the table from the beginning as it is now: python -m extract run --accept postgres.venda"


def test_a_retyped_column_is_refused_with_the_command_that_accepts_it(world: World) -> None:
    world.run("postgres")
    world.execute("alter table public.venda alter venda type text, drop id_categoria")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert (
        "column id_categoria is missing; column venda was double precision as loaded before and is text at the source"
    ) in outcome.output
    assert COMMAND in outcome.output


@pytest.mark.slow
def test_a_timestamp_that_gains_or_loses_its_zone_is_another_type(world: World) -> None:
    world.execute("alter table public.venda add hora timestamp")
    world.run("postgres")
    world.execute("alter table public.venda alter hora type timestamptz")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert (
        "column hora was timestamp as loaded before and is timestamp with time zone at the source."
    ) in outcome.output


def test_an_accepted_change_reloads_the_table_and_keeps_the_old_one(world: World) -> None:
    world.run("postgres")
    world.execute("alter table public.venda alter venda type text, drop id_categoria, add loja integer default 7")
    outcome = world.main(["run", "--source", "postgres", "--accept", "postgres.venda"])

    assert outcome.code == 0, outcome.output
    assert world.query("select id_venda, venda, loja from raw_postgres.venda order by 1") == [
        (1, "10.5", 7),
        (2, "20", 7),
    ]
    ((kept,),) = world.query("select table_name from duckdb_tables() where table_name like 'venda_until_%'")
    assert f"its old rows are kept as raw_postgres.{kept}" in outcome.output
    assert world.query(f"select id_venda, venda, id_categoria from raw_postgres.{kept} order by 1") == [
        (1, 10.5, 1),
        (2, 20, 2),
    ]
    world.execute("insert into public.venda (id_venda) values (3)")
    outcome = world.run("postgres")
    assert outcome.code == 0, outcome.output
    assert world.query("select count(*) from raw_postgres.venda") == [(3,)]


def test_an_unknown_table_is_refused_before_anything_is_read(world: World) -> None:
    outcome = world.main(["run", "--accept", "postgres.vendas"])
    assert outcome.code == 2
    assert (
        "postgres.vendas: no such table; expected one of api.funcionario, parquet.categoria, postgres.venda"
        in outcome.output
    )
    assert not world.warehouse.exists()


def test_a_new_column_can_be_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = postgres_table("venda", "id_venda", "xmin", new_columns="refuse")
    declare(monkeypatch, table)
    world.run("postgres")
    world.execute("alter table public.venda add loja integer")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert "column loja integer is new, and the declaration refuses new columns" in outcome.output
    assert COMMAND in outcome.output


@pytest.mark.parametrize(
    ("before", "characters"), [pytest.param("uuid", 36, marks=pytest.mark.slow), ("varchar(10)", 10)]
)
def test_a_text_that_may_be_longer_now_grows_where_texts_have_a_length(
    world: World, monkeypatch: pytest.MonkeyPatch, before: str, characters: int
) -> None:
    real = targets.Warehouse
    monkeypatch.setattr(targets, "Warehouse", lambda *a, **b: real(*a, **b | {"limits": Limits(text=65_535)}))
    world.execute(f"alter table public.venda add codigo {before}")
    assert world.run("postgres").code == 0
    world.execute("alter table public.venda alter codigo type text using codigo::text")
    outcome = world.run("postgres")

    assert outcome.code == 0
    assert (
        f"column codigo had at most {characters} characters and may have any number now; raw has the wider type now"
    ) in outcome.output
    assert "wider type" not in world.run("postgres").output


def test_more_columns_than_the_warehouse_takes_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = targets.Warehouse
    monkeypatch.setattr(targets, "Warehouse", lambda *a, **b: real(*a, **b | {"limits": Limits(columns=6)}))
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert "postgres.venda: expected at most 6 columns with those of the loaders, which the war" in outcome.output


def test_a_list_that_lost_most_of_its_rows_is_refused_until_it_is_accepted(world: World) -> None:
    world.names |= {number: f"Nome {number}" for number in range(3, 8)}
    world.run("api")
    world.names = {1: "Ana", 2: "Bia", 3: "Cid"}
    outcome = world.run("api")

    assert outcome.code == 1
    assert (
        "api.funcionario: expected at least 50% of the 7 rows of the last read (MINIMUM_SHARE), found 3; nothing was"
        " replaced. To load the table from the beginning as it is now: python -m extract run --accept api.funcionario"
    ) in outcome.output
    assert world.query("select count(*) from raw_api.funcionario") == [(7,)]

    assert world.main(["run", "--source", "api", "--accept", "api.funcionario"]).code == 0
    assert world.query("select count(*) from raw_api.funcionario") == [(3,)]
    assert world.run("api").code == 0


@pytest.mark.slow
def test_the_share_is_a_setting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.names |= {number: f"Nome {number}" for number in range(3, 11)}
    world.run("api")
    world.names = {1: "Ana"}
    monkeypatch.setenv("MINIMUM_SHARE", "0.1")
    assert world.run("api").code == 0


@pytest.mark.slow
def test_a_replaced_table_is_accepted_with_a_type_that_does_not_convert(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.execute("create table public.item (dia date); insert into item values ('2024-01-01')")
    declare(monkeypatch, postgres_table("item", (), "full"))
    assert world.run("postgres").code == 0
    assert world.run("postgres").code == 0
    world.execute("alter table item alter dia type text; insert into item values ('ontem')")
    refused = world.run("postgres")
    assert "column dia was date as loaded before and is text at the source" in refused.output
    assert world.main(["run", "--source", "postgres", "--accept", "postgres.item"]).code == 0
    assert world.query("select dia from raw_postgres.item order by 1") == [("2024-01-01",), ("ontem",)]
