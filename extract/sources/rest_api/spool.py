"""Batches that wait in a file until all pages are read, so that memory is that of a page, whatever the list.

A batch may have columns that earlier ones do not have; all get the same when they are read.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import pyarrow as pa

from extract.sources.batches import combined


class Spool:
    """Batches in a temporary file without a name, which goes with the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115  closed by `close`
        self.rows = 0
        self._batches = 0

    def close(self) -> None:
        """Deletes the file."""
        self._file.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends a batch; one without rows is left out."""
        if batch.num_rows:
            with pa.ipc.new_stream(self._file, batch.schema) as stream:
                stream.write_batch(batch)
            self.rows += batch.num_rows
            self._batches += 1

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Returns the batches with the columns of a schema; a column that a batch does not have is null."""
        return combined(self._read(schema))

    def _read(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        self._file.seek(0)
        for _ in range(self._batches):
            with pa.ipc.open_stream(self._file) as stream:
                (batch,) = stream
            columns = [
                batch[field.name] if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
                for field in schema
            ]
            yield pa.record_batch(columns, schema=schema)
