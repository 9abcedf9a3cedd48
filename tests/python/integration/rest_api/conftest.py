"""A team with a JSON API of orders, and a DuckDB warehouse."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from extract.__main__ import main
from extract.declarations import RestTable, read_declarations
from extract.settings import RestSettings, read_settings
from extract.sources.rest_api.pages import read_pages
from tests.python.helpers.orders_api import OrdersAPI, serve_orders
from tests.python.helpers.world import Outcome

OFFSET = {
    "path": "pedidos",
    "data_selector": "dados",
    "paginator": {"type": "offset", "limit": 2, "total_path": "total"},
}
TYPES = {"id": "integer", "valor": "numeric(18,2)", "cliente": "varchar(400)", "atualizado_em": "timestamptz"}


@dataclass(frozen=True)
class Team:
    """A project with a table of orders, and the warehouse that it is loaded into."""

    folder: Path
    api: OrdersAPI
    main: Callable[[list[str]], Outcome]

    def declare(
        self,
        endpoint: dict[str, Any] | None = None,
        client: dict[str, Any] | None = None,
        types: dict[str, str] | None = None,
        **words: Any,
    ) -> None:
        """Declares the table `pedidos.pedido`."""
        extract = {"mode": "snapshot", "key": ["id"], "endpoint": OFFSET | (endpoint or {})} | words
        source = {"kind": "rest_api", "settings": "PEDIDOS_API"} | ({"client": client} if client else {})
        columns = [{"name": name, "data_type": kind} for name, kind in (types or TYPES).items()]
        table = {"name": "pedido", "config": {"meta": {"extract": extract}}, "columns": columns}
        sources = [{"name": "raw_pedidos", "config": {"meta": {"extract": source}}, "tables": [table]}]
        file = self.folder / "models" / "fontes.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump({"sources": sources}))

    def declare_cursor(self, **words: Any) -> None:
        """Declares the table in mode cursor."""
        incremental = words.pop("incremental", {"start_param": "desde"})
        endpoint = {"incremental": incremental} | words.pop("endpoint", {})
        self.declare(endpoint, **{"mode": "cursor", "cursor": "atualizado_em", "lag": "1 hour"} | words)

    def run(self, *arguments: str) -> Outcome:
        """Runs `python -m extract run`."""
        return self.main(["run", *arguments])

    def read(self) -> list[dict[str, Any]]:
        """Returns the rows of all pages, which are not loaded."""
        (table,) = read_declarations(self.folder).tables
        assert isinstance(table, RestTable)
        settings = read_settings([table.source]).of(table.source, RestSettings)
        return [row for page in read_pages(table, settings) for row in page.rows]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query in the warehouse."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    def loaded(self, columns: str = "id, valor, cliente") -> list[tuple[Any, ...]]:
        """Returns columns of the raw table in the order of the key."""
        return self.query(f"select {columns} from raw_pedidos.pedido order by id, _dlt_load_id")

    def letters(self) -> list[tuple[str | None, dict[str, Any], str]]:
        """Returns key, row and reason of each dead letter."""
        rows = self.query("select key, row, reason from raw_pedidos.pedido_dead_letter order by _dlt_load_id, key")
        return [(key, json.loads(row), why) for key, row, why in rows]

    def runs(self, columns: str) -> list[tuple[Any, ...]]:
        """Returns columns of the record of runs, the first run first."""
        return self.query(f"select {columns} from ops.extract_runs order by started_at")


def order(number: int, **fields: Any) -> dict[str, Any]:
    """Returns an order as the API has it."""
    at = f"2026-01-{number:02}T12:00:00Z"
    return {"id": number, "valor": number + 0.5, "cliente": f"Cliente {number}", "atualizado_em": at} | fields


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Team]:
    """A team whose API has five orders on three pages."""

    def run_main(arguments: list[str]) -> Outcome:
        capfd.readouterr()
        code = main(arguments)
        out, err = capfd.readouterr()
        return Outcome(code, out + err)

    with serve_orders() as api:
        api.rows = [order(number) for number in range(1, 6)]
        environment = {
            "PEDIDOS_API_URL": api.url,
            "PEDIDOS_API_ATTEMPTS": "2",
            "DBT_PROJECT_DIR": str(tmp_path),
            "WAREHOUSE_PATH": str(tmp_path / "warehouse.duckdb"),
            "EXTRACT_WORK": str(tmp_path / "work"),
            "DBT_TARGET": "local",
            "TODAY": "",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        team = Team(tmp_path, api, run_main)
        team.declare()
        yield team
