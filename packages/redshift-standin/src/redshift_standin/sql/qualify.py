"""QUALIFY as a condition on a subquery, with the columns that the client selects and no others.

For `*` the subquery selects each source's row as one value, so that its columns need not be known. A condition on an
alias becomes a lateral alias, which lateral.py expands.
"""

from sqlglot import exp

from redshift_standin.errors import not_implemented

_INNER, _KEEP = "rs_q", "rs_keep"


def rewrite_qualify(tree: exp.Expr) -> exp.Expr:
    """Returns a tree without QUALIFY.

    Raises:
        RedshiftError: for a form that is not implemented, such as `*` over a join with USING.
    """
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
    if any(column.table for column in (outer.args.get("order") or exp.Order()).find_all(exp.Column)):
        raise not_implemented("QUALIFY with ORDER BY of a table's column that is not in the result")
    inside: list[exp.Expr] = []
    outside: list[exp.Expr] = []
    for place, projection in enumerate(select.expressions):
        if projection.is_star:
            for source in _sources(select, projection):
                row = f"rs_row_{len(inside)}"
                inside.append(exp.alias_(exp.Var(this=source), row))
                outside.append(exp.Var(this=f"({_INNER}.{row}).*"))
        elif name := projection.output_name:
            inside.append(projection.copy())
            outside.append(exp.column(exp.to_identifier(name, quoted=True), table=_INNER))
        else:
            inside.append(exp.alias_(projection.copy(), f"rs_{place}"))
            outside.append(exp.alias_(exp.column(f"rs_{place}", table=_INNER), "?column?", quoted=True))
    inside.append(exp.alias_(exp.paren(condition.copy()), _KEEP))
    inner.set("expressions", inside)
    outer.set("expressions", outside)
    return outer.from_(inner.subquery(_INNER)).where(exp.column(_KEEP, table=_INNER))


def _sources(select: exp.Select, star: exp.Expr) -> list[str]:
    """Returns the names, as SQL, of the sources whose columns a star selects."""
    if any(star.find_all(exp.Star)) and any(node.args.get("except_") for node in star.find_all(exp.Star)):
        raise not_implemented("QUALIFY with EXCLUDE")
    if isinstance(star, exp.Column):
        return [star.args["table"].sql("postgres")]
    joins = select.args.get("joins") or []
    if any(join.args.get("using") for join in joins):
        raise not_implemented("QUALIFY of * over a join with USING")
    clauses = [select.args["from_"], *joins]
    return [exp.to_identifier(clause.this.alias_or_name, quoted=True).sql("postgres") for clause in clauses]
