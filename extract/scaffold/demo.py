"""What the demo is made of: `extract remove --demo` leaves a project without it."""

import re

from extract.declarations import Declarations
from extract.scaffold.project import Project
from extract.scaffold.yaml_text import Step, find, names

TABLES = ("api.funcionario", "parquet.categoria", "postgres.venda")

MODELS = (
    "bronze_categoria", "bronze_funcionario", "bronze_venda", "silver_calendario", "silver_categoria",
    "silver_funcionario", "silver_venda", "silver_venda_avaliada", "silver_venda_dia_alterado",
    "silver_venda_rejeitada", "gold_calendario_efeito", "gold_funcionario_mensal", "gold_rejeicoes",
    "gold_vendas_diarias", "gold_vendas_mensais",
)  # fmt: skip

# Entries of YAML files beside the models: exposures, snapshots, seeds.
ENTRIES = {
    "exposures": ("relatorio", "painel_vendas", "relatorio_comissoes"),
    "snapshots": ("silver_funcionario_historico", "silver_categoria_historico"),
    "seeds": ("feriado",),
}

# Files that are the demo's alone: its rules, their unit tests and docs, and the tests of its models.
FILES = (
    "macros/average_in_cents.sql", "macros/changed_days.sql", "macros/months.sql", "macros/ratio.sql",
    "macros/round_to_cents.sql", "macros/sale_rules.sql", "macros/tests/sums_agree.sql",
    "macros/unit_test_rows.sql", "models/gold/_gold__docs.md", "models/silver/_silver__docs.md",
    "seeds/feriado.csv", "tests/data/calendar_knows_its_days.sql",
    "tests/data/every_sale_is_in_silver_or_rejected.sql", "tests/data/no_sale_is_valid_and_rejected.sql",
    "tests/python/end_to_end/test_source_changes.py",
    "tests/python/end_to_end/test_state_machine_pipeline.py",
    "tests/python/end_to_end/test_whole_pipeline.py", "tests/python/integration/dbt/test_build.py",
    "tests/python/integration/dbt/test_build_command.py", "tests/python/integration/dbt/test_data_tests.py",
    "tests/python/integration/dbt/test_incremental.py", "tests/python/integration/dbt/test_new_loads_only.py",
    "tests/python/integration/dbt/test_project.py", "tests/python/integration/dbt/test_sale_rules.py",
    "tests/python/integration/dbt/test_schema_names.py", "tests/python/integration/infra/test_permissions.py",
    "tests/python/unit/test_feriado.py",
)  # fmt: skip

MACROS = (
    "average_in_cents", "changed_days", "divide_whole", "duckdb__divide_whole", "first_of_month",
    "get_incremental_replace_days_sql", "get_incremental_replace_sales_sql", "growth", "is_changed_day",
    "months_before", "newest_change", "ratio", "redshift__divide_whole", "round_to_cents", "sale_rules",
    "test_sums_agree", "unit_test_rows",
)  # fmt: skip
DOCS = ("id_venda", "id_funcionario_fk", "id_categoria_fk", "data_venda", "venda", "nome_pii", "nome_categoria")
VARIABLES = ("primeiro_dia", "nome_do_funcionario")

OVERVIEW = """\
{% docs __overview__ %}
# Data platform

Sources are loaded as they are into raw schemas, one per source. This project builds layers on them.

| layer | contents |
| --- | --- |
| `bronze` | one table per raw table: typed, one row per key, completed loads only |
| `silver` | tested tables and views with enforced contracts |
| `gold` | views of the history of runs, builds and audits; and what you add |

A model is named after its layer, its relation is not: `silver_cliente` is `silver.cliente`.

[Open the report](report.html): the runs of the pipeline.
{% enddocs %}
"""


def remove(project: Project, declared: Declarations) -> None:
    """Notes that the demo goes: what of it still exists."""
    drop_unit_tests(project)
    for model in MODELS:
        if path := project.path_of(model):
            project.change(path, None)
        project.remove_entry("models", model)
    for kind, entries in ENTRIES.items():
        for name in reversed(entries):  # the first one has the anchors
            project.remove_entry(kind, name)
    for table in declared.tables:
        if table.full_name in TABLES:
            project.undeclare(table)
    for path in FILES:
        if project.read(path) is not None:
            project.change(path, None)
    for macro in MACROS:
        drop_macro(project, macro)
    drop_docs(project)
    drop_variables(project)


def drop_unit_tests(project: Project) -> None:
    """Notes that the unit tests of the demo's models go; the first one of a file has its anchors and goes last."""
    for file in project.files(".yml", ".yaml"):
        for name in reversed(names(project.read(file) or "", ("unit_tests",))):
            path: tuple[Step, ...] = ("unit_tests", ("name", name))
            tested = find(project.read(file) or "", (*path, "model"))
            if tested is not None and tested.value in MODELS:
                project.remove(file, path)


def drop_macro(project: Project, name: str) -> None:
    """Notes that the description of a macro goes."""
    for file in project.files(".yml", ".yaml", under=("macros",)):
        if name in names(project.read(file) or "", ("macros",)):
            project.remove(file, ("macros", ("name", name)))


def drop_docs(project: Project) -> None:
    """Notes that the descriptions that only the demo uses go."""
    shared = "models/_shared__docs.md"
    if text := project.read(shared):
        for name in DOCS:
            text = re.sub(rf"{{% docs {name} %}}.*?{{% enddocs %}}\n*", "", text, flags=re.DOTALL)
        project.change(shared, text.rstrip("\n") + "\n")
    if "silver.venda" in (project.read("models/_overview.md") or ""):
        project.change("models/_overview.md", OVERVIEW)


def drop_variables(project: Project) -> None:
    """Notes that the demo's variables go from dbt_project.yml, with the comments above them."""
    lines = (project.read("dbt_project.yml") or "").splitlines(keepends=True)
    kept: list[str] = []
    inside = dropping = False
    for line in lines:
        if re.match(r"\S", line):
            inside, dropping = line.startswith("vars:"), False
        if inside and line.startswith("  #"):
            dropping = False  # a comment is of the variable below it
        if inside and (found := re.match(r"  (\w+):", line)):
            dropping = found[1] in VARIABLES
            while dropping and kept and kept[-1].lstrip().startswith("#"):
                kept.pop()
        if not dropping or not line.strip():
            kept.append(line)
    text = "".join(kept)
    project.change("dbt_project.yml", re.sub(r"(?m)^vars:\n(?=\s*\n|\S)\n*", "", text))
