"""The parts of the way from PostgreSQL that the whole is measured against, each run as a process of its own.

python -m bench.paths floor      COPY … (FORMAT binary) to nowhere: no reader of the table is faster
python -m bench.paths parquet    the project's own reading of `venda`, written to one Parquet file
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from extract.settings import PostgresSettings, read_settings


def floor(postgres: PostgresSettings) -> None:
    """Reads the table as fast as the server gives it, and keeps nothing."""
    import psycopg2

    class Nowhere:
        def write(self, data: bytes) -> int:
            return len(data)

    connection = psycopg2.connect(
        host=postgres.host, port=postgres.port, dbname=postgres.database, user=postgres.user,
        password=postgres.password, sslmode=postgres.sslmode,
    )  # fmt: skip
    with connection, connection.cursor() as cursor:
        cursor.copy_expert("copy public.venda to stdout (format binary)", Nowhere())
    connection.close()


def parquet(_: PostgresSettings) -> None:
    """Reads the table as the loader does, dead letters and counts included, into a file that is then removed."""
    import pyarrow.parquet as pq

    from extract.reading import Limits
    from extract.sources.postgres import TABLES

    (venda,) = TABLES
    with (
        tempfile.TemporaryDirectory() as folder,
        venda.read(read_settings(["postgres"]), {}, Limits()) as reading,
        pq.ParquetWriter(Path(folder, "venda.parquet"), reading.schema) as writer,
    ):
        for batch in reading.batches:
            writer.write_batch(batch)


PATHS: dict[str, Callable[[PostgresSettings], None]] = {"floor": floor, "parquet": parquet}

if __name__ == "__main__":
    settings = read_settings(["postgres"]).postgres
    assert settings  # noqa: S101  asked for
    PATHS[sys.argv[1]](settings)
