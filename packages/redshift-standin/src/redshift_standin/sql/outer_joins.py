"""The outer join operator `(+)` in WHERE as LEFT JOIN.

https://docs.aws.amazon.com/redshift/latest/dg/r_WHERE_oracle_outer.html

The text pass marks the columns, `rs_outer(t.c)`, which passes through the other rewrites. A column without a table's
name belongs to the table that has it: only the database knows.
"""

import re

from sqlglot import exp

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.questions import Questions, probe
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import NAME

_OPERATOR = re.compile(r"\( ?\+ ?\)")
_MARKED = re.compile(rf"(?<![\w.$#])((?!\d)(?:{NAME}\s*\.\s*)*(?!\d){NAME})\s*\(\s*\+\s*\)")
_CALL = "rs_outer"
OUTER_JOINS = "outer joins"


def mark_outer_joins(statement: Statement) -> Statement:
    """Returns a statement with the columns of the operator as arguments of a call."""
    if not statement.has("+") or not _OPERATOR.search(statement.text):
        return statement
    changed = statement.change(lambda code: _MARKED.sub(rf"{_CALL}(\1)", code))
    return statement if changed is statement else changed.needing(OUTER_JOINS)


def expand_outer_joins(tree: exp.Expr, questions: Questions) -> exp.Expr:
    """Returns a tree with the joins in FROM.

    Raises:
        RedshiftError: for a use that Redshift refuses.
    """
    for select in list(tree.find_all(exp.Select)):
        _expand_select(select, questions)
    if any(_is_mark(call) for call in tree.find_all(exp.Anonymous)):
        raise not_implemented("(+) outside of WHERE")
    return tree


def _is_mark(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() == _CALL


def _marks(select: exp.Select, condition: exp.Expr) -> list[exp.Expr]:
    return [
        call
        for call in condition.find_all(exp.Anonymous)
        if _is_mark(call) and call.find_ancestor(exp.Select) is select
    ]


def _expand_select(select: exp.Select, questions: Questions) -> None:
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
            if questions.has_column(probe(alone, f"{exp.to_identifier(name, quoted=True)}.{column.sql('postgres')}")):
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
