"""The outer join operator `(+)` in WHERE as LEFT JOIN.

https://docs.aws.amazon.com/redshift/latest/dg/r_WHERE_oracle_outer.html

The text pass marks the columns, `rs_outer(t.c)`, which passes through the other rewrites. A column without a table's
name belongs to the table that has it: only the database knows.
"""

import re
from collections.abc import Callable

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.ddl import ATTRIBUTES_START
from redshift_standin.sql.lateral import probe
from redshift_standin.sql.text import MARK, statements

_OPERATOR = re.compile(r"\( ?\+ ?\)")
_NAME = rf"(?:{MARK}|[^\W\d]\w*)"
_MARKED = re.compile(rf"(?<![\w.])({_NAME}(?:\s*\.\s*{_NAME})*)\s*\(\s*\+\s*\)")
_CALL = "rs_outer"


def has_outer_joins(text: str) -> bool:
    """Returns whether a statement's code has the operator."""
    return bool(_OPERATOR.search(text))


def mark_outer_joins(masked: str) -> str:
    """Returns masked code with the columns of the operator as arguments of a call."""
    return _MARKED.sub(rf"{_CALL}(\1)", masked)


def expand_outer_joins(script: str, has_column: Callable[[str], bool]) -> str:
    """Returns a query string for PostgreSQL with the joins in FROM.

    `has_column` gets a query that selects one column and returns whether the column exists.

    Raises:
        RedshiftError: for a use that Redshift refuses, or a statement that cannot be rewritten.
    """
    if f"{_CALL}(" not in script.lower():
        return script
    return ";\n".join(_expand_statement(statement, has_column) for statement in statements(script))


def _expand_statement(statement: str, has_column: Callable[[str], bool]) -> str:
    statement, mark, comment = statement.partition(ATTRIBUTES_START)
    try:
        tree = sqlglot.parse_one(statement, read="postgres", error_level=ErrorLevel.RAISE)
        for select in list(tree.find_all(exp.Select)):
            _expand_select(select, has_column)
        if any(_is_mark(call) for call in tree.find_all(exp.Anonymous)):
            raise not_implemented("(+) outside of WHERE")
        return tree.sql("postgres", unsupported_level=ErrorLevel.RAISE, comments=False) + mark + comment
    except (SqlglotError, RecursionError) as error:
        raise not_implemented(f"(+) in this statement ({error})") from error


def _is_mark(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() == _CALL


def _marks(select: exp.Select, condition: exp.Expr) -> list[exp.Expr]:
    return [
        call
        for call in condition.find_all(exp.Anonymous)
        if _is_mark(call) and call.find_ancestor(exp.Select) is select
    ]


def _expand_select(select: exp.Select, has_column: Callable[[str], bool]) -> None:
    """Moves the conditions of one select that have the operator to joins."""
    where = select.args.get("where")
    if not where or not (marks := _marks(select, where)):
        return
    joins = select.args.get("joins") or []
    if any(join.args.get(part) for join in joins for part in ("side", "kind", "on", "using", "method")):
        raise RedshiftError("0A000", "The operator (+) cannot be used in a query block with FROM clause join syntax.")
    for call in marks:
        if call.find_ancestor(exp.Or, exp.In, exp.Where) is not where:
            raise RedshiftError("0A000", "Outer join operator (+) not allowed in operand of OR or IN.")
    sources: dict[str, exp.Expr] = {
        str(clause.this.alias_or_name).lower(): clause.this for clause in (select.args["from_"], *joins)
    }

    def owner(column: exp.Column) -> str:
        """Returns the source that a column belongs to, empty for one of an outer query."""
        if table := str(column.table).lower():
            return table if table in sources else ""
        for name, source in sources.items():
            alone = exp.Select().from_(source.copy())
            alone.parent = select.parent
            if has_column(probe(alone, f"{exp.to_identifier(name, quoted=True)}.{column.sql('postgres')}")):
                return name
        return ""

    conditions: dict[str, list[exp.Expr]] = {}
    others: dict[str, set[str]] = {}
    kept: list[exp.Expr] = []
    for condition in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        marked = {owner(call.expressions[0]) for call in _marks(select, condition)} - {""}
        used = {
            owner(column) for column in condition.find_all(exp.Column) if column.find_ancestor(exp.Select) is select
        }
        for call in _marks(select, condition):
            if call is condition:
                condition = call.expressions[0]
            call.replace(call.expressions[0])
        if len(marked) > 1:
            raise RedshiftError("0A000", "A predicate may reference only one outer joined table.")
        if not marked:
            kept.append(condition)
            continue
        (inner,) = marked
        conditions.setdefault(inner, []).append(condition)
        others.setdefault(inner, set()).update(used - {inner, ""})
    for inner, used in others.items():
        if len(used) > 1:
            raise RedshiftError("0A000", "A table may be outer joined to at most one other table.")
        if not used:  # compared with constants alone: no join
            kept += conditions.pop(inner)
    _join(select, sources, conditions, others)
    select.set("where", exp.Where(this=exp.and_(*kept, copy=False)) if kept else None)


def _join(
    select: exp.Select,
    sources: dict[str, exp.Expr],
    conditions: dict[str, list[exp.Expr]],
    others: dict[str, set[str]],
) -> None:
    """Sets the FROM clause: the sources that keep their rows, then each other one after the one it is joined to."""
    order = [name for name in sources if name not in conditions]
    waiting = list(conditions)
    while ready := [name for name in waiting if others[name] <= set(order)]:
        order += ready
        waiting = [name for name in waiting if name not in ready]
    if waiting:
        raise RedshiftError("0A000", "Tables may not be outer joined to each other in both directions.")
    if order != list(sources):
        select.set("expressions", [one for given in select.expressions for one in _in_order(given, sources)])
    first, *rest = order
    select.set("from_", exp.From(this=sources[first]))
    select.set(
        "joins",
        [
            exp.Join(this=sources[name], side="LEFT", on=exp.and_(*conditions[name], copy=False))
            if name in conditions
            else exp.Join(this=sources[name], kind="CROSS")
            for name in rest
        ],
    )


def _in_order(projection: exp.Expr, sources: dict[str, exp.Expr]) -> list[exp.Expr]:
    """Returns the projections in place of one: `*` has the columns in the order in which FROM named the sources."""
    if not isinstance(projection, exp.Star):
        return [projection]
    return [exp.column(exp.Star(), table=exp.to_identifier(name, quoted=True)) for name in sources]
