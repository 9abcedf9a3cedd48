"""The whole pipeline as a user runs it, on DuckDB and on the path to Redshift; then some days pass.

The path to Redshift runs on this machine: the pipeline through S3, COPY and dbt-redshift. The warehouse and the
source are each queried by a client that has no part in the pipeline.
"""

import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import duckdb
import pytest
from psycopg2 import extensions

from extract.reporting.numbers import month_name, reais
from redshift_standin.postgres import PostgresServer
from sandbox.sources.venda import DATABASE
from tests.python.helpers import ROOT
from tests.python.helpers.chromium import open_page
from tests.python.helpers.pipeline_process import pipeline_environment, run_pipeline

FIRST, LATER = "2026-01-10", "2026-01-13"


@dataclass(frozen=True)
class Run:
    """One run, and the answers of the source and the warehouse after it."""

    code: int
    lines: list[dict[str, Any]]
    source: dict[str, Any]
    warehouse: dict[str, Any]
    rows: dict[str, list[tuple[Any, ...]]]  # of TABLES and HISTORY
    types: list[tuple[Any, ...]]

    @property
    def dbt(self) -> dict[str, Any]:
        """The log line with dbt's outcome."""
        return dbt_line(self.lines)


@dataclass(frozen=True)
class Pipeline:
    """A sandbox and its warehouse, and the run on the first day."""

    folder: Path
    first: Run


SOURCE = {
    "sales": "select count(*), sum(id_venda) from venda",
    "amount": "select sum(round(venda::numeric, 2)) from venda where venda > 0 and venda < 'infinity'",
    "changed": "select id_venda, venda from venda order by id_venda",
}
WAREHOUSE = {
    "sales": "select count(*), sum(id_venda) from (select id_venda from silver.venda"
    " union all select id_venda from silver.venda_rejeitada)",
    "amount": "select sum(amount) from (select valor as amount from silver.venda union all"
    " select cast(venda as numeric(18, 2)) from silver.venda_rejeitada where venda > 0 and venda < 1e16)",
    "changed": "select id_venda, venda from (select id_venda, venda from silver.venda"
    " union all select id_venda, venda from silver.venda_rejeitada) order by id_venda",
    "bronze": "select count(*) from bronze.venda",
    "raw": "select count(*) from raw_postgres.venda",
    "rejected": "select motivo, count(*) from silver.venda_rejeitada group by 1 order by 1",
    "employees": "select id, nome from silver.funcionario order by id",
    "left": "select nome from silver.funcionario_historico where dbt_valid_to is not null",
    "categories": "select count(*) from silver.categoria",
    "last month": "select mes, sum(valor) from gold.vendas_mensais where mes_completo group by mes"
    " order by mes desc limit 1",
    "types": "select column_name, data_type from information_schema.columns"
    " where table_schema = 'silver' and table_name = 'venda' order by ordinal_position",
}

# The columns that are compared, first those that order the rows: all but the id and time of the load.
TABLES = {
    "silver.venda": "id_venda, id_funcionario, id_categoria, data_venda, venda, valor",
    "silver.venda_rejeitada": "id_venda, id_funcionario, id_categoria, data_venda, cast(venda as varchar(40)),"
    " motivo",
    "silver.venda_avaliada": "id_venda, id_funcionario, id_categoria, data_venda, cast(venda as varchar(40)), valor,"
    " motivo, excluida_em is null",
    "silver.venda_dia_alterado": "data_venda, alteracao",
    "silver.funcionario": "id, nome",
    "silver.funcionario_historico": "id, nome, dbt_valid_to is null",
    "silver.categoria_historico": "id, nome_categoria, dbt_valid_to is null",
    "silver.categoria": "id, nome_categoria",
    "silver.calendario": "data, ano, trimestre, mes, nome_mes, dia, dia_semana, nome_dia_semana, fim_de_semana,"
    " feriado, tipo_feriado, dia_util",
    "gold.vendas_diarias": "data_venda, id_categoria, id_funcionario, quantidade, valor, valor_medio",
    "gold.rejeicoes": "data_venda, motivo, quantidade",
    "gold.vendas_mensais": "mes, id_categoria, nome_categoria, quantidade, valor, crescimento_mes, crescimento_ano,"
    " participacao, media_movel_3_meses, dias_uteis, mes_completo",
    "gold.funcionario_mensal": "mes, id_funcionario, nome, quantidade, valor, posicao, participacao, crescimento_mes,"
    " crescimento_ano",
    "gold.calendario_efeito": "ordem, grupo, tipo, dias, valor_medio_por_dia, valor_esperado_por_dia, efeito",
}
# What is recorded of each run, without its times and ids.
HISTORY = {
    "ops.dbt_results": "kind, name, status, failures, message, started_at is null",
    "ops.table_builds": "source, table_name, bronze, silver, rejected",
    "gold.table_state": "source, table_name, mode, status, rows_source, rows_loaded, rows_deleted, rows_dead_letter,"
    " bronze, silver, rejected, freshness, error",
    "gold.run_baseline": "source, table_name, measure, runs, is_unusual",
    "gold.failing_tests": "name, status, failures",
    "gold.rows_left_out": "source, table_name, dead_letters, rejected",
}
EMPTY_AT_FIRST = {"silver.venda_dia_alterado", "gold.failing_tests"}

TYPES = (
    "select table_name, column_name, data_type, numeric_precision, numeric_scale from information_schema.columns"
    " where table_schema in ('silver', 'gold') order by table_schema, table_name, ordinal_position"
)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("pipeline")
    return Pipeline(folder, run(folder, FIRST))


@pytest.fixture(scope="module")
def later(pipeline: Pipeline) -> Run:
    """A second run, some days later."""
    return run(pipeline.folder, LATER)


@pytest.fixture(scope="module", params=["first", pytest.param("later", marks=pytest.mark.slow)])
def ended(request: pytest.FixtureRequest, pipeline: Pipeline) -> Run:
    """Each of the two runs."""
    return pipeline.first if request.param == "first" else request.getfixturevalue("later")


@pytest.fixture(scope="module")
def again(pipeline: Pipeline, later: Run) -> Run:  # noqa: ARG001  it comes after that one
    """A third run, which finds nothing new."""
    return run(pipeline.folder, LATER)


def run(folder: Path, today: str) -> Run:
    code, lines = run_pipeline(folder, "local", today)
    source = ask_source(folder)
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        answers = {name: fetch(connection.execute(sql).fetchall) for name, sql in WAREHOUSE.items()}
        rows = {table: connection.execute(in_order(table)).fetchall() for table in (*TABLES, *HISTORY)}
        return Run(code, lines, source, answers, rows, connection.execute(TYPES).fetchall())


def ask_source(folder: Path) -> dict[str, Any]:
    with (
        PostgresServer(folder / "sandbox" / "postgres") as server,
        closing(server.connect(DATABASE)) as connection,
        connection.cursor() as cursor,
    ):
        return {name: fetch(cursor.execute(sql) or cursor.fetchall) for name, sql in SOURCE.items()}


def fetch(rows: Callable[[], list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """Returns rows in which NaN equals NaN."""
    return [tuple("NaN" if isinstance(v, float) and math.isnan(v) else v for v in row) for row in rows()]


@pytest.mark.parametrize("question", list(SOURCE))
def test_the_warehouse_agrees_with_the_source(ended: Run, question: str) -> None:
    assert ended.warehouse[question] == ended.source[question]
    assert ended.source["sales"][0][0] >= 20000


def test_every_run_succeeds(ended: Run) -> None:
    assert ended.code == 0, ended.lines
    assert ended.dbt["ok"]
    assert ended.dbt["counts"]["pass"] > 50


def test_silver_has_the_names_and_types_of_the_contract(pipeline: Pipeline) -> None:
    assert pipeline.first.warehouse["types"][:6] == [
        ("id_venda", "INTEGER"),
        ("id_funcionario", "INTEGER"),
        ("id_categoria", "INTEGER"),
        ("data_venda", "DATE"),
        ("venda", "DOUBLE"),
        ("valor", "DECIMAL(18,2)"),
    ]


def test_rejected_sales_have_their_reasons(pipeline: Pipeline) -> None:
    known = {
        "valor_ausente", "valor_nan", "valor_infinito", "valor_nao_positivo", "data_ausente", "data_antes_da_empresa",
    }  # fmt: skip
    reasons = {reason for reason, _ in pipeline.first.warehouse["rejected"]}
    assert reasons
    assert reasons <= known


@pytest.mark.slow
def test_a_later_day_has_new_and_corrected_sales_a_new_name_and_a_new_category(
    pipeline: Pipeline, later: Run
) -> None:
    before, after = pipeline.first.warehouse, later.warehouse
    old, new = dict(before["changed"]), dict(after["changed"])

    assert len(new) > len(old)
    assert [key for key in old if old[key] != new[key]]
    assert before["employees"] != after["employees"]
    assert after["left"] == [(name,) for key, name in before["employees"] if (key, name) not in after["employees"]]
    assert after["categories"] >= before["categories"]


def rows_loaded(run: Run) -> dict[str, int]:
    return {line["table"]: line["rows_loaded"] for line in run.lines if "rows_loaded" in line}


def test_every_node_of_a_build_is_recorded(pipeline: Pipeline) -> None:
    recorded = Counter(status for _, _, status, *_ in pipeline.first.rows["ops.dbt_results"])
    assert recorded == pipeline.first.dbt["counts"]


@pytest.mark.slow
def test_a_later_run_reads_only_what_is_new(pipeline: Pipeline, later: Run) -> None:
    assert rows_loaded(pipeline.first)["postgres.venda"] == 20000
    assert 0 < rows_loaded(later)["postgres.venda"] < 1000


@pytest.mark.slow
def test_a_run_without_news_changes_nothing(later: Run, again: Run) -> None:
    assert again.code == 0, again.lines
    assert again.dbt["ok"]
    assert rows_loaded(again)["postgres.venda"] == 0
    assert rows_loaded(again)["parquet.categoria"] == 0
    assert again.source == later.source
    assert again.warehouse == later.warehouse


def test_the_docs_are_one_file_that_opens_with_its_lineage_graph(pipeline: Pipeline) -> None:
    page = f"file://{pipeline.folder / 'target' / 'static_index.html'}#!"
    dom = open_page(f"{page}/model/model.plataforma_vendas.silver_venda?g_v=1", pipeline.folder).dom

    # The canvas on which the graph's nodes are drawn; it has no size while the graph is not shown.
    assert re.search(r'data-id="layer2-node" width="[1-9]\d\d+" height="[1-9]\d\d+"', dom)
    assert "silver_venda_rejeitada" in dom
    assert 'href="report.html"' in open_page(f"{page}/overview", pipeline.folder).dom


def test_the_report_shows_the_run_that_has_just_ended(pipeline: Pipeline) -> None:
    shown = open_page(f"file://{pipeline.folder / 'target' / 'report.html'}", pipeline.folder)

    assert shown.console == []
    assert 'href="static_index.html"' in shown.dom
    assert "3 of 3" in shown.dom
    # All sales of the last complete month, as gold has them.
    with duckdb.connect(str(pipeline.folder / "warehouse.duckdb"), read_only=True) as connection:
        ((month, amount),) = connection.execute(WAREHOUSE["last month"]).fetchall()
    assert f"Vendas de {month_name(month)}" in shown.dom
    assert reais(amount) in unescape(shown.dom)


# On the path to Redshift, compared with DuckDB


READERS = (
    "select identity_name, namespace_name from svv_relation_privileges"
    " where identity_type = 'role' and privilege_type = 'SELECT'"
)

# DuckDB's types by Redshift's names. Lengths of texts are not compared: DuckDB ignores them.
SAME_TYPE = {
    "BIGINT": "bigint", "BOOLEAN": "boolean", "DATE": "date", "DOUBLE": "double precision", "INTEGER": "integer",
    "TIMESTAMP": "timestamp without time zone", "VARCHAR": "character varying", "DECIMAL": "numeric",
}  # fmt: skip


@dataclass(frozen=True)
class BothTargets:
    """Silver and gold on both targets after the same days, and what was sent to Redshift."""

    folder: Path  # of the target sandbox
    days: int
    local: Run  # the last one
    redshift: dict[str, list[tuple[Any, ...]]]
    redshift_types: list[tuple[Any, ...]]
    builds: list[dict[str, Any]]
    statements: list[str]
    query_groups: set[str]
    readers: set[tuple[str, str]]
    written: dict[str, tuple[int, int]]
    landing: list[str]


@pytest.fixture(scope="module")
def both_first(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> BothTargets:
    """Both targets after the first day."""
    folder = tmp_path_factory.mktemp("sandbox")
    code, lines = run_pipeline(folder, "sandbox", FIRST)
    assert code == 0, lines
    return compare(folder, pipeline.first, [dbt_line(lines)])


@pytest.fixture(scope="module")
def both_later(later: Run, both_first: BothTargets) -> BothTargets:
    """Both targets some days later."""
    code, lines = run_pipeline(both_first.folder, "sandbox", LATER)
    assert code == 0, lines
    return compare(both_first.folder, later, [*both_first.builds, dbt_line(lines)])


@pytest.fixture(scope="module", params=["first", pytest.param("later", marks=pytest.mark.slow)])
def both(request: pytest.FixtureRequest) -> BothTargets:
    targets: BothTargets = request.getfixturevalue(f"both_{request.param}")
    return targets


def dbt_line(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return next(line for line in lines if line["message"] == "dbt build")


def compare(folder: Path, local: Run, builds: list[dict[str, Any]]) -> BothTargets:
    with (
        PostgresServer(folder / "sandbox" / "postgres") as server,
        closing(server.connect("dev")) as connection,
        connection.cursor() as cursor,
    ):
        redshift = read_rows(cursor)
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
    landing = folder / "sandbox" / "landing"
    return BothTargets(
        folder,
        len(builds),
        local,
        redshift,
        redshift_types,
        builds,
        statements,
        query_groups,
        readers,
        written,
        sorted(file.relative_to(landing).as_posix() for file in landing.rglob("*.parquet")),
    )


@pytest.fixture(scope="module")
def refreshed(both_later: BothTargets) -> dict[str, list[tuple[Any, ...]]]:
    """Silver and gold after every incremental model on the path to Redshift was rebuilt on its last day."""
    sandbox = [sys.executable, "-m", "sandbox", "run", "--"]
    done = subprocess.run(
        [*sandbox, sys.executable, "-m", "extract", "build", "--full-refresh"],
        cwd=ROOT, env=os.environ | pipeline_environment(both_later.folder, "sandbox", LATER),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    with (
        PostgresServer(both_later.folder / "sandbox" / "postgres") as server,
        closing(server.connect("dev")) as connection,
        connection.cursor() as cursor,
    ):
        return read_rows(cursor)


def read_rows(cursor: extensions.cursor) -> dict[str, list[tuple[Any, ...]]]:
    """Returns the rows of silver and gold, read from the PostgreSQL server below the stand-in."""
    cursor.execute("select rs.freshen(array(select relname from rs.late_views))")
    rows = {}
    for table in (*TABLES, *HISTORY):
        cursor.execute(in_order(table))
        rows[table] = cursor.fetchall()
    return rows


def in_order(table: str) -> str:
    columns = (TABLES | HISTORY)[table].split(", ")
    return f"select {', '.join(columns)} from {table} order by {', '.join(columns[:3])}"


@pytest.mark.parametrize("table", [*TABLES, *HISTORY])
def test_rows_are_the_same_on_both_engines(both: BothTargets, table: str) -> None:
    expected = both.local.rows[table]
    assert as_text(both.redshift[table]) == as_text(expected)
    assert expected or table in EMPTY_AT_FIRST


@pytest.mark.slow
@pytest.mark.parametrize("table", list(TABLES))
def test_rows_are_the_same_after_a_full_refresh(
    both_later: BothTargets, refreshed: dict[str, list[tuple[Any, ...]]], table: str
) -> None:
    assert refreshed[table] == both_later.redshift[table]


def as_text(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Returns rows in which doubles cast to text are spelled alike: `inf` and `Infinity`, `0.0` and `0`."""
    words = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
    return [
        tuple(re.sub(r"\.0$", "", words.get(value, value)) if isinstance(value, str) else value for value in row)
        for row in rows
    ]


def test_every_column_has_the_same_type_on_both_engines(both: BothTargets) -> None:
    def types(columns: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [
            (table, column, name, (digits, scale) if name == "numeric" else None)
            for table, column, kind, digits, scale in columns
            for name in [SAME_TYPE.get(kind.split("(")[0], kind)]
        ]

    assert ("venda", "valor", "numeric", (18, 2)) in types(both.redshift_types)
    assert types(both.redshift_types) == types(both.local.types)


def test_every_dbt_node_succeeds_on_redshift(pipeline: Pipeline, both: BothTargets) -> None:
    assert [build["ok"] for build in both.builds] == [True] * both.days, both.builds
    assert both.builds[0]["counts"] == pipeline.first.dbt["counts"]


def test_no_statement_holds_a_credential(both: BothTargets) -> None:
    for statement in both.statements:
        assert not re.search(r"aws_secret|aws_access_key|credentials\s+'|password", statement, re.IGNORECASE), (
            statement
        )


def test_no_text_is_unbounded_where_its_length_is_known(both: BothTargets) -> None:
    create = re.compile(r'create table (?:if not exists )?"?(\w+)"?\."(\w+)" \(([^;]*)', re.IGNORECASE)
    created = create.findall(";".join(both.statements))
    columns = {
        (f"{schema}.{table}", name): kind
        for schema, table, body in created
        for name, kind in re.findall(r'"(\w+)" (\w+(?:\([^)]*\))?)', body)
        if not table.startswith("_dlt_")  # dlt's own
    }
    assert columns["raw_api.funcionario", "nome"] == "varchar(400)"
    assert columns["raw_parquet.categoria", "_file_path"] == "varchar(4096)"
    assert columns["ops.extract_runs", "run_id"] == "varchar(80)"
    assert columns["ops.extract_runs", "error"] == "varchar(65535)"  # the longest there is
    assert "varchar(max)" not in columns.values()
    assert not [s for s in both.statements if '"app": "dbt"' in s and "varchar(max)" in s]


def test_each_load_is_one_copy_per_table(both: BothTargets) -> None:
    copies = [s for s in both.statements if s.strip().upper().startswith("COPY")]
    from_files = re.compile(r'COPY "(\w+)"\."(\w+)"\s+FROM \'s3://[^\']*/(\d+\.\d+)\.\w+\.(?:parquet|jsonl\.gz)\'')
    loads = [found.groups() for s in copies if (found := from_files.search(s))]
    assert len(loads) == len(copies) == len(set(loads))
    assert all("IAM_ROLE 'arn:aws:iam::000000000000:role/copy'" in s for s in copies)
    tables = [(schema, table) for schema, table, _ in loads]
    for loaded in (("raw_api_staging", "funcionario"), ("raw_parquet", "categoria"), ("raw_postgres", "venda")):
        assert tables.count(loaded) == both.days


@pytest.mark.slow
def test_no_run_deletes_or_rewrites_history(both_later: BothTargets) -> None:
    deletes = [s for s in both_later.statements if re.search(r"\bdelete\s+from\b", s, re.IGNORECASE)]
    whole = [s for s in deletes if not re.search(r"\bwhere\b(?! 1=1)", s, re.IGNORECASE)]
    # only the snapshot of employees replaces the one before, in its own transaction
    assert {re.findall(r'DELETE FROM "(\w+)"\."(\w+)"', s)[0] for s in whole} == {
        ("raw_api", "funcionario"), ("raw_api_staging", "funcionario"),
    }  # fmt: skip
    truncated = [s for s in both_later.statements if re.search(r"^\s*(/\*.*?\*/)?\s*truncate\b", s, re.IGNORECASE)]
    assert all('"bronze"."feriado"' in s for s in truncated)  # the seed: TRUNCATE commits on Redshift
    for table in ("raw_postgres.venda", "bronze.venda", "silver.venda_avaliada"):
        live, deleted = both_later.written[table]
        assert live > 20000
        assert deleted < live / 100


def test_readers_select_silver_and_gold_and_transformers_bronze(both: BothTargets) -> None:
    assert both.readers == {("reader", "silver"), ("reader", "gold"), ("transformer", "bronze")}
    assert not [s for s in both.statements if re.search(r"\brevoke\b", s, re.IGNORECASE)]


def test_every_relation_is_granted_to_readers(both: BothTargets) -> None:
    for table in TABLES:
        schema, name = table.split(".")
        assert any(f'grant select on "dev"."{schema}"."{name}" to ROLE reader' in s for s in both.statements)


def test_every_loaded_file_stays_in_the_landing(both: BothTargets) -> None:
    sales = [file for file in both.landing if "/raw_postgres/venda/" in f"/{file}"]
    assert len(sales) == both.days
    assert all(re.fullmatch(r"landing/raw_postgres/venda/\d+\.\d+\.\w+\.parquet", file) for file in sales)


def test_statements_name_their_sender(both: BothTargets) -> None:
    comments = [json.loads(found[1]) for s in both.statements if (found := re.match(r"/\* (\{.*?\}) \*/", s))]
    nodes = {comment["node"] for comment in comments}
    assert {"model.plataforma_vendas.silver_venda", "snapshot.plataforma_vendas.silver_categoria_historico"} <= nodes
    assert {comment["target"] for comment in comments} == {"sandbox"}
    assert len({comment["run_id"] for comment in comments}) == both.days
    assert both.query_groups == {"dbt"}
