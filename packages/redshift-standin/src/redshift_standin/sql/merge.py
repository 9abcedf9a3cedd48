"""MERGE: the forms that Redshift has, https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html.

PostgreSQL has more forms; those that Redshift refuses are refused. REMOVE DUPLICATES is a deletion and an insertion
in one statement.
"""

import re

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import NAME, RELATION

MANY_MATCHES = "Found multiple matches to update the same tuple."

_MERGE = re.compile(
    rf"merge\s+into\s+(?P<target>{RELATION})\s+(?P<target_alias>(?:as\s+)?(?!using\b){NAME}\s+)?"
    rf"using\s+(?P<source>{RELATION}|\()(?:\s+(?:as\s+)?(?!on\b)(?P<alias>{NAME}))?(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_ON = re.compile(
    r"\s*on\b(?P<condition>.*?)(?P<clauses>\bwhen\b.*|\bremove\s+duplicates\s*)", re.IGNORECASE | re.DOTALL
)
_REFUSED = ("by source", "by target", "do nothing", "default values", "overriding", "returning")


def merge(statement: Statement) -> Statement:
    """Returns a MERGE as PostgreSQL runs it, other statements unchanged.

    Raises:
        RedshiftError: for a form that Redshift does not have.
    """
    return statement.change(_rewrite_merge) if statement.text.startswith("merge ") else statement


def _rewrite_merge(masked: str) -> str:
    found = _MERGE.fullmatch(masked)
    if not found:
        raise _syntax_error("MERGE")
    if found["target_alias"]:
        raise _syntax_error(found["target_alias"].split()[0])
    if found["source"] == "(":
        raise RedshiftError("0A000", "MERGE: the source must be a table, not a subquery or a view")
    rest = _ON.fullmatch(found["rest"])
    if not rest:
        raise _syntax_error(found["rest"].strip()[:20])
    clauses = " ".join(rest["clauses"].lower().split())
    if word := next((word for word in _REFUSED if re.search(rf"\b{word}\b", clauses)), None):
        raise _syntax_error(word.split()[0].upper())
    if clauses == "remove duplicates":
        alias = found["alias"] or found["source"]
        return _remove_duplicates(found["target"], found["source"], alias, rest["condition"])
    kinds = re.findall(r"\bwhen (not )?matched then (update set|delete|insert)\b", clauses)
    if len(kinds) != len(re.findall(r"\bwhen (?:not )?matched\b", clauses)) or [
        bool(kind[0]) for kind in kinds
    ] not in (
        [False, True],
        [True],  # dbt-redshift sends it for a model without a key
    ):
        raise _syntax_error("WHEN")
    if any((action == "insert") != bool(other) for other, action in kinds):
        raise _syntax_error(kinds[0][1].split()[0].upper())
    return masked


def _remove_duplicates(target: str, source: str, alias: str, condition: str) -> str:
    """Returns the simplified mode: matched rows of the target are replaced by the source's."""
    using = source if alias == source else f"{source} as {alias}"
    return (
        f"with rs_matches as "
        f"(select {target}.ctid, count(*) as n from {target}, {using} where {condition} group by 1), "
        f"rs_gone as (delete from {target} using {using} where {condition}) "
        f"insert into {target} select {alias}.* from {using} where rs.single((select max(n) from rs_matches))"
    )


def _syntax_error(near: str) -> RedshiftError:
    return RedshiftError("42601", f'syntax error at or near "{near}"')
