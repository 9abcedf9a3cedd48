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
from redshift_standin.sql.text import MARK, NAME, change_code, quote, statements

_CREATE = re.compile(
    rf"(?:{MARK}|\s)*create\s+(?P<replaces>or\s+replace\s+)?view\s+(?P<name>(?:{NAME}\s*\.\s*)*{NAME})\s*"
    rf"(?P<columns>\([^)]*\))?\s*\bas\b(?P<query>.*)",
    re.IGNORECASE | re.DOTALL,
)
_RENAMED = re.compile(r'\balter\s+(?:table|view)\s+([\w."]+)\s+rename\s+to\s+([\w"]+)', re.IGNORECASE)
_ALL = "pg_get_late_binding_view_cols"


class LateViews:
    """The names of the late-binding views that may exist in the database."""

    def __init__(self, connection: extensions.connection) -> None:
        with connection.cursor() as cursor:
            cursor.execute("select relname from rs.late_views")
            self._names = {name for (name,) in cursor.fetchall()}

    def rewrite(self, script: str) -> str:
        """Returns a rewritten query string that creates late-binding views through late_views.sql.

        Raises:
            RedshiftError: for a view that reads a relation without naming its schema.
        """
        for old, new in _RENAMED.findall(script):
            if _unqualified(old) in self._names:
                self._names.add(_unqualified(new))
        if '"lbv"' not in script:
            return script
        return ";\n".join(self._rewrite_statement(statement) for statement in statements(script))

    def _rewrite_statement(self, statement: str) -> str:
        create, _, comment = statement.partition(ATTRIBUTES_START)
        if '"lbv"' not in comment:
            return statement
        parts: list[str] = []

        def cut(masked: str) -> str:
            found = _CREATE.fullmatch(masked)
            if not found:
                raise RedshiftError("42601", 'syntax error at or near "VIEW"')
            parts.append(str(bool(found["replaces"])))
            return "\0;\0".join((found["name"], found["columns"] or "", found["query"]))

        name, columns, query = change_code(create, cut).split("\0;\0")
        _refuse_unqualified(query)
        self._names.add(_unqualified(name))
        texts = [quote(text) for text in (name, columns, query, comment.removesuffix("*/"))]
        return f"call rs.create_late_view({texts[0]}, {parts[0]}, {', '.join(texts[1:])})"

    def refresh_query(self, sql: str) -> str | None:
        """Returns the query that updates the views that a statement may read, None if it reads none."""
        text = sql.lower()
        found = self._names if _ALL in text else {name for name in self._names if name in text}
        if not found:
            return None
        names = ", ".join(quote(name) for name in sorted(found))
        return f"select rs.freshen(array[{names}])"


def _unqualified(name: str) -> str:
    return name.rpartition(".")[2].strip().strip('"').lower()


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
