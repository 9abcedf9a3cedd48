"""Correlated subqueries that Redshift refuses.

https://docs.aws.amazon.com/redshift/latest/dg/r_correlated_subqueries.html
"""

from collections.abc import Iterator

from sqlglot import exp

from redshift_standin.errors import RedshiftError

_CATALOGUES = {"pg_catalog", "rs_catalog", "rs_information_schema", "information_schema"}


def refuse_correlations(tree: exp.Expr) -> None:
    """Checks the references by a table's name from subqueries to the queries around them.

    Raises:
        RedshiftError: for a reference that skips a query, from a subquery with a window function, or from a subquery
            in the ON clause of an outer join.
    """
    inner = [select for select in tree.find_all(exp.Select) if select.find_ancestor(exp.Select)]
    if not inner or any(table.db in _CATALOGUES for table in tree.find_all(exp.Table)):
        return
    for select in inner:
        own = _sources(select)
        around = list(_queries_around(select))
        columns = (column for column in select.find_all(exp.Column) if column.find_ancestor(exp.Select) is select)
        outside = {column.table.lower() for column in columns if column.table} - own
        if not outside or not around:
            continue
        skipping = outside - _sources(around[0])
        join = select.find_ancestor(exp.Join, exp.Select)
        if (
            any(skipping & _sources(query) for query in around[1:])
            or (outside & _sources(around[0]) and any(_has_window(given) for given in select.expressions))
            or (outside & _sources(around[0]) and isinstance(join, exp.Join) and join.side)
        ):
            raise RedshiftError("0A000", "This type of correlated subquery pattern is not supported yet")


def _sources(select: exp.Select) -> set[str]:
    clauses = (select.args.get("from_"), *(select.args.get("joins") or ()))
    return {clause.this.alias_or_name.lower() for clause in clauses if clause}


def _has_window(projection: exp.Expr) -> bool:
    return projection.find(exp.Window) is not None


def _queries_around(select: exp.Select) -> Iterator[exp.Select]:
    """Yields the queries whose columns a subquery can name, inner ones first."""
    node: exp.Expr | None = select.parent
    while node is not None:
        if isinstance(node, (exp.From, exp.CTE)) or (isinstance(node, exp.Join) and _is_source(select, node)):
            return  # a table of its own, which cannot be correlated
        if isinstance(node, exp.Select):
            yield node
        node = node.parent


def _is_source(select: exp.Select, join: exp.Join) -> bool:
    return any(found is select for found in join.this.find_all(exp.Select))
