"""Statements that Redshift refuses and PostgreSQL would accept, with the messages that its documentation gives."""

import re
from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.absent import FUNCTIONS, LEADER_FUNCTIONS, NEEDED_FORMS, SERVERS_FILES
from redshift_standin.sql.query_rules import refuse_forms
from redshift_standin.sql.settings import check_setting
from redshift_standin.sql.statement import Statement

_NOT_SUPPORTED = "0A000"
_SYNTAX = "42601"

# Words of which a statement must have one, a pattern in its words, the SQLSTATE and the message.
_REFUSED: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (("index",), r"^create (unique )?index\b", _NOT_SUPPORTED,
     'SQL command "CREATE INDEX" not supported on Redshift tables.'),
    (("trigger",), r"^create (or replace )?(constraint )?trigger\b", _NOT_SUPPORTED,
     "CREATE TRIGGER is not supported"),
    (("conflict",), r"\bon conflict\b", _SYNTAX, 'syntax error at or near "ON"'),
    (("returning",), r"^(?>.*?\b(?:insert|update|delete)\b).*\breturning\b", _SYNTAX,
     'syntax error at or near "RETURNING"'),
    (("fetch",), r"^fetch (absolute|backward|first|last|prior|relative|-)", "55000",
     "cursor can only scan forward"),
    (("matched",), r"^merge\b.*\bmatched and\b", _SYNTAX, 'syntax error at or near "AND"'),
)  # fmt: skip

# The commands of https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_commands.html.
_COMMANDS = {
    "(", "abort", "alter", "analyze", "begin", "call", "cancel", "close", "comment", "commit", "copy", "create",
    "deallocate", "declare", "delete", "desc", "drop", "end", "execute", "explain", "fetch", "grant", "insert",
    "lock", "merge", "prepare", "refresh", "reset", "revoke", "rollback", "select", "set", "show", "start",
    "truncate", "unload", "update", "use", "vacuum", "with",
}  # fmt: skip
_OBJECTS = {
    "database", "datashare", "default", "external", "function", "group", "identity", "library", "masking",
    "materialized", "model", "procedure", "rls", "role", "schema", "table", "user", "view",
}  # fmt: skip
_NOT_HERE = re.compile(
    r"(create|alter) external\b|drop external (?!table)|create (or replace )?(function|procedure)\b"
    r"|(create|alter|drop) (library|datashare|model|rls|masking|identity)\b|desc\b"
)
_OBJECT = re.compile(r"(create|alter|drop) (?:or replace )?(?:local )?(?:temp(?:orary)? )?(?P<object>\w+)")
_CALL = re.compile(r"(\S+) (\w+)(?= \()")
_BEFORE_NAMES = {".", "as", "exists", "into", "references", "table", "view"}
_CATALOGUE = r"(?:pg_catalog \. |information_schema \. |pg_|svv_|svl_|stl_|stv_|sys_|\( )"
_MAY_READ_CATALOGUE = re.compile("pg_|information_schema|svv_|svl_|stl_|stv_|sys_")
_SOURCE = re.compile(r'\b(?:from|join) (?!\( select|select)([\w"]+(?: \. [\w"]+)*)')
_CTE = re.compile(r'([\w"]+)(?: \([^()]*\))? as \(')

# Functions of Redshift that are not implemented here.
_FUNCTIONS_NOT_HERE = {
    "array_sort", "array_union", "bit_and_agg", "explode_array", "get_number_attributes",
    "has_assumerole_privilege", "hll", "hll_cardinality", "hll_combine", "hll_create_sketch",
    "object_transform", "pg_get_grantee_by_iam_role", "pg_get_iam_role_by_user", "pnpoly", "size", "slice_num",
}  # fmt: skip

_CHECKED = (*FUNCTIONS, *LEADER_FUNCTIONS, *SERVERS_FILES)


def refuse(statement: Statement) -> Statement:
    """Returns the statement.

    Raises:
        RedshiftError: for a statement that Redshift refuses, or `stand-in: …` for one that is not implemented here.
    """
    text = statement.words
    first = text.partition(" ")[0]
    for needed, pattern, sqlstate, message in _REFUSED:
        if statement.has(*needed) and re.search(pattern, text):
            raise RedshiftError(sqlstate, message)
    if _NOT_HERE.match(text):
        raise not_implemented(" ".join(text.split()[:2]).upper().removesuffix(" ("))
    kind = _OBJECT.match(text)
    if first not in _COMMANDS or (kind and kind["object"] not in _OBJECTS):
        raise RedshiftError(_SYNTAX, f'syntax error at or near "{(kind["object"] if kind else first).upper()}"')
    if first in {"set", "reset", "alter"}:
        check_setting(text, statement.sql)
    # Most statements have the name of none of these functions.
    calls = _find_calls(text) if statement.has(*_CHECKED) else set()
    _refuse_calls(calls, SERVERS_FILES)
    if reads_catalogue_only(statement):
        return statement
    for needed, form, why in NEEDED_FORMS:
        if statement.has(*needed) and re.search(form, text):
            raise RedshiftError(_NOT_SUPPORTED, why)
    refuse_forms(text, statement.vocabulary)
    _refuse_calls(calls, FUNCTIONS)
    if statement.has("collate") and re.search(r"(?<!\. )\bcollate \(", text):
        raise not_implemented("COLLATE()")
    if calls & LEADER_FUNCTIONS.keys() and _reads_or_writes_tables(statement.sql):
        raise RedshiftError(
            _NOT_SUPPORTED, "Specified types or functions (one per INFO message) not supported on Redshift tables."
        )
    return statement


def _find_calls(text: str) -> set[str]:
    """Returns the functions that a statement's words call."""
    found = _CALL.findall(text.replace("pg_catalog . ", ""))
    return {called for before, called in found if before not in _BEFORE_NAMES}


def _refuse_calls(calls: set[str], refused: Mapping[str, str]) -> None:
    if name := min(calls & refused.keys(), default=None):
        raise RedshiftError(_NOT_SUPPORTED, f"function {name}(): {refused[name]}")


def reads_catalogue_only(statement: Statement) -> bool:
    """Returns whether a query reads the catalogue alone: the leader node runs it, with PostgreSQL 8's functions."""
    text = statement.words
    if not text.startswith(("select", "with", "(")) or not _MAY_READ_CATALOGUE.search(text):
        return False
    ctes = {found[1] for found in _CTE.finditer(text)} if statement.has("with") else set()
    sources = [found[1] for found in _SOURCE.finditer(text) if found[1] not in ctes]
    return bool(sources) and all(re.match(_CATALOGUE, source + " ") for source in sources)


def _reads_or_writes_tables(statement: str) -> bool:
    try:
        tree = sqlglot.parse_one(statement, read="redshift", error_level=ErrorLevel.RAISE)
    except (SqlglotError, RecursionError) as error:
        raise not_implemented("a function of the leader node in this statement") from error
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    tables = [table for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
    return not isinstance(tree, exp.Query) or any(table.db or table.name.lower() not in ctes for table in tables)


def absent_function(message: str) -> RedshiftError | None:
    """Returns the error that replaces PostgreSQL's for an unknown function, None if Redshift lacks it too."""
    found = re.match(r'function (?:rs\.)?"?(\w+)', message)
    absent = found and (found[1] in _FUNCTIONS_NOT_HERE or found[1].startswith("st_"))
    return not_implemented(f"function {found[1]}") if found and absent else None
