"""`* EXCLUDE (…)` and GROUP BY ALL as lists of columns, for which the database is asked.

https://docs.aws.amazon.com/redshift/latest/dg/r_SELECT_list.html, …/r_GROUP_BY_clause.html
"""

import re
from collections.abc import Iterator

from sqlglot import exp

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.questions import Questions, inner_first, probe
from redshift_standin.sql.statement import Statement

_NEEDED = re.compile(r"\* ?exclude\b|\bgroup by all\b")
_AGGREGATES = {"avg", "listagg", "median"}  # of catalog/functions, which sqlglot does not know


def has_stars(statement: Statement) -> bool:
    """Returns whether a statement has these forms."""
    return statement.has("exclude", "all") and bool(_NEEDED.search(statement.text))


def expand_stars(tree: exp.Expr, questions: Questions) -> exp.Expr:
    """Returns a tree without these forms.

    Raises:
        RedshiftError: for a missing column, or a form that cannot be expanded.
    """
    for select in inner_first(tree):
        select.set(
            "expressions",
            [one for given in select.expressions for one in _expand_projection(select, given, questions)],
        )
        group = select.args.get("group")
        if group and group.args.get("all"):
            select.set("group", _group_by(select))
    return tree


def _expand_projection(select: exp.Select, given: exp.Expr, questions: Questions) -> Iterator[exp.Expr]:
    """Yields the expressions that replace one expression of a SELECT list."""
    star = given.this if isinstance(given, exp.Column) else given
    excluded = star.args.get("except_") if isinstance(star, exp.Star) else None
    if not excluded:
        yield given
        return
    if any(join.args.get("using") or join.method for join in select.args.get("joins") or ()):
        raise not_implemented("EXCLUDE over a join with USING or a natural join")
    left_out = {column.name.lower() for column in excluded}
    sources = [
        clause.this.alias_or_name for clause in (select.args.get("from_"), *select.args.get("joins", ())) if clause
    ]
    unknown = set(left_out)
    for source in [given.table] if isinstance(given, exp.Column) else sources:
        names = questions.columns(probe(select, f"{exp.to_identifier(source, quoted=True).sql('postgres')}.*"))
        if len(set(names)) < len(names):
            raise not_implemented("a list of columns (EXCLUDE, or QUALIFY over a join with USING) with equal names")
        unknown -= set(names)
        yield from (exp.column(name, table=source, quoted=True) for name in names if name not in left_out)
    if unknown:
        raise RedshiftError("42703", f'column "{min(unknown)}" does not exist')


def _group_by(select: exp.Select) -> exp.Group | None:
    """Returns a GROUP BY of the expressions without aggregates, None if there is none."""
    if any(projection.is_star for projection in select.expressions):
        raise not_implemented("GROUP BY ALL of *")
    places = [
        n
        for n, projection in enumerate(select.expressions, 1)
        if not _aggregates(projection) and not projection.find(exp.Window)
    ]
    return exp.Group(expressions=[exp.Literal.number(n) for n in places]) if places else None


def _aggregates(projection: exp.Expr) -> bool:
    for node in projection.find_all(exp.AggFunc, exp.Anonymous):
        if isinstance(node, exp.Anonymous) and node.name.lower() not in _AGGREGATES:
            continue
        call = node.parent if isinstance(node.parent, exp.Dot) else node  # rs.avg(…)
        within = node.find_ancestor(exp.Select) is projection.find_ancestor(exp.Select)
        if within and not isinstance(call.parent, exp.Window):
            return True
    return False
