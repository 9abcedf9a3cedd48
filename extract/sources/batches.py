"""Small Arrow batches in larger ones: Parquet's row groups are made of them."""

from collections.abc import Iterator

import pyarrow as pa

BATCH_BYTES = 8 << 20  # of a batch as it is passed on


def combined(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Gives the rows of small batches in larger ones."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.nbytes for one in waiting) >= BATCH_BYTES:
            yield pa.concat_batches(waiting)
            waiting = []
    if waiting:
        yield pa.concat_batches(waiting)
