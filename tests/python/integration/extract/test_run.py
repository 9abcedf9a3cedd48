"""Whole runs of the three sources."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from extract.load.runner import dlt_source
from tests.python.helpers import ROOT
from tests.python.helpers.world import World


def test_every_row_of_every_source_is_loaded_unchanged(world: World) -> None:
    outcome = world.run()

    assert outcome.code == 0, outcome.output
    assert world.query("select id, nome from raw_api.funcionario order by id") == [(1, "Ana"), (2, "José D'Ávila")]
    assert world.query(
        "select id_venda, id_funcionario, id_categoria, data_venda, venda from raw_postgres.venda"
    ) == [
        (1, 1, 1, date(2024, 1, 1), 10.5),
        (2, 2, 2, date(2024, 1, 2), 20.0),
    ]
    assert world.query("select id, nome_categoria, _file_path, _file_date from raw_parquet.categoria") == [
        (1, "Bebidas", "2024-01-01/categoria.parquet", date(2024, 1, 1)),
        (2, "Padaria", "2024-01-01/categoria.parquet", date(2024, 1, 1)),
    ]


def test_types_are_the_sources_own(world: World) -> None:
    world.run()

    described = world.query(
        "select table_name, column_name, data_type from information_schema.columns"
        " where table_schema in ('raw_api', 'raw_parquet', 'raw_postgres') and table_name not like '~_%' escape '~'"
        " and column_name <> '_dlt_load_id' order by table_name, ordinal_position"
    )
    assert described == [
        ("categoria", "id", "BIGINT"),
        ("categoria", "nome_categoria", "VARCHAR"),
        ("categoria", "_file_path", "VARCHAR"),
        ("categoria", "_file_date", "DATE"),
        ("funcionario", "id", "BIGINT"),
        ("funcionario", "nome", "VARCHAR"),
        ("venda", "id_venda", "INTEGER"),
        ("venda", "id_funcionario", "INTEGER"),
        ("venda", "id_categoria", "INTEGER"),
        ("venda", "data_venda", "DATE"),
        ("venda", "venda", "DOUBLE"),
        ("venda", "_deleted", "BOOLEAN"),
    ]


def test_a_variable_of_dlt_changes_no_load(world: World) -> None:
    world.environment |= {
        "SCHEMA__NAMING": "direct",
        "DESTINATION__DUCKDB__CREATE_INDEXES": "not a boolean",
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false",
    }
    outcome = world.run("api")

    assert outcome.code == 0, outcome.output
    assert world.query("select count(*) from raw_api.funcionario where _dlt_load_id is not null") == [(2,)]


def test_dlt_itself_logs_nothing() -> None:
    code = "from extract.warehouse.destinations import configure_dlt; configure_dlt(); logger.warning('dlt')"
    command = [sys.executable, "-c", f"from dlt.common import logger; {code}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNTIME__")}

    assert subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stderr == b""


def test_ops_has_a_row_per_table_and_run_with_its_counts(world: World) -> None:
    world.run()
    world.execute("insert into public.venda values (3, 1, 1, '2024-01-03', 30)")
    world.run()

    assert world.query(
        "select source, table_name, mode, status, rows_source, rows_landed, rows_loaded, set_aside"
        " from ops.extract_runs order by started_at"
    ) == [
        ("api", "funcionario", "snapshot", "ok", 2, 2, 2, 0),
        ("parquet", "categoria", "files", "ok", 2, 2, 2, 0),
        ("postgres", "venda", "xmin", "ok", 2, 2, 2, 0),
        ("api", "funcionario", "snapshot", "ok", 2, 2, 2, 0),
        ("parquet", "categoria", "files", "ok", 2, 0, 0, 0),
        ("postgres", "venda", "xmin", "ok", 3, 1, 1, 0),
    ]
    assert world.query(
        "select count(distinct run_id), bool_and(finished_at >= started_at) from ops.extract_runs"
    ) == [(2, True)]


def test_a_second_run_reads_only_what_is_new_or_changed(world: World) -> None:
    world.run()
    world.execute(
        "update public.venda set venda = 11 where id_venda = 1; "
        "insert into public.venda values (3, 1, 1, '2024-01-03', 30)"
    )
    world.put("2024-02-01/categoria.parquet")
    world.run()

    assert world.query(
        "select id_venda, venda from raw_postgres.venda"
        " where _dlt_load_id = (select max(load_id) from raw_postgres._dlt_loads) order by 1"
    ) == [(1, 11.0), (3, 30.0)]
    assert world.query("select _file_date, count(*) from raw_parquet.categoria group by 1 order by 1") == [
        (date(2024, 1, 1), 2),
        (date(2024, 2, 1), 2),
    ]


def test_a_load_without_rows_is_recorded_as_a_load(world: World) -> None:
    world.run()
    world.run()

    assert world.query(
        "select r.rows_loaded, l.status from ops.extract_runs r"
        " join raw_postgres._dlt_loads l using (load_id) where r.table_name = 'venda' order by r.started_at"
    ) == [(2, 0), (0, 0)]


def test_an_open_transaction_is_not_skipped(world: World) -> None:
    late = world.server.connect(world.sales.info.dbname)
    with late.cursor() as cursor:
        cursor.execute("insert into public.venda values (3, 1, 1, '2024-01-03', 30)")
        world.execute("insert into public.venda values (4, 1, 1, '2024-01-04', 40)")
        world.run()
        late.commit()
    late.close()
    world.run()

    assert world.query("select distinct id_venda from raw_postgres.venda order by 1") == [(1,), (2,), (3,), (4,)]


def test_rows_without_a_key_are_read_by_every_run(world: World) -> None:
    world.execute("insert into public.venda values (null, 1, 1, '2024-01-03', 30)")
    world.run()
    world.run()

    assert world.query(
        "select count(*) from raw_postgres.venda where id_venda is null"
        " and _dlt_load_id = (select max(load_id) from raw_postgres._dlt_loads)"
    ) == [(1,)]


def test_a_load_that_lost_rows_is_ignored_and_the_next_run_loads_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("postgres")
    world.execute("update public.venda set venda = 11 where id_venda = 1")

    def one_more(*given: Any) -> Any:
        given[3].rows += 1  # as if the warehouse had one row less than was landed
        return dlt_source(*given)

    with monkeypatch.context() as patch:
        patch.setattr("extract.load.runner.dlt_source", one_more)
        outcome = world.run("postgres")
    assert outcome.code == 1
    assert "expected the 2 rows that were landed, found 1 loaded" in outcome.output
    assert world.query("select status from raw_postgres._dlt_loads order by load_id") == [(0,), (1,)]

    assert world.run("postgres").code == 0
    assert world.query(
        "select venda from raw_postgres.venda join raw_postgres._dlt_loads on load_id = _dlt_load_id"
        " where id_venda = 1 and status = 0 order by load_id"
    ) == [(10.5,), (11,)]


def test_an_employee_who_left_is_gone_from_the_snapshot(world: World) -> None:
    world.run("api")
    del world.names[1]
    world.run("api")

    assert world.query("select id from raw_api.funcionario") == [(2,)]


def test_a_file_whose_content_changed_is_read_again(world: World) -> None:
    world.run("parquet")
    world.put("2024-01-01/categoria.parquet")
    world.run("parquet")
    same = world.query("select count(*) from raw_parquet.categoria")
    world.put("2024-01-01/categoria.parquet", pa.table({"id": [1], "nome_categoria": ["Sucos"]}))
    world.run("parquet")

    assert same == [(2,)]
    assert world.query(
        "select nome_categoria from raw_parquet.categoria"
        " where _dlt_load_id = (select max(load_id) from raw_parquet._dlt_loads)"
    ) == [("Sucos",)]


def test_a_new_column_at_the_source_is_loaded_and_reported(world: World) -> None:
    world.run("postgres")
    world.execute("alter table public.venda add desconto numeric(5, 2); update public.venda set desconto = 1.25")
    outcome = world.run("postgres")

    assert outcome.code == 0, outcome.output
    assert "postgres.venda: new at the source and loaded: desconto numeric(5,2)" in outcome.output
    assert world.query("select desconto from raw_postgres.venda order by _dlt_load_id, id_venda") == [
        (None,),
        (None,),
        (1.25,),
        (1.25,),
    ]


def test_nothing_is_left_in_the_working_folder(world: World) -> None:
    world.run()

    assert list((world.warehouse.parent / "work").iterdir()) == []


def test_the_work_folder_may_have_any_name(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRACT_WORK", str(tmp_path / "o'work $(touch X) [1] *?#"))
    assert world.run("parquet").code == 0
    assert world.query("select count(*) from raw_parquet.categoria") == [(2,)]


def test_a_work_folder_that_dlt_takes_for_a_pattern_is_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTRACT_WORK", str(tmp_path / "100%d"))
    outcome = world.run("parquet")
    assert outcome.code == 2
    assert "EXTRACT_WORK: expected a folder without % in its whole path, got" in outcome.output


def test_values_are_loaded_as_they_are_whatever_they_look_like(world: World) -> None:
    texts = [
        "'; drop table x; --", '"', "\\' or true", "{{ 1 / 0 }}", "{% raw %}", "</script><img src=x onerror=y>",
        "$(id)`id`", "../../x", "%s %(a)s", "\\N", "a,b", "null", "/* */", "$$", "é 😀",
    ]  # fmt: skip
    names = [f"Ana {text}" for text in texts]  # one that looks like HTML or JSON is no name
    world.names = dict(enumerate(names, 1))
    lines = [*texts, "two\nlines", "a\tb\r\n", "\x1b[31m", "\u2028"]
    world.put("2024-01-01/categoria.parquet", pa.table({"id": range(len(lines)), "nome_categoria": lines}))
    world.execute("alter table public.venda add obs text")
    with world.sales, world.sales.cursor() as cursor:
        for number, text in enumerate(lines, 10):
            cursor.execute("insert into public.venda values (%s, 1, 1, '2024-01-01', 1, %s)", [number, text])
    outcome = world.run()

    assert outcome.code == 0, outcome.output
    assert world.query("select nome from raw_api.funcionario order by id") == [(name,) for name in names]
    assert world.query("select nome_categoria from raw_parquet.categoria order by id") == [(text,) for text in lines]
    assert world.query("select obs from raw_postgres.venda where id_venda >= 10 order by id_venda") == [
        (text,) for text in lines
    ]
