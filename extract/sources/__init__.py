"""One module per kind of source, and the read that every run makes of a table."""

from extract.declarations import ApiTable, Declarations, ParquetTable, PostgresTable, RestTable, Table
from extract.reading import Read
from extract.sources.api import ApiRead
from extract.sources.parquet.read import ParquetRead
from extract.sources.postgres.read import PostgresRead
from extract.sources.rest_api.read import RestRead


def own_read(table: Table, declarations: Declarations) -> Read:
    """Returns the read that every run makes of a table."""
    match table:
        case PostgresTable():
            return PostgresRead(table)
        case ApiTable():
            return ApiRead(table)
        case RestTable():
            return RestRead(table)
        case ParquetTable():
            siblings = [other.name for other in declarations.tables if other.source == table.source]
            return ParquetRead(table, tuple(siblings))
        case _:
            raise AssertionError(table)
