"""Loads put into their raw table once more from the landing, without touching the source: `python -m extract replay`.

    <landing>/<raw schema>/<table>/<load id>.*.parquet → DELETE of that load's rows and COPY, in one transaction

A load keeps its id, so nothing downstream sees a difference but the rows that were lost. Files older than a column
that was added later have fewer columns than the table, so each COPY names those of its load.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import fsspec
import pyarrow.parquet as pq

from extract.errors import ExtractError
from extract.raw import RawTable
from extract.settings import RedshiftSettings
from extract.targets import Warehouse


@dataclass(frozen=True)
class Replayed:
    """A load that was put into its table again, and its rows."""

    load_id: str
    rows: int


def replay(raw: RawTable, loads: Sequence[str], redshift: RedshiftSettings, warehouse: Warehouse) -> list[Replayed]:
    """Puts loads into the table again, all completed ones if none is named; returns them.

    Raises:
        ExtractError: if the landing has no file of a load that had rows.
    """
    done = []
    for (load_id,) in warehouse.query(f"{raw.completed_loads} order by load_id"):
        if loads and load_id not in loads:
            continue
        prefix = f"{redshift.landing}/{raw.dataset}/{raw.table.name}/{load_id}."
        fs, path = fsspec.core.url_to_fs(prefix)
        files = sorted(fs.glob(f"{path}*.parquet"))
        rows = 0
        columns: list[str] = []
        for file in files:
            with fs.open(file) as opened:
                parquet = pq.ParquetFile(opened)
                rows += parquet.metadata.num_rows
                columns = parquet.schema_arrow.names
        if not files:
            raise ExtractError(
                f"{raw.relation}: load {load_id}: expected files in the landing as {prefix}*.parquet, found none. "
                "Nothing of it was replaced"
            )
        warehouse.execute(
            f"delete from {raw.relation} where _dlt_load_id = '{load_id}'",
            f"copy {raw.relation} ({', '.join(columns)}) from '{prefix}' iam_role '{redshift.copy_role}'"
            " format as parquet",
        )
        done.append(Replayed(load_id, rows))
    if missing := sorted(set(loads) - {one.load_id for one in done}):
        raise ExtractError(f"{raw.relation}: no completed load is called {missing[0]}; ops.extract_runs lists them")
    return done
