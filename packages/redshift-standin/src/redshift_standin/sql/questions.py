"""What the passes over a syntax tree ask the database, and the queries that they ask."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True)
class Questions:
    """Answers about queries, which are not run."""

    has_column: Callable[[str], bool]  # whether the column exists that a query selects
    columns: Callable[[str], list[str]]  # the names of a query's columns
    types: Callable[[str], list[tuple[int, int]]]  # their type ids and type modifiers


def inner_first(node: exp.Expr) -> Iterator[exp.Select]:
    """Yields the selects of a tree, each after those that it reads from."""
    for child in sorted(node.iter_expressions(), key=lambda child: not isinstance(child, exp.With)):
        yield from inner_first(child)
    if isinstance(node, exp.Select):
        yield node


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
