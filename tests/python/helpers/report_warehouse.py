"""A DuckDB warehouse with rows of gold and ops that a test knows, and the report of it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from extract.load.history import TABLES as HISTORY
from extract.load.runner import RUNS_COLUMNS
from extract.reporting.operations import read_operations
from extract.reporting.operations_page import write_operations
from extract.reporting.page import Page
from extract.reporting.reading import find_layers
from extract.reporting.sales import months_before, read_sales
from extract.reporting.sales_page import write_sales
from extract.settings import read_settings
from extract.warehouse.targets import open_warehouse

NOW = datetime(2025, 3, 10, 12, 0)  # noqa: DTZ001  in UTC, as the page has its moments
MARCH = date(2025, 3, 1)

SALES = {
    "vendas_diarias": "data_venda date, id_categoria integer, id_funcionario integer, quantidade bigint,"
    " valor numeric(38, 2), valor_medio numeric(18, 2), alteracao bigint",
    "vendas_mensais": "mes date, id_categoria integer, nome_categoria varchar, quantidade bigint,"
    " valor numeric(38, 2), crescimento_mes numeric(28, 4), crescimento_ano numeric(28, 4), "
    " participacao numeric(28, 4), media_movel_3_meses numeric(18, 2), dias_uteis integer, mes_completo boolean",
    "funcionario_mensal": "mes date, id_funcionario integer, nome varchar, quantidade bigint, valor numeric(38, 2),"
    " posicao integer, participacao numeric(28, 4), crescimento_mes numeric(28, 4), crescimento_ano numeric(28, 4)",
    "calendario_efeito": "ordem integer, grupo varchar, tipo varchar, dias bigint,"
    " valor_medio_por_dia numeric(18, 2), valor_esperado_por_dia numeric(18, 2), efeito numeric(28, 4)",
    "rejeicoes": "data_venda date, motivo varchar, quantidade bigint, alteracao bigint",
}
STATES = {
    "table_state": "source varchar, table_name varchar, mode varchar, status varchar, started_at timestamp,"
    " finished_at timestamp, seconds numeric(18, 3), rows_source bigint, rows_loaded bigint, rows_deleted bigint,"
    " rows_dead_letter bigint, bronze bigint, silver bigint, rejected bigint, loaded_at timestamp, freshness varchar,"
    " error varchar",
    "run_baseline": "source varchar, table_name varchar, measure varchar, runs integer, median double, spread double,"
    " value double, run_id varchar, started_at timestamp, is_unusual boolean",
    "failing_tests": "node varchar, name varchar, status varchar, failures bigint, message varchar, since timestamp,"
    " builds bigint, last_at timestamp",
    "rows_left_out": "day date, source varchar, table_name varchar, dead_letters bigint, rejected bigint",
}


class ReportWarehouse:
    """A file with the empty tables that the report reads."""

    def __init__(self, file: Path, *, sales: bool = True, states: bool = True) -> None:
        self.file = file
        if sales:  # the page shows sales if the project has their models
            (file.parent / "models").mkdir()
            (file.parent / "models" / "gold_vendas_mensais.sql").touch()
        ops = {table.name: table.columns for table in HISTORY} | {"extract_runs": RUNS_COLUMNS}
        self.connection = duckdb.connect(str(file))
        self.connection.begin()  # a commit for each row would take seconds
        self.connection.execute("create schema gold; create schema ops")
        for name, columns in ((SALES if sales else {}) | (STATES if states else {})).items():
            self.connection.execute(f"create table gold.{name} ({columns})")
        for name, types in ops.items():
            listed = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
            self.connection.execute(f"create table ops.{name} ({listed})")

    def add(self, table: str, *rows: dict[str, Any]) -> None:
        """Inserts rows, which may lack columns."""
        for row in rows:
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" * len(row))
            self.connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))

    def add_sales(self) -> None:
        """Adds sales of January 2024 to March 2025: each month 1000 more than the one before; March has 10 days."""
        for number in range(15):
            month = months_before(MARCH, 14 - number)
            amount = 1000 * (number + 1)
            for key, name, share in ((1, "Livros", 0.75), (2, None, 0.25)):
                self.add(
                    "gold.vendas_mensais",
                    {
                        "mes": month, "id_categoria": key, "nome_categoria": name, "quantidade": 10 * (number + 1),
                        "valor": amount * share, "participacao": share, "dias_uteis": 20,
                        "mes_completo": month < MARCH, "crescimento_ano": 0.5 if key == 1 else -0.25,
                    },
                )  # fmt: skip
            for rank, name in enumerate(("Ana D'Ávila", None), start=1):
                self.add(
                    "gold.funcionario_mensal",
                    {
                        "mes": month, "id_funcionario": 6 + rank, "nome": name, "quantidade": 5,
                        "valor": amount / (rank + 1), "posicao": rank, "participacao": 0.5,
                    },
                )  # fmt: skip
        for day, amount in (
            (date(2025, 3, 10), 3000), (date(2025, 2, 10), 2000), (date(2025, 2, 11), 90000),
            (date(2024, 3, 1), 4000), (date(2024, 3, 11), 90000),
        ):  # fmt: skip
            self.add("gold.vendas_diarias", {"data_venda": day, "quantidade": 1, "valor": amount})
        self.add(
            "gold.calendario_efeito",
            {
                "ordem": 1, "tipo": "segunda-feira", "dias": 9, "valor_medio_por_dia": 1234.5,
                "valor_esperado_por_dia": 1000, "efeito": 0.2345,
            },
            {
                "ordem": 8, "tipo": "feriado", "dias": 2, "valor_medio_por_dia": 500, "valor_esperado_por_dia": 1000,
                "efeito": -0.5,
            },
        )  # fmt: skip
        self.add(
            "gold.rejeicoes",
            {"data_venda": date(2025, 2, 3), "motivo": "valor_nan", "quantidade": 1200},
            {"data_venda": None, "motivo": "data_ausente", "quantidade": 3},
        )

    def add_run(self, table: str, day: int, **values: Any) -> None:
        """Adds a run of `s.<table>` so many days ago, and its state if it is of today."""
        started = NOW - timedelta(days=day, hours=1)
        run = {
            "source": "s", "table_name": table, "mode": "full", "status": "ok", "rows_source": 100,
            "rows_loaded": 100, "rows_deleted": 0, "rows_dead_letter": 0, "error": None,
        } | values  # fmt: skip
        moments = {"started_at": started, "finished_at": started + timedelta(seconds=1.5)}
        aware = {name: moment.replace(tzinfo=UTC) for name, moment in moments.items()}
        self.add("ops.extract_runs", run | aware | {"run_id": f"run-{day}"})
        if day == 0:
            layers = {"bronze": 100, "silver": 98, "rejected": 2, "freshness": "pass", "loaded_at": started}
            self.add("gold.table_state", run | moments | {"seconds": 1.5} | layers)

    def add_operations(self) -> None:
        """Adds eleven runs: table half has half its usual rows in the last one, table broken has failed."""
        for day in range(11):
            self.add_run("half", day, rows_source=51 if day == 0 else 100)
            self.add_run("broken", day, **({"status": "failed", "error": "no answer"} if day == 0 else {}))
            at = (NOW - timedelta(days=day)).replace(tzinfo=UTC)
            for number, status in enumerate(("pass", "pass", "warn" if day < 2 else "pass")):
                self.add(
                    "ops.dbt_results",
                    {
                        "run_id": f"run-{day}", "invocation_id": f"build-{day}", "node": f"test.{number}",
                        "kind": "test", "name": f"rule_{number}", "status": status, "started_at": at,
                        "seconds": number,
                    },
                )  # fmt: skip
        for measure, median, value, unusual in (
            ("rows_source", 100, 51, True), ("rows_loaded", 100, 100, False), ("seconds", 1.5, 1.5, False),
        ):  # fmt: skip
            self.add(
                "gold.run_baseline",
                {
                    "source": "s", "table_name": "half", "measure": measure, "runs": 10, "median": median,
                    "spread": 0, "value": value, "is_unusual": unusual,
                },
            )  # fmt: skip
        self.add(
            "gold.failing_tests",
            {
                "node": "test.2", "name": "rule_2", "status": "warn", "failures": 7, "message": "Got 7 results",
                "since": NOW - timedelta(days=1),
            },
        )  # fmt: skip
        for day, letters in ((NOW.date() - timedelta(days=1), 4), (NOW.date(), 1)):
            self.add(
                "gold.rows_left_out",
                {"day": day, "source": "s", "table_name": "half", "dead_letters": letters, "rejected": 2},
            )
        audited = {"run_id": "run-0", "audited_at": NOW.replace(tzinfo=UTC), "table_name": "s.half"}
        self.add(
            "ops.audit_results",
            audited | {"what": "source = raw", "expected": 51, "found": 50, "agrees": False},
            audited | {"what": "raw = bronze", "expected": 50, "found": 50, "agrees": True},
        )

    def page(self) -> Page:
        """Returns the report of the file, to which no row is added any more."""
        self.connection.commit()
        self.connection.close()
        settings = read_settings(
            (), {"WAREHOUSE_PATH": str(self.file), "EXTRACT_WORK": str(self.file.with_suffix(".work"))}
        )
        with open_warehouse(settings, read_only=True) as warehouse:
            layers = find_layers(settings, warehouse)
            sales = read_sales(layers, self.file.parent)
            sections = [write_sales(sales)] if sales else []
            return Page([*sections, write_operations(read_operations(layers), NOW)], str(self.file), NOW)


def cells(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    """Returns the texts of a table's rows."""
    return [[cell if isinstance(cell, str) else cell.text for cell in row] for row in rows]
