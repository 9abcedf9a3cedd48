"""dlt's DuckDB destination with a work folder of any name: dlt 1.31 writes a file's path into SQL as it is."""

from typing import Any

import dlt
from dlt.destinations.impl.duckdb.duck import DuckDbClient, DuckDbCopyJob


class _CopyJob(DuckDbCopyJob):
    def run(self) -> None:
        path = self._file_path
        self._file_path = path.replace("'", "''")  # DuckDB takes other signs literally if there is such a file
        try:
            super().run()
        finally:
            self._file_path = path


class _Client(DuckDbClient):
    def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> Any:  # noqa: FBT001, FBT002
        job = super().create_load_job(table, file_path, load_id, restore)
        return _CopyJob(file_path) if isinstance(job, DuckDbCopyJob) else job


class DuckDb(dlt.destinations.duckdb):
    """dlt's DuckDB destination, for files in a folder of any name."""

    @property
    def destination_type(self) -> str:
        """The one of dlt itself."""
        return "dlt.destinations.duckdb"

    @property
    def client_class(self) -> Any:
        """The client whose files may be in any folder."""
        return _Client
