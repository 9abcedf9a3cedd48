"""The tables of `ops` that record what the pipeline did besides loading: builds of dbt, rows per layer, audits.

They are created empty by the first run that loads, so that the models that read them can be built before the first
build is recorded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from extract import interrupt
from extract.errors import NotRecordedError, reason
from extract.load.records import OPS, add_columns, append_records
from extract.settings import Settings
from extract.types import LONGEST_TEXT
from extract.warehouse.targets import Warehouse


@dataclass(frozen=True)
class HistoryTable:
    """A table of `ops`: its name, and the type of each column in SQL that DuckDB and Redshift share."""

    name: str
    columns: Mapping[str, str]


# One row per node of dbt's project and build; a source's freshness is a node too.
DBT_RESULTS = HistoryTable(
    "dbt_results",
    {
        "run_id": "varchar(80)",
        "invocation_id": "varchar(64)",
        "node": "varchar(1024)",
        "kind": "varchar(40)",
        "name": "varchar(1024)",
        "status": "varchar(40)",
        "started_at": "timestamp with time zone",
        "seconds": "double precision",
        "rows_affected": "bigint",
        "failures": "bigint",
        "message": f"varchar({LONGEST_TEXT})",
    },
)

# One row per table and build: how many rows of it each layer has.
TABLE_BUILDS = HistoryTable(
    "table_builds",
    {
        "run_id": "varchar(80)",
        "source": "varchar(40)",
        "table_name": "varchar(127)",
        "built_at": "timestamp with time zone",
        "bronze": "bigint",
        "silver": "bigint",
        "rejected": "bigint",
    },
)

# One row per comparison of an audit at the end of a run or build.
AUDIT_RESULTS = HistoryTable(
    "audit_results",
    {
        "run_id": "varchar(80)",
        "audited_at": "timestamp with time zone",
        "table_name": "varchar(255)",
        "what": "varchar(255)",
        "expected": "bigint",
        "found": "bigint",
        "agrees": "boolean",
    },
)

TABLES = (DBT_RESULTS, TABLE_BUILDS, AUDIT_RESULTS)


def create_tables(warehouse: Warehouse) -> None:
    """Creates the tables that do not exist."""
    existing = warehouse.tables()
    for table in TABLES:
        if (OPS, table.name) not in existing:
            add_columns(warehouse, table.name, table.columns)


def append_history(
    warehouse: Warehouse, table: HistoryTable, settings: Settings, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Appends rows of this run to a table of the history: all of them or, if it fails, none.

    Raises:
        NotRecordedError: if they could not be appended.
    """
    try:
        append_records(warehouse, table.name, table.columns, [{**row, "run_id": settings.run_id} for row in rows])
    except Exception as error:
        interrupt.check(error)
        what = f"{OPS}.{table.name}"
        raise NotRecordedError(
            f"{reason(what, error, settings.secrets)}; the models are built, but this build is not in the history"
        ) from error
