"""Declarations are read and checked as a whole: every problem is named, with its file and entry."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from extract.declarations import Column, DeclarationError, ParquetTable, PostgresTable, Source, read_declarations


def write(folder: Path, text: str, name: str = "models/bronze/fontes.yml") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return folder


def problems(folder: Path) -> list[str]:
    with pytest.raises(DeclarationError) as error:
        read_declarations(folder)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def source(tables: str, extract: str = "{kind: postgres, settings: CRM}", name: str = "raw_crm") -> str:
    return f"sources:\n  - name: {name}\n    config: {{meta: {{extract: {extract}}}}}\n    tables:\n{tables}"


def table(extract: str, name: str = "conta") -> str:
    return f"      - name: {name}\n        config: {{meta: {{extract: {extract}}}}}\n"


def test_every_word_is_read(tmp_path: Path) -> None:
    words = (
        "{relation: 'vendas.\"Cliente Novo\"', mode: cursor, key: [empresa, codigo], cursor: mudou_em, lag: 12 hours,"
        " date: dia, new_columns: refuse, dist: codigo, sort: dia, filter: 'pais = ''BR''',"
        " columns: {exclude: [cpf], rename: {'Preço (R$)': preco}}}"
    )
    (found,) = read_declarations(write(tmp_path, source(table(words, "cliente")))).tables
    assert found == PostgresTable(
        "cliente",
        "cursor",
        Source("crm", "postgres", "CRM"),
        ("empresa", "codigo"),
        dist="codigo",
        sort="dia",
        schema="vendas",
        relation_name="Cliente Novo",
        cursor="mudou_em",
        lag=timedelta(hours=12),
        date="dia",
        new_columns="refuse",
        exclude=("cpf",),
        rename={"Preço (R$)": "preco"},
        filter="pais = 'BR'",
    )
    assert found.source_relation == '"vendas"."Cliente Novo"'
    assert (found.dataset, found.full_name) == ("raw_crm", "crm.cliente")


def parquet(words: str, columns: str = "", name: str = "nota") -> str:
    tables = f"{table(words, name)}        columns: [{columns}]\n"
    return source(tables, "{kind: parquet, settings: CRM}")


def test_a_column_of_a_file_is_nullable_unless_a_constraint_says_not(tmp_path: Path) -> None:
    columns = (
        "{name: a, data_type: text, constraints: [{type: not_null, name: sempre}]},"
        " {name: b, data_type: date, constraints: [{type: unique}], data_tests: [not_null]}, {name: c}"
    )
    words = "{mode: files, columns: {exclude: [CPF], rename: {Á: a}}}"
    (found,) = read_declarations(write(tmp_path, parquet(words, columns))).tables
    assert found == ParquetTable(
        "nota",
        "files",
        Source("crm", "parquet", "CRM"),
        columns=(Column("a", "text", nullable=False), Column("b", "date")),
        exclude=("CPF",),
        rename={"Á": "a"},
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            parquet("{mode: files, key: [b]}", "{name: a, data_type: date}"),
            "key: expected one of the columns a, got b",
        ),
        (
            parquet("{mode: files, columns: {rename: {B: b}}}", "{name: a, data_type: date}"),
            "columns, rename: expected one of the columns a, got b",
        ),
        (
            parquet("{mode: files}", "{name: a, data_type: time}"),
            "column a: data_type: Redshift loads no time from a file; expected varchar(65535)",
        ),
        (
            parquet("{mode: files}", "{name: a, data_type: date}", "_nota"),
            "files and folders whose name starts with _",
        ),
    ],
)
def test_a_table_of_files_that_cannot_work_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems(write(tmp_path, text))
    assert problem in found


def test_what_is_not_for_the_loaders_is_not_read(tmp_path: Path) -> None:
    text = source(
        "      - name: _dlt_loads\n"
        + "      - name: velha\n        config: {enabled: false, meta: {extract: {mode: full}}}\n"
        + table("{mode: full}")
    )
    write(tmp_path, "models: [{name: bronze_conta, config: {meta: {extract: no}}}]", "models/outro.yml")
    assert [one.name for one in read_declarations(write(tmp_path, text)).tables] == ["conta"]


def test_a_project_without_declarations_has_no_tables(tmp_path: Path) -> None:
    assert read_declarations(tmp_path).tables == ()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("{mode: incremental, key: [id]}", "mode: expected one of full, cursor, xmin, got 'incremental'"),
        ("{mode: xmin}", "key: mode xmin needs one"),
        ("{key: [id]}", "mode: expected one of full, cursor, xmin, got none"),
        ("{mode: xmin, key: id}", "key: expected a list of columns, such as [id] or [empresa, codigo], got 'id'"),
        ("{mode: xmin, key: [Código]}", "key: expected the name in raw, codigo, got Código"),
        ("{mode: xmin, key: [id, id]}", "key: expected each column once, got id, id"),
        ("{mode: cursor, key: [id], cursor: x}", "cursor, lag: mode cursor needs both"),
        ("{mode: full, cursor: x, lag: 1}", "cursor, lag: mode cursor needs both, and no other mode takes them"),
        ("{mode: cursor, key: [id], cursor: x, lag: soon}", "lag: expected a whole number, or a time such as 1 day"),
        ("{mode: full, relation: a.b.c}", "relation: expected a table as SQL writes it"),
        ("{mode: full, chave: [id]}", "extract: unknown word 'chave'; expected mode, key, dist, sort, relation"),
        ("{mode: full, filter: \"{{ var('x') }}\"}", "filter: expected a plain value, got Jinja"),
        (
            "{mode: full, filter: 'password = ''x'''}",
            "filter: found a secret, which dbt would publish; use a setting",
        ),
        ("{mode: full, columns: {drop: [a]}}", "columns: expected {exclude: [cpf], rename: {Preço: preco}}"),
        ("{mode: full, new_columns: maybe}", "new_columns: expected take or refuse, got 'maybe'"),
        ("full", "extract: expected {mode, key, dist, sort, relation"),
    ],
)
def test_a_table_that_cannot_work_is_refused(tmp_path: Path, words: str, problem: str) -> None:
    (found,) = problems(write(tmp_path, source(table(words))))
    assert found.startswith("models/bronze/fontes.yml: source raw_crm, table conta: "), found
    assert problem in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (source(table("{mode: full}"), "{kind: mysql, settings: X}"), "kind: expected one of postgres, parquet, api"),
        (
            source(table("{mode: full}"), "{kind: postgres, settings: crm}"),
            "settings: expected a prefix of variables",
        ),
        (source(table("{mode: full}"), name="crm"), "expected a name such as raw_crm"),
        (source(table("{mode: full}", "Conta")), "expected the name in raw, conta, got Conta"),
        (source(table("{mode: full}") * 2), "crm.conta is declared twice"),
        (
            source(table("{mode: full}") + table("{mode: full}", "conta_dead_letter")),
            "the loaders need this name for crm.conta; choose another",
        ),
        (
            source(table("{mode: files}"), "{kind: parquet, settings: X}"),
            "columns: expected each column of the files",
        ),
        ("sources: [", "expected YAML, got: "),
    ],
)
def test_a_source_that_cannot_work_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    found = problems(write(tmp_path, text + "\n# extract"))
    assert any(problem in line for line in found), found


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    write(tmp_path, source(table("{mode: x, key: [id]}") + table("{mode: xmin}", "outra")), "models/um.yml")
    write(tmp_path, source(table("{mode: y}", "terceira")), "models/dois.yml")
    assert [line.split(": ")[0] for line in problems(tmp_path)] == [
        "models/dois.yml",
        "models/um.yml",
        "models/um.yml",
    ]


def test_two_files_may_declare_tables_of_one_source_in_one_way(tmp_path: Path) -> None:
    write(tmp_path, source(table("{mode: full}")), "models/um.yml")
    write(tmp_path, source(table("{mode: full}", "outra")), "models/dois.yml")
    assert [one.full_name for one in read_declarations(tmp_path).tables] == ["crm.outra", "crm.conta"]
    write(tmp_path, source(table("{mode: full}", "mais"), "{kind: postgres, settings: OUTRO}"), "models/tres.yml")
    assert problems(tmp_path)[0].startswith(
        "models/tres.yml: source raw_crm: expected the same kind and settings as in"
    )


def test_the_text_of_a_problem_is_yaml_that_works(tmp_path: Path) -> None:
    assert yaml.safe_load("{exclude: [cpf], rename: {Preço: preco}}") == {
        "exclude": ["cpf"],
        "rename": {"Preço": "preco"},
    }
    words = "{mode: full, columns: {exclude: [cpf], rename: {Preço: preco}}}"
    assert read_declarations(write(tmp_path, source(table(words)))).tables
