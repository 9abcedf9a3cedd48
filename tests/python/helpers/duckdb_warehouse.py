"""A DuckDB connection with the methods of a warehouse that the audit uses."""

from dataclasses import dataclass
from typing import Any

import duckdb


@dataclass(frozen=True)
class DuckDBWarehouse:
    """Answers queries over an open connection."""

    connection: duckdb.DuckDBPyConnection

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query."""
        return self.connection.execute(sql).fetchall()

    def tables(self) -> set[tuple[str, str]]:
        """Returns schema and name of every table and view."""
        return set(self.query("select table_schema, table_name from information_schema.tables"))
