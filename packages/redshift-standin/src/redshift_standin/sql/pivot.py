"""PIVOT and UNPIVOT as a GROUP BY and a list of VALUES, for which the database is asked for the input's columns.

https://docs.aws.amazon.com/redshift/latest/dg/r_FROM_clause-pivot-unpivot-examples.html

They are rewritten in two steps. The text pass makes a subquery of each, with a call of `rs_pivot` or `rs_unpivot`
that has the definition; it passes through the other rewrites. Then the call is replaced.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.ddl import ATTRIBUTES_START
from redshift_standin.sql.functions import REPLACED
from redshift_standin.sql.lateral import inner_first, probe
from redshift_standin.sql.text import plain, quote, statements

_NAME = r'(?:"(?:x|"")*"|[^\W\d][\w$]*)'
_OPERATOR = re.compile(r"\b(?P<un>un)?pivot\s*(?:(?P<nulls>include|exclude)\s+nulls\s*)?\(")
_SOURCE_START = re.compile(r"(?:\b(?:from|join)\b|,)\s*$")
_CALL = re.compile(rf"\s*(?P<name>\w+)\s*\((?P<argument>.*)\)(?:\s+as\b|\s)?\s*(?P<alias>{_NAME})?\s*", re.DOTALL)
_FOR = re.compile(rf"\s+for\s+(?P<column>{_NAME})\s+in\s*\((?P<values>.*)\)\s*", re.DOTALL)
_ALIASED = re.compile(rf"(?P<value>.*\S)\s+(?:as\s+)?(?P<alias>{_NAME})\s*", re.DOTALL)
_AGGREGATES = {"avg", "count", "max", "min", "sum"}
_PIVOT, _UNPIVOT = "rs_pivot", "rs_unpivot"
_INPUT, _VALUES = "rs_input", "rs_values"


def has_pivots(text: str) -> bool:
    """Returns whether a statement's code has one of these operators."""
    return "pivot" in text and bool(_OPERATOR.search(text))


def mark_pivots(sql: str) -> str:
    """Returns a statement with a subquery for each operator; the last one comes first, so that all are seen.

    Raises:
        RedshiftError: for a form that Redshift does not have.
    """
    while found := list(_OPERATOR.finditer(masked := plain(sql))):
        operator = found[-1]
        start, end = _source_start(masked, operator.start()), _closing(masked, operator.end())
        source = sql[start : operator.start()]
        if re.search(r"\b(on|using)\b", _outermost(masked[start : operator.start()])):
            raise RedshiftError("0A000", "PIVOT and UNPIVOT of a JOIN are not supported")
        definition = slice(operator.end(), end - 1)
        nulls = operator["nulls"] or "exclude"
        read = _read_unpivot if operator["un"] else _read_pivot
        arguments = read(sql[definition], masked[definition], nulls)
        call = f"{_UNPIVOT if operator['un'] else _PIVOT}({', '.join(arguments)})"
        sql = f"{sql[:start]} (select {call} from {source.strip()}) {sql[end:]}"
    return sql


def _source_start(masked: str, end: int) -> int:
    """Returns where the table reference that ends at `end` starts: after FROM, JOIN or a comma."""
    depth = 0
    for place in range(end - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(masked[place], 0)
        if depth < 0:
            break
        if depth == 0 and masked[place] in ", mn" and (after := _SOURCE_START.search(masked[: place + 1])):
            return after.end()
    raise RedshiftError("42601", 'syntax error at or near "PIVOT"')


def _closing(masked: str, start: int) -> int:
    """Returns the place after the parenthesis that closes the one before `start`."""
    depth = 1
    for place in range(start, len(masked)):
        depth += {"(": 1, ")": -1}.get(masked[place], 0)
        if depth == 0:
            return place + 1
    raise RedshiftError("42601", 'syntax error at or near "PIVOT"')


def _outermost(masked: str) -> str:
    """Returns text without what is in parentheses."""
    depth, kept = 0, ""
    for character in masked:
        depth += {"(": 1, ")": -1}.get(character, 0)
        kept += character if depth == 0 else " "
    return kept


def _read_pivot(sql: str, masked: str, _: str) -> Iterator[str]:
    """Yields the arguments of `rs_pivot`: aggregate, its argument, column, then each value and its column's name."""
    outside = _outermost(masked)
    middle = re.search(r"\sfor\s", outside)
    call = _CALL.fullmatch(masked[: middle.start()]) if middle else None
    rest = _FOR.fullmatch(masked[middle.start() :]) if middle else None
    if not middle or not call or not rest or _closing(masked, call.start("argument")) != call.end("argument") + 1:
        raise not_implemented("PIVOT with more than one aggregate, or of this form")
    if call["name"] not in _AGGREGATES:
        raise RedshiftError("0A000", f"PIVOT does not support the aggregate function {call['name'].upper()}")
    argument = sql[slice(*call.span("argument"))].strip()
    distinct = re.match(r"distinct\b", argument, re.IGNORECASE)
    suffix = "_" + _unquote(sql[slice(*call.span("alias"))]) if call["alias"] else ""
    yield quote(call["name"] + (" distinct" if distinct else ""))
    yield "1" if argument == "*" else argument[distinct.end() if distinct else 0 :]
    start = middle.start()
    yield sql[start + rest.start("column") : start + rest.end("column")]
    values = slice(start + rest.start("values"), start + rest.end("values"))
    for value, alias in _list(sql[values], masked[values]):
        yield value
        yield quote((alias or _default_name(value)) + suffix)


def _read_unpivot(sql: str, masked: str, nulls: str) -> Iterator[str]:
    """Yields the arguments of `rs_unpivot`: the new columns, whether with nulls, then each column and its name."""
    found = re.fullmatch(rf"\s*(?P<value>{_NAME}){_FOR.pattern}", masked, re.DOTALL)
    if not found:
        raise not_implemented("UNPIVOT of this form")
    yield quote(_unquote(sql[slice(*found.span("column"))]))
    yield quote(_unquote(sql[slice(*found.span("value"))]))
    yield quote(nulls)
    values = slice(*found.span("values"))
    for column, alias in _list(sql[values], masked[values]):
        yield column
        yield quote(alias or _unquote(column))


def _list(sql: str, masked: str) -> Iterator[tuple[str, str]]:
    """Yields the elements of a list and their aliases, which may be empty."""
    outside = _outermost(masked)
    places = [-1, *(found.start() for found in re.finditer(",", outside)), len(sql)]
    for before, after in pairwise(places):
        one = slice(before + 1, after)
        if found := _ALIASED.fullmatch(masked[one]):
            yield sql[one][: found.end("value")].strip(), _unquote(sql[one][slice(*found.span("alias"))])
        else:
            yield sql[one].strip(), ""


def _default_name(value: str) -> str:
    """Returns the name of the column of a value without an alias: a constant itself."""
    if value.startswith("'") and value.endswith("'"):
        return value[1:-1].replace("''", "'").lower()
    return value.lower() if re.fullmatch(r"[\d.]+|null|true|false", value, re.IGNORECASE) else "?column?"


def _unquote(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def expand_pivots(script: str, columns: Callable[[str], list[str]]) -> str:
    """Returns a query string for PostgreSQL in which the marked subqueries are queries.

    `columns` gets a query and returns the names of its columns.

    Raises:
        RedshiftError: for a statement that cannot be rewritten.
    """
    if "pivot(" not in script.lower():
        return script
    return ";\n".join(_expand_statement(statement, columns) for statement in statements(script))


def _expand_statement(statement: str, columns: Callable[[str], list[str]]) -> str:
    statement, mark, comment = statement.partition(ATTRIBUTES_START)
    try:
        tree = sqlglot.parse_one(statement, read="postgres", error_level=ErrorLevel.RAISE)
        for select in list(inner_first(tree)):
            call = select.expressions[0] if len(select.expressions) == 1 else None
            if isinstance(call, exp.Anonymous) and call.name.lower() in (_PIVOT, _UNPIVOT):
                _name_input(select)
                names = columns(probe(select, "*"))
                build = _pivot if call.name.lower() == _PIVOT else _unpivot
                build(select, call.expressions, names)
        return tree.sql("postgres", unsupported_level=ErrorLevel.RAISE, comments=False) + mark + comment
    except (SqlglotError, RecursionError) as error:
        raise not_implemented(f"PIVOT in this statement ({error})") from error


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
        projections.append(exp.alias_(exp.Var(this=call), name.name, quoted=True))
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
    values = exp.Var(this=f"lateral (values {rows}) as {_VALUES}({listed})")
    select.set(
        "expressions",
        [_column(select, name) for name in names if name not in used]
        + [exp.column(one.copy(), table=_VALUES) for one in new],
    )
    select.append("joins", exp.Join(this=values, kind="CROSS"))
    if nulls.name == "exclude":
        select.where(exp.Var(this=f"{_VALUES}.{new[1].sql('postgres')} is not null"), copy=False)


def _column(select: exp.Select, name: str) -> exp.Column:
    return exp.column(name, table=select.args["from_"].this.alias_or_name, quoted=True)
