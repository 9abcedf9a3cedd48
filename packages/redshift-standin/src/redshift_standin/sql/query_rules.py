"""Forms of queries that PostgreSQL accepts and Redshift's documentation excludes.

They need the structure of a statement, but no syntax tree: one pass over its words.
"""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, field

from redshift_standin.errors import RedshiftError, not_implemented

_SET_OPERATORS = {"union", "intersect", "except", "minus"}
_NEEDED = _SET_OPERATORS | {"recursive", "top", "values", "update"}
_COMPARED = r"(?<!< )(?<!! )(?<!> )"
# Words of which a statement must have one, the pattern and the reason.
_FORBIDDEN: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("all",), r"\b(intersect|except|minus) all\b", "INTERSECT ALL, EXCEPT ALL and MINUS ALL are not supported"),
    (("any", "some"), r"([<>]|[<>!] =) (any|some) \( (select|with)\b", "only = is supported with ANY and SOME"),
    (("all",), rf"(< =|> =|{_COMPARED}=|(?<!< )>|<) all \( (select|with)\b", "only <> is supported with ALL"),
    (("merge",), r"^with .*\) merge into\b", "a WITH clause is not supported in MERGE"),
)
_BEFORE_SUBQUERY = {"from", "join", ",", "in", "exists", "any", "all", "=", "<", ">", "and", "or", "not", "select"}


@dataclass
class _Group:
    """The words between two parentheses, without those in inner ones; the statement itself is one."""

    before: str  # the words before it
    start: int
    words: list[str] = field(default_factory=list)
    inner: list["_Group"] = field(default_factory=list)
    end: int = -1


def refuse_forms(text: str, vocabulary: Set[str]) -> None:
    """Checks a statement's words, which are in the vocabulary.

    Raises:
        RedshiftError: for a form that Redshift refuses, or `stand-in: …` for one that is not implemented here.
    """
    if "connect by " in text:
        raise not_implemented("CONNECT BY")
    if "collate (" in text:
        raise not_implemented("COLLATE()")
    for needed, form, why in _FORBIDDEN:
        if not vocabulary.isdisjoint(needed) and re.search(form, text):
            raise RedshiftError("0A000", why)
    if vocabulary.isdisjoint(_NEEDED):
        return
    words = text.split()
    whole = _groups(words)
    for group in _all(whole):
        _check_top(group)
        _check_operands(group, words)
        if "recursive" in group.words:
            _check_recursion(group, words)
    if words[0] == "insert":
        _check_values(whole)
    elif words[0] == "update" and re.search(r"\bfrom .*\b(left|right|full)( outer)? join\b", " ".join(whole.words)):
        raise RedshiftError("0A000", "Target table must be part of an equijoin predicate")


def _groups(words: list[str]) -> _Group:
    whole = _Group("", 0)
    open_groups = [whole]
    for place, word in enumerate(words):
        if word == "(":
            group = _Group(words[place - 1] if place else "", place + 1)
            open_groups[-1].inner.append(group)
            open_groups[-1].words.append("()")
            open_groups.append(group)
        elif word == ")" and len(open_groups) > 1:
            open_groups.pop().end = place
        else:
            open_groups[-1].words.append(word)
    whole.end = len(words)
    return whole


def _all(group: _Group) -> Iterator[_Group]:
    yield group
    for inner in group.inner:
        yield from _all(inner)


def _check_top(group: _Group) -> None:
    for one in re.split(r"\b(?:union|intersect|except|minus)\b", " ".join(group.words)):
        if re.search(r"\bselect (?:(?:distinct|all) )?top \d+ .*\blimit \S", one):
            raise RedshiftError("42601", "TOP and LIMIT cannot be used in the same query")


def _check_operands(group: _Group, words: list[str]) -> None:
    """Refuses LIMIT in parentheses beside a set operator."""
    for inner in group.inner:
        before = words[inner.start - 3 : inner.start - 1] if inner.start > 2 else [inner.before]
        after = words[inner.end + 1 : inner.end + 2]
        of_all = before[-1:] == ["all"] and before[0] in _SET_OPERATORS
        is_operand = of_all or {*before[-1:], *after} & _SET_OPERATORS
        if is_operand and "limit" in inner.words:
            raise RedshiftError("0A000", "LIMIT may not be used within input to set operations.")


def _check_recursion(group: _Group, words: list[str]) -> None:
    """Refuses recursion without names of columns, by other operators than UNION ALL, or in a subquery."""
    if group.before in _BEFORE_SUBQUERY:
        raise RedshiftError("0A000", "WITH RECURSIVE is not supported in a subquery")
    for inner in group.inner:
        if inner.before != "as":
            continue
        named = words[inner.start - 3 : inner.start - 2] == [")"]
        place = inner.start - 3
        while named and words[place] != "(":
            place -= 1
        name = words[place - 1] if named else words[place]
        if name == '""' or not re.search(rf"(\bfrom|\bjoin|,) {re.escape(name)}\b", " ".join(inner.words)):
            continue
        if not named:
            raise RedshiftError("42601", f"the recursive common table expression {name} must have a list of columns")
        body = " ".join(inner.words)
        if not re.search(r"\bunion all\b", body) or re.search(r"\b(intersect|except|minus|union (?!all\b))", body):
            raise RedshiftError("0A000", f"the recursive common table expression {name} must be a UNION ALL")
        if re.search(r"\border by\b|\blimit\b", body):
            raise RedshiftError("0A000", f"ORDER BY and LIMIT are not supported in the recursive member of {name}")


def _check_values(whole: _Group) -> None:
    """Refuses a subquery in one of several rows."""
    if "values" not in whole.words:
        return
    place = whole.words.index("values")
    rows = whole.inner[whole.words[:place].count("()") :]
    if len(rows) > 1 and any("select" in group.words for row in rows for group in _all(row)):
        raise RedshiftError("0A000", "can't use subqueries in multi-row VALUES")
