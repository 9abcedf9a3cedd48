"""Other tools that read the same table, each configured for speed as its own documentation describes.

    python -m bench.peers pyarrow | connectorx     dlt's sql_database with that backend, to DuckDB

ingestr and sling are in an environment of their own, .venv-peers, which `make bench` creates if it can.
https://dlthub.com/docs/dlt-ecosystem/verified-sources/sql_database/configuration
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from bench.measure import Way, python

PROGRAMS = Path(__file__).parents[1] / ".venv-peers" / "bin"
DLT_BACKENDS = ("pyarrow", "connectorx")
SILENT = {
    "INGESTR_DISABLE_TELEMETRY": "true",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "SLING_DISABLE_TELEMETRY": "true",
}


def url(environment: Mapping[str, str]) -> str:
    """Returns the URL of the source database."""
    return (
        "postgresql://{SOURCE_POSTGRES_USER}:{SOURCE_POSTGRES_PASSWORD}@{SOURCE_POSTGRES_HOST}:{SOURCE_POSTGRES_PORT}"
        "/{SOURCE_POSTGRES_DATABASE}?sslmode={SOURCE_POSTGRES_SSLMODE}".format_map(environment)
    )


def peers(folder: Path, environment: Mapping[str, str]) -> Iterator[Way]:
    """Yields a way for each tool; one that is not installed fails when it is measured."""
    warehouse = folder / "peer.duckdb"
    settings = {**environment, **SILENT, "PEER_WAREHOUSE": str(warehouse), "PIPELINES_DIR": str(folder / "peer")}

    def remove() -> None:
        warehouse.unlink(missing_ok=True)

    for backend in DLT_BACKENDS:
        yield Way(f"dlt sql_database, {backend}, to DuckDB", python("bench.peers", backend), settings, remove)
    yield Way(
        "ingestr to DuckDB",
        [
            str(PROGRAMS / "ingestr"), "ingest", "--source-uri", url(environment), "--source-table", "public.venda",
            "--dest-uri", f"duckdb:///{warehouse}", "--dest-table", "raw.venda", "--yes", "--progress", "log",
            "--pipelines-dir", str(folder / "ingestr"),
        ],
        settings,
        remove,
    )  # fmt: skip
    yield Way(
        "sling to CSV",  # for DuckDB it would download a program
        [
            str(PROGRAMS / "sling"), "run", "--src-conn", url(environment), "--src-stream", "public.venda",
            "--tgt-object", f"file://{folder}/peer.csv",
        ],
        {**settings, "SLING_BINARY": str(sling_binary())},
    )  # fmt: skip


def sling_binary() -> Path:
    """Returns the path of sling's program, which its wrapper would download; a missing path without sling."""
    found = PROGRAMS.parent.glob("lib/python3*/site-packages/sling_*/bin/sling-*")
    return next(found, PROGRAMS / "no-sling")


def load(backend: str) -> None:
    """Loads the table with dlt's sql_database source."""
    import dlt
    from dlt.destinations import duckdb
    from dlt.sources.sql_database import TableBackend, sql_table

    address = url(os.environ).replace("postgresql://", "postgresql+psycopg2://")
    table = sql_table(address, table="venda", schema="public", backend=cast("TableBackend", backend))
    pipeline = dlt.pipeline(
        f"peer_{backend}", pipelines_dir=os.environ["PIPELINES_DIR"],
        destination=duckdb(os.environ["PEER_WAREHOUSE"]), dataset_name="raw", dev_mode=False,
    )  # fmt: skip
    pipeline.drop()
    pipeline.run(table, write_disposition="replace")


if __name__ == "__main__":
    load(sys.argv[1])
