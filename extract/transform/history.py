"""The record of a build: what became of each node of dbt's project, and how many rows each layer has."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from extract.declarations import Table
from extract.load.history import DBT_RESULTS, TABLE_BUILDS, append_history
from extract.settings import Settings
from extract.transform.build import BuildResult
from extract.warehouse.targets import Warehouse


def record_build(built: BuildResult, tables: Sequence[Table], settings: Settings, warehouse: Warehouse) -> None:
    """Appends a build to `ops.dbt_results` and `ops.table_builds`; of one that broke nothing is known.

    Raises:
        NotRecordedError: if it could not be appended.
    """
    built_at = datetime.now(UTC)
    append_history(warehouse, DBT_RESULTS, settings, [asdict(node) for node in built.nodes])
    layers = [
        {"source": table.source.name, "table_name": table.name, "built_at": built_at} | asdict(layer)
        for table in tables
        if (layer := built.layers.get(table.full_name)) and layer.bronze is not None
    ]
    append_history(warehouse, TABLE_BUILDS, settings, layers)
