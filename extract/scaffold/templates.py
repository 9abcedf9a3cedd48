"""The text of declarations and models, as a person would write it."""

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence

from extract.declarations import Source
from extract.scaffold.found import FILES, FoundColumn, FoundTable
from extract.scaffold.yaml_text import WIDTH, described, plain_text, scalar

# Words that are no column's name without quotes, on Redshift or on DuckDB.
# https://docs.aws.amazon.com/redshift/latest/dg/r_pg_keywords.html
_WORDS = """
    aes128 aes256 all allowoverwrite analyse analyze and any array as asc asymmetric authorization az64 backup
    between binary blanksasnull both bytedict bzip2 case cast check collate column constraint create
    credentials cross current_date current_time current_timestamp current_user current_user_id default
    deferrable deflate defrag delta delta32k desc describe disable distinct do else emptyasnull enable encode
    encrypt encryption end except explicit false fetch for foreign freeze from full globaldict256 globaldict64k
    grant group gzip having identity ignore ilike in initially inner intersect interval into is isnull join
    lambda language lateral leading left like limit localtime localtimestamp lun luns lzo lzop minus mostly16
    mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer
    overlaps parallel partition percent permissions pivot pivot_longer pivot_wider placing primary qualify raw
    readratio recover references rejectlog resort respect restore returning right select session_user show
    similar snapshot some summarize symmetric sysdate system table tag tdes text255 text32k then timestamp to
    top trailing true truncatecolumns union unique unnest unpivot user using variadic verbose wallet when
    where window with without
"""
RESERVED_WORDS = frozenset(_WORDS.split())

LineOf = Callable[[FoundColumn], str]  # the line of a column in a model

LOAD_COLUMNS = """\
- name: _dlt_load_id
  description: "{{ doc('load_id') }}"
- name: carregado_em
  description: "{{ doc('carregado_em') }}"
"""


def source_file(source: Source, description: str, table: str) -> str:
    """Returns the file that declares a source with its first table."""
    client = f", client: {flow(source.client)}" if source.client else ""
    return f"""\
sources:
  - name: {source.dataset}
    config:
      meta:
        extract: {{kind: {source.kind}, settings: {source.settings}{client}}}
    {described(description, 4)}
    tables:
{textwrap.indent(table, "      ")}\
      - name: _dlt_loads
        description: "{{{{ doc('dlt_loads') }}}}"
        columns:
          - name: load_id
            description: "{{{{ doc('load_id') }}}}"
          - name: schema_name
            description: "{{{{ doc('dlt_loads_schema_name') }}}}"
          - name: status
            description: >
              0 when the load is completed, 1 where it lost rows, 2 while it is a range that waits for the others.
          - name: inserted_at
            description: When the load was completed.
          - name: schema_version_hash
            description: The loader's version of the table's columns.
"""


def declaration(source: Source, table: FoundTable) -> str:
    """Returns the entry of a table in its source."""
    words = [f"mode: {table.mode}"]
    words += [f"key: [{', '.join(map(yaml_name, table.key))}]"] if table.key else []
    words += [f"cursor: {yaml_name(table.cursor)}", f"lag: {table.lag}"] if table.cursor else []
    words += [f"relation: {flow(table.relation)}"] if table.relation else []
    words += [f"columns: {flow({'rename': table.rename})}"] if table.rename else []
    if table.appends:
        words += [f"dist: {table.key[0]}"] if len(table.key) == 1 else []
        words.append("sort: _dlt_load_id")
    words += [f"endpoint: {flow(table.endpoint)}"] if table.endpoint else []
    extract = f"extract: {{{', '.join(words)}}}"
    if len(extract) + 12 > WIDTH:
        lines = [f"\n          {word}: {flow(value)}" for word, value in table.endpoint.items()]
        words = [f"endpoint:{''.join(lines)}" if word.startswith("endpoint:") else word for word in words]
        extract = "\n        ".join(["extract:", *words])
    reason = textwrap.indent(textwrap.fill(plain_text(table.reason), 94), "      # ")
    description = described(plain_text(table.comment) or f"{table.what}.", 8)
    columns = "".join(source_column(column) for column in table.columns)
    if table.appends:
        columns += "- name: _deleted\n  description: \"{{ doc('deleted_key') }}\"\n"
    columns += "- name: _dlt_load_id\n  description: \"{{ doc('load_id') }}\"\n  data_tests: [not_null]\n"
    return f"""\
- name: {table.name}
{textwrap.indent(description, "  ")}
  config:
    meta:
{reason}
      {extract}
    freshness: {{warn_after: {{count: 26, period: hour}}, error_after: {{count: 50, period: hour}}}}
    loaded_at_query: "{{{{ last_extracted_at('{source.name}', '{table.name}') }}}}"
  columns:
{textwrap.indent(columns, "    ")}"""


def source_column(column: FoundColumn) -> str:
    """Returns the entry of a column in its source's table."""
    data_type = "" if column.name in FILES else f"  data_type: {scalar_type(column.raw_type)}\n"
    quoted = "  quote: true\n" if column.name in RESERVED_WORDS else ""
    constraints = "" if column.nullable else "  constraints: [{type: not_null}]\n"
    text = textwrap.indent(description(column, 12), "  ")
    return f"- name: {yaml_name(column.name)}\n{quoted}{data_type}{constraints}{text}\n"


def bronze(source: Source, table: FoundTable) -> str:
    """Returns the bronze model: casts over the latest rows."""
    config = ""
    if table.appends:
        key = table.key[0] if len(table.key) == 1 and table.key[0] not in RESERVED_WORDS else None
        config = f"{{{{ config(materialized='incremental', dist='{key or 'even'}', sort='_dlt_load_id') }}}}\n\n"
    casts = "".join(bronze_line(column) for column in table.columns)
    return f"""\
{config}with latest as (

    {{{{ latest_rows('{source.dataset}', '{table.name}') }}}}

)

select
{casts}{"    excluida_em," + chr(10) if table.appends else ""}\
    _dlt_load_id,
    carregado_em
from latest
"""


def bronze_line(column: FoundColumn) -> str:
    """Returns the line of a column in a bronze model."""
    name = sql_name(column.name)
    return f"    cast({name} as {column.data_type}) as {name},\n"


def silver(table: FoundTable, bronze_name: str) -> str:
    """Returns the silver model: the rows that the source has."""
    columns = "".join(silver_line(column) for column in table.columns)
    where = "where excluida_em is null\n" if table.appends else ""
    return f"""\
{{{{ config(materialized='view', bind=false) }}}}

select
{columns}    _dlt_load_id,
    carregado_em
from {{{{ ref('{bronze_name}') }}}}
{where}"""


def silver_line(column: FoundColumn) -> str:
    """Returns the line of a column in a silver model."""
    return f"    {sql_name(column.name)},\n"


def bronze_entry(table: FoundTable, name: str) -> str:
    """Returns the entry of the bronze model in its YAML."""
    meta = "  config:\n    meta: {deleted_at: excluida_em}\n" if table.appends else ""
    one = f"one row per {', '.join(f'`{key}`' for key in table.key)}" if table.key else "all rows of the last load"
    text = f"{table.what}: the latest version, {one}."
    if table.appends:
        text += " A row that was deleted at the source stays, with the time of its deletion."
    columns = "".join(model_column(column, table.key, ("unique",)) for column in table.columns)
    if table.appends:
        columns += "- name: excluida_em\n  description: \"{{ doc('excluida_em') }}\"\n"
    return entry(name, text, meta, table, columns + LOAD_COLUMNS)


def silver_entry(table: FoundTable, name: str) -> str:
    """Returns the entry of the silver model in its YAML, with the contract."""
    comment = plain_text(table.comment)
    text = comment or f"{table.what}, the rows that the source has."
    columns = "".join(model_column(column, table.key, ("unique", "not_null"), typed=True) for column in table.columns)
    load = LOAD_COLUMNS.replace("load_id') }}\"\n", "load_id') }}\"\n  data_type: varchar(64)\n")
    columns += load + "  data_type: timestamp\n"
    return entry(name, text, "", table, columns)


def entry(name: str, text: str, meta: str, table: FoundTable, columns: str) -> str:
    """Returns the entry of a model in its YAML."""
    key = ", ".join(yaml_name(column) for column in table.key)
    test = (
        f"  data_tests:\n    - unique_combination: {{arguments: {{columns: [{key}]}}}}\n"
        if len(table.key) > 1
        else ""
    )
    described_as = textwrap.indent(described(text, 4), "  ")
    return f"- name: {name}\n{meta}{described_as}\n{test}  columns:\n{textwrap.indent(columns, '    ')}"


def model_column(column: FoundColumn, key: Sequence[str], tests: Sequence[str], *, typed: bool = False) -> str:
    """Returns the entry of a column of a model; the tests are those of a key of one column."""
    if column.name not in key:
        tests = ()
    elif len(key) > 1:
        tests = [test for test in tests if test != "unique"]
    return "".join(
        [
            f"- name: {yaml_name(column.name)}\n",
            "  quote: true\n" if column.name in RESERVED_WORDS else "",
            textwrap.indent(description(column, 8), "  ") + "\n",
            f"  data_type: {scalar_type(column.data_type)}\n" if typed else "",
            f"  data_tests: [{', '.join(tests)}]\n" if tests else "",
        ]
    )


def description(column: FoundColumn, indent: int) -> str:
    """Returns the description of a column: the source's comment, else its name in words."""
    if column.name == "_file_path":
        return "description: The file that contained the row."
    if column.name == "_file_date":
        return "description: The date in the name of the file's folder."
    return described(plain_text(column.comment) or column.origin, indent)


def sql_name(name: str) -> str:
    """Returns a column's name in SQL."""
    return f'"{name}"' if name in RESERVED_WORDS else name


def yaml_name(name: str) -> str:
    """Returns a name in YAML: `no` and `_1` are texts there too."""
    return scalar(name) if name[0].isalpha() else name if name[1:2].isalpha() else json.dumps(name)


def scalar_type(data_type: str) -> str:
    """Returns a type as this project's YAML writes it."""
    return data_type.replace(", ", ",")


def flow(value: object) -> str:
    """Returns a value in YAML's flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if value is None or isinstance(value, int):
        return json.dumps(value)
    return scalar(str(value), flow=True)
