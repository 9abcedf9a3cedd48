"""Rewrites Redshift's SQL for PostgreSQL, or raises the error that says why this is not possible.

The text itself is changed where a pattern is enough: function names, types, attributes. Only forms that need a syntax
tree go through sqlglot, with an error for everything that it does not support: by default it drops clauses silently.
"""

import re
from typing import ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.parsers.redshift import RedshiftParser

from redshift_standin.errors import not_implemented
from redshift_standin.sql import ddl
from redshift_standin.sql.functions import REPLACED
from redshift_standin.sql.isolation import rewrite_isolation
from redshift_standin.sql.merge import rewrite_merge
from redshift_standin.sql.qualify import rewrite_qualify
from redshift_standin.sql.refusals import refuse
from redshift_standin.sql.super_paths import has_paths, rewrite_paths
from redshift_standin.sql.text import COMMENTS, change_code, code, statements
from redshift_standin.sql.type_names import check_types
from redshift_standin.sql.utility import rewrite_utility

_FLAGS = re.IGNORECASE

# What system_catalog.sql replaces.
_CATALOGUES = (
    "pg_(?:attrdef|attribute|class(?:_info)?|constraint|database|group|indexes|namespace|proc"
    "|table_def|tables|type|user|views)"
)
_WRAPPED = "current_schema|has_schema_privilege|has_table_privilege|pg_get_constraintdef|pg_get_viewdef|version"

_NEEDS_TREE = re.compile(r"\b(qualify|top \d+|rs_listagg|nvl2 ?\(|decode ?\(|pivot ?\(|unpivot ?\()")

# `user` as an expression. Elsewhere it is a word of a command.
_USER = re.compile(r"((?:\b(?:select|where|and|or|by|then|else)\b|[(,=<>|])\s*)user\b", _FLAGS)

_NAME = r'"(?:[^"]|"")+"|\w+'
_SHOW = re.compile(
    rf"""{COMMENTS}show\s+(?P<kind>schemas|tables|columns|grants)\b
    (?:\s+(?:from|on)\s+(?:(?:database|schema|table)\s+)?(?P<place>(?:{_NAME})(?:\s*\.\s*(?:{_NAME}))*))?
    (?:\s+like\s+(?P<like>'(?:[^']|'')*'))?\s*(?:limit\s+(?P<limit>\d+))?{COMMENTS}\Z""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


def rewrite(sql: str) -> str:
    """Returns a query string, which may contain several statements, as PostgreSQL runs it.

    Raises:
        RedshiftError: Redshift's own error, or `stand-in: …` for what cannot be run as Redshift does.
    """
    return ";\n".join(rewrite_statement(one) for one in statements(sql)) or sql


def rewrite_statement(sql: str) -> str:
    """Returns one statement as PostgreSQL runs it.

    Raises:
        RedshiftError: as for `rewrite`.
    """
    text = code(sql)
    if text.startswith("show "):
        return rewrite_show(sql)
    if (done := rewrite_utility(sql, text)) is not None or (done := rewrite_isolation(sql, text)) is not None:
        return done
    of_the_catalogue = refuse(sql)
    sql = check_types(sql)
    comment = ""
    if re.match(
        r"create ((local )?temp(orary)? )?table\b|create (or replace )?view\b|create materialized view\b", text
    ):
        # Names in the attributes are marks: the comment is appended first, so that its marks are replaced too.
        sql = change_code(sql, lambda masked: "\0;\0".join(take_attributes(masked)))
        sql, _, comment = sql.partition("\0;\0")
    sql = re.sub(r"((?:create|drop)\s+schema\s+(?:if\s+(?:not\s+)?exists\s+)?)\"[^\"]+\"\.", r"\1", sql, flags=_FLAGS)
    if text.startswith("merge "):
        sql = change_code(sql, rewrite_merge)
    elif re.match(r"(grant|revoke|alter default privileges)\b", text):
        # PostgreSQL has one kind of role, without a keyword before its name.
        sql = change_code(sql, lambda masked: re.sub(r"\brole\s+", "", masked, flags=_FLAGS))
    elif text.startswith("create role "):
        sql += " noinherit"  # by which the catalogue distinguishes a role from a group
    elif text.startswith("alter table "):
        sql = change_code(sql, ddl.rewrite_added_column)
    sql = change_code(sql, replace_words)
    text = code(sql)
    if _NEEDS_TREE.search(text) or (has_paths(text) and not of_the_catalogue):
        sql = rewrite_tree(sql)
    return sql + comment


def take_attributes(masked: str) -> tuple[str, str]:
    """Returns a masked CREATE without Redshift's attributes, and the comment that has them."""
    changed, taken = ddl.split_attributes(masked)
    return changed, ddl.attributes_comment(taken)


def replace_words(masked: str) -> str:
    """Returns masked code with the names, types and words replaced whose meaning does not depend on their place."""
    names = "|".join(REPLACED)
    masked = re.sub(rf"(?<![\w.])({names})\s*\(", lambda m: REPLACED[m[1].lower()] + "(", masked, flags=_FLAGS)
    masked = re.sub(r"\b(rs\.date_(?:add|diff|trunc|part))\(\s*(\w+)\s*,", r"\1('\2',", masked, flags=_FLAGS)
    masked = re.sub(r"(?<![\w.])extract\s*\(\s*(\w+)\s+from\b", r"rs.extract('\1',", masked, flags=_FLAGS)
    masked = re.sub(r"(?<![\w.])sysdate\b(?!\s*\()", "rs.sysdate()", masked, flags=_FLAGS)
    if "user" in masked.lower():
        masked = re.sub(r"(?<![\w.])current_user\b(?!\s*\()", 'rs."current_user"()', masked, flags=_FLAGS)
        masked = _USER.sub(r'\1rs."current_user"()', masked)
    masked = re.sub(r"\bvarchar\s*\(\s*max\s*\)", "varchar(65535)", masked, flags=_FLAGS)
    masked = re.sub(r"\bvarby?te?\s*\(\s*max\s*\)|\bvarbinary\b(\s*\(\s*\d+\s*\))?", "varbyte", masked, flags=_FLAGS)
    masked = re.sub(r"\bnvarchar\b", "varchar", masked, flags=_FLAGS)
    masked = re.sub(r"\b(set|reset|set\s+session)\s+query_group\b", r"\1 rs.query_group", masked, flags=_FLAGS)
    masked = re.sub(r"\bdrop\s+materialized\s+view\b", "drop view", masked, flags=_FLAGS)
    masked = re.sub(rf"\bpg_catalog\s*\.\s*({_CATALOGUES})\b", r"rs_catalog.\1", masked, flags=_FLAGS)
    masked = re.sub(rf"(?<![\w.])({_CATALOGUES})\b(?!\s*[.(])", r"rs_catalog.\1", masked, flags=_FLAGS)
    masked = re.sub(r"(?<![\w.])information_schema\s*\.", "rs_information_schema.", masked, flags=_FLAGS)
    masked = re.sub(rf"(?<![\w.])(?:pg_catalog\s*\.\s*)?({_WRAPPED})\s*\(", r"rs.\1(", masked, flags=_FLAGS)
    # PostgreSQL would truncate them to the type `name`.
    masked = re.sub(
        r"\bpg_get_late_binding_view_cols\s*\(\s*\)[\w\s]*\([^)]*\)",
        lambda found: re.sub(r"(\w\s+)name\b", r"\1varchar", found[0], flags=_FLAGS),
        masked,
        flags=_FLAGS,
    )
    masked = re.sub(r"\bcreate\s+table\s+(?=(if\s+not\s+exists\s+)?#)", "create temp table ", masked, flags=_FLAGS)
    masked = re.sub(
        r"((?:\b(?:table|exists|into|from|join|update|using)\s|,)\s*)#(\w+)", r'\1"#\2"', masked, flags=_FLAGS
    )
    masked = re.sub(r"\bwhere\s+1(?=\s+and\b)", "where true", masked, flags=_FLAGS)
    masked = re.sub(r"\bpassword\s+disable\b", "password null", masked, flags=_FLAGS)
    return re.sub(r"\bminus\s+(?=select|\()", "except ", masked, flags=_FLAGS)


class _FunctionsAsTheyAre(Redshift):
    """Redshift's grammar without functions: sqlglot would replace them by others, some with other results."""

    class Parser(RedshiftParser):
        FUNCTIONS: ClassVar = {name: RedshiftParser.FUNCTIONS[name] for name in ("DECODE", "NVL2")}


def rewrite_tree(sql: str) -> str:
    """Returns a statement that is rewritten as sqlglot's syntax tree.

    Raises:
        RedshiftError: sqlglot does not support all of it.
    """
    try:
        tree = sqlglot.parse_one(sql, read=_FunctionsAsTheyAre, error_level=ErrorLevel.RAISE)
        if tree.find(exp.Command):
            raise not_implemented("a statement that sqlglot does not parse")
        return (
            rewrite_qualify(rewrite_paths(tree))
            .transform(_rewrite_listagg)
            .transform(_keep_varbyte)
            .sql("postgres", unsupported_level=ErrorLevel.RAISE)
        )
    except (SqlglotError, RecursionError) as error:
        raise not_implemented(f"this statement ({' '.join(str(error).split())[:200]})") from error


def _keep_varbyte(node: exp.Expression) -> exp.Expression:
    """Returns the type VARBYTE under its own name; sqlglot would make BYTEA of it, another type for clients."""
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.VARBINARY:
        length = ", ".join(part.sql("postgres") for part in node.expressions)
        return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=f"varbyte({length})" if length else "varbyte")
    return node


def _rewrite_listagg(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.Anonymous) and node.this.name == "rs_listagg":
        return _listagg(node.this.expressions, node.expression.sql("postgres"))
    if (
        isinstance(node, exp.Anonymous)
        and node.name.lower() == "rs_listagg"
        and not isinstance(node.parent, exp.WithinGroup)
    ):
        return _listagg(node.expressions, "")
    return node


def _listagg(arguments: list[exp.Expression], order: str) -> exp.Expression:
    distinct = "distinct " if isinstance(arguments[0], exp.Distinct) else ""
    value, *rest = [*arguments[0].expressions, *arguments[1:]] if distinct else arguments
    delimiter = rest[0].sql("postgres") if rest else "''"
    text = value.sql("postgres") if distinct else f"({value.sql('postgres')})::text"
    return exp.Var(this=f"rs.listagg({distinct}{text}, {delimiter} {order})")


def rewrite_show(sql: str) -> str:
    """Returns SHOW SCHEMAS, TABLES, COLUMNS and GRANTS as queries, and every other SHOW unchanged.

    https://docs.aws.amazon.com/redshift/latest/dg/r_SHOW_TABLES.html and its neighbours give the columns.

    Raises:
        RedshiftError: for SHOW without the names that the stand-in needs.
    """
    found = _SHOW.match(sql)
    if not found:
        return re.sub(r"\bquery_group\b", "rs.query_group", sql, flags=_FLAGS)
    names = [_unquote(name).replace("'", "''") for name in re.findall(_NAME, found["place"] or "")]
    kind, like = found["kind"].lower(), found["like"]
    matching = f"like {like}" if like else "is not null"
    limit = f" limit {found['limit']}" if found["limit"] else ""
    if kind == "schemas":
        return f"select * from rs.show_schemas where schema_name {matching}{limit}"
    if len(names) < (1 if kind == "tables" else 2):
        raise not_implemented(f"SHOW {kind.upper()} without a schema")
    if kind == "grants":
        return (
            f"select * from rs.show_grants where schema_name = '{names[-2]}' and object_name = '{names[-1]}'{limit}"
        )
    if kind == "tables":
        return f"select * from rs.show_tables where schema_name = '{names[-1]}' and table_name {matching}{limit}"
    return (
        f"select * from rs.show_columns where schema_name = '{names[-2]}' and table_name = '{names[-1]}' "
        f"and column_name {matching} order by ordinal_position{limit}"
    )


def _unquote(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
