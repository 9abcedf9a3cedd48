"""The three sources, which a test can change, and a DuckDB warehouse."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg2 import extensions

from redshift_standin.postgres import PostgresServer
from sandbox.sources.api import NOT_CORRECT, Answer

CATEGORIES = {1: "Bebidas", 2: "Padaria"}
VENDA = """
create table public.venda (
  id_venda integer, id_funcionario integer, id_categoria integer, data_venda date, venda double precision
);
insert into public.venda values (1, 1, 1, '2024-01-01', 10.5), (2, 2, 2, '2024-01-02', 20);
"""


@dataclass(frozen=True)
class Outcome:
    """The exit code and output of one run."""

    code: int
    output: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON log lines of the output."""
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    @property
    def words(self) -> str:
        """The texts of the JSON log lines, a line each, without JSON's escapes."""
        return "\n".join(str(value) for line in self.lines for value in line.values())

    def status(self, table: str) -> str:
        """Returns the status of a table in the log."""
        return next(line["status"] for line in self.lines if line.get("table") == table and "status" in line)


@dataclass
class World:
    """Three sources and a warehouse; `main` runs a command of the program."""

    environment: dict[str, str]
    drop: Path
    warehouse: Path
    sales: extensions.connection
    server: PostgresServer
    main: Callable[[list[str]], Outcome]
    names: dict[int, str] = field(default_factory=lambda: {1: "Ana", 2: "José D'Ávila"})
    answers: dict[int, Answer] = field(default_factory=dict)  # of the API instead of the name, by id

    def answer(self, employee: int) -> Answer:
        """Returns the answer of the employees API."""
        name = self.names.get(employee, NOT_CORRECT)
        return self.answers.get(employee) or Answer(name.encode())

    def put(self, path: str, table: pa.Table | bytes | None = None) -> Path:
        """Writes bytes or a table, by default the categories, to a file in the drop; returns its path."""
        file = self.drop / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(table, bytes):
            file.write_bytes(table)
        else:
            rows = {"id": list(CATEGORIES), "nome_categoria": list(CATEGORIES.values())}
            pq.write_table(table if table is not None else pa.table(rows), file)
        return file

    def execute(self, sql: str) -> None:
        """Runs statements in the sales database."""
        with self.sales, self.sales.cursor() as cursor:
            cursor.execute(sql)

    @contextmanager
    def ends_sessions(self, row: int, queries: str) -> Iterator[dict[str, str]]:
        """Ends a reader's session at a row, in queries like a pattern, while entered; yields the reader's settings.

        The policy `p` does it.
        """
        self.execute(
            f"""
            create function public.morre(n integer) returns boolean language plpgsql as $$ begin
              if n = {row} and current_query() ilike '{queries}' then
                perform pg_terminate_backend(pg_backend_pid());
              end if;
              return true;
            end $$;
            create role mortal login password 'pw';
            alter table public.venda enable row level security;
            create policy p on public.venda using (public.morre(id_venda));
            grant select on public.venda to mortal;
            """
        )
        try:
            yield {"SOURCE_POSTGRES_USER": "mortal", "SOURCE_POSTGRES_PASSWORD": "pw"}
        finally:
            self.execute("drop policy p on public.venda; drop owned by mortal; drop role mortal")

    def run(self, *sources: str) -> Outcome:
        """Runs `python -m extract run`, for these sources or for all."""
        return self.main(["run", *(word for source in sources for word in ("--source", source))])

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Queries the warehouse in a connection of its own; returns the rows."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()
