"""The production path on this machine: the pipeline through S3, COPY and dbt-redshift, against the local one."""

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from psycopg2 import extensions

from redshift_standin.postgres import PostgresServer
from tests.python.helpers import ROOT
from tests.python.helpers.pipeline_process import run_pipeline

DAYS = ("2026-01-10", "2026-01-12")

# Silver, row for row: every column but the load's own id and time, with its type.
TABLES = {
    "venda": "id_venda, id_funcionario, id_categoria, data_venda, venda, valor",
    "venda_rejeitada": "id_venda, id_funcionario, id_categoria, data_venda, cast(venda as varchar(40)), motivo",
    "venda_avaliada": "id_venda, id_funcionario, id_categoria, data_venda, cast(venda as varchar(40)), valor, motivo,"
    " excluida_em is null",
    "funcionario": "id, nome",
    "funcionario_historico": "id, nome, dbt_valid_to is null",
    "categoria_historico": "id, nome_categoria, dbt_valid_to is null",
    "categoria": "id, nome_categoria",
    "calendario": "*",
}


@dataclass(frozen=True)
class Outcome:
    """What both targets hold after the same days, and what was sent to Redshift."""

    local: dict[str, list[tuple[Any, ...]]]
    redshift: dict[str, list[tuple[Any, ...]]]
    refreshed: dict[str, list[tuple[Any, ...]]]  # Redshift's, after all of it was built again
    local_types: list[tuple[Any, ...]]
    redshift_types: list[tuple[Any, ...]]
    logs: list[dict[str, Any]]
    statements: list[str]
    query_groups: set[str]
    readers: set[tuple[str, str]]
    written: dict[str, tuple[int, int]]
    landing: list[str]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    logs: list[dict[str, Any]] = []
    folders = {target: tmp_path_factory.mktemp(target) for target in ("local", "sandbox")}
    for target, folder in folders.items():
        for today in DAYS:
            code, lines = run_pipeline(folder, target, today)
            assert code == 0, lines
            logs += lines
    with duckdb.connect(str(folders["local"] / "warehouse.duckdb"), read_only=True) as duck:
        local = {table: duck.execute(in_order(table)).fetchall() for table in TABLES}
        local_types = duck.execute(TYPES).fetchall()
    with (
        PostgresServer(folders["sandbox"] / "sandbox" / "postgres") as server,
        closing(server.connect("dev")) as connection,
        connection.cursor() as cursor,
    ):
        redshift = silver(cursor)
        cursor.execute(TYPES)
        redshift_types = cursor.fetchall()
        cursor.execute("select query_text from sys_query_history order by query_id")
        statements = [text for (text,) in cursor.fetchall()]
        cursor.execute(
            'select distinct query_label from sys_query_history where query_text like \'%%"app": "dbt"%%\''
        )
        query_groups = {label for (label,) in cursor.fetchall()}
        cursor.execute(READERS)
        readers = set(cursor.fetchall())
        cursor.execute("select schemaname || '.' || relname, n_live_tup, n_tup_del from pg_stat_user_tables")
        written = {table: (live, deleted) for table, live, deleted in cursor.fetchall()}
    build_all_again(folders["sandbox"])
    with (
        PostgresServer(folders["sandbox"] / "sandbox" / "postgres") as server,
        closing(server.connect("dev")) as connection,
        connection.cursor() as cursor,
    ):
        refreshed = silver(cursor)
    landing = folders["sandbox"] / "sandbox" / "landing"
    files = sorted(file.relative_to(landing).as_posix() for file in landing.rglob("*.parquet"))
    return Outcome(
        local,
        redshift,
        refreshed,
        local_types,
        redshift_types,
        logs,
        statements,
        query_groups,
        readers,
        written,
        files,
    )


def silver(cursor: extensions.cursor) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of silver, asked of the PostgreSQL below the stand-in."""
    cursor.execute("select rs.freshen(array(select relname from rs.late_views))")
    rows = {}
    for table in TABLES:
        cursor.execute(in_order(table))
        rows[table] = cursor.fetchall()
    return rows


def build_all_again(folder: Path) -> None:
    """Rebuilds every incremental model of a sandbox on its last day."""
    environment = os.environ | {
        "DBT_TARGET": "sandbox",
        "SANDBOX_DIR": str(folder / "sandbox"),
        "EXTRACT_WORK": str(folder / "work"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "TODAY": DAYS[-1],
    }
    sandbox = [sys.executable, "-m", "sandbox", "run", "--"]
    command = [*sandbox, sys.executable, "-m", "extract", "build", "--full-refresh"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stdout


TYPES = (
    "select table_name, column_name, data_type, numeric_precision, numeric_scale from information_schema.columns"
    " where table_schema = 'silver' order by table_name, ordinal_position"
)

READERS = (
    "select identity_name, namespace_name from svv_relation_privileges"
    " where identity_type = 'role' and privilege_type = 'SELECT'"
)

# DuckDB's types by Redshift's names. Lengths of texts are not compared: DuckDB keeps none.
SAME_TYPE = {
    "BIGINT": "bigint", "BOOLEAN": "boolean", "DATE": "date", "DOUBLE": "double precision", "INTEGER": "integer",
    "TIMESTAMP": "timestamp without time zone", "VARCHAR": "character varying", "DECIMAL(18,2)": "numeric",
}  # fmt: skip


def in_order(table: str) -> str:
    return f"select {TABLES[table]} from silver.{table} order by 1, 2"


@pytest.mark.parametrize("table", list(TABLES))
def test_silver_is_the_same_row_for_row_on_both_engines(outcome: Outcome, table: str) -> None:
    assert as_text(outcome.redshift[table]) == as_text(outcome.local[table])
    assert outcome.local[table]


@pytest.mark.parametrize("table", list(TABLES))
def test_silver_is_the_same_after_a_full_refresh(outcome: Outcome, table: str) -> None:
    assert outcome.refreshed[table] == outcome.redshift[table]


def as_text(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in which a double that was cast to text reads alike: `inf` and `Infinity`, `0.0` and `0`."""
    words = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
    return [
        tuple(re.sub(r"\.0$", "", words.get(value, value)) if isinstance(value, str) else value for value in row)
        for row in rows
    ]


def test_every_column_has_the_same_type_on_both_engines(outcome: Outcome) -> None:
    def types(columns: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [
            (table, column, name, (digits, scale) if name == "numeric" else None)
            for table, column, kind, digits, scale in columns
            for name in [SAME_TYPE.get(kind, kind)]
        ]

    assert ("venda", "valor", "numeric", (18, 2)) in types(outcome.redshift_types)
    assert types(outcome.redshift_types) == types(outcome.local_types)


def test_every_dbt_node_ends_well_on_redshift(outcome: Outcome) -> None:
    builds = [line for line in outcome.logs if line["message"] == "dbt build"]
    assert [build["ok"] for build in builds] == [True] * 4, builds
    assert builds[0]["counts"] == builds[2]["counts"]


def test_no_statement_holds_a_credential(outcome: Outcome) -> None:
    for statement in outcome.statements:
        assert not re.search(r"aws_secret|aws_access_key|credentials\s+'|password", statement, re.IGNORECASE), (
            statement
        )


def test_no_text_is_unbounded_where_its_length_is_known(outcome: Outcome) -> None:
    created = re.findall(r'CREATE TABLE (?:IF NOT EXISTS )?"(\w+)"\."(\w+)" \(([^;]*)', ";".join(outcome.statements))
    columns = {
        (f"{schema}.{table}", name): kind
        for schema, table, body in created
        for name, kind in re.findall(r'"(\w+)" (\w+(?:\([^)]*\))?)', body)
        if not table.startswith("_dlt_")  # dlt's own
    }
    assert columns["raw_api.funcionario", "nome"] == "varchar(400)"
    assert columns["raw_parquet.categoria", "_file_path"] == "varchar(4096)"
    assert columns["ops.extract_runs", "run_id"] == "varchar(80)"
    assert [place for place, kind in columns.items() if kind == "varchar(max)"] == [("ops.extract_runs", "error")]
    assert not [s for s in outcome.statements if '"app": "dbt"' in s and "varchar(max)" in s]


def test_each_load_is_one_copy_per_table(outcome: Outcome) -> None:
    copies = [s for s in outcome.statements if s.strip().upper().startswith("COPY")]
    from_files = re.compile(r'COPY "(\w+)"\."(\w+)"\s+FROM \'s3://[^\']*/(\d+\.\d+)\.\w+\.(?:parquet|jsonl\.gz)\'')
    loads = [found.groups() for s in copies if (found := from_files.search(s))]
    assert len(loads) == len(copies) == len(set(loads))
    assert all("IAM_ROLE 'arn:aws:iam::000000000000:role/copy'" in s for s in copies)
    tables = [(schema, table) for schema, table, _ in loads]
    for loaded in (("raw_api_staging", "funcionario"), ("raw_parquet", "categoria"), ("raw_postgres", "venda")):
        assert tables.count(loaded) == len(DAYS)


def test_no_run_deletes_or_writes_history_again(outcome: Outcome) -> None:
    deletes = [s for s in outcome.statements if re.search(r"\bdelete\s+from\b", s, re.IGNORECASE)]
    whole = [s for s in deletes if not re.search(r"\bwhere\b(?! 1=1)", s, re.IGNORECASE)]
    # the snapshot of employees alone takes the place of the one before, in the transaction that brings it
    assert {re.findall(r'DELETE FROM "(\w+)"\."(\w+)"', s)[0] for s in whole} == {
        ("raw_api", "funcionario"), ("raw_api_staging", "funcionario"),
    }  # fmt: skip
    truncated = [s for s in outcome.statements if re.search(r"^\s*(/\*.*?\*/)?\s*truncate\b", s, re.IGNORECASE)]
    assert all('"bronze"."feriado"' in s for s in truncated)  # the seed: TRUNCATE commits on Redshift
    for table in ("raw_postgres.venda", "bronze.venda", "silver.venda_avaliada"):
        live, deleted = outcome.written[table]
        assert live > 20000
        assert deleted < live / 100


def test_readers_select_silver_and_transformers_bronze(outcome: Outcome) -> None:
    assert outcome.readers == {("reader", "silver"), ("transformer", "bronze")}
    assert not [s for s in outcome.statements if re.search(r"\brevoke\b", s, re.IGNORECASE)]


def test_every_relation_is_granted_once_it_is_there(outcome: Outcome) -> None:
    for table in TABLES:
        assert any(f'grant select on "dev"."silver"."{table}" to ROLE reader' in s for s in outcome.statements)


def test_every_file_that_was_loaded_stays_in_the_landing(outcome: Outcome) -> None:
    sales = [file for file in outcome.landing if "/raw_postgres/venda/" in f"/{file}"]
    assert len(sales) == len(DAYS)
    assert all(re.fullmatch(r"landing/raw_postgres/venda/\d+\.\d+\.\w+\.parquet", file) for file in sales)


def test_statements_say_who_sent_them(outcome: Outcome) -> None:
    comments = [json.loads(found[1]) for s in outcome.statements if (found := re.match(r"/\* (\{.*?\}) \*/", s))]
    nodes = {comment["node"] for comment in comments}
    assert {"model.plataforma_vendas.silver_venda", "snapshot.plataforma_vendas.silver_categoria_historico"} <= nodes
    assert {comment["target"] for comment in comments} == {"sandbox"}
    assert len({comment["run_id"] for comment in comments}) == len(DAYS)
    assert outcome.query_groups == {"dbt"}
