"""A clock that is off is refused before anything is loaded, and loads from the future are repaired."""

import os
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from tests.python.helpers.world import World
from tests.python.helpers.wrong_clock import clock_ahead

FUTURE = timedelta(days=400)


@pytest.fixture
def world_ahead(world: World) -> World:
    """A world with a load of each table, and another by a clock that was ahead, with a change and a new column."""
    world.execute("insert into public.venda values (9, 1, 1, '2024-01-09', 90)")
    assert world.run().code == 0
    world.execute(
        "update public.venda set venda = 11 where id_venda = 1; delete from public.venda where id_venda = 9;"
        " alter table public.venda add loja integer"
    )
    with clock_ahead(FUTURE.days):
        assert world.run().code == 0
    then = (datetime.now(UTC) + FUTURE).timestamp()
    os.utime(world.warehouse, (then, then))
    return world


def versions(world: World) -> list[tuple[object, ...]]:
    """Returns the versions of each sale in the order of their loads."""
    return world.query("select id_venda, venda, _deleted from raw_postgres.venda order by _dlt_load_id, id_venda")


def test_a_load_from_the_future_is_refused_with_the_way_out(world_ahead: World) -> None:
    before = versions(world_ahead)
    outcome = world_ahead.run()

    assert outcome.code == 2
    assert outcome.output.splitlines() == [outcome.output.strip()]
    assert outcome.output.startswith("error: clock: expected one that is not behind the last change of ")
    assert "correct the clock; if it is right" in outcome.output
    assert "python -m extract redate" in outcome.output
    assert "clock: expected one that is not behind" in world_ahead.main(["doctor"]).words

    os.utime(world_ahead.warehouse)  # another program has written to the file since
    for words in ((), ("--accept", "postgres.venda")):
        outcome = world_ahead.main(["run", "--source", "postgres", *words])
        assert outcome.code == 1
        assert "expected a clock that is ahead of the last load's time, 20" in outcome.output
        assert "python -m extract redate. Nothing was loaded" in outcome.output
    assert versions(world_ahead) == before


def test_loads_from_the_future_are_redated_and_the_pipeline_goes_on(world_ahead: World) -> None:
    before = versions(world_ahead)
    outcome = world_ahead.main(["redate"])

    assert outcome.code == 0, outcome.output
    assert "4 loads redated; incremental models do not see it" in outcome.output  # and one that reconciled
    assert "raw_postgres.venda: load 18" in outcome.output
    assert versions(world_ahead) == before
    check_nothing_is_of_the_future(world_ahead)
    world_ahead.execute("update public.venda set loja = 7; insert into public.venda values (3, 1, 1, null, 30, 7)")
    outcome = world_ahead.run()
    assert outcome.code == 0, outcome.output
    assert "counts agree" in outcome.output
    assert world_ahead.query("select id_venda, loja from raw_postgres.venda where loja is not null order by 1") == [
        (1, 7), (2, 7), (3, 7),
    ]  # fmt: skip
    assert world_ahead.main(["redate"]).output.count("no load is from the future") == 1


def check_nothing_is_of_the_future(world: World) -> None:
    now = datetime.now(UTC)
    with duckdb.connect(str(world.warehouse), read_only=True) as connection:
        for schema, table, column, kind in connection.execute(
            "select table_schema, table_name, column_name, data_type from information_schema.columns"
            " where data_type = 'TIMESTAMP WITH TIME ZONE' or (column_name like '%load_id'"
            " and (table_schema, column_name) <> ('ops', '_dlt_load_id'))"  # no time
        ).fetchall():
            newest = str(now.timestamp()) if kind == "VARCHAR" else now
            found = connection.execute(
                f'select count(*) from {schema}."{table}" where "{column}" > ?', [newest]
            ).fetchall()
            assert found == [(0,)], (schema, table, column)
        loads = " union ".join(
            f"select load_id from raw_{source}._dlt_loads" for source in ("api", "parquet", "postgres")
        )
        assert connection.execute(
            f"select count(*) from ops.extract_runs where load_id not in ({loads})"
        ).fetchall() == [(0,)]
