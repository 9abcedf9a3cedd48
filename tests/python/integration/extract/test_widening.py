"""A type at the source that contains the one before is taken; the rows that were loaded keep their values."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.python.helpers.declared import declare, postgres_table
from tests.python.helpers.world import World

ITEM = """
create table public.item (id integer, tamanho smallint, preco numeric(8, 2), nota real, nome varchar(3), dia date);
insert into public.item values (1, 7, 1.25, 3.14, 'um', '2024-01-01'), (2, null, null, null, null, '2024-01-02');
"""
WIDER = """
alter table public.item alter id type bigint, alter tamanho type integer, alter preco type numeric(12, 3),
    alter nome type varchar(30);
insert into public.item values (3000000000, 70000, 123456789.125, 2.5, 'três mil milhões', '2024-01-03');
"""
TYPES = """
select column_name, data_type from information_schema.columns
where table_schema = 'raw_postgres' and table_name = '{}' order by ordinal_position
"""


def item(mode: str, **words: Any) -> Any:
    """Returns the declaration of the table."""
    if mode == "cursor":
        words |= {"cursor": "dia", "lag": timedelta(days=1)}
    return postgres_table("item", "id", mode, **words)


SLOW = {mode: pytest.param(mode, marks=pytest.mark.slow) for mode in ("full", "cursor")}


@pytest.mark.parametrize("mode", [SLOW["full"], "xmin", SLOW["cursor"]])
def test_wider_types_are_loaded_and_named(world: World, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    world.execute(ITEM)
    declare(monkeypatch, item(mode))
    assert world.run("postgres").code == 0
    world.execute(WIDER)
    outcome = world.run("postgres")

    assert outcome.code == 0, outcome.output
    for change in (
        "column id was integer as loaded before and is bigint at the source",
        "column tamanho was smallint as loaded before and is integer at the source",
        "column preco was numeric(8,2) as loaded before and is numeric(12,3) at the source",
    ):
        assert f"postgres.item: {change}; raw has the wider type now." in outcome.output
    assert "python -m extract add --update postgres" in outcome.output
    assert "then python -m extract build --full-refresh" in outcome.output
    assert world.query("select distinct id, tamanho, preco, nota, nome from raw_postgres.item order by 1") == [
        (1, 7, Decimal("1.250"), 3.14, "um"),
        (2, None, None, None, None),
        (3000000000, 70000, Decimal("123456789.125"), 2.5, "três mil milhões"),
    ]
    assert world.query(TYPES.format("item"))[:3] == [
        ("id", "BIGINT"), ("tamanho", "INTEGER"), ("preco", "DECIMAL(12,3)"),
    ]  # fmt: skip
    again = world.run("postgres")
    assert again.code == 0
    assert "wider type" not in again.output


@pytest.mark.parametrize("mode", [SLOW["full"], "xmin"])
def test_a_narrower_type_arrives_in_that_of_raw(world: World, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    world.execute(ITEM)
    declare(monkeypatch, item(mode))
    assert world.run("postgres").code == 0
    world.execute("alter table item alter id type smallint, alter preco type numeric(6, 1)")
    for _ in range(2):
        outcome = world.run("postgres")
        assert outcome.code == 0, outcome.output
        assert world.query(TYPES.format("item"))[:3] == [
            ("id", "INTEGER"), ("tamanho", "SMALLINT"), ("preco", "DECIMAL(8,2)"),
        ]  # fmt: skip
    assert world.query("select distinct id from raw_postgres.item order by 1") == [(1,), (2,)]


def test_the_key_of_dead_letters_and_deletions_is_wider_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.execute(ITEM + "insert into item values (3, 1, 'NaN', 1, 'nan', '2024-01-01')")
    declare(monkeypatch, item("xmin"))
    world.run("postgres")
    world.execute(
        "alter table item alter id type bigint; delete from item where id = 1;"
        " insert into item values (3000000000, 1, 'NaN', 1, 'nan', '2024-01-01')"
    )
    outcome = world.run("postgres")
    assert outcome.status("postgres.item") == "partial", outcome.output
    letters = world.query("select distinct _key_1 from raw_postgres.item_dead_letter order by 1")
    assert letters == [(3,), (3000000000,)]
    assert (1,) in world.query("select id from raw_postgres.item where _deleted")
    world.execute("update item set preco = 1 where preco = 'NaN'")
    outcome = world.run("postgres")
    assert outcome.code == 0, outcome.output


def test_keys_that_are_compared_in_the_warehouse_become_wider_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.execute(
        "create table par (a integer, b varchar(5), x text); insert into par values (1, 'a', 'x'), (2, 'b', 'y')"
    )
    declare(monkeypatch, postgres_table("par", ("a", "b"), "xmin"))
    world.run("postgres")
    world.execute("delete from par where a = 1")
    assert world.run("postgres").code == 0
    world.execute(
        "alter table par alter a type bigint, alter b type text; delete from par where a = 2;"
        " insert into par values (3000000000, 'sete mil', 'z')"
    )
    outcome = world.run("postgres")
    assert outcome.code == 0, outcome.output
    assert world.query("select a, b from raw_postgres.par where _deleted order by 1") == [(1, "a"), (2, "b")]


def test_a_load_that_fails_after_the_change_leaves_the_rows_and_the_next_one_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.execute(ITEM)
    declare(monkeypatch, item("xmin"))
    world.run("postgres")
    world.execute(WIDER)
    with monkeypatch.context() as patch:

        def fails(*_: Any, **__: Any) -> Any:
            raise ValueError("no more")

        patch.setattr("extract.load.runner.dlt_source", fails)
        assert world.run("postgres").code == 1
    assert world.query("select id, preco from raw_postgres.item order by 1") == [(1, Decimal("1.25")), (2, None)]
    assert world.run("postgres").code == 0
    assert world.query("select max(id) from raw_postgres.item") == [(3000000000,)]


@pytest.mark.parametrize("mode", ["xmin", SLOW["cursor"]])
def test_a_real_that_becomes_a_double(world: World, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    world.execute(ITEM)
    declare(monkeypatch, item(mode))
    world.run("postgres")
    world.execute("alter table item alter nota type double precision")
    outcome = world.run("postgres")
    change = "column nota was real as loaded before and is double precision at the source"
    assert change in outcome.output
    if mode == "cursor":  # the old rows were rewritten, and it does not read them again
        assert outcome.code == 1
        assert "--accept postgres.item" in outcome.output
    else:
        assert outcome.code == 0
        assert world.query("select nota from raw_postgres.item where id = 1 order by 1") == [
            (3.14,), (3.140000104904175,),
        ]  # fmt: skip


def test_a_range_changes_no_column_beside_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.execute(ITEM)
    declare(monkeypatch, item("xmin"))
    words = ["--source", "postgres", "--table", "item"]
    assert world.main(["plan", *words, "--ranges", "2"]).code == 0
    assert world.main(["range", *words, "--number", "1"]).code == 0
    world.execute("alter table item alter preco type numeric(12, 3)")
    outcome = world.main(["range", *words, "--number", "2"])
    assert outcome.code == 1
    assert "column preco was numeric(8,2) as loaded before" in outcome.output
