"""Lateral column aliases: `select a + 1 as b, b * 2 as c` and an alias in WHERE, which PostgreSQL lacks.

As on Redshift, a column of the FROM clause has precedence over an alias of the same name. Only the database knows
whether such a column exists.
"""

from sqlglot import exp

from redshift_standin.sql.correlated import refuse_correlations
from redshift_standin.sql.questions import Questions, inner_first, probe


def expand_aliases(tree: exp.Expr, questions: Questions) -> exp.Expr | None:
    """Returns a tree with each lateral alias replaced by its expression, None if there is none.

    Raises:
        RedshiftError: for a correlated subquery that Redshift refuses.
    """
    refuse_correlations(tree)
    return tree if sum(_expand_select(select, questions) for select in list(inner_first(tree))) else None


def _expand_select(select: exp.Select, questions: Questions) -> int:
    """Expands the aliases of one select; returns how many it replaced."""
    aliases: dict[str, exp.Expr] = {}
    known: dict[str, bool] = {}
    replaced = 0

    def replace_in(expression: exp.Expr) -> None:
        nonlocal replaced
        for column in list(expression.find_all(exp.Column)):
            name = column.name.lower()
            if column.table or name not in aliases or column.find_ancestor(exp.Select) is not select:
                continue
            if name not in known:
                known[name] = questions.has_column(probe(select, column.sql("postgres")))
            if not known[name]:
                column.replace(exp.paren(aliases[name].copy()))
                replaced += 1

    for projection in select.expressions:
        if isinstance(projection, exp.Column) and not projection.table and projection.name.lower() in aliases:
            named = exp.alias_(projection.copy(), projection.name.lower(), quoted=True)  # the result keeps its name
            projection.replace(named)
            projection = named
        replace_in(projection)
        if isinstance(projection, exp.Alias):
            aliases.setdefault(projection.alias.lower(), projection.this)
    if where := select.args.get("where"):
        replace_in(where)
    return replaced
