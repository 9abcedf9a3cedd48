"""A project of a test's own: declarations alone, which is all that the loaders read of a project."""

from pathlib import Path
from typing import Any

import yaml

from extract.declarations import Source


def declare_in(project: Path, source: Source, tables: dict[str, dict[str, Any]], **columns: dict[str, str]) -> None:
    """Declares tables of a source by name with their words; `columns` are the types of a table's columns by name."""
    entry = {
        "name": source.dataset,
        "config": {"meta": {"extract": {"kind": source.kind, "settings": source.settings}}},
        "tables": [
            {
                "name": name,
                "config": {"meta": {"extract": words}},
                "columns": [{"name": column, "data_type": kind} for column, kind in columns.get(name, {}).items()],
            }
            for name, words in tables.items()
        ],
    }
    file = project / "models" / f"_{source.dataset}__sources.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"sources": [entry]}))
