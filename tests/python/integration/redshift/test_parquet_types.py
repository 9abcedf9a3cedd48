"""Parquet files on the stand-in for Redshift: every type is loaded as on DuckDB."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from extract import report
from extract.declarations import Column, ParquetTable
from extract.load.runner import extract
from extract.settings import read_settings
from extract.sources.parquet.read import ParquetRead
from extract.warehouse.targets import aws_environment, open_warehouse
from tests.python.helpers.declared import PARQUET
from tests.python.helpers.parquet_types import COLUMNS, comparable, every_type, expected_rows, with_bytes
from tests.python.helpers.redshift_target import RedshiftTarget


def test_every_type_is_the_same_on_redshift(
    redshift: RedshiftTarget, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "drop/2024-01-01/tipos/part-0.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(every_type(), file)
    columns = [Column("id", "bigint"), *(Column(name, data_type) for name, _, data_type, *_ in COLUMNS)]
    table = ParquetTable("tipos", "files", PARQUET, ("id",), tuple(columns))
    redshift.set(monkeypatch, PARQUET_DROP=str(tmp_path / "drop"), EXTRACT_WORK=str(tmp_path / "work"))
    settings = read_settings([PARQUET])
    with aws_environment(settings), open_warehouse(settings) as warehouse, report.show_progress() as progress:
        (run,) = extract([ParquetRead(table, ("tipos",))], settings, warehouse, progress)
    assert (run.status, run.error, run.rows_loaded) == ("ok", None, 3)

    names = ", ".join(f'"{column.name}"' for column in columns)
    rows = redshift.execute(f"select {names} from raw_parquet.tipos order by id")
    assert comparable(with_bytes(rows)) == comparable(expected_rows())
