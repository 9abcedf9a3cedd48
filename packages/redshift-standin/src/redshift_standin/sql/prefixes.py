"""DECLARE, EXPLAIN and PREPARE: what precedes the statement that they contain."""

import re

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.text import MARK, NAME, change_code

_PREFIX = re.compile(
    rf"(?:\s|{MARK})*(?:declare\s+{NAME}\s+(?P<kind>[\w\s]*?)\bcursor\b(?P<hold>[\w\s]*?)\bfor\b"
    rf"|explain\b(?P<options>\s+analyze\b|\s*\(\s*\w+(?=\s*[,)]))?(?:\s+verbose\b)?"
    rf"|prepare\s+{NAME}\s*(?:\((?:[^()]|\([^()]*\))*\))?\s*as\b)",
    re.IGNORECASE | re.DOTALL,
)
_WITHOUT_HOLD = re.compile(r"\s*without\s+hold\s*", re.IGNORECASE)  # the default, which psycopg2 states
_CUT = "\0;\0"  # no mark: those are numbers


def split_prefix(sql: str) -> tuple[str, str]:
    """Returns such a prefix and the statement that follows it; an empty prefix for other statements.

    Raises:
        RedshiftError: for options of PostgreSQL alone.
    """

    def cut(masked: str) -> str:
        found = _PREFIX.match(masked)
        if not found:
            return _CUT + masked
        refused = found["kind"] or found["options"] or _WITHOUT_HOLD.sub("", found["hold"] or "").strip()
        if refused:
            raise RedshiftError("42601", f'syntax error at or near "{refused.strip(" (").split()[0].upper()}"')
        return found[0] + _CUT + masked[found.end() :]

    prefix, _, statement = change_code(sql, cut).partition(_CUT)
    return prefix, statement
