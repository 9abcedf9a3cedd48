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

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql import ddl
from redshift_standin.sql.conversions import rewrite_convert, rewrite_try_cast
from redshift_standin.sql.functions import REPLACED
from redshift_standin.sql.identities import rewrite_identities
from redshift_standin.sql.isolation import rewrite_isolation
from redshift_standin.sql.merge import rewrite_merge
from redshift_standin.sql.outer_joins import has_outer_joins, mark_outer_joins
from redshift_standin.sql.parameters import rewrite_show_parameter
from redshift_standin.sql.pivot import has_pivots, mark_pivots
from redshift_standin.sql.prefixes import split_prefix
from redshift_standin.sql.qualify import rewrite_qualify
from redshift_standin.sql.refusals import refuse
from redshift_standin.sql.super_calls import rewrite_calls
from redshift_standin.sql.super_paths import has_paths, rewrite_paths
from redshift_standin.sql.text import COMMENTS, MARK, NAME, change_code, code, statements
from redshift_standin.sql.type_names import check_types
from redshift_standin.sql.update import join_target
from redshift_standin.sql.user_functions import rewrite_function
from redshift_standin.sql.utility import rewrite_utility
from redshift_standin.sql.windows import rewrite_windows

_FLAGS = re.IGNORECASE

# What system_catalog.sql replaces.
_CATALOGUES = (
    "pg_(?:attrdef|attribute|class(?:_info)?|constraint|database|group|indexes|namespace|proc"
    "|table_def|tables|type|user|views)"
)
_WRAPPED = (
    "current_schema|format_type|has_schema_privilege|has_table_privilege|pg_get_constraintdef|pg_get_viewdef|version"
)

# A function that is replaced; not a CTE with its columns.
_CALLS = re.compile(
    rf"(?<![\w.])(?:pg_catalog\s*\.\s*)?({'|'.join(REPLACED)}|{_WRAPPED})\s*\("
    rf"(?!\s*{NAME}(?:\s*,\s*{NAME})*\s*\)\s*as\s*\()",
    _FLAGS,
)
_BEFORE_RELATION = re.compile(r"\b(?:into|table|exists|view|references)\s+$", _FLAGS)

_DELETE = re.compile(rf"(^(?:\s|{MARK})*|\)\s*)delete\s+(?=(?!(?:from|on|when)\b)[\w\0#])", _FLAGS)

_NEEDS_TREE = re.compile(r"\b(qualify|top \d+|nvl2 ?\(|decode ?\()")

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
        return rewrite_show_parameter(text) or rewrite_show(sql)
    if text.startswith(("declare ", "explain ", "prepare ")):
        prefix, sql = split_prefix(sql)
        if prefix:
            if found := re.match(r"(declare|explain|prepare) ", code(sql)):
                raise RedshiftError("42601", f'syntax error at or near "{found[1].upper()}"')
            return f"{prefix} {rewrite_statement(sql)}"
    if (done := rewrite_utility(sql, text)) is not None:
        return done
    if (done := rewrite_isolation(sql, text)) is not None:
        return rewrite_identities(done, text)
    if (done := rewrite_function(sql, text, rewrite_statement)) is not None:
        return done
    if "convert" in text:
        sql = change_code(sql, rewrite_convert)
    sql = check_types(sql)
    of_the_catalogue = refuse(sql)
    if has_pivots(text):
        sql = mark_pivots(sql)
    if has_outer_joins(text):
        sql = change_code(sql, mark_outer_joins)
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
    elif text.startswith("update "):
        sql = join_target(sql)
    sql = rewrite_identities(sql, text)
    if re.match(r"(grant|revoke|alter default privileges)\b", text):
        if re.search(r"\brole sys ?:", text):
            raise not_implemented("a system-defined role")
        # PostgreSQL has one kind of role, without a keyword before its name.
        sql = change_code(sql, lambda masked: re.sub(r"\brole\s+", "", masked, flags=_FLAGS))
    elif re.match(r"(create|alter) user ", text):
        # Redshift hashes a password itself, in the way that its beginning names.
        sql = re.sub(r"(\bpassword\s+')sha256\|([^|']*')", r"\1\2", sql, flags=_FLAGS)
    elif text.startswith("create role "):
        sql += " noinherit"  # by which the catalogue distinguishes a role from a group
    elif text.startswith("alter table "):
        sql = change_code(sql, ddl.rewrite_added_column)
    if not of_the_catalogue:
        sql = rewrite_paths(sql) if has_paths(text) else sql
        sql = change_code(sql, rewrite_calls)
    sql = change_code(sql, lambda masked: replace_words(rewrite_windows(masked)))
    if "try_cast" in text:
        sql = change_code(sql, rewrite_try_cast)
    text = code(sql)
    if _NEEDS_TREE.search(text):
        sql = rewrite_tree(sql)
    return sql + comment


def take_attributes(masked: str) -> tuple[str, str]:
    """Returns a masked CREATE without Redshift's attributes, and the comment that has them."""
    changed, taken = ddl.split_attributes(masked)
    return changed, ddl.attributes_comment(taken)


def replace_words(masked: str) -> str:
    """Returns masked code with the names, types and words replaced whose meaning does not depend on their place."""
    masked = _CALLS.sub(_replace_call, masked)
    masked = re.sub(r"\b(rs\.(?:pg)?date_(?:add|diff|trunc|part))\(\s*(\w+)\s*,", r"\1('\2',", masked, flags=_FLAGS)
    masked = re.sub(r"(?<![\w.])extract\s*\(\s*epoch\s+from\b", "rs.date_part(", masked, flags=_FLAGS)
    masked = re.sub(r"(?<![\w.])extract\s*\(\s*(\w+)\s+from\b", r"rs.date_part('\1',", masked, flags=_FLAGS)
    masked = re.sub(rf"(?<![\w.])extract\s*\(\s*({MARK})\s+from\b", r"rs.date_part(\1,", masked, flags=_FLAGS)
    masked = re.sub(r"(?<![\w.])current_date\b(?!\s*\()", 'rs."date"()', masked, flags=_FLAGS)
    masked = re.sub(r"(?<![\w.])sysdate\b(?!\s*\()", 'rs."timestamp"()', masked, flags=_FLAGS)
    if "user" in masked.lower():
        masked = re.sub(r"(?<![\w.])current_user\b(?!\s*\()", 'rs."current_user"()', masked, flags=_FLAGS)
        masked = _USER.sub(r'\1rs."current_user"()', masked)
    masked = re.sub(r"\bvarchar\s*\(\s*max\s*\)", "varchar(65535)", masked, flags=_FLAGS)
    masked = re.sub(r"\bvarbinary\b|\bbinary\s+varying\b", "varbyte", masked, flags=_FLAGS)
    masked = re.sub(r"\bvarbyte\s*\(\s*max\s*\)", "varbyte(1024000)", masked, flags=_FLAGS)
    masked = re.sub(r"\bnvarchar\b", "varchar", masked, flags=_FLAGS)
    masked = re.sub(r"\bintervaly2m\b", "interval year to month", masked, flags=_FLAGS)
    masked = re.sub(r"\bintervald2s\b", "interval day to second", masked, flags=_FLAGS)
    if "current_" in masked.lower():
        masked = re.sub(
            r"(?<![\w.])(current_(?:user_id|namespace|aws_account))\b(?!\s*\()", r"rs.\1()", masked, flags=_FLAGS
        )
    masked = re.sub(rf"\bpg_catalog\s*\.\s*({_CATALOGUES})\b", r"rs_catalog.\1", masked, flags=_FLAGS)
    masked = re.sub(rf"(?<![\w.])({_CATALOGUES})\b(?!\s*[.(])", r"rs_catalog.\1", masked, flags=_FLAGS)
    masked = re.sub(r"(?<![\w.])information_schema\s*\.", "rs_information_schema.", masked, flags=_FLAGS)
    # PostgreSQL would truncate them to the type `name`.
    masked = re.sub(
        r"\bpg_get_(?:late_binding_view_)?cols\s*\([^)]*\)[\w\s]*\([^)]*\)",
        lambda found: re.sub(r"(\w\s+)name\b", r"\1varchar", found[0], flags=_FLAGS),
        masked,
        flags=_FLAGS,
    )
    masked = re.sub(r"\bcreate\s+table\s+(?=(if\s+not\s+exists\s+)?#)", "create temp table ", masked, flags=_FLAGS)
    masked = re.sub(
        r"((?:\b(?:table|exists|into|from|join|update|using)\s|,)\s*)#(\w+)", r'\1"#\2"', masked, flags=_FLAGS
    )
    masked = _DELETE.sub(r"\1delete from ", masked)
    masked = re.sub(r"\bpassword\s+disable\b", "password null", masked, flags=_FLAGS)
    return re.sub(r"\bminus\s+(?=select|\()", "except ", masked, flags=_FLAGS)


def _replace_call(call: re.Match[str]) -> str:
    """Returns the call of the function that replaces another one; a relation's name with its columns is no call."""
    if _BEFORE_RELATION.search(call.string, max(0, call.start() - 20), call.start()):
        return call[0]
    name = call[1].lower()
    return REPLACED.get(name, f"rs.{name}") + "("


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
            rewrite_qualify(tree)
            .transform(_keep_varbyte)
            .transform(_keep_exclude)
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


def _keep_exclude(node: exp.Expression) -> exp.Expression:
    """Returns `* EXCLUDE (…)` as it is, for stars.py; sqlglot would write EXCEPT."""
    if isinstance(node, exp.Star) and node.args.get("except_"):
        return exp.Var(this=f"* exclude ({', '.join(column.sql('postgres') for column in node.args['except_'])})")
    return node


def rewrite_show(sql: str) -> str:
    """Returns SHOW SCHEMAS, TABLES, COLUMNS and GRANTS as queries, and every other SHOW unchanged.

    https://docs.aws.amazon.com/redshift/latest/dg/r_SHOW_TABLES.html and its neighbours give the columns.

    Raises:
        RedshiftError: for SHOW without the names that the stand-in needs.
    """
    found = _SHOW.match(sql)
    if not found:
        return sql
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
