"""Whatever happens at the source and to the runs, the loads tell of exactly the rows that the source has."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from dlt.destinations.job_client_impl import SqlJobClientBase
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from killed_runs import COLUMNS, TOLD
from world import World

KEY = st.integers(1, 6)
STEP = st.one_of(
    st.tuples(st.just("write"), KEY),  # a new sale, or one that is corrected, or whose key is used again
    st.tuples(st.just("delete"), KEY),
    st.tuples(st.just("spoil"), KEY),  # a value that no warehouse holds
    st.tuples(st.just("write in a transaction that stays open"), KEY),
    st.tuples(st.just("commit it"), st.none()),
    st.tuples(st.just("run"), st.none()),
    st.tuples(st.just("run that fails midway"), st.none()),
    st.tuples(st.just("reconcile"), st.none()),
)


def written(key: int) -> str:
    return (
        f"update public.venda set venda = venda + 1, data_venda = '2024-01-01' where id_venda = {key};"
        f" insert into public.venda select {key}, 1, 1, '2024-01-01', 0"
        f" where not exists (select 1 from public.venda where id_venda = {key})"
    )


@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a history is short, and to shrink it takes long
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=4, max_size=10))
def test_the_loads_tell_what_the_source_has(
    world: World, tmp_path: Path, steps: Sequence[tuple[str, int | None]]
) -> None:
    world.execute("truncate public.venda")
    for file in tmp_path.glob("warehouse.duckdb*"):
        file.unlink()
    with closing(world.server.connect(world.environment["SOURCE_POSTGRES_DATABASE"])) as other:
        held: set[int] = set()  # keys whose rows the open transaction has locked
        for step, key in steps:
            if step == "write" and key not in held:
                world.execute(written(key or 0))
            elif step == "delete" and key not in held:
                world.execute(f"delete from public.venda where id_venda = {key}")
            elif step == "spoil" and key not in held:
                world.execute(f"update public.venda set data_venda = 'infinity' where id_venda = {key}")
            elif step.startswith("write in") and not held:
                with other.cursor() as cursor:
                    cursor.execute(written((key or 0) + 10))
                held.add((key or 0) + 10)
            elif step == "commit it":
                other.commit()
                held.clear()
            elif step == "run":
                world.run("postgres")
            elif step == "run that fails midway":
                failing_run(world)
            elif step == "reconcile" and world.warehouse.exists():
                world.main(["reconcile"])
        other.commit()
    outcome = world.run("postgres")
    assert "audit: 2 of 2 counts agree" in outcome.output, outcome.output
    with world.sales, world.sales.cursor() as cursor:
        cursor.execute(f"select {COLUMNS} from public.venda where data_venda <> 'infinity' order by id_venda")
        truth = cursor.fetchall()
        cursor.execute("select id_venda::text from public.venda where data_venda = 'infinity' order by 1")
        spoilt = {key for (key,) in cursor.fetchall()}
    assert [row for row in world.query(TOLD) if str(row[0]) not in spoilt] == truth
    assert spoilt <= dead_letters(world.warehouse)


def failing_run(world: World) -> None:
    """A run whose rows are all loaded and whose load is never completed."""
    with pytest.MonkeyPatch.context() as patch:

        def dies(*_: object) -> None:
            raise ConnectionError("the warehouse is gone")

        patch.setattr(SqlJobClientBase, "complete_load", dies)
        assert world.run("postgres").code != 0


def dead_letters(warehouse: Path) -> set[str]:
    """The keys of the dead letters."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        if not connection.execute("select 1 from duckdb_tables() where table_name = 'venda_dead_letter'").fetchall():
            return set()
        return {key for (key,) in connection.execute("select key from raw_postgres.venda_dead_letter").fetchall()}
