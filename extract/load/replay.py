"""Loads that are put into their raw table again from the landing, without the source: `python -m extract replay`.

    <landing>/<raw schema>/<table>/<load id>.*.parquet → DELETE of that load's rows and COPY, in one transaction

A load keeps its id, and its dead letters come with it. Of a table that each load replaces, only the last load can be
replayed. A load that is older than the table, which is re-created when a change is accepted, cannot. Files from
before a column was added have fewer columns than the table, so each COPY names the columns of its load.

Incremental models read loads that are newer than what they have, so they do not see a replay: rebuild them after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import fsspec
import pyarrow.parquet as pq

from extract.errors import ExtractError
from extract.settings import RedshiftSettings
from extract.sql import literal
from extract.warehouse.raw_tables import RawTable
from extract.warehouse.targets import Warehouse

NEXT_STEP = "incremental models do not see it; rebuild them: python -m extract build --full-refresh"


@dataclass(frozen=True)
class Replayed:
    """A load that was replayed, with the number of its rows and of its dead letters."""

    load_id: str
    rows: int
    dead_letters: int


@dataclass(frozen=True)
class Files:
    """What the landing has of one load of one table."""

    prefix: str
    rows: int = 0
    columns: tuple[str, ...] = ()


def replay(raw: RawTable, loads: Sequence[str], redshift: RedshiftSettings, warehouse: Warehouse) -> list[Replayed]:
    """Replays loads, all that belong to the table if none is named; returns them.

    Raises:
        ExtractError: if a load does not belong to the table, or the landing has no file of one.
    """
    belonging = [load_id for (load_id,) in warehouse.query(loads_of(raw)) if load_id]
    if missing := sorted(set(loads) - set(belonging)):
        raise ExtractError(
            f"{raw.name}: no completed load of the table as it is now is called {missing[0]}; "
            "ops.extract_runs lists all"
        )
    return [replay_one(raw, load_id, redshift, warehouse) for load_id in belonging if not loads or load_id in loads]


def loads_of(raw: RawTable) -> str:
    """Returns a query of the completed loads whose rows belong to the table as it is, in order.

    dlt records a first version when a table is re-created; what was loaded before is kept under another name.
    """
    if raw.table.replaces:
        return raw.last_load
    return (
        f"{raw.completed_loads} and inserted_at >= (select min(inserted_at) from {raw.table.dataset}._dlt_version"
        f" where schema_name = {literal(raw.table.name)}) order by load_id"
    )


def replay_one(raw: RawTable, load_id: str, redshift: RedshiftSettings, warehouse: Warehouse) -> Replayed:
    """Replays one load, with its dead letters.

    Raises:
        ExtractError: if the landing has no file of it.
    """
    landing = f"{redshift.landing}/{raw.table.dataset}"
    rows = files(f"{landing}/{raw.table.name}/{load_id}.")
    if not rows.columns:
        raise ExtractError(
            f"{raw.name}: load {load_id}: expected files in the landing as {rows.prefix}*.parquet, found none. "
            "Nothing of it was replaced"
        )
    letters = files(f"{landing}/{raw.table.dead_letters}/{load_id}.")
    if raw.table.replaces:  # also the rows of a load that was never completed
        statements = [f"delete from {raw.relation}"]
    else:
        statements = [f"delete from {raw.relation} where _dlt_load_id = '{load_id}'"]
    statements.append(copy(raw.relation, rows, redshift.copy_role))
    if letters.columns:
        statements += [
            f"delete from {raw.dead_letters} where _dlt_load_id = '{load_id}'",
            copy(raw.dead_letters, letters, redshift.copy_role),
        ]
    warehouse.execute(*statements)
    return Replayed(load_id, rows.rows, letters.rows)


def files(prefix: str) -> Files:
    """Returns what the files with this prefix contain: they are of one load, so they have the same columns."""
    fs, path = fsspec.core.url_to_fs(prefix)
    found = Files(prefix)
    for file in fs.glob(f"{path}*.parquet"):
        with fs.open(file) as opened:
            parquet = pq.ParquetFile(opened)
            names = tuple(parquet.schema_arrow.names)
            found = replace(found, rows=found.rows + parquet.metadata.num_rows, columns=names)
    return found


def copy(relation: str, load: Files, role: str) -> str:
    """Returns the COPY of a load's files; a column may have any name, such as `order`."""
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in load.columns)
    return f"copy {relation} ({columns}) from '{load.prefix}' iam_role '{role}' format as parquet"
