"""DECLARE, EXPLAIN and PREPARE: what precedes the statement that they contain."""

import re
from dataclasses import replace

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import NAME

_PREFIX = re.compile(
    rf"\s*(?:declare\s+{NAME}\s+(?P<kind>[\w\s]*?)\bcursor\b(?P<hold>[\w\s]*?)\bfor\b"
    rf"|explain\b(?P<options>\s+analyze\b|\s*\(\s*\w+(?=\s*[,)]))?(?:\s+verbose\b)?"
    rf"|prepare\s+{NAME}\s*(?:\((?:[^()]|\([^()]*\))*\))?\s*as\b)",
    re.IGNORECASE | re.DOTALL,
)
_WITHOUT_HOLD = re.compile(r"\s*without\s+hold\s*", re.IGNORECASE)  # the default, which psycopg2 states
_FIRST = ("declare ", "explain ", "prepare ")


def split_prefix(statement: Statement) -> Statement | None:
    """Returns the statement that follows such a prefix, with the prefix beside it; None for other statements.

    Raises:
        RedshiftError: for options of PostgreSQL alone, or a prefix after a prefix.
    """
    found = _PREFIX.match(statement.code) if statement.text.startswith(_FIRST) else None
    if not found:
        return None
    refused = found["kind"] or found["options"] or _WITHOUT_HOLD.sub("", found["hold"] or "").strip()
    if refused:
        raise RedshiftError("42601", f'syntax error at or near "{refused.strip(" (").split()[0].upper()}"')
    inner = Statement(statement.code[found.end() :].strip(), statement.hidden, statement.source)
    if inner.text.startswith(_FIRST):
        raise RedshiftError("42601", f'syntax error at or near "{inner.text.split()[0].upper()}"')
    return replace(inner, prefix=statement.show(found[0]) + " ")
