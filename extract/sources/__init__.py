"""One module per source, each with its tables as data."""

from extract.reading import Table
from extract.sources import api, parquet
from extract.sources.postgres import table as postgres

TABLES: tuple[Table, ...] = (*api.TABLES, *parquet.TABLES, *postgres.TABLES)
