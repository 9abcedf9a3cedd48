"""Statements about maintenance, sessions and storage: PostgreSQL runs some, others change only the catalogue.

The forms are those of https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_commands.html: ANALYZE, VACUUM, USE, SET,
REFRESH MATERIALIZED VIEW and ALTER TABLE. utility.sql has the procedures.
"""

import re

from redshift_standin.errors import not_implemented
from redshift_standin.sql.text import MARK, change_code, code

_FLAGS = re.IGNORECASE | re.DOTALL
_NAME = f"(?:{MARK}|[\\w#]+)"
_RELATION = rf"(?:{_NAME}\s*\.\s*)*{_NAME}"
_NOTHING = "call rs.nothing()"

# Settings of a session that change how a query runs, not its result.
_WITHOUT_EFFECT = re.compile(
    r"(set (session )?|reset )(enable_\w+|wlm_query_slot_count|analyze_threshold_percent|mv_enable_\w+|spectrum_\w+"
    r"|use_fips_ssl)\b|reset use\b"
    r"|set session authorization default$|reset session authorization$"
)
_CASE_SENSITIVE = re.compile(
    r"set (session )?enable_case_sensitive_(super_attribute|identifier) ?(=|to) ?( ?|true|on|1)$"
)
_TABLE = rf"\s*alter\s+table\s+(?P<table>{_RELATION})\s+"
_KEY = re.compile(rf"{_TABLE}add\s+(?:constraint\s+{_NAME}\s+)?(?:primary\s+key|unique|foreign\s+key)\b.*", _FLAGS)
_APPEND = re.compile(rf"{_TABLE}append\s+from\s+(?P<source>{_RELATION})(?P<options>[\s\w]*)", _FLAGS)
_STORAGE = {
    "diststyle": rf"alter\s+diststyle\s+(?P<value>\w+)(?:\s+distkey\s+(?P<columns>{_NAME}))?",
    "distkey": rf"alter\s+distkey\s+(?P<columns>{_NAME})(?P<value>)",
    "sort": r"alter\s+(?:compound\s+)?sortkey\s*(?:\((?P<columns>[^)]*)\)|(?P<value>none|auto))",
    "encode": rf"alter\s+(?:column\s+(?P<columns>{_NAME})\s+)?encode\s+(?P<value>\w+)",
}


def is_truncate(statement: str) -> bool:
    """Returns whether a statement is TRUNCATE, which commits the open transaction."""
    return code(statement).startswith("truncate ")


def rewrite_utility(sql: str, text: str) -> str | None:
    """Returns such a statement as PostgreSQL runs it, None for any other. `text` is its code alone.

    Raises:
        RedshiftError: `stand-in: …` for a statement that would change the results of queries.
    """
    if text.startswith("analyze"):
        if "compression" in text:
            raise not_implemented("ANALYZE COMPRESSION")
        return change_code(sql, lambda masked: re.sub(r"\b(predicate|all)\s+columns\b", "", masked, flags=_FLAGS))
    if text.startswith("vacuum"):
        kinds = r"(?<=vacuum)\s+(full|sort\s+only|delete\s+only|reindex|recluster)\b|\bto\s+\d+\s+percent\b|\bboost\b"
        return change_code(sql, lambda masked: re.sub(kinds, " ", masked, flags=_FLAGS))
    if _CASE_SENSITIVE.match(text) and not re.search(r"\b(false|off|0)\b", sql, _FLAGS):
        raise not_implemented("a session whose names are case-sensitive")
    if _WITHOUT_EFFECT.match(text):
        return _NOTHING
    if found := re.match(r"use (\w+)$", text):
        return f"call rs.use('{found[1]}')"
    if re.match(r"alter table|refresh", text):
        return change_code(sql, _rewrite_alter) or None
    return None


def _rewrite_alter(masked: str) -> str:
    """Returns a masked statement as a call of a procedure in utility.sql, empty if none applies."""
    masked = re.sub(rf"^(?:\s*{MARK})+", "", masked)  # comments
    if found := re.fullmatch(
        rf"\s*refresh\s+materialized\s+view\s+({_RELATION})\s*(?:restrict|cascade)?\s*", masked, _FLAGS
    ):
        return f"call rs.refresh($rs${found[1]}$rs$)"
    if found := _APPEND.fullmatch(masked):
        extra, fill = (word in found["options"].lower() for word in ("ignoreextra", "filltarget"))
        return f"call rs.append($rs${found['table']}$rs$, $rs${found['source']}$rs$, {extra}, {fill})"
    if found := _KEY.fullmatch(masked):
        return f"call rs.store($rs${found['table']}$rs$, 'key', '', '')"
    for kind, pattern in _STORAGE.items():
        if found := re.fullmatch(rf"{_TABLE}{pattern}\s*(?:{MARK}\s*)*", masked, _FLAGS):
            table, columns, value = found["table"], found["columns"] or "", (found["value"] or "").lower()
            return f"call rs.store($rs${table}$rs$, '{kind}', $rs${columns}$rs$, '{value}')"
    return ""
