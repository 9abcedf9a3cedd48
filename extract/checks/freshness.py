"""How long ago the sources were loaded, as `ops.extract_runs` says."""

from collections.abc import Iterable
from datetime import UTC, datetime

from extract.declarations import Table
from extract.warehouse.targets import Warehouse

SQL = """
    select source, table_name, max(extract(epoch from finished_at))
    from ops.extract_runs where status <> 'failed' group by source, table_name
"""


def hours_since_load(tables: Iterable[Table], warehouse: Warehouse) -> dict[str, float]:
    """Returns for each source the hours since its least recently loaded table was loaded.

    A source of which a table was never loaded is not in it.
    """
    if ("ops", "extract_runs") not in warehouse.tables():
        return {}
    loaded = {(source, table): float(at) for source, table, at in warehouse.query(SQL)}
    now = datetime.now(UTC).timestamp()
    oldest: dict[str, list[float | None]] = {}
    for table in tables:
        oldest.setdefault(table.source.name, []).append(loaded.get((table.source.name, table.name)))
    return {
        source: round(max(0.0, now - min(times)) / 3600, 3)
        for source, found in oldest.items()
        if len(times := [time for time in found if time is not None]) == len(found)
    }
