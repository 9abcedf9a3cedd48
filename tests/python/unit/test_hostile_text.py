"""Names and texts from outside are only ever names and texts: in SQL, YAML, Jinja, HTML, and in settings.

The parts of the texts are those with a meaning in one of these languages or in a shell.
"""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
import yaml
from dbt.task.docs import DOCS_INDEX_FILE_PATH
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from extract.declarations import PostgresTable, Source, find_word_problems, parse_relation
from extract.names import normalize
from extract.scaffold import templates
from extract.scaffold.found import FoundColumn, FoundTable, name_columns, renamed
from extract.scaffold.yaml_text import described, scalar
from extract.settings import SettingsError, read_settings
from extract.sql import literal, quote
from extract.transform.docs_page import write_page
from tests.python.helpers import SOAK

pytestmark = pytest.mark.soak

PARTS = (
    "'", '"', "\\", "`id`", "$(id)", "${id}", "$$", ";", "--", "/*", "*/", "\n", "\r\n", "\t", "\x1b[31m", "\x7f",
    "\x85", "\u2028", "\ufeff", "{{ 1 }}", "{% raw %}", "{#", "#}", "}}", "</script>", "<img src=x onerror=y>",
    "<!--", "&lt;", "../", "/", "..", "%s", "%(a)s", ":", ": ", " #", "- ", "[", "]", "{", "}", ",", "&a", "*a",
    "!!x", "|", ">", "?", "null", "yes", "1", "a", "Z", "_", " ", "é", "ç", "😀", "$", "@",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("".join)
NAMES = TEXTS.map(lambda text: text[:63])  # at most as long as PostgreSQL's

CRM = Source("crm", "postgres", "CRM")
OWN_JINJA = re.compile(r"\{\{ (doc\('\w+'\)|last_extracted_at\('\w+', '\w+'\)) \}\}")


@settings(max_examples=50 * SOAK)
@given(TEXTS)
def test_a_name_in_the_warehouse_is_a_plain_word(text: str) -> None:
    try:
        assert re.fullmatch(r"[a-z_][a-z0-9_]*", normalize(text))
    except ValueError:
        assert not re.search("[A-Za-z0-9]", text)


@settings(max_examples=50 * SOAK)
@given(TEXTS, TEXTS)
def test_sql_has_names_and_values_as_they_are(name: str, value: str) -> None:
    found = duckdb.execute(f"select {literal(value)} as {quote(name)}")
    assert found.description
    assert (found.description[0][0], found.fetchall()) == (name, [(value,)])


@settings(max_examples=50 * SOAK)
@given(TEXTS)
def test_yaml_has_texts_as_they_are(text: str) -> None:
    assert yaml.safe_load(f"x: {scalar(text)}\n") == {"x": text}
    assert yaml.safe_load(f"x: {{{scalar('k')}: {scalar(text, flow=True)}, b: 1}}\n") == {"x": {"k": text, "b": 1}}


@settings(max_examples=50 * SOAK)
@given(st.lists(TEXTS, min_size=1, max_size=30).map(" ".join))
def test_a_description_has_no_jinja_no_html_and_one_line(text: str) -> None:
    read = yaml.safe_load(f"{described(text, 0)}\nname: x\n")
    assert list(read) == ["description", "name"]
    words = (read["description"] or "").rstrip("\n")
    assert words.isprintable()
    assert not re.search(r"\{[{%#]|<[A-Za-z/!?]", words)
    assert words.replace(" ", "") == "".join(letter for letter in text if letter.isprintable()).replace(" ", "")


@st.composite
def found_tables(draw: st.DrawFn) -> FoundTable:
    """A table whose every name and comment is hostile, as the introspection of a Postgres database returns it."""
    schema, name = draw(NAMES), draw(NAMES)
    columns = name_columns(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
    comments = TEXTS | st.just("")
    try:
        loaded = f"crm_{normalize(name)}"
    except ValueError:
        loaded = "tabela_7"
    return FoundTable(
        name=loaded,
        what=f"Table {quote(schema)}.{quote(name)}",
        comment=draw(comments),
        columns=[
            FoundColumn(raw, "varchar(40)", "varchar(40)", draw(comments), f"Column `{column}`.", column)
            for column, raw in columns.items()
        ],
        key=(next(iter(columns.values())),),
        mode=draw(st.sampled_from(["full", "xmin"])),
        reason=draw(TEXTS),
        rename=renamed(columns),
        place=(schema, name),
    )


@settings(max_examples=50 * SOAK)
@given(found_tables())
def test_what_add_writes_is_what_it_found(table: FoundTable) -> None:
    entry_text = templates.declaration(CRM, table)
    (entry,) = yaml.safe_load(entry_text)
    words = entry["config"]["meta"]["extract"]
    if find_word_problems(CRM, words, "crm"):  # it is not added
        jinja_or_secret = [*table.rename, *(table.place or ())]
        assert any(re.search(r"\{[{%#]", text) for text in jinja_or_secret)
        return
    file = yaml.safe_load(templates.source_file(CRM, "x", entry_text))
    assert file["sources"][0]["tables"][0] == entry
    place = (
        parse_relation(words["relation"])
        if "relation" in words
        else {"schema": "public", "relation_name": table.name}
    )
    assert (place["schema"], place["relation_name"]) == table.place
    assert words.get("columns", {}).get("rename", {}) == table.rename
    columns = [column.name for column in table.columns]
    for text in (entry_text, templates.bronze_entry(table, "bronze_x"), templates.silver_entry(table, "silver_x")):
        (read,) = yaml.safe_load(text)
        assert [column["name"] for column in read["columns"]][: len(columns)] == columns
        texts = json.dumps({**read, "config": None}, ensure_ascii=False)
        assert not re.search(r"\{[{%#]|<[A-Za-z/!?]", OWN_JINJA.sub("", texts))
    for sql in (templates.bronze(CRM, table), templates.silver(table, "bronze_x")):
        assert re.fullmatch(r"[\w\s{}()=',\"]*", sql, re.ASCII)


@settings(max_examples=50 * SOAK)
@given(TEXTS)
def test_a_table_at_the_source_is_one_name_in_sql(text: str) -> None:
    table = PostgresTable("t", "full", CRM, schema=text, relation_name=text)
    assert table.source_relation == f"{quote(text)}.{quote(text)}"
    with_schema = (
        f"create schema {quote(text)}; create table {table.source_relation} (a int); from {table.source_relation}"
    )
    assert duckdb.connect().execute(with_schema).fetchall() == []


REDSHIFT = {
    "DBT_TARGET": "prod", "REDSHIFT_HOST": "h", "REDSHIFT_DATABASE": "dev", "REDSHIFT_WORKGROUP": "sandbox",
    "REDSHIFT_COPY_ROLE": "arn:aws:iam::000000000000:role/copy", "LANDING_URL": "s3://landing/raw",
    "AWS_REGION": "sa-east-1", "RUN_ID": "x", "TODAY": "2026-01-01",
}  # fmt: skip


@pytest.mark.parametrize(
    "name", sorted({*REDSHIFT, "REDSHIFT_TRANSFORMER_ROLE", "REDSHIFT_READER_ROLE"} - {"DBT_TARGET"})
)
@settings(max_examples=50 * SOAK)
@given(data=st.data())
def test_a_setting_that_is_written_into_sql_or_a_path_is_a_plain_word(name: str, data: st.DataObject) -> None:
    before = REDSHIFT.get(name, "reader")
    at = data.draw(st.integers(0, len(before)))
    value = before[:at] + data.draw(TEXTS) + before[at:]
    assume("\0" not in value)
    try:
        read_settings((), REDSHIFT | {name: value})
    except SettingsError as error:
        assert f"\n  {name}: " in str(error)
    else:
        assert re.fullmatch(r"[\w:/.@+=,!*-]+", value, re.ASCII)
        assert ".." not in value.split("/")


class Scripts(HTMLParser):
    """Collects the scripts of a page and its other tags, as a browser finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  HTMLParser's
        """Notes a tag."""
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        """Notes what is in a script."""
        if self.tags[-1:] == ["script"]:
            self.scripts.append(data)


def test_dbts_page_has_the_places_of_its_data() -> None:
    page = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    assert [page.count(f'"{name}.JSON INLINE DATA"') for name in ("MANIFEST", "CATALOG")] == [1, 1]


@settings(max_examples=50 * SOAK)
@given(st.lists(TEXTS, min_size=1, max_size=10).map("".join))
def test_no_text_of_the_manifest_leaves_the_script_of_the_docs(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = Path(tmp_path_factory.getbasetemp())
    template = '<html><script>n=["MANIFEST.JSON INLINE DATA","CATALOG.JSON INLINE DATA"]</script><p></html>'
    (folder / "index.html").write_text(template)
    for name in ("manifest", "catalog"):
        (folder / f"{name}.json").write_text(json.dumps({"description": text, name: text}), encoding="utf-8")
    page = Scripts()
    page.feed(write_page(folder).read_text(encoding="utf-8"))

    assert page.tags == ["html", "script", "p"]
    (script,) = page.scripts
    manifest, catalog = json.loads(script.removeprefix("n="))
    assert (manifest["manifest"], catalog["catalog"]) == (text, text)
