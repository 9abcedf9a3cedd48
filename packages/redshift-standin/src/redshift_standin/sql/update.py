"""UPDATE whose FROM clause names the target table again, under an alias.

On Redshift the alias is the target's own row, unless a condition relates it to the target: then it is a self-join.
PostgreSQL always joins. https://docs.aws.amazon.com/redshift/latest/dg/c_Examples_of_UPDATE_statements.html
"""

import re

from redshift_standin.sql.text import plain

_NAME = r'(?:"(?:x|"")*"|[\w$#]+)'
_RELATION = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_TARGET = re.compile(rf"\s*update\s+(?P<target>{_RELATION})\s+set\b")
_SOURCE = re.compile(
    rf"(?:\bfrom|\bjoin|,)\s+(?P<source>{_RELATION})\s+(?:as\s+)?(?!(?:on|join|where|using)\b)(?P<alias>{_NAME})"
)
_CLAUSE = re.compile(r"[()]|\b(?:from|where)\b")


def join_target(sql: str) -> str:
    """Returns an UPDATE with the condition that such an alias is the target's row."""
    text = plain(sql)
    if not (found := _TARGET.match(text)):
        return sql
    start, where = _clauses(text, found.end())
    if start < 0:
        return sql
    target = _names(sql[slice(*found.span("target"))])
    sources = _SOURCE.finditer(text, start, where if where >= 0 else len(text))
    aliases = [source.span("alias") for source in sources if _names(sql[slice(*source.span("source"))]) == target]
    if not aliases or re.search(rf'(?<![\w."])"?{re.escape(target[-1])}"?\s*\.', sql[start:], re.IGNORECASE):
        return sql
    same = f"{sql[slice(*found.span('target'))]}.ctid = {sql[slice(*aliases[0])]}.ctid"
    if where < 0:
        return f"{sql}\nwhere {same}"
    return f"{sql[:where]} where {same} and ({sql[where + len('where') :]}\n)"


def _names(relation: str) -> list[str]:
    return [name.strip().strip('"').lower() for name in relation.split(".")]


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
