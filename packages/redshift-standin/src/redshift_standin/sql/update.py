"""UPDATE whose FROM clause names the target table again, under an alias.

On Redshift the alias is the target's own row, unless a condition relates it to the target: then it is a self-join.
PostgreSQL always joins. https://docs.aws.amazon.com/redshift/latest/dg/c_Examples_of_UPDATE_statements.html
"""

import re

from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import NAME, RELATION, unquote_name

_TARGET = re.compile(rf"\s*update\s+(?P<target>{RELATION})\s+set\b")
_SOURCE = re.compile(
    rf"(?:\bfrom|\bjoin|,)\s+(?P<source>{RELATION})\s+(?:as\s+)?(?!(?:on|join|where|using)\b)(?P<alias>{NAME})"
)
_CLAUSE = re.compile(r"[()]|\b(?:from|where)\b")


def join_target(statement: Statement) -> Statement:
    """Returns an UPDATE with the condition that such an alias is the target's row, other statements unchanged."""
    if not statement.text.startswith("update ") or not (found := _TARGET.match(statement.lower)):
        return statement
    code, show = statement.code, statement.show
    start, where = _clauses(statement.lower, found.end())
    if start < 0:
        return statement
    target = _names(show(found["target"]))
    sources = _SOURCE.finditer(statement.lower, start, where if where >= 0 else len(code))
    aliases = [source["alias"] for source in sources if _names(show(source["source"])) == target]
    named_itself = rf'(?<![\w."])"?{re.escape(target[-1])}"?\s*\.'
    if not aliases or re.search(named_itself, show(code[start:]), re.IGNORECASE):
        return statement
    same = f"{found['target']}.ctid = {aliases[0]}.ctid"
    if where < 0:
        return statement.with_code(f"{code}\nwhere {same}")
    return statement.with_code(f"{code[:where]} where {same} and ({code[where + len('where') :]}\n)")


def _names(relation: str) -> list[str]:
    return [unquote_name(name) for name in relation.split(".")]


def _clauses(text: str, place: int) -> tuple[int, int]:
    """Returns where FROM and WHERE start, -1 for one that is missing."""
    depth, starts = 0, {"from": -1, "where": -1}
    for step in _CLAUSE.finditer(text, place):
        word = step[0]
        if word in "()":
            depth += 1 if word == "(" else -1
        elif depth == 0 and starts[word] < 0:
            starts[word] = step.start()
    return starts["from"], starts["where"]
