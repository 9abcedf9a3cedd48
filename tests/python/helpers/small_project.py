"""The project's profile and its macros for settings, in a project of two models that dbt parses in a second."""

import shutil
from pathlib import Path

from tests.python.helpers import ROOT

MACROS = ("check_settings", "generate_schema_name", "query_comment")
PROJECT = """
name: small
profile: plataforma_vendas
flags: {send_anonymous_usage_stats: false}
query-comment: {comment: "{{ query_comment(node) }}"}
models:
  small:
    bronze: {+schema: bronze}
    silver: {+schema: silver}
"""


def make_small_project(folder: Path) -> Path:
    """Writes the project to a folder; returns the folder."""
    (folder / "macros").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    shutil.copy(ROOT / "profiles.yml", folder)
    for macro in MACROS:
        shutil.copy(ROOT / "macros" / f"{macro}.sql", folder / "macros")
    for layer in ("bronze", "silver"):
        (folder / "models" / layer).mkdir(parents=True)
        (folder / "models" / layer / f"{layer}_venda.sql").write_text("select 1 as id")
    return folder
