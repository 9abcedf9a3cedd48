"""Statements about maintenance, sessions and storage: PostgreSQL runs some, others change only the catalogue.

The forms are those of https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_commands.html: ANALYZE, VACUUM, USE, SET,
REFRESH MATERIALIZED VIEW and ALTER TABLE. utility.sql has the procedures.
"""

import re

from redshift_standin.errors import not_implemented
from redshift_standin.sql.ddl import keys_json
from redshift_standin.sql.parameters import rewrite_parameters
from redshift_standin.sql.text import MARK, change_code, code

_FLAGS = re.IGNORECASE | re.DOTALL
_NAME = f"(?:{MARK}|[\\w#]+)"
_RELATION = rf"(?:{_NAME}\s*\.\s*)*{_NAME}"
_NOTHING = "call rs.nothing()"

_TABLE = rf"\s*alter\s+table\s+(?P<table>{_RELATION})\s+"
_KEY = re.compile(
    rf"{_TABLE}add\s+(?P<key>(?:constraint\s+{_NAME}\s+)?(?:primary\s+key|unique|foreign\s+key)\b.*)", _FLAGS
)
_DROPPED_KEY = re.compile(rf"{_TABLE}drop\s+constraint\s+(?P<key>{_NAME})\s*(?:restrict|cascade)?\s*", _FLAGS)
_APPEND = re.compile(rf"{_TABLE}append\s+from\s+(?P<source>{_RELATION})(?P<options>[\s\w]*)", _FLAGS)
_OWNER = re.compile(rf"{_TABLE}owner\s+to\s+(?P<owner>{_NAME})\s*(?:{MARK}\s*)*", _FLAGS)
_COMMENT = re.compile(rf"\s*comment\s+on\s+view\s+(?P<view>{_RELATION})\s+is\s+(?P<comment>{MARK}|null)\s*", _FLAGS)
_DROP_EXTERNAL = re.compile(
    rf"\s*drop\s+external\s+table\s+(?P<exists>if\s+exists\s+)?(?P<table>{_RELATION})\s*(?:restrict|cascade)?\s*",
    _FLAGS,
)
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
    if text in {"reset use", "set session authorization default", "reset session authorization"}:
        return _NOTHING
    if found := re.match(r"cancel (\d+)$", text):
        if "'" in sql:
            raise not_implemented("CANCEL with a message of its own")
        return f"call rs.cancel({found[1]})"
    if found := re.match(r"use (\w+)$", text):
        return f"call rs.use('{found[1]}')"
    if (done := rewrite_parameters(sql, text)) is not None:
        return done
    if re.match(r"alter (table|materialized)|refresh|comment on view|drop external", text):
        return change_code(sql, _rewrite_alter) or None
    return None


def _rewrite_alter(masked: str) -> str:
    """Returns a masked statement as a call of a procedure in utility.sql, empty if none applies."""
    masked = re.sub(rf"^(?:\s*{MARK})+", "", masked)  # comments
    if found := re.fullmatch(
        rf"\s*refresh\s+materialized\s+view\s+({_RELATION})\s*(?:restrict|cascade)?\s*", masked, _FLAGS
    ):
        return f"call rs.refresh($rs${found[1]}$rs$)"
    if found := re.fullmatch(
        rf"\s*alter\s+materialized\s+view\s+({_RELATION})\s+auto\s+refresh\s+(yes|no)\s*", masked, _FLAGS
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
        if found := re.fullmatch(rf"{pattern}\s*(?:{MARK}\s*)*", action, _FLAGS):
            return f"'{kind}', $rs${found['columns'] or ''}$rs$, '{(found['value'] or '').lower()}'"
    return ""
