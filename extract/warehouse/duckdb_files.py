"""dlt's client of DuckDB for files in a folder of any name: dlt 1.31 writes a file's path into SQL as it is."""

from typing import Any

from dlt.destinations.impl.duckdb.duck import DuckDbClient, DuckDbCopyJob


class _CopyJob(DuckDbCopyJob):
    def run(self) -> None:
        path = self._file_path
        self._file_path = path.replace("'", "''")  # DuckDB takes other signs literally if there is such a file
        try:
            super().run()
        finally:
            self._file_path = path


class FilesClient(DuckDbClient):
    """Loads the files of a folder of any name."""

    def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Returns the job that copies a file."""
        job = super().create_load_job(table, file_path, load_id, restore)
        return _CopyJob(file_path) if isinstance(job, DuckDbCopyJob) else job
