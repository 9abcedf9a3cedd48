"""The raw layer in a DuckDB file, with the same tables as the loaders write. The models are tested on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from extract.load import history
from extract.load.records import APPEND_ID, APPEND_ID_TYPE

RAW_TABLES = """
create schema raw_api;
create schema raw_postgres;
create schema raw_parquet;
create schema ops;

create table raw_api.funcionario (id bigint, nome varchar, _dlt_load_id varchar);
create table raw_postgres.venda (
    id_venda integer, id_funcionario integer, id_categoria integer, data_venda date, venda double,
    _deleted boolean, _dlt_load_id varchar
);
create table raw_parquet.categoria (
    id bigint, nome_categoria varchar, _file_path varchar, _file_date date, _dlt_load_id varchar
);

create table raw_api._dlt_loads (
    load_id varchar, schema_name varchar, status bigint, inserted_at timestamptz, schema_version_hash varchar
);
create table raw_postgres._dlt_loads as from raw_api._dlt_loads;
create table raw_parquet._dlt_loads as from raw_api._dlt_loads;

create table ops.extract_runs (
    run_id varchar, source varchar, table_name varchar, mode varchar, status varchar,
    started_at timestamptz, finished_at timestamptz,
    rows_source bigint, rows_landed bigint, rows_loaded bigint,
    rows_deleted bigint, rows_dead_letter bigint, set_aside bigint,
    watermark varchar, load_id varchar, error varchar
);
"""

HISTORY = "".join(
    f"create table ops.{table.name} ({', '.join(f'{name} {kind}' for name, kind in table.columns.items())},"
    f" {APPEND_ID} {APPEND_ID_TYPE});\n"
    for table in history.TABLES
)

MODES = {"api": "snapshot", "postgres": "cursor", "parquet": "files"}
TABLES = {"api": "funcionario", "postgres": "venda", "parquet": "categoria"}


@dataclass(frozen=True)
class Sale:
    """A version of a sale, with the columns of `raw_postgres.venda`. Each may be null."""

    id_venda: int | None
    data_venda: date | None = date(2025, 1, 1)
    venda: float | None = 10.0
    id_funcionario: int | None = 1
    id_categoria: int | None = 1


@dataclass(frozen=True)
class RawLayer:
    """The raw schemas of one DuckDB file. Loads are numbered: load 7 has the id of the seventh second of 2025."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> "RawLayer":
        """Creates the raw tables, empty, and drops everything else in the file.

        The file itself cannot be replaced: dbt keeps a file open that it has used in this process.
        """
        raw = cls(path)
        for (schema,) in raw.query("select schema_name from duckdb_schemas() where not internal"):
            raw.query(f"drop schema {schema} cascade")
        raw.query(RAW_TABLES + HISTORY)
        return raw

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement and returns its rows. Closes the connection, because dbt needs the file unlocked."""
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(sql, list(parameters)).fetchall()

    def employees(self, load: int, names: dict[int, str], *, completed: bool = True) -> None:
        """Adds a load of all employees, which replaces the load before."""
        self.query("delete from raw_api.funcionario")
        self._load("api", load, list(names.items()), completed=completed)

    def categories(self, load: int, day: date, names: dict[int, str], *, completed: bool = True) -> None:
        """Adds a load of the categories file of one day."""
        path = f"raw/{day}/categoria.parquet"
        rows = [(number, name, path, day) for number, name in names.items()]
        self._load("parquet", load, rows, completed=completed)

    def sales(self, load: int, sales: Sequence[Sale], *, deleted: Sequence[int] = (), completed: bool = True) -> None:
        """Adds a load of new and changed sales, and of keys that were deleted at the source."""
        rows: list[tuple[object, ...]] = [
            (s.id_venda, s.id_funcionario, s.id_categoria, s.data_venda, s.venda, None) for s in sales
        ]
        rows += [(key, None, None, None, None, True) for key in deleted]
        self._load("postgres", load, rows, completed=completed)

    def _load(self, source: str, load: int, rows: Sequence[tuple[object, ...]], *, completed: bool) -> None:
        table, load_id = TABLES[source], load_id_of(load)
        with duckdb.connect(str(self.path)) as connection:
            if rows:
                marks = ", ".join("?" * (len(rows[0]) + 1))
                connection.executemany(
                    f"insert into raw_{source}.{table} values ({marks})",
                    [[*row, load_id] for row in rows],
                )
            if completed:
                now = datetime.now(UTC)
                connection.execute(
                    f"insert into raw_{source}._dlt_loads values (?, ?, 0, ?, 'x')",
                    [load_id, table, now],
                )
                connection.execute(
                    "insert into ops.extract_runs values (?, ?, ?, ?, 'ok', ?, ?, ?, ?, ?, 0, 0, 0, null, ?, null)",
                    [f"run {load}", source, table, MODES[source], now, now, *[len(rows)] * 3, load_id],
                )


def load_id_of(load: int) -> str:
    """Returns the id of a numbered load: a unix time as text, as dlt makes it."""
    return f"{1735689600 + load}.000001"
