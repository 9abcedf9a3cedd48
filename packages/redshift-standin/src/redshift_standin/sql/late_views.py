"""Views WITH NO SCHEMA BINDING, https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html.

late_views.sql stores their text and rewrites them. This module handles the statements that create or read one.
"""

import re

import sqlglot
from psycopg2 import extensions
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.ddl import ATTRIBUTES_START
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import RELATION, quote, unquote_name

_CREATE = re.compile(
    rf"\s*create\s+(?P<replaces>or\s+replace\s+)?view\s+(?P<name>{RELATION})\s*"
    rf"(?P<columns>\([^)]*\))?\s*\bas\b(?P<query>.*)",
    re.IGNORECASE | re.DOTALL,
)
_RENAMED = re.compile(rf"\s*alter\s+(?:table|view)\s+({RELATION})\s+rename\s+to\s+({RELATION})\s*", re.IGNORECASE)
_ALL = "pg_get_late_binding_view_cols"
_WORD = re.compile(r"\w+")


class LateViews:
    """The names of the late-binding views that may exist in the database."""

    def __init__(self, connection: extensions.connection) -> None:
        with connection.cursor() as cursor:
            cursor.execute("select relname from rs.late_views")
            self._names = {name for (name,) in cursor.fetchall()}

    def rewrite(self, statement: Statement) -> Statement:
        """Returns a rewritten statement; one that creates a late-binding view does so through late_views.sql.

        Raises:
            RedshiftError: for a view that reads a relation without naming its schema.
        """
        if statement.has("rename") and (renamed := _RENAMED.fullmatch(statement.code)):
            old, new = (_unqualified(statement.show(name)) for name in renamed.groups())
            if old in self._names:
                self._names.add(new)
        if not creates_late_view(statement):
            return statement
        found = _CREATE.fullmatch(statement.code)
        if not found:
            raise RedshiftError("42601", 'syntax error at or near "VIEW"')
        name, columns, query = (statement.show(found[part] or "") for part in ("name", "columns", "query"))
        _refuse_unqualified(query)
        self._names.add(_unqualified(name))
        attributes = statement.attributes.removeprefix(ATTRIBUTES_START).removesuffix("*/")
        texts = [quote(text) for text in (name, columns, query, attributes)]
        call = f"call rs.create_late_view({texts[0]}, {bool(found['replaces'])}, {', '.join(texts[1:])})"
        return Statement(call, source=statement.source)

    def refresh_query(self, sql: str) -> str | None:
        """Returns the query that updates the views that a statement may read, None if it reads none."""
        if not self._names:
            return None
        text = sql.lower()
        words = set(_WORD.findall(text))
        # A name that is no single word is looked for as it is.
        found = {name for name in self._names if name in words or (not _WORD.fullmatch(name) and name in text)}
        if _ALL in words:
            found = self._names
        if not found:
            return None
        names = ", ".join(quote(name) for name in sorted(found))
        return f"select rs.freshen(array[{names}])"


def creates_late_view(statement: Statement) -> bool:
    """Returns whether a rewritten statement creates a late-binding view."""
    return '"lbv"' in statement.attributes


def _unqualified(name: str) -> str:
    return unquote_name(name.rpartition(".")[2])


def _refuse_unqualified(query: str) -> None:
    try:
        tree = sqlglot.parse_one(query, read="postgres", error_level=ErrorLevel.RAISE)
        sources = [source for scope in traverse_scope(tree) for source in scope.sources.values()]
    except (SqlglotError, RecursionError):
        return  # PostgreSQL reports names that do not exist
    if any(isinstance(s, exp.Table) and isinstance(s.this, exp.Identifier) and not s.db for s in sources):
        raise RedshiftError(
            "42P01", "All the relation names inside should be qualified when creating VIEW WITH NO SCHEMA BINDING."
        )
