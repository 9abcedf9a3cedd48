"""PIVOT and UNPIVOT as a GROUP BY and a list of VALUES, for which the database is asked for the input's columns.

https://docs.aws.amazon.com/redshift/latest/dg/r_FROM_clause-pivot-unpivot-examples.html

They are rewritten in two steps. The text pass makes a subquery of each, with a call of `rs_pivot` or `rs_unpivot`
that has the definition; it passes through the other rewrites. Then the call is replaced.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

import sqlglot
from sqlglot import exp

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.functions import REPLACED
from redshift_standin.sql.questions import Questions, inner_first, probe
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import MARK, closing, quote, unquote_name

_NAME = rf"(?:{MARK}|[^\W\d][\w$]*)"
_OPERATOR = re.compile(r"\b(?P<un>un)?pivot\s*(?:(?P<nulls>include|exclude)\s+nulls\s*)?\(")
_SOURCE_START = re.compile(r"(?:\b(?:from|join)\b|,)\s*$")
_CALL = re.compile(rf"\s*(?P<name>\w+)\s*\((?P<argument>.*)\)(?:\s+as\b|\s)?\s*(?P<alias>{_NAME})?\s*", re.DOTALL)
_FOR = re.compile(rf"\s+for\s+(?P<column>{_NAME})\s+in\s*\((?P<values>.*)\)\s*", re.DOTALL)
_ALIASED = re.compile(rf"(?P<value>.*\S)\s+(?:as\s+)?(?P<alias>{_NAME})\s*", re.DOTALL)
_AGGREGATES = {"avg", "count", "max", "min", "sum"}
_PIVOT, _UNPIVOT = "rs_pivot", "rs_unpivot"
PIVOTS = "pivots"
_INPUT, _VALUES = "rs_input", "rs_values"


def mark_pivots(statement: Statement) -> Statement:
    """Returns a statement with a subquery for each operator; the last one comes first, so that all are seen.

    Raises:
        RedshiftError: for a form that Redshift does not have.
    """
    if not statement.has("pivot", "unpivot"):
        return statement
    while found := list(_OPERATOR.finditer(masked := statement.lower)):
        operator, code = found[-1], statement.code
        start, end = _source_start(masked, operator.start()), closing(masked, operator.end())
        if end is None:
            raise _syntax_error()
        source = code[start : operator.start()]
        if re.search(r"\b(on|using)\b", _outermost(masked[start : operator.start()])):
            raise RedshiftError("0A000", "PIVOT and UNPIVOT of a JOIN are not supported")
        definition = _Definition(statement, code[operator.end() : end], masked[operator.end() : end])
        if operator["un"]:
            call = f"{_UNPIVOT}({', '.join(definition.read_unpivot(operator['nulls'] or 'exclude'))})"
        else:
            call = f"{_PIVOT}({', '.join(definition.read_pivot())})"
        code = f"{code[:start]} (select {call} from {source.strip()}) {code[end + 1 :]}"
        statement = statement.with_code(code).needing(PIVOTS)
    return statement


def _source_start(masked: str, end: int) -> int:
    """Returns where the table reference that ends at `end` starts: after FROM, JOIN or a comma."""
    depth = 0
    for place in range(end - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(masked[place], 0)
        if depth < 0:
            break
        if depth == 0 and masked[place] in ", mn" and (after := _SOURCE_START.search(masked[: place + 1])):
            return after.end()
    raise _syntax_error()


def _syntax_error() -> RedshiftError:
    return RedshiftError("42601", 'syntax error at or near "PIVOT"')


def _outermost(masked: str) -> str:
    """Returns text without what is in parentheses."""
    depth, kept = 0, ""
    for character in masked:
        depth += {"(": 1, ")": -1}.get(character, 0)
        kept += character if depth == 0 else " "
    return kept


class _Definition:
    """What stands in the parentheses of an operator: its code, and the same in lowercase."""

    def __init__(self, statement: Statement, code: str, masked: str) -> None:
        self._statement, self._code, self._masked = statement, code, masked

    def read_pivot(self) -> Iterator[str]:
        """Yields the arguments of `rs_pivot`: aggregate, its argument, column, then each value and its name."""
        masked = self._masked
        outside = _outermost(masked)
        middle = re.search(r"\sfor\s", outside)
        call = _CALL.fullmatch(masked[: middle.start()]) if middle else None
        rest = _FOR.fullmatch(masked[middle.start() :]) if middle else None
        if not middle or not call or not rest or closing(masked, call.start("argument")) != call.end("argument"):
            raise not_implemented("PIVOT with more than one aggregate, or of this form")
        if call["name"] not in _AGGREGATES:
            raise RedshiftError("0A000", f"PIVOT does not support the aggregate function {call['name'].upper()}")
        argument = self._code[slice(*call.span("argument"))].strip()
        distinct = re.match(r"distinct\b", argument, re.IGNORECASE)
        suffix = "_" + self._name(*call.span("alias")) if call["alias"] else ""
        yield quote(call["name"] + (" distinct" if distinct else ""))
        yield "1" if argument == "*" else argument[distinct.end() if distinct else 0 :]
        start = middle.start()
        yield self._code[start + rest.start("column") : start + rest.end("column")]
        for value, alias in self._list(start + rest.start("values"), start + rest.end("values")):
            yield value
            yield quote((alias or _default_name(self._statement.show(value))) + suffix)

    def read_unpivot(self, nulls: str) -> Iterator[str]:
        """Yields the arguments of `rs_unpivot`: new columns, whether with nulls, then each column and its name."""
        found = re.fullmatch(rf"\s*(?P<value>{_NAME}){_FOR.pattern}", self._masked, re.DOTALL)
        if not found:
            raise not_implemented("UNPIVOT of this form")
        yield quote(self._name(*found.span("column")))
        yield quote(self._name(*found.span("value")))
        yield quote(nulls)
        for column, alias in self._list(*found.span("values")):
            yield column
            yield quote(alias or unquote_name(self._statement.show(column)))

    def _name(self, start: int, end: int) -> str:
        return unquote_name(self._statement.show(self._code[start:end]))

    def _list(self, start: int, end: int) -> Iterator[tuple[str, str]]:
        """Yields the elements of a list and their aliases, which may be empty."""
        masked = self._masked[start:end]
        places = [-1, *(found.start() for found in re.finditer(",", _outermost(masked))), len(masked)]
        for before, after in pairwise(places):
            one = slice(before + 1, after)
            place = start + before + 1
            if found := _ALIASED.fullmatch(masked[one]):
                value = self._code[place : place + found.end("value")]
                yield value.strip(), self._name(place + found.start("alias"), place + found.end("alias"))
            else:
                yield self._code[place : start + after].strip(), ""


def _default_name(value: str) -> str:
    """Returns the name of the column of a value without an alias: a constant itself."""
    if value.startswith("'") and value.endswith("'"):
        return value[1:-1].replace("''", "'").lower()
    return value.lower() if re.fullmatch(r"[\d.]+|null|true|false", value, re.IGNORECASE) else "?column?"


def expand_pivots(tree: exp.Expr, questions: Questions) -> exp.Expr:
    """Returns a tree in which the marked subqueries are queries.

    Raises:
        RedshiftError: for a statement that cannot be rewritten.
    """
    for select in list(inner_first(tree)):
        call = select.expressions[0] if len(select.expressions) == 1 else None
        if isinstance(call, exp.Anonymous) and call.name.lower() in (_PIVOT, _UNPIVOT):
            _name_input(select)
            names = questions.columns(probe(select, "*"))
            build = _pivot if call.name.lower() == _PIVOT else _unpivot
            build(select, call.expressions, names)
    return tree


def _name_input(select: exp.Select) -> None:
    """Gives the input a name if it has none."""
    source = select.args["from_"].this
    if isinstance(source, exp.Subquery) and not source.alias:
        source.set("alias", exp.TableAlias(this=exp.to_identifier(_INPUT)))


def _pivot(select: exp.Select, arguments: list[exp.Expr], names: list[str]) -> None:
    aggregate, argument, column, *rest = arguments
    used = {found.name.lower() for found in [*argument.find_all(exp.Column), column]}
    kept = [name for name in names if name not in used]
    function, _, distinct = aggregate.name.partition(" ")
    projections: list[exp.Expr] = [_column(select, name) for name in kept]
    for value, name in zip(rest[::2], rest[1::2], strict=True):
        is_value = f"{column.sql('postgres')} " + (
            "is null" if isinstance(value, exp.Null) else f"= {value.sql('postgres')}"
        )
        call = (
            f"{REPLACED.get(function, function)}({distinct} case when {is_value} then {argument.sql('postgres')} end)"
        )
        projections.append(exp.alias_(_parse(call), name.name, quoted=True))
    select.set("expressions", projections)
    if kept:
        select.set("group", exp.Group(expressions=[_column(select, name) for name in kept]))


def _unpivot(select: exp.Select, arguments: list[exp.Expr], names: list[str]) -> None:
    name_column, value_column, nulls, *rest = arguments
    used = {column.name.lower() for column in rest[::2]}
    source = exp.to_identifier(select.args["from_"].this.alias_or_name, quoted=True)
    rows = ", ".join(
        f"({name.sql('postgres')}::varchar, {source.sql('postgres')}.{column.sql('postgres')})"
        for column, name in zip(rest[::2], rest[1::2], strict=True)
    )
    new = [exp.to_identifier(column.name, quoted=True) for column in (name_column, value_column)]
    listed = ", ".join(one.sql("postgres") for one in new)
    values = _parse(f"select 1 from lateral (values {rows}) as {_VALUES}({listed})").args["from_"].this
    select.set(
        "expressions",
        [_column(select, name) for name in names if name not in used]
        + [exp.column(one.copy(), table=_VALUES) for one in new],
    )
    select.append("joins", exp.Join(this=values, kind="CROSS"))
    if nulls.name == "exclude":
        select.where(_parse(f"{_VALUES}.{new[1].sql('postgres')} is not null"), copy=False)


def _parse(code: str) -> exp.Expr:
    return sqlglot.parse_one(code, read="postgres")


def _column(select: exp.Select, name: str) -> exp.Column:
    return exp.column(name, table=select.args["from_"].this.alias_or_name, quoted=True)
