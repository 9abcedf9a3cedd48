"""`extract list`: the declared tables and their models."""

import argparse

from rich.table import Table as RichTable

from extract import logs
from extract.declarations import PostgresTable, Table, read_declarations
from extract.scaffold.project import Project
from extract.visible import visible

HEADINGS = ("source", "table", "mode", "key", "relation", "bronze", "silver")


def list_tables(options: argparse.Namespace) -> int:  # noqa: ARG001  as every command
    """Prints a line for each declared table."""
    project = Project()
    rows = [row(table, project) for table in read_declarations().tables]
    if not logs.console.is_terminal:
        for cells in (HEADINGS, *rows):
            print("\t".join(map(visible, cells)))  # noqa: T201  the console would replace the tabs
        return 0
    shown = RichTable(*HEADINGS, box=None, pad_edge=False, header_style="bold")
    for cells in rows:
        shown.add_row(*cells)
    logs.console.print(shown, markup=False)
    return 0


def row(table: Table, project: Project) -> tuple[str, ...]:
    """Returns what is shown of a table."""
    bronze = project.models_of(table)
    silver = [name for model in bronze for name in project.models_from(model)]
    relation = table.source_relation.replace('"', "") if isinstance(table, PostgresTable) else ""
    return (
        table.source.name, table.name, table.mode, ", ".join(table.key), relation,
        ", ".join(bronze), ", ".join(dict.fromkeys(silver)),
    )  # fmt: skip
