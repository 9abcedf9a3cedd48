"""Every statement that dbt renders for Redshift is valid there, as far as its text shows."""

from functools import cache

import pytest
from sqlfluff.core import FluffConfig, Linter

from tests.python.helpers import ROOT
from tests.python.helpers.redshift_sql import FORMS, FUNCTIONS, TYPES, WITHOUT_LENGTH, find_faults
from tests.python.helpers.redshift_target import RedshiftTarget

pytestmark = pytest.mark.slow

# The rules of .sqlfluff that find mistakes. Its layout rules apply to the text before Jinja.
MISTAKES = ("RF01", "RF02", "ST03", "AL05", "CV05", "AM02", "AM05", "AM08")
# The incremental models, with the column that says what they have: their first build does not read it.
INCREMENTAL = {
    "bronze_venda": "_dlt_load_id",
    "silver_venda_avaliada": "_dlt_load_id",
    "gold_vendas_diarias": "alteracao",
    "gold_rejeicoes": "alteracao",
}


@pytest.fixture(scope="module")
def rendered(redshift: RedshiftTarget) -> dict[str, str]:
    """Returns the statement of each model and test by name, for a later and for a first build."""
    statements: dict[str, str] = {}
    for model in INCREMENTAL:
        schema, table = model.split("_", 1)
        redshift.execute(f"create schema if not exists {schema}; create table {schema}.{table} (id_venda int)")
    for command, suffix in ((["compile"], ""), (["compile", "--full-refresh"], " (full refresh)")):
        done = redshift.dbt(*command)
        assert done.success, done.exception
        for result in done.result:
            if result.node.resource_type != "seed":
                statements[result.node.name + suffix] = result.node.compiled_code
    return statements


def test_every_model_and_test_is_rendered(rendered: dict[str, str]) -> None:
    models = {path.stem: path.read_text() for path in (ROOT / "models").rglob("*.sql")}
    tests = {path.stem for path in (ROOT / "tests" / "data").glob("*.sql")}
    assert models.keys() | tests <= rendered.keys()
    reading = {
        model: sql for model, sql in models.items() if "ref(" in sql or "source(" in sql or "latest_rows" in sql
    }
    assert all('"dev"."' in rendered[model] for model in reading)
    assert {model for model, sql in models.items() if "incremental" in sql and model in reading} == INCREMENTAL.keys()
    for model, column in INCREMENTAL.items():
        assert f"present.{column}" in rendered[model]
        assert f"present.{column}" not in rendered[f"{model} (full refresh)"]


def test_statements_use_only_what_redshift_has(rendered: dict[str, str]) -> None:
    assert {name: found for name, sql in rendered.items() if (found := find_faults(sql))} == {}


def test_rendered_models_pass_sqlfluff(rendered: dict[str, str]) -> None:
    models = {path.stem for path in (ROOT / "models").rglob("*.sql")}
    found = {name: violations(sql) for name, sql in rendered.items() if name.split(" ")[0] in models}
    assert {name: broken for name, broken in found.items() if broken} == {}
    assert len(found) >= 2 * len(models)


def violations(sql: str) -> list[str]:
    linted = linter().lint_string(sql, fname="rendered.sql")
    return [f"line {v.line_no}: {v.rule_code()} {v.desc()}" for v in linted.get_violations()]


@cache
def linter() -> Linter:
    return Linter(config=FluffConfig(overrides={"dialect": "redshift", "rules": ",".join(MISTAKES)}))


SEEDED = {
    "select sum(a) filter (where b > 0) as total from t": "FILTER is not supported",
    "select distinct on (a) a, b from t": "DISTINCT ON is not supported",
    "select a from t where a is distinct from 1": "IS DISTINCT FROM is not supported",
    "select array[1, 2] as a": "no arrays",
    "select sum(a) over w as s from t window w as (order by a)": "WINDOW clause is not supported",
    "select x from (values (1)) as v (x)": "VALUES is supported in INSERT",
    "select string_agg(a, ', ') as a from t": "use dbt.listagg",
    "select a, current_timestamp as agora from t": "leader node only",
    "select strftime(a, '%Y') as ano from t": "to_char",
    "select generate_series(1, 3) as n": "leader node only",
    "select * from a asof join b on a.x >= b.x": "DuckDB's alone",
    "select cast(a as varchar) as a from t": "varchar(256)",
    "select cast(f(g(h(a))) as numeric) as a from t": "numeric(18, 0)",
    "select cast(a as text) as a from t": "give a length",
    "select a::uuid as a from t": "varchar(36)",
    "select a from t where nome = 'Ana '": "trailing blanks",
    "select a from t where nome in ('Ana', '')": "trailing blanks",
    "select case nome when 'Ana ' then 1 end as a from t": "trailing blanks",
    "select a from t where": "sqlglot cannot parse it",
}


@pytest.mark.parametrize(("sql", "said"), SEEDED.items())
def test_mistake_is_found(sql: str, said: str) -> None:
    assert any(said in fault for fault in find_faults(sql)), find_faults(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select cast(a as varchar(10)) as a, cast(b as numeric(18, 2)) as b, cast(c as double precision) as c from t",
        "select listagg(a, ', ') within group (order by a) as a, coalesce(nome, '') as nome from t",
        "select a as text from t where nome <> 'Ana' -- now() in a comment, 'unnest(x)' in a text",
        "select a from t as t qualify row_number() over (order by b rows between 1 preceding and current row) = 1",
        "select case nome when 'Ana' then 'x ' else '' end as a from t",
    ],
)
def test_valid_statement_passes(sql: str) -> None:
    assert find_faults(sql) == []


def test_every_entry_of_the_lists_has_a_reason() -> None:
    for entries in (FUNCTIONS, FORMS, TYPES, WITHOUT_LENGTH):
        assert all(reason for reason in entries.values())


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("select t.a from t join u on t.b = u.b", "AM05"),
        ("select a from t where b = null", "CV05"),
        ("select from where", "PRS"),
    ],
)
def test_sqlfluff_finds_mistake(sql: str, rule: str) -> None:
    assert any(rule in violation for violation in violations(sql)), violations(sql)
