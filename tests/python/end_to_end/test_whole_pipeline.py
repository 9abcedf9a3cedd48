"""The whole pipeline as a user runs it: sandbox, extract, dbt build, docs; then some days pass.

The warehouse and the source are each asked by a client that has no part in the pipeline.
"""

import math
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from redshift_standin.postgres import PostgresServer
from sandbox.sources.venda import DATABASE
from tests.python.helpers.pipeline_process import run_pipeline

FIRST, LATER = "2026-01-10", "2026-01-13"


@dataclass(frozen=True)
class Run:
    """One run that has ended, and the state that it left: answers as of then."""

    code: int
    lines: list[dict[str, Any]]
    source: dict[str, Any]
    warehouse: dict[str, Any]

    @property
    def dbt(self) -> dict[str, Any]:
        """The log line with dbt's outcome."""
        return next(line for line in self.lines if line["message"] == "dbt build")


@dataclass(frozen=True)
class Pipeline:
    """Two runs over one sandbox and warehouse, the second some days later with a third that finds nothing new."""

    folder: Path
    first: Run
    later: Run
    again: Run


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
    "types": "select column_name, data_type from information_schema.columns"
    " where table_schema = 'silver' and table_name = 'venda' order by ordinal_position",
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("pipeline")

    def run(today: str) -> Run:
        code, lines = run_pipeline(folder, "local", today)
        return Run(code, lines, ask_source(folder), ask_warehouse(folder))

    return Pipeline(folder, run(FIRST), run(LATER), run(LATER))


def ask_source(folder: Path) -> dict[str, Any]:
    with (
        PostgresServer(folder / "sandbox" / "postgres") as server,
        closing(server.connect(DATABASE)) as connection,
        connection.cursor() as cursor,
    ):
        return {name: fetch(cursor.execute(sql) or cursor.fetchall) for name, sql in SOURCE.items()}


def ask_warehouse(folder: Path) -> dict[str, Any]:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return {name: fetch(connection.execute(sql).fetchall) for name, sql in WAREHOUSE.items()}


def fetch(rows: Callable[[], list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """Rows in which NaN equals NaN."""
    return [tuple("NaN" if isinstance(v, float) and math.isnan(v) else v for v in row) for row in rows()]


@pytest.mark.parametrize("moment", ["first", "later", "again"])
@pytest.mark.parametrize("question", list(SOURCE))
def test_the_warehouse_agrees_with_the_source(pipeline: Pipeline, moment: str, question: str) -> None:
    run: Run = getattr(pipeline, moment)
    assert run.warehouse[question] == run.source[question]
    assert run.source["sales"][0][0] >= 20000


def test_every_run_is_green(pipeline: Pipeline) -> None:
    for run in (pipeline.first, pipeline.later, pipeline.again):
        assert run.code == 0, run.lines
        assert run.dbt["ok"]
        assert run.dbt["counts"]["pass"] > 50


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


def test_days_that_pass_bring_new_and_corrected_sales_a_new_name_and_a_new_category(pipeline: Pipeline) -> None:
    before, after = pipeline.first.warehouse, pipeline.later.warehouse
    old, new = dict(before["changed"]), dict(after["changed"])

    assert len(new) > len(old)
    assert [key for key in old if old[key] != new[key]]
    assert before["employees"] != after["employees"]
    assert after["left"] == [(name,) for key, name in before["employees"] if (key, name) not in after["employees"]]
    assert after["categories"] >= before["categories"]


def test_a_later_run_reads_only_what_is_new(pipeline: Pipeline) -> None:
    def read(run: Run) -> dict[str, int]:
        return {line["table"]: line["rows_loaded"] for line in run.lines if "rows_loaded" in line}

    assert read(pipeline.first)["postgres.venda"] == 20000
    assert 0 < read(pipeline.later)["postgres.venda"] < 1000
    assert read(pipeline.again)["postgres.venda"] == 0
    assert read(pipeline.again)["parquet.categoria"] == 0
    assert pipeline.again.warehouse == pipeline.later.warehouse


def test_the_docs_are_one_file_that_opens_with_its_lineage_graph(pipeline: Pipeline) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium on this machine: the docs site is not opened")
    page = pipeline.folder / "target" / "static_index.html"
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=20000",
    ]  # fmt: skip
    dom = subprocess.run(
        [
            chromium, *flags, f"--user-data-dir={pipeline.folder / 'chromium'}", "--dump-dom",
            f"file://{page}#!/model/model.plataforma_vendas.silver_venda?g_v=1",
        ],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip

    # The canvas on which the graph's nodes are drawn; it has no size while the graph is not shown.
    assert re.search(r'data-id="layer2-node" width="[1-9]\d\d+" height="[1-9]\d\d+"', dom)
    assert "silver_venda_rejeitada" in dom
