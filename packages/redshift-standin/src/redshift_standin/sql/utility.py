"""Statements about maintenance, sessions and storage: PostgreSQL runs some, others change only the catalogue.

The forms are those of https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_commands.html: ANALYZE, VACUUM, USE, SET,
REFRESH MATERIALIZED VIEW and ALTER TABLE. utility.sql has the procedures.
"""

import re

from redshift_standin.errors import not_implemented
from redshift_standin.sql.ddl import keys_json
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import MARK, NAME, RELATION

_FLAGS = re.IGNORECASE | re.DOTALL
_FIRST = (
    "analyze", "vacuum", "reset ", "set session ", "cancel ", "use ", "alter table", "alter materialized", "refresh",
    "comment on view", "drop external",
)  # fmt: skip
_COLUMNS = re.compile(r"\b(predicate|all)\s+columns\b", _FLAGS)
_VACUUM_KIND = re.compile(
    r"(?<=vacuum)\s+(full|sort\s+only|delete\s+only|reindex|recluster)\b|\bto\s+\d+\s+percent\b|\bboost\b", _FLAGS
)
_NOTHING = "call rs.nothing()"

_TABLE = rf"\s*alter\s+table\s+(?P<table>{RELATION})\s+"
_KEY = re.compile(
    rf"{_TABLE}add\s+(?P<key>(?:constraint\s+{NAME}\s+)?(?:primary\s+key|unique|foreign\s+key)\b.*)", _FLAGS
)
_DROPPED_KEY = re.compile(rf"{_TABLE}drop\s+constraint\s+(?P<key>{NAME})\s*(?:restrict|cascade)?\s*", _FLAGS)
_APPEND = re.compile(rf"{_TABLE}append\s+from\s+(?P<source>{RELATION})(?P<options>[\s\w]*)", _FLAGS)
_OWNER = re.compile(rf"{_TABLE}owner\s+to\s+(?P<owner>{NAME})\s*", _FLAGS)
_COMMENT = re.compile(rf"\s*comment\s+on\s+view\s+(?P<view>{RELATION})\s+is\s+(?P<comment>{MARK}|null)\s*", _FLAGS)
_DROP_EXTERNAL = re.compile(
    rf"\s*drop\s+external\s+table\s+(?P<exists>if\s+exists\s+)?(?P<table>{RELATION})\s*(?:restrict|cascade)?\s*",
    _FLAGS,
)
_STORAGE = {
    "diststyle": rf"alter\s+diststyle\s+(?P<value>\w+)(?:\s+distkey\s+(?P<columns>{NAME}))?",
    "distkey": rf"alter\s+distkey\s+(?P<columns>{NAME})(?P<value>)",
    "sort": r"alter\s+(?:compound\s+)?sortkey\s*(?:\((?P<columns>[^)]*)\)|(?P<value>none|auto))",
    "encode": rf"alter\s+(?:column\s+(?P<columns>{NAME})\s+)?encode\s+(?P<value>\w+)",
}


def is_truncate(statement: Statement) -> bool:
    """Returns whether a statement is TRUNCATE, which commits the open transaction."""
    return statement.text.startswith("truncate ")


def run_utility(statement: Statement) -> Statement | None:
    """Returns such a statement as PostgreSQL runs it, None for any other.

    Raises:
        RedshiftError: `stand-in: …` for a statement that would change the results of queries.
    """
    text = statement.text
    if not text.startswith(_FIRST):
        return None
    if text.startswith("analyze"):
        if "compression" in text:
            raise not_implemented("ANALYZE COMPRESSION")
        return statement.with_code(_COLUMNS.sub("", statement.code))
    if text.startswith("vacuum"):
        return statement.with_code(_VACUUM_KIND.sub(" ", statement.code))
    if text in {"reset use", "set session authorization default", "reset session authorization"}:
        return statement.with_code(_NOTHING)
    if found := re.match(r"cancel (\d+)$", text):
        if "\0" in statement.code:
            raise not_implemented("CANCEL with a message of its own")
        return statement.with_code(f"call rs.cancel({found[1]})")
    if found := re.match(r"use (\w+)$", text):
        return statement.with_code(f"call rs.use('{found[1]}')")
    if re.match(r"alter (table|materialized)|refresh|comment on view|drop external", text):
        code = _rewrite_alter(statement.code)
        return statement.with_code(code) if code else None
    return None


def _rewrite_alter(masked: str) -> str:
    """Returns a masked statement as a call of a procedure in utility.sql, empty if none applies."""
    if found := re.fullmatch(
        rf"\s*refresh\s+materialized\s+view\s+({RELATION})\s*(?:restrict|cascade)?\s*", masked, _FLAGS
    ):
        return f"call rs.refresh($rs${found[1]}$rs$)"
    if found := re.fullmatch(
        rf"\s*alter\s+materialized\s+view\s+({RELATION})\s+auto\s+refresh\s+(yes|no)\s*", masked, _FLAGS
    ):
        return f"call rs.store($rs${found[1]}$rs$, 'autorefresh', '', '{found[2].lower()}')"
    if found := _COMMENT.fullmatch(masked):
        return f"call rs.comment_on_view($rs${found['view']}$rs$, {found['comment']})"
    if found := _DROP_EXTERNAL.fullmatch(masked):
        return f"call rs.drop_external_table($rs${found['table']}$rs$, {bool(found['exists'])})"
    if found := _APPEND.fullmatch(masked):
        extra, fill = (word in found["options"].lower() for word in ("ignoreextra", "filltarget"))
        return f"call rs.append($rs${found['table']}$rs$, $rs${found['source']}$rs$, {extra}, {fill})"
    if found := _KEY.fullmatch(masked):
        return f"call rs.store($rs${found['table']}$rs$, 'key', '', $rs${keys_json(found['key'])}$rs$)"
    if found := _DROPPED_KEY.fullmatch(masked):
        return f"call rs.store($rs${found['table']}$rs$, 'dropped key', '', $rs${found['key']}$rs$)"
    if found := _OWNER.fullmatch(masked):
        return f"call rs.give($rs${found['table']}$rs$, $rs${found['owner']}$rs$)"
    if found := re.match(_TABLE, masked, _FLAGS):
        actions = [_storage(action) for action in re.split(r",\s*(?=alter\b)", masked[found.end() :], flags=_FLAGS)]
        if all(actions):
            return f"call rs.store_each($rs${found['table']}$rs$, {', '.join(actions)})"
    return ""


def _storage(action: str) -> str:
    """Returns an action of ALTER TABLE about storage as arguments of `rs.store_each`, empty for any other."""
    for kind, pattern in _STORAGE.items():
        if found := re.fullmatch(rf"{pattern}\s*", action, _FLAGS):
            return f"'{kind}', $rs${found['columns'] or ''}$rs$, '{(found['value'] or '').lower()}'"
    return ""
