"""Statements that Redshift refuses and PostgreSQL would accept, with the messages that its documentation gives."""

import re
from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.absent import FORMS, FUNCTIONS, LEADER_FUNCTIONS, SERVERS_FILES
from redshift_standin.sql.query_rules import refuse_forms
from redshift_standin.sql.settings import check_setting
from redshift_standin.sql.text import words

_NOT_SUPPORTED = "0A000"
_SYNTAX = "42601"

# A pattern in the words of a statement, the SQLSTATE and the message.
_REFUSED = (
    (r"^create (unique )?index\b", _NOT_SUPPORTED, "SQL command \"CREATE INDEX\" not supported on Redshift tables."),
    (r"^create (or replace )?(constraint )?trigger\b", _NOT_SUPPORTED, "CREATE TRIGGER is not supported"),
    (r"\bon conflict\b", _SYNTAX, 'syntax error at or near "ON"'),
    (r"^(?>.*?\b(?:insert|update|delete)\b).*\breturning\b", _SYNTAX, 'syntax error at or near "RETURNING"'),
    (r"^fetch (absolute|backward|first|last|prior|relative|-)", "55000", "cursor can only scan forward"),
    (r"^merge\b.*\bmatched and\b", _SYNTAX, 'syntax error at or near "AND"'),
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
_SOURCE = re.compile(r'\b(?:from|join) (?!\( select|select)([\w"]+(?: \. [\w"]+)*)')
_CTE = re.compile(r'([\w"]+)(?: \([^()]*\))? as \(')

# Functions of Redshift that are not implemented here.
_FUNCTIONS_NOT_HERE = {
    "array_sort", "array_union", "bit_and_agg", "explode_array", "get_number_attributes",
    "has_assumerole_privilege", "hll", "hll_cardinality", "hll_combine", "hll_create_sketch",
    "object_transform", "pg_get_grantee_by_iam_role", "pg_get_iam_role_by_user", "pnpoly", "size", "slice_num",
}  # fmt: skip


def refuse(statement: str) -> bool:
    """Returns whether a statement reads the catalogue alone.

    Raises:
        RedshiftError: for a statement that Redshift refuses, or `stand-in: …` for one that is not implemented here.
    """
    text = words(statement)
    first = text.partition(" ")[0]
    for pattern, sqlstate, message in _REFUSED:
        if re.search(pattern, text):
            raise RedshiftError(sqlstate, message)
    if _NOT_HERE.match(text):
        raise not_implemented(" ".join(text.split()[:2]).upper().removesuffix(" ("))
    kind = _OBJECT.match(text)
    if first not in _COMMANDS or (kind and kind["object"] not in _OBJECTS):
        raise RedshiftError(_SYNTAX, f'syntax error at or near "{(kind["object"] if kind else first).upper()}"')
    if first in {"set", "reset", "alter"}:
        check_setting(text, statement)
    calls = {
        called for before, called in _CALL.findall(text.replace("pg_catalog . ", "")) if before not in _BEFORE_NAMES
    }
    _refuse_calls(calls, SERVERS_FILES)
    if _reads_catalogue_only(text):
        return True
    for form, why in FORMS.items():
        if re.search(form, text):
            raise RedshiftError(_NOT_SUPPORTED, why)
    refuse_forms(text)
    _refuse_calls(calls, FUNCTIONS)
    if re.search(r"(?<!\. )\bcollate \(", text):
        raise not_implemented("COLLATE()")
    if calls & LEADER_FUNCTIONS.keys() and _reads_or_writes_tables(statement):
        raise RedshiftError(
            _NOT_SUPPORTED, "Specified types or functions (one per INFO message) not supported on Redshift tables."
        )
    return False


def _refuse_calls(calls: set[str], refused: Mapping[str, str]) -> None:
    if name := min(calls & refused.keys(), default=None):
        raise RedshiftError(_NOT_SUPPORTED, f"function {name}(): {refused[name]}")


def _reads_catalogue_only(text: str) -> bool:
    """Returns whether a query reads the catalogue alone: the leader node runs it, with PostgreSQL 8's functions."""
    if not text.startswith(("select", "with", "(")):
        return False
    ctes = {found[1] for found in _CTE.finditer(text)}
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
