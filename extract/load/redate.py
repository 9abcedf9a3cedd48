"""Loads from the future, which a run with a wrong clock has left: `python -m extract redate`.

Each gets an id of this moment, and so do its rows wherever they are: in the raw table, in the landing, in
`ops.extract_runs`. All times of a raw schema that are in the future move to the moment before now and keep their
order, which is all that the loaders and models need. Nothing is read from the source, and no row is lost.

Models that were built from these loads have their old ids, so they have to be rebuilt. Until then the audit reports
them.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from extract.declarations import Source
from extract.load.records import OPS
from extract.load.runner import RUNS
from extract.settings import Settings
from extract.sql import literal, quote
from extract.warehouse.targets import Warehouse

LOAD_ID = "_dlt_load_id"
# Times that dlt reads in their order.
TIMES = (("_dlt_loads", "inserted_at"), ("_dlt_version", "inserted_at"), ("_dlt_pipeline_state", "created_at"))
ROWS_AT_ONCE = 65_536  # of a file of the landing


@dataclass(frozen=True)
class Redated:
    """A load that has another id now."""

    table: str  # with its raw schema
    before: str
    after: str


def redate(sources: Iterable[Source], settings: Settings, warehouse: Warehouse) -> list[Redated]:
    """Gives all loads of these sources that are in the future a time of now; returns them."""
    found: list[Redated] = []
    for source in sources:
        found += redate_source(source, settings, warehouse)
    redate_records(warehouse)
    if not settings.redshift:
        os.utime(settings.warehouse)  # its time is what the next run compares the clock with
    return found


def redate_source(source: Source, settings: Settings, warehouse: Warehouse) -> list[Redated]:
    """Gives the loads of one source that are in the future a time of now, in one transaction; returns them.

    The landing is written first: files under an id that no load has are never read.
    """
    schema = source.dataset
    existing = warehouse.tables()
    if (schema, "_dlt_loads") not in existing:
        return []
    now = datetime.now(UTC)
    loads = warehouse.query(
        f"select load_id, schema_name from {schema}._dlt_loads where load_id > {literal(str(now.timestamp()))}"
        " order by load_id"
    )
    times = {
        (table, column): [
            time
            for (time,) in warehouse.query(
                f"select distinct {column} from {schema}.{table} where {column} > {timestamp(now)}"
            )
        ]
        for table, column in TIMES
        if (schema, table) in existing
    }
    after = settle([*(load_id for load_id, _ in loads), *(time for found in times.values() for time in found)], now)
    ids = {load_id: f"{after[load_id].timestamp():.6f}" for load_id, _ in loads}
    statements = [update(relation, column, ids) for relation, column in columns_of_ids(schema, warehouse) if ids]
    if ids and (OPS, RUNS) in existing:
        statements.append(f"{update(f'{OPS}.{RUNS}', 'load_id', ids)} and source = {literal(source.name)}")
    statements += [
        f"update {schema}.{table} set {column} = {timestamp(after[time])} where {column} = {timestamp(time)}"
        for (table, column), found in times.items()
        for time in found
    ]
    if settings.redshift:
        for before, new in ids.items():
            copy_files(f"{settings.redshift.landing}/{schema}", before, new)
    if statements:
        warehouse.execute(*statements)
    return [Redated(f"{schema}.{table}", load_id, ids[load_id]) for load_id, table in loads]


def redate_records(warehouse: Warehouse) -> None:
    """Gives what is recorded in the future a time of now."""
    now = timestamp(datetime.now(UTC))
    columns = warehouse.query(
        "select table_name, column_name from information_schema.columns"
        f" where table_schema = {literal(OPS)} and lower(data_type) = 'timestamp with time zone'"
    )
    updates = [
        f"update {OPS}.{quote(table)} set {quote(column)} = {now} where {quote(column)} > {now}"
        for table, column in columns
    ]
    if updates:
        warehouse.execute(*updates)


def settle(times: Iterable[Any], now: datetime) -> dict[Any, datetime]:
    """Returns for each load id or time one of the moment before now, in the same order and each another one."""
    ordered = sorted(set(times), key=lambda time: float(time) if isinstance(time, str) else time.timestamp())
    end = int(now.timestamp() * 1_000_000)  # whole microseconds, which every engine keeps
    return {
        time: datetime.fromtimestamp((end - len(ordered) + place) / 1_000_000, UTC)
        for place, time in enumerate(ordered)
    }


def columns_of_ids(schema: str, warehouse: Warehouse) -> Iterator[tuple[str, str]]:
    """Yields each table of a schema that has ids of loads, with the column."""
    yield f"{schema}._dlt_loads", "load_id"
    for (name,) in warehouse.query(
        "select columns.table_name from information_schema.columns as columns"
        " join information_schema.tables as tables"
        " on tables.table_schema = columns.table_schema and tables.table_name = columns.table_name"
        f" where columns.table_schema = {literal(schema)} and columns.column_name = {literal(LOAD_ID)}"
        " and tables.table_type = 'BASE TABLE'"
    ):
        yield f"{schema}.{quote(name)}", LOAD_ID


def update(relation: str, column: str, ids: Mapping[str, str]) -> str:
    """Returns the statement that replaces ids in a column."""
    cases = " ".join(f"when {literal(before)} then {literal(after)}" for before, after in ids.items())
    return (
        f"update {relation} set {column} = case {column} {cases} end"
        f" where {column} in ({', '.join(map(literal, ids))})"
    )


def timestamp(time: datetime) -> str:
    """Returns a time in SQL."""
    return f"cast({literal(time.isoformat())} as timestamp with time zone)"


def copy_files(folder: str, before: str, after: str) -> None:
    """Writes the files of a load in the landing under its new id, which their rows have too; the old ones stay."""
    fs, path = fsspec.core.url_to_fs(folder)
    for file in fs.glob(f"{path}/*/{before}.*.parquet"):
        table, _, name = file.rpartition("/")
        with fs.open(file) as opened, fs.open(f"{table}/{after}{name.removeprefix(before)}", "wb") as written:
            parquet = pq.ParquetFile(opened)
            place = parquet.schema_arrow.get_field_index(LOAD_ID)
            schema = parquet.schema_arrow.set(place, pa.field(LOAD_ID, pa.string()))
            with pq.ParquetWriter(written, schema) as writer:
                for batch in parquet.iter_batches(ROWS_AT_ONCE):
                    columns = batch.columns
                    columns[place] = pa.repeat(after, batch.num_rows)
                    writer.write_batch(pa.record_batch(columns, schema=schema))
