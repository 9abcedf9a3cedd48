"""Loads and silver contain exactly the rows of the source, whatever happens to the source and to the runs."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.cli.main import dbtRunner
from dlt.destinations.job_client_impl import SqlJobClientBase
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from extract.checks.audit import audit
from extract.transform.build import Models
from tests.python.helpers import ROOT, SOAK
from tests.python.helpers.declared import VENDA
from tests.python.helpers.duckdb_warehouse import DuckDBWarehouse
from tests.python.helpers.killed_runs import COLUMNS, LOADED
from tests.python.helpers.world import World

MODELS = (
    "bronze_venda", "silver_venda_dia_alterado", "silver_venda_avaliada", "silver_venda_rejeitada", "silver_venda",
)  # fmt: skip
BUILT = Models(
    "(select * from bronze.venda where excluida_em is null) as present",
    "silver.venda",
    "silver.venda_rejeitada",
    declared=(("bronze", "venda"), ("silver", "venda"), ("silver", "venda_rejeitada")),
)

KEY = st.integers(1, 6)
STEP = st.one_of(
    st.tuples(st.just("write"), KEY),  # a new sale, a correction, or a deleted key again
    st.tuples(st.just("delete"), KEY),
    st.tuples(st.just("spoil"), KEY),  # a value that no warehouse stores, until the sale is written again
    st.tuples(st.just("write in a transaction that stays open"), KEY),
    st.tuples(st.just("commit it"), st.none()),
    st.tuples(st.just("run"), st.none()),
    st.tuples(st.just("run and build"), st.none()),
    st.tuples(st.just("run that fails midway"), st.none()),
    st.tuples(st.just("reconcile"), st.none()),
    st.tuples(st.just("backfill"), KEY),
)


def written(key: int) -> str:
    return (
        f"update public.venda set venda = venda + 1, data_venda = '2024-01-01' where id_venda = {key};"
        f" insert into public.venda select {key}, 1, 1, '2024-01-01', 0"
        f" where not exists (select 1 from public.venda where id_venda = {key})"
    )


@pytest.fixture
def build(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function that builds the models of the sales; the project is parsed once."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DBT_PROJECT_DIR", str(ROOT))  # the demo, with all its rules
    monkeypatch.setenv("WAREHOUSE_PATH", str(world.warehouse))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    quiet = ("--quiet", "--log-level-file", "none", "--log-path", str(tmp_path))
    manifest = dbtRunner().invoke([*quiet, "parse"]).result
    runner = dbtRunner(manifest=manifest)  # type: ignore[arg-type]  # that of the command

    def models() -> None:
        result = runner.invoke([*quiet, "run", "--no-write-json", "--select", *MODELS])
        assert result.success, result.exception

    return models


@pytest.mark.slow
@pytest.mark.soak
@settings(
    max_examples=4 * SOAK,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a history is short, and shrinking takes long
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=4, max_size=10))
def test_loads_and_silver_have_the_rows_of_the_source(
    world: World, build: Callable[[], None], steps: Sequence[tuple[str, int | None]]
) -> None:
    world.execute("truncate public.venda")
    for (schema,) in asked(world, "select schema_name from duckdb_schemas() where not internal"):
        asked(world, f"drop schema {schema} cascade")  # dbt keeps the file open
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
            elif step == "run and build":
                world.run("postgres")
                build()
            elif step == "run that fails midway":
                failing_run(world)
            elif step in ("reconcile", "backfill") and is_loaded(world):
                read_again(world, step, key)
        other.commit()
    outcome = world.run("postgres")
    assert "audit: 2 of 2 counts agree" in outcome.output, outcome.output
    build()
    with world.sales, world.sales.cursor() as cursor:
        cursor.execute(f"select {COLUMNS} from public.venda where data_venda <> 'infinity' order by id_venda")
        truth = cursor.fetchall()
        cursor.execute("select id_venda::text from public.venda where data_venda = 'infinity' order by 1")
        spoilt = {key for (key,) in cursor.fetchall()}
    assert [row for row in asked(world, LOADED) if str(row[0]) not in spoilt] == truth
    assert spoilt <= dead_letters(world)
    # A sale that becomes a dead letter stays in silver as it was.
    assert [row for row in silver(world) if str(row[0]) not in spoilt] == [
        (*row, None if row[-1] > 0 else "valor_nao_positivo") for row in truth
    ]
    with duckdb.connect(str(world.warehouse)) as connection:
        found = audit([VENDA], {"postgres.venda": BUILT}, DuckDBWarehouse(connection))  # type: ignore[arg-type]
    assert [one for one in found if not one.ok] == []
    assert len(found) == 4


def read_again(world: World, step: str, key: int | None) -> None:
    """Runs a reconcile or a backfill."""
    words = ["backfill", "--source", "postgres", "--table", "venda", "--from", "1", "--to", str((key or 0) + 10)]
    world.main(["reconcile"] if step == "reconcile" else words)


def asked(world: World, sql: str) -> list[tuple[Any, ...]]:
    """Queries the warehouse, which dbt has open in this process, so that it cannot be opened read-only."""
    with duckdb.connect(str(world.warehouse)) as connection:
        return connection.execute(sql).fetchall()


def is_loaded(world: World) -> bool:
    """Returns whether the raw table exists."""
    return bool(asked(world, "select 1 from duckdb_tables() where table_name = 'venda' and schema_name like 'raw%'"))


def silver(world: World) -> list[tuple[Any, ...]]:
    """Returns the sales of silver and the rejected ones, with the reason."""
    return asked(
        world,
        f"select {COLUMNS}, null as motivo from silver.venda"
        f" union all select {COLUMNS}, motivo from silver.venda_rejeitada order by id_venda",
    )


def failing_run(world: World) -> None:
    """Runs the loader so that all rows are loaded and the load is never completed."""
    with pytest.MonkeyPatch.context() as patch:

        def dies(*_: object) -> None:
            raise ConnectionError("the warehouse is gone")

        patch.setattr(SqlJobClientBase, "complete_load", dies)
        assert world.run("postgres").code != 0


def dead_letters(world: World) -> set[str]:
    """Returns the keys of the dead letters."""
    if not asked(world, "select 1 from duckdb_tables() where table_name = 'venda_dead_letter'"):
        return set()
    return {key for (key,) in asked(world, "select key from raw_postgres.venda_dead_letter")}
