"""The drop folder: `<drop>/<YYYY-MM-DD>/categoria.parquet`, the complete list of categories as of that date."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CATEGORIA = pa.schema([pa.field("id", pa.int64()), pa.field("nome_categoria", pa.string())])


def bring_forward(drop: Path, lists: Mapping[date, Mapping[int, str]]) -> None:
    """Writes each list of categories, a name by id, to the folder of its date, unless it exists already."""
    for day, categories in lists.items():
        file = drop / day.isoformat() / "categoria.parquet"
        if file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        pq.write_table(pa.table([list(categories), list(categories.values())], schema=CATEGORIA), unfinished)
        unfinished.rename(file)
