"""YAML edited as text: what a person wrote stays."""

import duckdb
import pytest
import yaml

from extract.errors import ExtractError
from extract.scaffold.templates import RESERVED_WORDS
from extract.scaffold.yaml_text import add_items, described, remove_item, scalar

TEXT = """\
# ours
sources:
  - name: raw_crm  # the CRM
    tables:
      # large
      - name: conta
        columns: [ {name: id} ]

      # small, and odd
      - name: pedido
        description: >
          Two
          lines.
      - name: _dlt_loads
# the end
"""
TABLES = ("sources", ("name", "raw_crm"), "tables")


def test_an_item_is_added_where_it_belongs_and_all_else_stays() -> None:
    text = add_items(TEXT, TABLES, ["- name: novo\n  columns:\n    - name: id\n"], before=("_dlt_loads",))

    added = "      - name: novo\n        columns:\n          - name: id\n\n"
    assert text == TEXT.replace("      - name: _dlt_loads\n", f"{added}      - name: _dlt_loads\n")
    assert add_items(TEXT, TABLES, ["- name: novo\n"]) == TEXT.replace("# the end", "\n      - name: novo\n# the end")


def test_an_item_goes_with_its_comment() -> None:
    text = remove_item(TEXT, (*TABLES, ("name", "pedido")))

    gone = TEXT[TEXT.index("      # small") : TEXT.index("      - name: _dlt_loads")]
    assert text == TEXT.replace(gone, "")
    assert [table["name"] for table in yaml.safe_load(text)["sources"][0]["tables"]] == ["conta", "_dlt_loads"]


def test_the_last_item_takes_its_list_with_it() -> None:
    assert yaml.safe_load(remove_item("version: 2\nmodels:\n  - name: a\n", ("models", ("name", "a")))) == {
        "version": 2
    }


def test_a_list_in_brackets_is_left_to_a_person() -> None:
    with pytest.raises(ExtractError, match=r"sources, raw_crm, tables, conta, columns; edit the file by hand"):
        add_items(TEXT, (*TABLES, ("name", "conta"), "columns"), ["- name: x\n"])


@pytest.mark.parametrize(
    "text",
    [
        "Conta",
        "no",
        "a: b",
        "a #b",
        '"x"',
        "it's",
        "é `code` (x)",
        "- x",
        "",
        "a:",
        "null?",
        "1",
        "\\",
        "{x",
        "tab\tx",
        "'\"\\",
    ],
)
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    assert yaml.safe_load(f"x: {scalar(text)}") == {"x": text}
    quoted = scalar(text, flow=True)
    assert yaml.safe_load(f"x: {{a: {quoted}, b: 1}}") == {"x": {"a": text, "b": 1}}
    assert yaml.safe_load(f"x: {{a: {{{quoted}: 1}}}}") == {"x": {"a": {text: 1}}}


def test_a_long_description_is_folded() -> None:
    text = "word: # " * 40
    written = described(text, 2).replace("\n", "\n  ")

    assert yaml.safe_load(f"  {written}\n")["description"].strip() == text.strip()
    assert max(map(len, written.splitlines())) <= 118


def test_words_that_duckdb_reserves_are_quoted() -> None:
    query = "select keyword_name from duckdb_keywords() where keyword_category = 'reserved'"
    assert {word for (word,) in duckdb.sql(query).fetchall()} <= RESERVED_WORDS
