"""Each fault of a source has a message, changes nothing that was loaded, and stops no other source."""

import errno
import gzip
import io
import json
import os
import signal
import subprocess
import sys
from io import BufferedReader
from itertools import repeat
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract.errors import ExtractError
from extract.reading import Limits
from extract.settings import read_settings
from extract.sources.api import UNKNOWN_ID, ApiRead
from extract.sources.parquet.read import ParquetRead
from extract.sources.parquet.store import Folder
from sandbox.sources.api import Answer, Connection
from tests.python.helpers import PATIENCE
from tests.python.helpers.declared import API, CATEGORIA, FUNCIONARIO, PARQUET, POSTGRES
from tests.python.helpers.flood import flooding
from tests.python.helpers.https_server import https_server
from tests.python.helpers.own_project import declare_in
from tests.python.helpers.world import World

DAY = "2024-02-01/categoria.parquet"


def parquet_bytes(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


NOT_UTF8 = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff"))


WHOLE = parquet_bytes(pa.table({"id": [1], "nome_categoria": ["x"]}))


# The employees API


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(b"", status=500), "expected HTTP 200 with a name, got HTTP 500 after 2 attempts"),
        (Answer(b"no", status=403), "expected HTTP 200 with a name, got HTTP 403."),
        (Answer(b"", connection=Connection.HELD), "got no answer in 2 attempts of at most 1 s (ReadTimeout)"),
        (Answer(b"", connection=Connection.CUT), "got no answer in 2 attempts of at most 60 s (ConnectionError)"),
        (Answer(b"<html><h1>Bom dia</h1>", content_type="text/html"), "got HTML: '<html><h1>Bom dia</h1>'"),
        (Answer(b"<!doctype html>"), "got HTML: '<!doctype html>'"),
        (Answer(b'{"nome": "Ana"}', content_type="application/json"), 'got JSON: \'{"nome": "Ana"}\''),
        (Answer(b""), "got an empty body"),
        (Answer(b"A\x00na"), "got control characters: 'A\\x00na'"),
        (Answer("Ana".encode("utf-16")), "expected text in UTF-8, got"),
        (Answer(b"A" * 101), "got 101 characters where 100 are the most"),
    ],
)
def test_an_answer_that_is_no_name_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: Answer, message: str
) -> None:
    world.answers[2] = answer
    if answer.connection is Connection.HELD:
        monkeypatch.setenv("EMPLOYEES_API_TIMEOUT", "1")
    settings = read_settings([API])
    with pytest.raises(ExtractError) as refused, ApiRead(FUNCIONARIO).open(settings, {}, Limits()):
        pass

    assert str(refused.value).startswith(f"api.funcionario: id 2 ({world.environment['EMPLOYEES_API_URL']}?id=2): ")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("headers", "piece"),
    [("Content-Type: text/plain", b"A" * 65_536), ("Content-Encoding: gzip", gzip.compress(b"A" * (1 << 24)))],
)
def test_an_answer_without_end_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, headers: str, piece: bytes
) -> None:
    with flooding(headers, repeat(piece)) as url:
        monkeypatch.setenv("EMPLOYEES_API_URL", url)
        outcome = world.run("api")
    assert outcome.code == 1
    assert "?id=1): expected a name, got more than 1,048,576 bytes. The last snapshot stays" in outcome.output


def test_an_id_that_cannot_be_read_fails_the_snapshot_and_keeps_the_last(world: World) -> None:
    world.run("api")
    world.names[1] = "Renamed"
    world.answers[2] = Answer(b'{"nome": "Ana"}', content_type="application/json")
    outcome = world.run("api")

    assert outcome.code == 1
    assert f"api.funcionario: id 2 ({world.environment['EMPLOYEES_API_URL']}?id=2): " in outcome.output
    assert 'got JSON: \'{\\"nome\\": \\"Ana\\"}\'' in outcome.output
    assert "The last snapshot stays" in outcome.output
    assert world.query("select nome from raw_api.funcionario order by id") == [("Ana",), ("José D'Ávila",)]


def test_a_name_is_loaded_unchanged(world: World) -> None:
    names = ["Ângela Müller-Ção", 'O\'Neil "Zé" D\\Ávila', "李小龍", "Ana; drop table venda--"]
    world.names.update(enumerate(names, start=1))
    assert world.run("api").code == 0
    assert world.query("select nome from raw_api.funcionario order by id") == [(name,) for name in names]


def test_a_charset_in_the_header_is_honoured(world: World) -> None:
    world.answers[1] = Answer("José".encode("latin-1"), content_type="text/plain; charset=iso-8859-1")
    assert world.run("api").code == 0
    assert world.query("select nome from raw_api.funcionario where id = 1") == [("José",)]


def test_gaps_in_the_ids_are_skipped(world: World) -> None:
    world.names |= {12: "Doze", 22: "Vinte e Dois"}
    assert world.run("api").code == 0
    assert world.query("select id from raw_api.funcionario order by id") == [(1,), (2,), (12,), (22,)]


def test_a_snapshot_without_a_proven_end_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPLOYEES_API_MAX_ID", "11")
    outcome = world.run("api")
    assert outcome.code == 1
    assert "the end of the list is not proved: id 2 is known and the walk stops at EMPLOYEES_API_MAX_ID=11, " in (
        outcome.output
    )


def test_another_text_for_an_unknown_id_is_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPLOYEES_API_MAX_ID", "40")
    world.names.update(dict.fromkeys(range(3, 41), "Argument is not correct"))
    outcome = world.run("api")
    assert outcome.code == 1
    assert "the last 38 ids have one text, 'Argument is not correct'; for an unknown id the API must answer" in (
        outcome.output
    )


def test_no_employee_at_all_fails(world: World) -> None:
    world.run("api")
    world.names.clear()
    outcome = world.run("api")
    assert outcome.code == 1
    assert (
        f"api.funcionario: no name at all: ids 1 to 10 are unknown to {world.environment['EMPLOYEES_API_URL']}; "
        in (outcome.output)
    )
    assert "check EMPLOYEES_API_URL. The last snapshot stays" in outcome.output
    assert world.query("select count(*) from raw_api.funcionario") == [(2,)]


# The sales database


def test_a_source_that_is_down_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_POSTGRES_PORT", "1")
    outcome = world.run()

    assert outcome.code == 1
    assert f"cannot sign in to database {world.sales.info.dbname} at 127.0.0.1:1 as postgres" in outcome.output
    assert "Connection refused" in outcome.output
    assert [outcome.status(t) for t in ("api.funcionario", "parquet.categoria", "postgres.venda")] == [
        "ok",
        "ok",
        "failed",
    ]
    assert world.query("select count(*) from raw_api.funcionario, raw_parquet.categoria") == [(4,)]
    assert world.query("select status, load_id, rows_loaded from ops.extract_runs where source = 'postgres'") == [
        ("failed", None, None)
    ]


def test_a_wrong_password_is_reported_and_not_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_POSTGRES_PASSWORD", "sec'ret\\word")
    outcome = world.main(["--debug", "run", "--source", "postgres"])

    assert outcome.code == 1
    assert "password authentication failed" in outcome.output
    assert "Traceback" in outcome.output
    assert "sec'ret" not in outcome.output
    assert "ret\\\\word" not in outcome.output


def test_a_missing_table(world: World) -> None:
    world.run("postgres")
    world.execute("alter table public.venda rename to vendas")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert 'postgres.venda: \\"public\\".\\"venda\\" in database' in outcome.output
    assert "no such table" in outcome.output
    assert world.query("select count(*) from raw_postgres.venda") == [(2,)]


def test_a_table_the_user_may_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.execute("create role curioso login password 'pw'")
    try:
        monkeypatch.setenv("SOURCE_POSTGRES_USER", "curioso")
        monkeypatch.setenv("SOURCE_POSTGRES_PASSWORD", "pw")
        outcome = world.run("postgres")
    finally:
        world.execute("drop role curioso")

    assert outcome.code == 1
    assert "user curioso may not read id_venda, id_funcionario, id_categoria, data_venda, venda; " in outcome.output
    assert 'grant select on \\"public\\".\\"venda\\" to \\"curioso\\", or exclude these columns' in outcome.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "alter table public.venda drop id_venda",
            "its key column id_venda is missing; it has id_funcionario,",
        ),
        (
            "alter table public.venda drop venda",
            "column venda is missing. Nothing was loaded; raw_postgres.venda keeps its rows. ",
        ),
        (
            "alter table public.venda alter data_venda type text",
            "column data_venda was date as loaded before and is text at the source. ",
        ),
        (
            "alter table public.venda alter id_venda type numeric(12, 0)",
            "column id_venda was integer as loaded before and is numeric(12,0) at the source. ",
        ),
    ],
)
def test_a_lost_or_retyped_column_fails_its_table(world: World, change: str, message: str) -> None:
    world.run("postgres")
    world.execute(f"{change}; insert into public.venda (id_funcionario) values (9)")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert "postgres.venda: " in outcome.output
    assert message in outcome.output
    assert world.query("select count(*) from raw_postgres.venda") == [(2,)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "drop venda, drop id_categoria",
            "column id_categoria is missing; column venda is missing. Nothing was loaded",
        ),
        (
            "alter venda type numeric(9, 2)",
            "column venda was double precision as declared in its dbt source and is numeric(9,2) at the source. ",
        ),
    ],
)
def test_a_column_that_the_models_need_is_asked_for_at_the_first_load(
    world: World, change: str, message: str
) -> None:
    world.execute(f"alter table public.venda {change}")
    outcome = world.run("postgres")

    assert outcome.code == 1
    assert f"postgres.venda: {message}" in outcome.output
    assert "python -m extract add --update postgres 'public.venda'" in outcome.output


def test_of_a_source_that_dies_midway_nothing_is_loaded_until_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("postgres")
    world.execute("insert into public.venda select g, 1, 1, '2024-01-01', 1 from generate_series(3, 300000) g")
    # In the query that reads the rows.
    with world.ends_sessions(290000, '%"venda" from%') as reader, monkeypatch.context() as login:
        for name, value in reader.items():
            login.setenv(name, value)
        outcome = world.run("postgres")

    assert outcome.code == 1
    assert "postgres.venda: the source broke off after" in outcome.output
    assert "Nothing was loaded; run again" in outcome.output
    assert world.query("select count(*) from raw_postgres.venda") == [(2,)]
    assert world.run("postgres").code == 0
    assert world.query("select count(distinct id_venda) from raw_postgres.venda") == [(300000,)]


@pytest.mark.slow
def test_ctrl_c_while_reading_stops_the_run_and_changes_nothing(world: World) -> None:
    world.run("postgres")
    world.execute(
        """
        create role lento login password 'pw';
        create policy p on public.venda using (pg_sleep(600) is not null);
        alter table public.venda enable row level security;
        grant select on public.venda to lento;
        """
    )
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "extract", "run", "--source", "postgres"],
            env=os.environ | {"SOURCE_POSTGRES_USER": "lento", "SOURCE_POSTGRES_PASSWORD": "pw"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as run:
            asleep = False
            while not asleep and run.poll() is None:
                with world.sales, world.sales.cursor() as cursor:
                    cursor.execute(
                        "select 1 from pg_stat_activity where usename = 'lento' and wait_event = 'PgSleep'"
                    )
                    asleep = cursor.fetchone() is not None
            run.send_signal(signal.SIGINT)
            output, _ = run.communicate(timeout=PATIENCE)
    finally:
        world.execute("drop policy p on public.venda; revoke all on public.venda from lento; drop role lento")

    assert run.returncode == 130, output
    assert "stopped; run again to continue" in output
    assert "Traceback" not in output
    assert world.query("select count(*) from raw_postgres.venda") == [(2,)]


# The Parquet drop


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (DAY, b"", "expected a Parquet file, got 0 bytes"),
        (DAY, WHOLE[:-20], "expected a whole Parquet file, got: "),
        (DAY, b"PAR1" + bytes(30) + WHOLE[34:], "expected a whole Parquet file, got: "),
        (DAY, b"id;nome\n1;x\n", "expected a whole Parquet file, got: Parquet magic bytes not found"),
        (
            DAY,
            parquet_bytes(pa.table({"id": [1]})),
            "column nome_categoria is missing; expected the columns id bigint,",
        ),
        (
            DAY,
            parquet_bytes(pa.table({"id": [1], "nome_categoria": ["x"], "cor": ["y"]})),
            "column cor is not declared; expected the columns id bigint, nome_categoria varchar(400)",
        ),
        (
            DAY,
            parquet_bytes(pa.table({"id": ["1"], "nome_categoria": ["x"]})),
            "column id: expected bigint, got string",
        ),
        (
            DAY,
            parquet_bytes(pa.table([[1], [2], ["x"]], names=["id", "id", "nome_categoria"])),
            "column id is there 2 times; expected the columns id bigint,",
        ),
        (
            DAY,
            parquet_bytes(pa.table({"id": [1], "nome_categoria": NOT_UTF8})),
            "column nome_categoria: expected values of type string, got: Invalid UTF8",
        ),
        (
            DAY,
            parquet_bytes(pa.table({"id": [1, 2, 1], "nome_categoria": ["x", "y", "z"]})),
            "column id: expected each value once, got 1 in 2 rows",
        ),
        (
            DAY,
            parquet_bytes(pa.table({"id": [1, None], "nome_categoria": ["x", "y"]})),
            "column id: expected a value in every row, got 1 without",
        ),
        (
            DAY,
            parquet_bytes(pa.table({"id": [1], "nome_categoria": pa.array([None], pa.string())})),
            "column nome_categoria: expected a value in every row, got 1 without",
        ),
        (
            DAY,
            parquet_bytes(pa.table({"id": pa.array([], pa.int64()), "nome_categoria": pa.array([], pa.string())})),
            "expected the whole table, got a file without rows",
        ),
        (
            DAY,
            parquet_bytes(pa.table({"id": [1], "nome_categoria": ["é" * 101]})),
            "column nome_categoria: expected at most 100 characters, got 101",
        ),
        ("2024-13-45/categoria.parquet", WHOLE, "expected a folder YYYY-MM-DD, got '2024-13-45'"),
        ("20240201/categoria.parquet", WHOLE, "expected a folder YYYY-MM-DD, got '20240201'"),
        ("categoria.parquet", WHOLE, "expected a folder YYYY-MM-DD, got '.'"),
        ("2024-02-01/categorias.parquet", WHOLE, "no table is called 'categorias': expected categoria"),
        ("2024-02-01/categoria.csv", b"id\n", "expected a name that ends with .parquet"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_kept_with_its_reason(
    world: World, path: str, content: bytes, message: str
) -> None:
    world.put(path, content)
    world.put("2024-03-01/categoria.parquet")
    with ParquetRead(CATEGORIA, ("categoria",)).open(read_settings([PARQUET]), {}, Limits()) as reading:
        files = {file for batch in reading.batches for file in batch["_file_path"].to_pylist()}

    (reason,) = reading.notes
    assert reason.startswith(f"parquet: {path}: {message}")
    assert files == {"2024-01-01/categoria.parquet", "2024-03-01/categoria.parquet"}
    (note,) = (world.drop / "_rejected").rglob("*.json")
    noted = json.loads(note.read_text())
    assert noted["file"] == path
    assert message in noted["reason"]
    assert note.with_suffix("").read_bytes() == content
    assert (world.drop / path).read_bytes() == content


def test_a_file_that_cannot_be_loaded_is_reported_and_stops_no_other(world: World) -> None:
    world.put(DAY, WHOLE[:-20])
    world.put("2024-03-01/categoria.parquet")
    outcome = world.run("parquet")

    assert outcome.code == 1
    assert f"parquet: {DAY}: expected a whole Parquet file, got: " in outcome.output
    assert outcome.status("parquet.categoria") == "partial"
    assert world.query("select distinct _file_path from raw_parquet.categoria order by 1") == [
        ("2024-01-01/categoria.parquet",),
        ("2024-03-01/categoria.parquet",),
    ]


def test_a_file_that_cannot_be_read_is_reported_and_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("2024-03-01/categoria.parquet")
    world.put(DAY)
    read = Folder.open

    def fail_once(folder: Folder, path: str) -> BufferedReader:
        if path == DAY:
            raise OSError(errno.EIO, "Input/output error", path)
        return read(folder, path)

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "open", fail_once)
        outcome = world.run("parquet")

    assert outcome.code == 1
    assert f"parquet: {DAY}: cannot be read: [Errno 5] Input/output error" in outcome.output
    assert outcome.status("parquet.categoria") == "partial"
    assert world.query("select count(*) from raw_parquet.categoria where _file_date = '2024-03-01'") == [(2,)]
    assert not (world.drop / "_rejected").exists()

    assert world.run("parquet").code == 0
    assert world.query("select count(*) from raw_parquet.categoria where _file_date = '2024-02-01'") == [(2,)]


def test_a_file_that_stays_is_reported_by_each_run_and_copied_once(world: World) -> None:
    world.put(DAY, b"")
    assert [world.run("parquet").code, world.run("parquet").code] == [1, 1]
    assert len(list((world.drop / "_rejected").rglob("*.json"))) == 1

    world.put(DAY, pa.table({"id": [1], "nome_categoria": ["x"]}))
    assert world.run("parquet").code == 0


def test_two_files_for_one_date_are_rejected_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # In memory: a Mac's file system takes the two names for one, S3 does not.
    drop = fsspec.filesystem("memory")
    drop.pipe("/drop/2024-02-01/categoria.parquet", WHOLE)
    drop.pipe("/drop/2024-02-01/CATEGORIA.parquet", parquet_bytes(pa.table({"id": [2], "nome_categoria": ["y"]})))
    monkeypatch.setenv("PARQUET_DROP", "memory://drop")
    outcome = world.run("parquet")
    rejected = [name for name in drop.find("/drop/_rejected") if name.endswith(".json")]
    drop.rm("/drop", recursive=True)

    assert outcome.code == 1
    assert "2 files of categoria for 2024-02-01: expected one; keep the right one" in outcome.output
    assert world.query("select count(*) from raw_parquet.categoria where _file_date = '2024-02-01'") == [(0,)]
    assert len(rejected) == 1


def test_narrower_types_that_lose_nothing_are_accepted(world: World) -> None:
    names = pa.array(["x"]).dictionary_encode()
    world.put(DAY, pa.table({"id": pa.array([7], pa.int16()), "nome_categoria": names}))
    assert world.run("parquet").code == 0
    assert world.query("select id, nome_categoria from raw_parquet.categoria where _file_date = '2024-02-01'") == [
        (7, "x")
    ]


def test_no_files_at_all(world: World) -> None:
    world.run("parquet")
    (world.drop / "2024-01-01/categoria.parquet").unlink()
    outcome = world.run("parquet")

    assert outcome.code == 1
    assert "parquet.categoria: no file in the drop: expected at least one <PARQUET_DROP>/<YYYY-MM-DD>/" in (
        outcome.output
    )
    assert world.query("select count(*) from raw_parquet.categoria") == [(2,)]


def test_no_drop_folder(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARQUET_DROP", str(tmp_path / "nowhere"))
    outcome = world.run("parquet")
    assert outcome.code == 1
    assert f"no folder {tmp_path}/nowhere: expected the drop; check PARQUET_DROP" in outcome.output


def test_hidden_files_and_folders_are_ignored(world: World) -> None:
    world.put("2024-02-01/.categoria.parquet.part", b"")
    world.put("2024-02-01/_SUCCESS", b"")
    world.put("_old/categoria.parquet", b"")
    assert world.run("parquet").code == 0


# The settings and the warehouse


def test_all_missing_and_wrong_settings_are_reported_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EMPLOYEES_API_URL", "SOURCE_POSTGRES_HOST", "SOURCE_POSTGRES_PASSWORD"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("SOURCE_POSTGRES_PORT", "x")
    monkeypatch.setenv("DBT_TARGET", "moon")
    outcome = world.run()

    assert outcome.code == 2
    assert "5 settings to fix" in outcome.output
    for message in (
        "EMPLOYEES_API_URL is not set: expected the http(s) address",
        "SOURCE_POSTGRES_HOST is not set",
        "SOURCE_POSTGRES_PASSWORD is not set",
        "SOURCE_POSTGRES_PORT: expected a port, got 'x'",
        "DBT_TARGET: expected one of local, sandbox, dev, prod, got 'moon'",
    ):
        assert message in outcome.output
    assert not world.warehouse.exists()


def test_only_the_settings_of_the_chosen_sources_are_needed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMPLOYEES_API_URL")
    assert world.run("parquet").code == 0


def test_a_warehouse_that_is_locked_by_another_process(world: World) -> None:
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(world.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        outcome = world.run("parquet")
        holder.communicate()

    assert outcome.code != 0
    assert f"PID {holder.pid}" in outcome.output
    assert world.run("parquet").code == 0


def test_a_backslash_at_the_source_is_a_letter_whatever_its_database_says(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, name = world.environment["SOURCE_POSTGRES_DATABASE"], r"v\' or true; --"
    world.execute(f'alter database "{database}" set standard_conforming_strings = off')
    world.execute(f'create table public."{name}" (id integer); insert into public."{name}" values (7)')
    declare_in(tmp_path, POSTGRES, {"v": {"mode": "full", "relation": f'"{name}"'}})
    monkeypatch.setenv("DBT_PROJECT_DIR", str(tmp_path))
    outcome = world.run()

    assert outcome.code == 0, outcome.output
    assert world.query("select id from raw_postgres.v") == [(7,)]


def test_a_certificate_that_is_not_accepted_is_named_at_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with https_server(tmp_path / "tls", UNKNOWN_ID.encode()) as (url, bundle):
        monkeypatch.setenv("EMPLOYEES_API_URL", url)
        refused = world.run("api")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        accepted = world.run("api")

    assert refused.code == accepted.code == 1
    assert (
        "the certificate of its server is not accepted: self-signed certificate. Check the host in" in refused.words
    )
    assert "EMPLOYEES_API_URL, or set REQUESTS_CA_BUNDLE to a file with the CAs to trust" in refused.words
    assert "no name at all" in accepted.words
