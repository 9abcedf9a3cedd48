"""Declarations for tests: the tables of the sandbox, and tables of a test's own."""

from pathlib import Path
from typing import Any

import pytest

from extract import declarations
from extract.declarations import ApiTable, Declarations, ParquetTable, PostgresTable, Source, Table

TABLES = Path(__file__).parent / "tables"  # for DBT_PROJECT_DIR

API = Source("api", "api", "EMPLOYEES_API")
POSTGRES = Source("postgres", "postgres", "SOURCE_POSTGRES")
PARQUET = Source("parquet", "parquet", "PARQUET")

DEMO = declarations.read_declarations(TABLES)
FUNCIONARIO, CATEGORIA, VENDA = DEMO.tables
assert isinstance(FUNCIONARIO, ApiTable)
assert isinstance(CATEGORIA, ParquetTable)
assert isinstance(VENDA, PostgresTable)


def postgres_table(name: str, key: str | tuple[str, ...], mode: str, **words: Any) -> PostgresTable:
    """Returns a Postgres table; one column may be given as its name alone."""
    return PostgresTable(name, mode, POSTGRES, (key,) if isinstance(key, str) else key, **words)


def declare(monkeypatch: pytest.MonkeyPatch, *tables: Table) -> None:
    """Makes these the tables that the project declares."""
    declared = Declarations(tables)
    monkeypatch.setattr("extract.commands.read_declarations", lambda: declared)
