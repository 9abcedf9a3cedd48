"""QUALIFY as a condition on a subquery, with the columns that the client selects and no others.

For `*` the subquery selects each source's row as one value, so that its columns need not be known; with EXCLUDE or
USING, stars.py finds them. A condition on an
alias becomes a lateral alias, which lateral.py expands.
"""

from sqlglot import exp

from redshift_standin.sql.questions import Questions

_INNER, _KEEP, _ORDER = "rs_q", "rs_keep", "rs_order_"


def rewrite_qualify(tree: exp.Expr, _: Questions) -> exp.Expr:
    """Returns a tree without QUALIFY."""
    for select in list(tree.find_all(exp.Select)):
        if select.args.get("qualify"):
            replacement = _as_subquery(select)
            if select is tree:
                tree = replacement
            else:
                select.replace(replacement)
    return tree


def _as_subquery(select: exp.Select) -> exp.Select:
    condition = select.args["qualify"].this
    inner = select.copy()
    for part in ("qualify", "order", "limit", "offset", "distinct", "with_"):
        inner.set(part, None)
    outer = exp.Select()
    for part in ("order", "limit", "offset", "distinct", "with_"):
        if value := select.args.get(part):
            outer.set(part, value.copy())
    helpers = [exp.alias_(exp.paren(condition.copy()), _KEEP), *_hidden_orders(select, outer)]
    if _needs_column_names(select):
        inside = [projection.copy() for projection in select.expressions]
        hidden = [exp.column(helper.alias) for helper in helpers]
        outside: list[exp.Expr] = [exp.Column(this=exp.Star(except_=hidden), table=exp.to_identifier(_INNER))]
    else:
        inside, outside = _projections(select)
    inner.set("expressions", inside + helpers)
    outer.set("expressions", outside)
    return outer.from_(inner.subquery(_INNER)).where(exp.column(_KEEP, table=_INNER))


def _projections(select: exp.Select) -> tuple[list[exp.Expr], list[exp.Expr]]:
    """Returns the SELECT lists of the subquery and of the query."""
    inside: list[exp.Expr] = []
    outside: list[exp.Expr] = []
    for place, projection in enumerate(select.expressions):
        if projection.is_star:
            for source in _sources(select, projection):
                row = f"rs_row_{len(inside)}"
                inside.append(exp.alias_(exp.column(source), row))
                outside.append(exp.Dot(this=exp.paren(exp.column(row, table=_INNER)), expression=exp.Star()))
        elif name := projection.output_name:
            inside.append(projection.copy())
            outside.append(exp.column(exp.to_identifier(name, quoted=True), table=_INNER))
        else:
            inside.append(exp.alias_(projection.copy(), f"rs_{place}"))
            outside.append(exp.alias_(exp.column(f"rs_{place}", table=_INNER), "?column?", quoted=True))
    return inside, outside


def _hidden_orders(select: exp.Select, outer: exp.Select) -> list[exp.Expr]:
    """Returns columns for what the result is sorted by, unless it is a column of the result, and sorts by them."""
    names = {projection.output_name.lower() for projection in select.expressions if not projection.is_star}
    hidden: list[exp.Expr] = []
    order = outer.args.get("order")
    for term in order.expressions if order and not select.args.get("distinct") else ():
        by = term.this
        if by.is_int or (isinstance(by, exp.Column) and not by.table and by.name.lower() in names):
            continue
        hidden.append(exp.alias_(by.copy(), f"{_ORDER}{len(hidden)}"))
        by.replace(exp.column(hidden[-1].alias, table=_INNER))
    return hidden


def _needs_column_names(select: exp.Select) -> bool:
    """Returns whether `*` is not the rows of the sources; stars.py then asks the database for the columns."""
    stars = [
        star for projection in select.expressions if projection.is_star for star in projection.find_all(exp.Star)
    ]
    return any(star.args.get("except_") for star in stars) or (
        bool(stars) and any(join.args.get("using") or join.method for join in select.args.get("joins") or ())
    )


def _sources(select: exp.Select, star: exp.Expr) -> list[exp.Identifier]:
    """Returns the names of the sources whose columns a star selects."""
    if isinstance(star, exp.Column):
        return [star.args["table"].copy()]
    joins = select.args.get("joins") or []
    clauses = [select.args["from_"], *joins]
    return [exp.to_identifier(clause.this.alias_or_name, quoted=True) for clause in clauses]
