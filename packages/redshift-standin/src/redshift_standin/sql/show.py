"""SHOW of parameters, schemas, tables, columns and grants as queries.

https://docs.aws.amazon.com/redshift/latest/dg/r_SHOW_TABLES.html and its neighbours give the columns.
"""

import re

from redshift_standin.errors import not_implemented
from redshift_standin.sql.parameters import OURS
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import MARK, NAME, RELATION, quote, unquote_name

_PARAMETER = re.compile(rf"show (?:{OURS}|(?P<other>search_path|server_version|all))$")
_NOT_SHOWN = re.compile(
    r"show (?P<what>table|view|external table|databases|datashares|model|procedures?|functions|constraints|parameters"
    r"|policies|column grants)\b"
)
_SHOW = re.compile(
    rf"""show\s+(?P<kind>schemas|tables|columns|grants)\b
    (?:\s+(?:from|on)\s+(?:(?:database|schema|table)\s+)?(?P<place>{RELATION}))?
    (?:\s+like\s+(?P<like>{MARK}))?\s*(?:limit\s+(?P<limit>\d+))?\s*""",
    re.IGNORECASE | re.VERBOSE,
)


def show(statement: Statement) -> Statement | None:
    """Returns SHOW as a query, or unchanged for what PostgreSQL shows; None for other statements.

    Raises:
        RedshiftError: `stand-in: …` for SHOW of a definition, or without the names that the stand-in needs.
    """
    text = statement.text
    if not text.startswith("show "):
        return None
    if refused := _NOT_SHOWN.match(text):
        raise not_implemented(f"SHOW {refused['what'].upper()}")
    if found := _PARAMETER.match(text):
        name = found["name"] or found["other"]
        if name == "all":
            return statement.with_code("select name, setting from rs.parameters_shown")
        return statement.with_code(f"select rs.current_setting('{name}') as \"{name}\"")
    found = _SHOW.fullmatch(statement.code)
    return statement.with_code(_query(statement, found)) if found else statement


def _query(statement: Statement, found: re.Match[str]) -> str:
    names = [quote(unquote_name(statement.show(name))) for name in re.findall(NAME, found["place"] or "")]
    kind = found["kind"].lower()
    matching = f"like {found['like']}" if found["like"] else "is not null"
    limit = f" limit {found['limit']}" if found["limit"] else ""
    if kind == "schemas":
        return f"select * from rs.show_schemas where schema_name {matching}{limit}"
    if len(names) < (1 if kind == "tables" else 2):
        raise not_implemented(f"SHOW {kind.upper()} without a schema")
    if kind == "grants":
        return f"select * from rs.show_grants where schema_name = {names[-2]} and object_name = {names[-1]}{limit}"
    if kind == "tables":
        return f"select * from rs.show_tables where schema_name = {names[-1]} and table_name {matching}{limit}"
    return (
        f"select * from rs.show_columns where schema_name = {names[-2]} and table_name = {names[-1]} "
        f"and column_name {matching} order by ordinal_position{limit}"
    )
