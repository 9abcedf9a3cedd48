"""A table is loaded by ranges of its key; no row is lost or read twice, whatever changes meanwhile."""

import json
import random
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from dlt.destinations.job_client_impl import SqlJobClientBase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import extract.load.runner
from extract.declarations import PostgresTable
from extract.load.fan_out import PlanRead, RangeRead
from extract.options import parser
from extract.reading import Limits
from extract.settings import read_settings
from extract.sources.postgres.plan import Plan
from tests.python.helpers import SOAK
from tests.python.helpers.declared import FUNCIONARIO, POSTGRES, declare, postgres_table
from tests.python.helpers.killed_runs import COLUMNS, LOADED
from tests.python.helpers.world import Outcome, World

pytestmark = pytest.mark.slow

VENDA = postgres_table("venda", "id_venda", "xmin")
TABLE = ("--source", "postgres", "--table", "venda")
PLAN = "select watermark from ops.extract_runs where mode = 'plan' order by load_id"
RANGES = """
    select split_part(watermark, ', ', 2), status, rows_source, rows_landed from ops.extract_runs
    where mode = 'range' order by load_id
"""


def plan(world: World, ranges: int = 3) -> Outcome:
    return world.main(["plan", *TABLE, "--ranges", str(ranges)])


def load(world: World, *numbers: int) -> list[Outcome]:
    return [world.main(["range", *TABLE, "--number", str(number)]) for number in numbers]


def sell(world: World, first: int, last: int) -> None:
    world.execute(f"insert into public.venda select n, 1, 1, '2024-01-01', n from generate_series({first}, {last}) n")


def truth(world: World) -> list[tuple[Any, ...]]:
    with world.sales, world.sales.cursor() as cursor:
        cursor.execute(f"select {COLUMNS} from public.venda where id_venda is not null order by id_venda")
        return cursor.fetchall()


def visible(world: World) -> list[int]:
    """Returns the keys of the rows in completed loads."""
    return [
        key
        for (key,) in world.query(
            "select id_venda from raw_postgres.venda where id_venda is not null and _dlt_load_id in"
            " (select load_id from raw_postgres._dlt_loads where status = 0) order by 1"
        )
    ]


def test_rows_written_while_ranges_are_loaded_are_loaded_in_the_end(world: World) -> None:
    sell(world, 3, 300)
    with closing(world.server.connect(world.environment["SOURCE_POSTGRES_DATABASE"])) as late:
        with late.cursor() as cursor:  # open while the plan is made, committed after the ranges
            cursor.execute("insert into public.venda values (1000, 1, 1, '2024-01-01', 7)")
            cursor.execute("update public.venda set venda = 8 where id_venda = 150")
        sell(world, 301, 301)  # so that ids of committed transactions are higher
        assert plan(world).code == 0
        order = [1, 2, 3]
        random.Random(7).shuffle(order)  # noqa: S311  any order
        for number in order:
            world.execute(f"update public.venda set venda = -{number} where id_venda in (10, 149, 290)")
            world.execute(
                f"delete from public.venda where id_venda in ({20 + number}, {160 + number}, {270 + number})"
            )
            sell(world, 400 + number, 400 + number)
            sell(world, -number, -number)
            # A key that moves from one range to another, in both directions.
            world.execute(f"update public.venda set id_venda = 1100 + id_venda where id_venda = {30 + number}")
            world.execute(f"update public.venda set id_venda = id_venda - 1000 where id_venda = {280 + number}")
            (outcome,) = load(world, number)
            assert outcome.code == 0, outcome.output
        late.commit()
    assert visible(world) == []
    outcome = world.run("postgres")

    assert outcome.code == 0, outcome.output
    assert "audit: 2 of 2 counts agree" in outcome.output
    assert world.query(LOADED) == truth(world)
    assert [status for _, status, *_ in world.query(RANGES)] == ["ok"] * 3
    world.execute("update public.venda set venda = 99 where id_venda = 1")
    assert world.run("postgres").code == 0  # the table is read as before the plan
    assert world.query("select rows_landed from ops.extract_runs order by load_id desc limit 1") == [(1,)]


def test_each_range_reads_and_counts_its_own_rows(world: World) -> None:
    sell(world, 3, 300)
    plan(world)
    load(world, 3, 1, 2)

    loaded = world.query(RANGES)
    assert [name for name, *_ in loaded] == ["range 3 of 3", "range 1 of 3", "range 2 of 3"]
    assert [(counted, landed) for _, _, counted, landed in loaded] == [(101, 101), (99, 99), (100, 100)]
    assert world.run("postgres").code == 0
    assert visible(world) == list(range(1, 301))
    assert world.query("select count(*) from ops.extract_runs where mode = 'reconcile'") == [(0,)]
    assert [rows for (rows,) in world.query("select count(*) from raw_postgres._dlt_pipeline_state")] == [2]


def test_a_run_before_all_ranges_are_loaded_names_the_missing_ones_and_loads_nothing(world: World) -> None:
    plan(world)
    load(world, 2)
    for command in (["run", "--source", "postgres"], ["reconcile"], ["backfill", *TABLE, "--from", "1", "--to", "2"]):
        outcome = world.main(command)
        assert outcome.code == 1
        assert (
            "to be loaded, missing are 1, 3; load each: python -m extract range --source postgres" in outcome.output
        )
    assert visible(world) == []

    load(world, 3, 1)
    outcome = world.main(["reconcile"])
    assert "expected a run to close plan" in outcome.output
    assert visible(world) == []
    assert world.run("postgres").code == 0
    assert visible(world) == [1, 2]


def test_the_whole_table_may_be_read_instead_of_missing_ranges(world: World) -> None:
    plan(world)
    load(world, 2)
    assert world.main(["run", "--source", "postgres", "--accept", "postgres.venda"]).code == 0
    assert visible(world) == [1, 2]
    (outcome,) = load(world, 1)
    assert outcome.code == 2
    assert "postgres.venda: has no plan, or a run has closed it; make one: python -m extract plan" in outcome.output
    assert world.run("postgres").code == 0


def test_a_loaded_range_is_not_read_again(world: World) -> None:
    plan(world)
    load(world, 1)
    (again,) = load(world, 1)
    assert again.code == 0
    assert "range 1 of 3 is loaded already" in again.output
    assert len(world.query(RANGES)) == 1


def test_a_range_whose_load_was_not_completed_is_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sell(world, 3, 9)
    plan(world)
    with monkeypatch.context() as patch:

        def dies(*_: object) -> None:
            raise ConnectionError("the warehouse is gone")

        patch.setattr(SqlJobClientBase, "complete_load", dies)
        (failed,) = load(world, 2)
    assert failed.code == 1
    load(world, 1, 3, 2)
    assert [(name, status) for name, status, *_ in world.query(RANGES)] == [
        ("range 1 of 3", "ok"), ("range 3 of 3", "ok"), ("range 2 of 3", "ok"), (None, "failed"),
    ]  # fmt: skip
    assert world.run("postgres").code == 0
    assert visible(world) == list(range(1, 10))


def test_a_load_whose_process_died_before_it_was_held_back_is_read_by_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit("died")

    sell(world, 3, 30)
    plan(world)
    with monkeypatch.context() as patch, pytest.raises(SystemExit, match="died"):
        patch.setattr(extract.load.runner, "hold_load", die)
        patch.setattr(extract.load.runner, "record", lambda *_: None)
        world.main(["range", *TABLE, "--number", "2"])
    assert visible(world) != []
    load(world, 1)
    assert visible(world) == []
    load(world, 2, 3)
    assert world.run("postgres").code == 0
    assert visible(world) == list(range(1, 31))


def test_a_run_that_dies_while_it_closes_the_plan_is_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(world, ranges=2)
    load(world, 1, 2)
    world.execute("update public.venda set venda = 11 where id_venda = 1")
    with monkeypatch.context() as patch:

        def dies(*_: object) -> None:
            raise ConnectionError("the warehouse is gone")

        patch.setattr(SqlJobClientBase, "complete_load", dies)
        assert world.run("postgres").code == 1
    assert world.run("postgres").code == 0
    assert world.query(LOADED) == truth(world)


def read_by_ranges(ranges: int, table: PostgresTable = VENDA) -> list[list[Any]]:
    """Returns the values of the last column of each range's rows, without a warehouse."""
    read = read_settings([POSTGRES])
    with PlanRead(table, ranges).open(read, {}, Limits()) as reading:
        assert [batch.num_rows for batch in reading.batches] == []
        plan = Plan.from_state(json.loads(json.dumps(reading.state)))  # as dlt keeps it
    assert plan
    values = []
    for number in range(1, ranges + 1):
        with RangeRead(table, plan, number).open(read, {}, Limits()) as reading:
            rows = [value for batch in reading.batches for value in batch["venda"].to_pylist()]
            assert reading.rows_source == len(rows)
            values.append(sorted(rows))
    return values


@pytest.mark.parametrize(("keys", "most"), [([], 0), ([5], 1), ([5, 5, 5, 5, 6], 1), ([1, 2, 3], 1)])
def test_a_table_with_fewer_keys_than_ranges_is_read_once(world: World, keys: list[int], most: int) -> None:
    world.execute("truncate public.venda")
    for key in keys:
        sell(world, key, key)
    values = read_by_ranges(8)
    assert sorted(value for one in values for value in one) == keys
    assert max(len(set(one)) for one in values) == most


def test_rows_without_a_key_are_read_by_the_runs(world: World) -> None:
    world.execute("insert into public.venda (venda) values (5), (6)")
    world.run("postgres")
    plan(world, ranges=2)
    load(world, 1, 2)
    last = "select max(load_id) from raw_postgres._dlt_loads where status = 0"
    without = f"select count(*) from raw_postgres.venda where id_venda is null and _dlt_load_id = ({last})"
    assert world.query(without) == [(2,)]  # readers see the rows as they were
    world.execute("delete from public.venda where venda = 5 and id_venda is null")
    outcome = world.run("postgres")
    assert outcome.code == 0, outcome.output
    assert "audit: 2 of 2 counts agree" in outcome.output
    assert world.query(without) == [(1,)]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("bigint", [str(9007199254740993 + n) for n in range(9)]),
        ("uuid", [f"{n:x}d1f6f0a-1f52-4a8f-9b0b-9a2f3c1f9a5e" for n in range(9)]),
        ("text", ["", "a", "A", "á", "b", "B-", "it's", "Z", "z 9"]),
        ('text collate "C"', ["", "a", "A", "á", "b", "B-", "it's", "Z", "z 9"]),
        ("char(3)", ["a", "b", "b b", "c", "d"]),
        ("numeric(6, 2)", ["-1.50", "0.00", "1.10", "7.00", "9.99"]),
        ("double precision", ["-Infinity", "-0.1", "0.30000000000000004", "1e300", "Infinity", "NaN"]),
        ("date", ["2024-01-01", "2024-01-02", "2024-02-01", "2025-01-01"]),
        ("timestamptz", ["2024-01-01 00:00:00.000001+00", "2024-01-01 00:00:00.000002+00", "2024-06-01 00:00:00+00"]),
        ("bytea", ["\\x00", "\\x00ff", "\\xff", "\\xffff"]),
        ("public.codigo", ["1", "2", "3", "4", "5"]),
        ("public.cor", ["verde", "azul", "rosa", "cinza"]),
    ],
)
def test_keys_of_every_kind_with_an_order(world: World, kind: str, keys: list[str]) -> None:
    world.execute("create domain public.codigo as integer;"
                  " create type public.cor as enum ('verde', 'azul', 'rosa', 'cinza')")  # fmt: skip
    world.execute(f"drop table public.venda; create table public.venda (id_venda {kind}, venda integer)")
    values = ", ".join("('" + key.replace("'", "''") + f"', {number})" for number, key in enumerate(keys))
    world.execute(f"insert into public.venda values {values}")
    values_read = read_by_ranges(3)

    assert sorted(value for one in values_read for value in one) == list(range(len(keys)))
    assert len([one for one in values_read if one]) > 1


@pytest.mark.soak
@settings(max_examples=100 * SOAK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["integer", "text"]),
    drawn=st.data(),
    ranges=st.integers(2, 9),
)
def test_every_key_is_in_one_range_and_none_in_no_range(
    world: World, kind: str, drawn: st.DataObject, ranges: int
) -> None:
    some = st.integers(-5, 5).map(str) if kind == "integer" else st.text("aA'ãZ \\", max_size=3)
    bounds = ordered(world, kind, drawn.draw(st.lists(some, max_size=ranges - 1)))
    plan = Plan("p", 1, {}, ranges, tuple(bounds), ())
    key = drawn.draw(some)
    matches = " + ".join(f"coalesce({plan.condition('key', number)}, false)::int" for number in range(1, ranges + 1))
    with world.sales.cursor() as cursor:
        cursor.execute(f"select {matches} from (values (%s::{kind}), (null)) as keys(key)", [key])
        assert cursor.fetchall() == [(1,), (0,)]


def ordered(world: World, kind: str, keys: Sequence[str]) -> list[str]:
    """Returns the keys in the order of the database."""
    with world.sales.cursor() as cursor:
        cursor.execute(f"select k::text from unnest(%s::{kind}[]) as keys(k) order by keys.k", [list(keys)])
        return [key for (key,) in cursor.fetchall()]


def test_the_ranges_of_a_large_table_come_from_a_sample(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sell(world, 3, 100_000)
    monkeypatch.setattr("extract.load.fan_out.SAMPLE_BYTES", 1_000_000)  # a fifth of it
    sizes = [len(values) for values in read_by_ranges(4)]
    assert sum(sizes) == 100_000
    assert 5_000 < min(sizes) <= max(sizes) < 60_000
    assert sizes != [24_999, 25_000, 25_000, 25_001]


def test_a_partitioned_table_is_read_by_ranges(world: World) -> None:
    world.execute(
        "alter table public.venda rename to antes;"
        " create table public.venda (like public.antes) partition by range (data_venda);"
        " create table public.velhas partition of public.venda for values from (minvalue) to ('2024-01-01');"
        " create table public.novas partition of public.venda for values from ('2024-01-01') to (maxvalue);"
        " insert into public.venda select n, 1, 1, date '2023-12-01' + n, n from generate_series(1, 60) n"
    )
    assert read_by_ranges(3) == [list(range(1, 20)), list(range(20, 40)), list(range(40, 61))]


def test_a_dead_letter_in_a_range_is_reported_by_the_run_alone(world: World) -> None:
    world.execute("update public.venda set data_venda = 'infinity' where id_venda = 2")
    plan(world)
    assert world.query("select count(*) from raw_postgres.venda_dead_letter") == [(0,)]  # no range has to make it
    assert [outcome.code for outcome in load(world, 1, 2, 3)] == [0, 0, 0]
    outcome = world.run("postgres")
    assert outcome.code == 1
    assert "postgres.venda: 1 dead letters of earlier loads wait" in outcome.output
    assert world.query("select key from raw_postgres.venda_dead_letter") == [("2",)]
    assert "audit: 2 of 2 counts agree" in outcome.output


def test_a_column_added_after_the_plan_needs_another_plan(world: World) -> None:
    plan(world)
    load(world, 1)
    world.execute("alter table public.venda add loja integer; update public.venda set loja = 7 where id_venda = 2")
    (refused,) = load(world, 2)
    assert refused.code == 1
    assert "expected the columns of its plan, got loja as well; plan again" in refused.output

    again = plan(world)
    assert again.code == 0
    assert "postgres.venda: goes on with plan " in again.output
    load(world, 1, 2, 3)
    assert [name for name, status, *_ in world.query(RANGES) if status == "ok"] == [
        "range 1 of 3", "range 2 of 3", "range 3 of 3",
    ]  # fmt: skip
    assert world.run("postgres").code == 0
    assert world.query("select id_venda, max(loja) from raw_postgres.venda group by 1 order by 1") == [
        (1, None), (2, 7),
    ]  # fmt: skip


def test_an_outdated_plan_is_made_again(world: World) -> None:
    plan(world, ranges=2)
    load(world, 1, 2)
    world.execute("create table public.nova as select * from public.venda; update public.nova set venda = 7")
    world.execute("alter table public.venda rename to velha; alter table public.nova rename to venda")
    plan(world, ranges=2)
    first, second = world.query(PLAN)
    assert first != second
    assert world.run("postgres").code == 1
    load(world, 1, 2)
    assert world.run("postgres").code == 0
    assert world.query(LOADED) == truth(world)


def test_another_number_of_ranges_is_another_plan(world: World) -> None:
    plan(world)
    load(world, 1)
    plan(world, ranges=2)
    load(world, 1, 2)
    assert world.run("postgres").code == 0
    assert visible(world) == [1, 2]
    (outcome,) = load(world, 3)
    assert outcome.code == 2


def test_a_number_that_the_plan_does_not_have_is_refused(world: World) -> None:
    plan(world)
    for outcome in load(world, 0, 4):
        assert outcome.code == 2
        assert "postgres.venda: expected a number from 1 to 3, as its plan has ranges, got " in outcome.output


def test_only_a_table_whose_rows_have_transaction_ids_is_planned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = postgres_table("venda", "id_venda", "full")
    declare(monkeypatch, FUNCIONARIO, full)
    for source, table in (("api", "funcionario"), ("postgres", "venda")):
        outcome = world.main(["plan", "--source", source, "--table", table, "--ranges", "2"])
        assert outcome.code == 2
        assert "run it instead" in outcome.output


def test_a_view_is_not_planned(world: World) -> None:
    world.execute("alter table public.venda rename to tudo; create view public.venda as select * from public.tudo")
    outcome = plan(world)
    assert outcome.code == 1
    assert "expected a table to read in mode xmin, got a view or a foreign table" in outcome.output


@pytest.mark.parametrize("ranges", ["1", "201", "-3", "x"])
def test_an_invalid_number_of_ranges_is_refused(ranges: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["plan", *TABLE, "--ranges", ranges])
    assert "expected" in capsys.readouterr().err
