"""Lateral column aliases: `select a + 1 as b, b * 2 as c` and an alias in WHERE, which PostgreSQL lacks.

As on Redshift, a column of the FROM clause has precedence over an alias of the same name. Only the database knows
whether such a column exists.
"""

import logging
import re
from collections.abc import Callable, Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from redshift_standin.errors import not_implemented
from redshift_standin.sql.correlated import refuse_correlations
from redshift_standin.sql.ddl import ATTRIBUTES_START
from redshift_standin.sql.text import code, statements

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of each statement that it cannot parse


def expand_aliases(script: str, has_column: Callable[[str], bool]) -> str:
    """Returns a query string for PostgreSQL with each lateral alias replaced by its expression.

    `has_column` gets a query that selects one column and returns whether the column exists.

    Raises:
        RedshiftError: for a statement with lateral aliases that cannot be rewritten, or a correlated subquery that
            Redshift refuses.
    """
    if "select" not in code(script):
        return script
    return ";\n".join(_expand_statement(statement, has_column) for statement in statements(script))


def _expand_statement(statement: str, has_column: Callable[[str], bool]) -> str:
    statement, mark, comment = statement.partition(ATTRIBUTES_START)
    try:
        tree = sqlglot.parse_one(statement, read="postgres", error_level=ErrorLevel.RAISE)
        refuse_correlations(tree)
        if not sum(_expand_select(select, has_column) for select in list(inner_first(tree))):
            return statement + mark + comment
    except (SqlglotError, RecursionError):
        return statement + mark + comment  # PostgreSQL reports the error
    try:
        return tree.sql("postgres", unsupported_level=ErrorLevel.RAISE, comments=False) + mark + comment
    except (SqlglotError, RecursionError) as error:
        raise not_implemented(f"lateral aliases in this statement ({error})") from error


def inner_first(node: exp.Expr) -> Iterator[exp.Select]:
    """Yields the selects of a tree, each after those that it reads from."""
    for child in sorted(node.iter_expressions(), key=lambda child: not isinstance(child, exp.With)):
        yield from inner_first(child)
    if isinstance(node, exp.Select):
        yield node


def _expand_select(select: exp.Select, has_column: Callable[[str], bool]) -> int:
    """Expands the aliases of one select; returns how many it replaced."""
    aliases: dict[str, exp.Expr] = {}
    known: dict[str, bool] = {}
    replaced = 0

    def replace_in(expression: exp.Expr) -> None:
        nonlocal replaced
        for column in list(expression.find_all(exp.Column)):
            name = column.name
            if column.table or name not in aliases or column.find_ancestor(exp.Select) is not select:
                continue
            if name not in known:
                known[name] = has_column(probe(select, column.sql("postgres")))
            if not known[name]:
                column.replace(exp.paren(aliases[name].copy()))
                replaced += 1

    for projection in select.expressions:
        if isinstance(projection, exp.Column) and not projection.table and projection.name in aliases:
            named = exp.alias_(projection.copy(), projection.name, quoted=True)  # the result keeps its name
            projection.replace(named)
            projection = named
        replace_in(projection)
        if isinstance(projection, exp.Alias):
            aliases.setdefault(projection.alias, projection.this)
    if where := select.args.get("where"):
        replace_in(where)
    return replaced


def probe(select: exp.Select, column: str, *more_sources: str) -> str:
    """Returns a query that selects `column` from the sources of a select and from more, and no rows."""
    clauses = [clause for clause in (select.args.get("from_"), *select.args.get("joins", ())) if clause]
    sources = [*(clause.this.sql("postgres") for clause in clauses), *more_sources]
    query = f"select {column}"
    if sources:
        query += " from " + ", ".join(sources)
    ctes, recursive = _visible(select)
    if ctes:
        query = f"with {'recursive ' if recursive else ''}{', '.join(cte.sql('postgres') for cte in ctes)} {query}"
    return re.sub(r"\$\d+", "null", f"{query} where false")


def _visible(select: exp.Select) -> tuple[list[exp.Expr], bool]:
    """Returns the CTEs that a select can read, outermost first, and whether any WITH of theirs is recursive."""
    found: list[exp.Expr] = []
    recursive = False
    node: exp.Expr | None = select
    inside: exp.Expr | None = None  # the CTE that the select is part of
    while node is not None:
        if clause := node.args.get("with_"):
            ctes = list(clause.expressions)
            place = next((n for n, cte in enumerate(ctes) if cte is inside), len(ctes))
            found = ctes[:place] + found
            recursive = recursive or bool(clause.args.get("recursive"))
        if isinstance(node, exp.CTE):
            inside = node
        node = node.parent
    return found, recursive
