"""Backfills and replays read rows again; a stopped backfill continues where it stopped."""

import pytest
from dlt.destinations.job_client_impl import SqlJobClientBase

from extract.errors import ExtractError
from extract.load.backfill import split_range
from tests.python.helpers.declared import declare, postgres_table
from tests.python.helpers.world import Outcome, World

pytestmark = pytest.mark.slow

VENDA = postgres_table("venda", "id_venda", "xmin", date="data_venda")


def backfill(world: World, first: str, last: str) -> Outcome:
    return world.main(["backfill", "--source", "postgres", "--table", "venda", "--from", first, "--to", last])


def loads(world: World, mode: str = "backfill") -> list[tuple[str | None, list[int]]]:
    return world.query(  # type: ignore[return-value]  # a text and a list
        "select runs.watermark,"
        " list(id_venda order by id_venda) filter (where id_venda is not null and _deleted is null)"
        " from ops.extract_runs as runs left join raw_postgres.venda on venda._dlt_load_id = runs.load_id"
        f" where mode = '{mode}' and status <> 'failed'"
        " group by runs.load_id, runs.watermark order by runs.load_id"
    )


def test_by_date_in_ranges(world: World) -> None:
    world.execute("insert into public.venda (id_venda, data_venda) values (3, '2024-02-01'), (4, '2024-03-01')")
    world.run("postgres")
    assert backfill(world, "2024-01-02", "2024-02-29").code == 0

    assert loads(world) == [
        ("data_venda 2024-01-02 to 2024-02-01", [2, 3]),
        ("data_venda 2024-02-02 to 2024-02-29", None),
    ]


@pytest.mark.parametrize("kind", ["timestamp", pytest.param("timestamptz")])
def test_the_last_day_of_a_range_of_timestamps_is_read_to_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    table = postgres_table("hora", "id", "xmin", date="feita_em")
    declare(monkeypatch, table)
    world.execute(
        f"create table public.hora (id integer, feita_em {kind});"
        " insert into public.hora values (1, '2024-01-31 23:59:59.999999+00'), (2, '2024-02-01 00:00+00'),"
        " (3, '2024-02-01 23:59:59.999999+00'), (4, '2024-02-02 00:00+00')"
    )
    world.run("postgres")
    asked = ["backfill", "--source", "postgres", "--table", "hora", "--from", "2024-02-01", "--to", "2024-02-01"]
    assert world.main(asked).code == 0

    load = "select load_id from ops.extract_runs where mode = 'backfill'"
    assert world.query(f"select id from raw_postgres.hora where _dlt_load_id = ({load}) order by id") == [(2,), (3,)]


def test_the_range_that_is_read_is_logged(world: World) -> None:
    world.run("postgres")
    outcome = backfill(world, "2024-01-01", "2024-02-29")
    assert [line["message"] for line in outcome.lines if "range" in line["message"]] == [
        "postgres.venda: range 1 of 2: data_venda 2024-01-01 to 2024-01-31",
        "postgres.venda: range 2 of 2: data_venda 2024-02-01 to 2024-02-29",
    ]


def test_by_key_with_changes_that_the_loader_could_not_see(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = postgres_table("venda", "id_venda", "cursor", cursor="id_venda", lag=0)
    declare(monkeypatch, table)
    world.run("postgres")
    world.execute("update public.venda set venda = 11 where id_venda = 1")
    world.run("postgres")
    assert world.query("select count(*) from raw_postgres.venda where venda = 11") == [(0,)]

    assert backfill(world, "1", "1").code == 0
    assert loads(world) == [("id_venda 1 to 1", [1])]
    assert world.query("select venda from raw_postgres.venda order by _dlt_load_id desc, id_venda limit 1") == [(11,)]


def test_each_range_contains_every_row_without_a_key(world: World) -> None:
    world.execute("insert into public.venda (venda) values (5)")
    world.run("postgres")
    backfill(world, "1", "1")
    assert world.query("select count(*) from raw_postgres.venda where id_venda is null") == [(2,)]


def test_a_stopped_backfill_continues_with_the_range_that_failed(world: World) -> None:
    world.execute("insert into public.venda (id_venda, data_venda) values (3, '2024-02-15'), (4, '2024-03-15')")
    world.run("postgres")
    # The server ends the session at a sale of the second range.
    world.execute(
        """
        create function public.morre(n integer) returns boolean language plpgsql as $$ begin
          if n = 3 and current_query() like '%>= ''2024-02-01''%' then
            perform pg_terminate_backend(pg_backend_pid());
          end if;
          return true;
        end $$;
        alter table public.venda rename to tudo;
        create view public.venda as select * from public.tudo where public.morre(id_venda);
        """
    )
    failed = backfill(world, "2024-01-01", "2024-03-31")
    world.execute("create or replace function public.morre(n integer) returns boolean language sql as 'select true'")
    assert failed.code == 1
    assert [watermark for watermark, _ in loads(world)] == ["data_venda 2024-01-01 to 2024-01-31"]

    assert backfill(world, "2024-01-01", "2024-03-31").code == 0
    assert loads(world) == [
        ("data_venda 2024-01-01 to 2024-01-31", [1, 2]),
        ("data_venda 2024-02-01 to 2024-03-02", [3]),
        ("data_venda 2024-03-03 to 2024-03-31", [4]),
    ]
    backfill(world, "2024-01-01", "2024-03-31")  # complete, so that the same command starts again
    assert len(loads(world)) == 6


def test_the_next_run_continues_from_the_watermark_before(world: World) -> None:
    world.run("postgres")
    backfill(world, "1", "2")
    world.run("postgres")
    assert [rows for _, rows in loads(world, "xmin")] == [[1, 2], None]


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2024-01-01", "x", "expected two values of the same kind, got '2024-01-01' and 'x'"),
        ("5", "2024-01-01", "expected two values of the same kind, got '5' and '2024-01-01'"),
        ("2024-02-01", "2024-01-01", "expected a first value that is not above the last, got 2024-02-01"),
        ("9", "8", "expected a first value that is not above the last, got 9 and 8"),
    ],
)
def test_an_invalid_range_is_refused(first: str, last: str, message: str) -> None:
    with pytest.raises(ExtractError, match=r"postgres\.venda: ") as refused:
        split_range(VENDA, first, last)
    assert message in str(refused.value)


def test_a_table_without_a_date_is_not_read_by_dates() -> None:
    with pytest.raises(
        ExtractError, match="the declaration names no date; declare date: <column>, or give two values"
    ):
        split_range(postgres_table("venda", "id_venda", "xmin"), "2024-01-01", "2024-01-02")


@pytest.mark.parametrize("source", ["api", "parquet"])
def test_a_table_that_every_run_reads_whole_needs_no_backfill(world: World, source: str) -> None:
    table = {"api": "funcionario", "parquet": "categoria"}[source]
    outcome = world.main(["backfill", "--source", source, "--table", table, "--from", "1", "--to", "2"])
    assert outcome.code == 2
    assert "run it instead" in outcome.output


def test_dead_letters_are_read_again_until_they_can_be_loaded(world: World) -> None:
    world.execute("update public.venda set data_venda = 'infinity' where id_venda = 2")
    world.run("postgres")
    replay = ["replay", "--source", "postgres", "--table", "venda", "--dead-letters"]
    assert world.main(replay).code == 1  # it cannot be loaded yet
    world.execute("update public.venda set data_venda = '2024-01-02' where id_venda = 2")
    assert world.main(replay).code == 0
    assert loads(world, "replay") == [(None, None), (None, [2])]
    assert world.main(replay).code == 0
    assert len(loads(world, "replay")) == 2  # no dead letter is left


def test_a_replay_that_died_before_its_load_was_completed_is_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.execute("update public.venda set data_venda = 'infinity' where id_venda = 2")
    world.run("postgres")
    world.execute("update public.venda set data_venda = '2024-01-02' where id_venda = 2")
    replay = ["replay", "--source", "postgres", "--table", "venda", "--dead-letters"]
    with monkeypatch.context() as patch:

        def dies(*_: object) -> None:
            raise ConnectionError("the warehouse is gone")

        patch.setattr(SqlJobClientBase, "complete_load", dies)
        assert world.main(replay).code == 1
    assert world.query("select count(*) from raw_postgres.venda where id_venda = 2 and _deleted is null") == [
        (1,)  # and no reader sees it
    ]

    assert world.main(replay).code == 0
    assert loads(world, "replay") == [(None, [2])]


def test_a_replay_without_a_landing_names_the_alternative(world: World) -> None:
    outcome = world.main(["replay", "--source", "postgres", "--table", "venda"])
    assert outcome.code == 2
    assert "the target local has no landing to replay from; read the source: extract backfill" in outcome.output
