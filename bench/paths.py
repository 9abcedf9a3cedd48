"""Parts of the path from PostgreSQL, with which the whole is compared; each runs as a process of its own.

python -m bench.paths floor      COPY … (FORMAT binary), discarded: no reader of the table is faster
python -m bench.paths parquet    the project's own reading of `venda`, written to one Parquet file
python -m bench.paths csv        the usual way by hand: COPY to a CSV file, read by DuckDB into a table
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from extract.declarations import PostgresTable, read_declarations
from extract.settings import PostgresSettings, read_settings

TABLES = Path(__file__).parent / "tables"  # for DBT_PROJECT_DIR
(VENDA,) = (table for table in read_declarations(TABLES).tables if isinstance(table, PostgresTable))


def floor(postgres: PostgresSettings) -> None:
    """Reads the table as fast as the server sends it, and discards it."""

    class Discard:
        def write(self, data: bytes) -> int:
            return len(data)

    copy_venda(postgres, "binary", Discard())


def csv(postgres: PostgresSettings) -> None:
    """Writes the table to a CSV file and loads that into a DuckDB table."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "venda.csv")
        with file.open("wb") as out:
            copy_venda(postgres, "csv, header", out)
        with duckdb.connect(str(Path(folder, "venda.duckdb"))) as connection:
            connection.execute(f"create table venda as from read_csv('{file}')")


def copy_venda(postgres: PostgresSettings, form: str, out: Any) -> None:
    """Writes the output of COPY in the given format to `out`."""
    import psycopg2

    connection = psycopg2.connect(
        host=postgres.host, port=postgres.port, dbname=postgres.database, user=postgres.user,
        password=postgres.password, sslmode=postgres.sslmode,
    )  # fmt: skip
    with connection, connection.cursor() as cursor:
        cursor.copy_expert(f"copy public.venda to stdout (format {form})", out, size=1 << 16)
    connection.close()


def parquet(_: PostgresSettings) -> None:
    """Reads the table as the loader does, with dead letters and counts, into a temporary file."""
    import pyarrow.parquet as pq

    from extract.reading import Limits
    from extract.sources.postgres.read import PostgresRead

    with (
        tempfile.TemporaryDirectory() as folder,
        PostgresRead(VENDA).open(read_settings([VENDA.source]), {}, Limits()) as reading,
        pq.ParquetWriter(Path(folder, "venda.parquet"), reading.schema) as writer,
    ):
        for batch in reading.batches:
            writer.write_batch(batch)


PATHS: dict[str, Callable[[PostgresSettings], None]] = {"floor": floor, "parquet": parquet, "csv": csv}

if __name__ == "__main__":
    settings = read_settings([VENDA.source]).of(VENDA.source, PostgresSettings)
    PATHS[sys.argv[1]](settings)
