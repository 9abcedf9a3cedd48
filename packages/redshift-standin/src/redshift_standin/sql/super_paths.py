"""SUPER: navigation by `alias.column.a.b[0]`, and unnesting in FROM, as PostgreSQL's subscripts and functions.

https://docs.aws.amazon.com/redshift/latest/dg/query-super.html
"""

import re

from sqlglot import exp

_PATH = re.compile(r"(?<![\w.])(\w+)\.\w+(?:\.\w|\[)")
_UNNESTED = re.compile(
    r"\bfrom (?:(?!\b(?:from|where|group|order|having|limit|qualify|union|select|join|on)\b)[^()])*?, ?(\w+)\.\w+"
)

_ALONE = re.compile(r"(?<![\w.])\w+(?![\w.])")


def has_paths(text: str) -> bool:
    """Returns whether a statement's code may have paths: a name before a dot is an alias if it also occurs alone."""
    firsts = {found[1] for pattern in (_PATH, _UNNESTED) for found in pattern.finditer(text)}
    return bool(re.search(r"\w ?\[", text)) or not firsts.isdisjoint(_ALONE.findall(text) if firsts else ())


def rewrite_paths(tree: exp.Expr) -> exp.Expr:
    """Returns a tree with every path in PostgreSQL's form."""
    for select in list(tree.find_all(exp.Select)):
        sources = {table.alias_or_name for table in select.find_all(exp.Table)}
        elements: set[str] = set()
        for join in select.args.get("joins") or ():
            if isinstance(join.this, exp.Unnest) and isinstance(
                join.this.expressions[0], (exp.Column, exp.Dot, exp.Bracket)
            ):
                (name,) = join.this.args["alias"].columns
                path = _path(join.this.expressions[0], sources, elements)
                elements.add(name.name)
                join.set("this", exp.Var(this=f"lateral rs.elements({path.sql('postgres')}) as {name} ({name})"))
                join.set("kind", "CROSS")
        for node in _paths(select):
            path = _path(node, sources, elements)
            if path is not node and node.parent is select and (name := _last(node)):
                path = exp.alias_(path, name, quoted=True)
            node.replace(path)
    return tree


def _paths(select: exp.Select) -> list[exp.Expr]:
    """Returns the outermost paths of a select."""
    kinds = (exp.Column, exp.Dot, exp.Bracket)
    return [
        node
        for node in select.find_all(*kinds)
        if not isinstance(node.parent, (exp.Dot, exp.Bracket)) and node.find_ancestor(exp.Select) is select
    ]


def _path(node: exp.Expr, sources: set[str], elements: set[str]) -> exp.Expr:
    """Returns a path as subscripts of a column, and anything else unchanged."""
    steps: list[str] = []
    base = node
    while isinstance(base, (exp.Bracket, exp.Dot)):
        key = base.expressions[0] if isinstance(base, exp.Bracket) else base.expression
        steps.insert(0, key.name if isinstance(base, exp.Bracket) and key.is_int else f"'{key.name}'")
        base = base.this
    if not isinstance(base, exp.Column):
        return node
    first, *rest = [part.sql("postgres") for part in base.parts]
    if first.strip('"') in elements:
        column = f"{first}.{first}"
    elif first.strip('"') in sources and rest:
        column, rest = f"{first}.{rest[0]}", rest[1:]
    elif not rest:
        column = first
    else:
        return node
    steps = ["'" + step.strip('"') + "'" for step in rest] + steps
    return exp.Var(this=f"({column})" + "".join(f"[{step}]" for step in steps) + "::super") if steps else node


def _last(node: exp.Expr) -> str:
    """Returns the column name of a path's result, empty for an element of a list."""
    if isinstance(node, exp.Bracket):
        return "" if node.expressions[0].is_int else str(node.expressions[0].name)
    return str((node.expression if isinstance(node, exp.Dot) else node).name)
