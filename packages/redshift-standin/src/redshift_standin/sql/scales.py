"""Divisions of decimals: the scale of the result follows from the precision and scale of the operands.

PostgreSQL's values have a scale and no precision, so that the types are inferred here: those of columns from the
database, those of computations as in "Computations with numeric values" of the developer guide.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.questions import Questions, inner_first, probe

_MOST = 38  # digits of a decimal
_FEWEST_DECIMALS = 4  # of a division
_NUMERIC = 1700
_INTEGERS = {21: 5, 23: 10, 20: 19}  # the digits of PostgreSQL's types by their ids
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div)
_SAME = (exp.Paren, exp.Neg, exp.Abs, exp.Max, exp.Min, exp.Nullif)  # of the type of their first operand
_CHANGES = (exp.Update, exp.Delete, exp.Merge)
_CHOICES = (exp.Coalesce, exp.Greatest, exp.Least)
_LONGEST_INTEGERS = (9, 18)  # digits of the literals that are an integer and a bigint


@dataclass(frozen=True)
class Decimal:
    """The type of an operand: a decimal, or an integer that becomes one. Without a scale, its values have it."""

    precision: int
    scale: int | None
    integer: bool = False


_KIND = "decimal"  # the type of a division that was replaced, in its node
_OTHER = None  # no decimal, or of a type that is not known
_Type = Decimal | None


def divide_decimals(tree: exp.Expr, questions: Questions) -> exp.Expr | None:
    """Returns a tree in which divisions of decimals have Redshift's scale, None if there is none.

    Raises:
        RedshiftError: for such a division by a parameter.
    """
    changed = False
    for select in inner_first(tree):
        changed = _Divisions(select, select, questions).rewrite() or changed
    if isinstance(tree, _CHANGES):
        changed = _Divisions(tree, _sources(tree), questions).rewrite() or changed
    return tree if changed else None


def _sources(change: exp.Expression) -> exp.Select:
    """Returns a select from the tables that a statement reads and changes."""
    others = [change.args.get(part) for part in ("from_", "using")]
    tables = [change.this]
    for other in filter(None, others):
        tables += other if isinstance(other, list) else [other.this if isinstance(other, exp.From) else other]
    select = exp.Select(from_=exp.From(this=tables[0].copy()))
    select.set("joins", [exp.Join(this=table.copy()) for table in tables[1:]])
    return select


class _Divisions:
    """The divisions of a select or of a statement that changes a table, without those of the selects in it."""

    def __init__(self, scope: exp.Expression, sources: exp.Select, questions: Questions) -> None:
        self._scope = scope
        self._select = sources
        self._questions = questions
        self._types: dict[str, _Type] = {}  # of what is no computation, by its text
        self._unknown = False

    def rewrite(self) -> bool:
        """Replaces the divisions; returns whether there was any of decimals."""
        divisions = [node for node in self._scope.find_all(exp.Div) if self._is_own(node)]
        if not divisions:
            return False
        leaves = {leaf.sql("postgres"): None for node in divisions for leaf in _leaves(node)}
        if leaves:
            self._ask(list(leaves))
        changed = False
        for division in reversed(divisions):  # inner ones first
            changed = self._replace(division) or changed
        if changed and isinstance(self._scope, exp.Select) and not self._scope.args.get("distinct"):
            for projection in list(self._scope.expressions):
                self._cast(projection)
        return changed

    def _is_own(self, node: exp.Expression) -> bool:
        return node.find_ancestor(exp.Select, type(self._scope)) is self._scope

    def _ask(self, texts: list[str]) -> None:
        """Asks the database for the types of columns and other operands."""
        found = self._try(texts)
        if not found and len(texts) > 1:  # aggregates and columns, for example, cannot stand in one list
            for text in texts:
                self._ask([text])
            return
        self._unknown = self._unknown or not found
        self._types |= {text: _of_database(*kind) for text, kind in zip(texts, found, strict=False)}

    def _try(self, texts: list[str]) -> list[tuple[int, int]]:
        """Returns the types of expressions, none if the database does not know them."""
        question = probe(self._select, ", ".join(texts))
        outer: exp.Expression | None = self._scope
        while outer:
            try:
                return self._questions.types(question)
            except RedshiftError:
                outer = outer.find_ancestor(exp.Select)
                if isinstance(outer, exp.Select):  # whose columns it may read
                    question = probe(outer, "rs_inner.*", f"lateral ({question}) as rs_inner")
        return []

    def _replace(self, division: exp.Div) -> bool:
        found = self._infer(division)
        if found is _OTHER and not self._unknown:
            return False
        if found is not _OTHER and found.integer:
            return False
        if found is not _OTHER and division.find(exp.Parameter, exp.Placeholder):
            raise not_implemented("a division of a decimal and a parameter")
        operands = [division.this, division.expression]
        if found is not _OTHER and found.scale is not None:
            operands.append(exp.Literal.number(found.scale))
        # Where even the kinds of the types are not known, the function that PostgreSQL chooses may refuse.
        call = exp.Anonymous(this="rs.divide" if found else "rs.divide_unknown", expressions=operands)
        call.meta[_KIND] = found
        division.replace(call)
        return True

    def _cast(self, projection: exp.Expression) -> None:
        """Gives a computed column its type, so that a query that reads it finds the precision."""
        value = projection.this if isinstance(projection, exp.Alias) else projection
        found = self._infer(value)
        if found is _OTHER or found.integer or found.scale is None or isinstance(value, (exp.Column, exp.Cast)):
            return
        kind = exp.DataType.build(f"decimal({found.precision},{found.scale})", dialect="postgres")
        typed = exp.Cast(this=exp.paren(value.copy()), to=kind)
        if isinstance(projection, exp.Alias):
            value.replace(typed)
        elif self._scope.parent is None or isinstance(self._scope.parent, exp.Create):
            name = value.output_name or _name(value)
            projection.replace(exp.alias_(typed, name, quoted=True))

    def _infer(self, node: exp.Expression) -> _Type:
        if isinstance(node, (exp.Parameter, exp.Placeholder)):
            return Decimal(_MOST, None)
        if _KIND in node.meta:
            replaced: _Type = node.meta[_KIND]
            return replaced
        if isinstance(node, exp.Literal) and not node.is_string:
            return _of_literal(node.name)
        if isinstance(node, exp.Cast):
            return _of_cast(node.to)
        if isinstance(node, _ARITHMETIC):
            return _compute(type(node), self._infer(node.this), self._infer(node.expression))
        if isinstance(node, _SAME):
            return self._infer(node.this)
        if isinstance(node, exp.Window):
            return self._infer(node.this)
        if isinstance(node, exp.Count):
            return Decimal(19, 0, integer=True)
        if isinstance(node, exp.Sum):
            summed = self._infer(node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this)
            if summed is _OTHER:
                return _OTHER
            if summed.integer and summed.precision < 19:
                return Decimal(19, 0, integer=True)
            return Decimal(_MOST, summed.scale)
        if isinstance(node, exp.Round) and node.args.get("decimals") and node.args["decimals"].is_int:
            rounded = self._infer(node.this)
            places = int(node.args["decimals"].name)
            return rounded and Decimal(rounded.precision, max(places, 0), rounded.integer)
        if isinstance(node, _CHOICES):
            return _choose([self._infer(part) for part in (node.this, *node.expressions) if _counts(part)])
        if isinstance(node, exp.Case):
            results = [branch.args["true"] for branch in node.args["ifs"]] + [node.args.get("default")]
            return _choose([self._infer(part) for part in results if part is not None and _counts(part)])
        return self._types.get(node.sql("postgres"), _OTHER)


def _leaves(node: exp.Expression) -> Iterator[exp.Expression]:
    """Yields the operands whose types only the database knows."""
    parts: list[exp.Expression | None]
    if isinstance(node, _ARITHMETIC):
        parts = [node.this, node.expression]
    elif isinstance(node, (*_SAME, exp.Window, exp.Sum, exp.Round)):
        parts = [node.this]
    elif isinstance(node, exp.Distinct):
        parts = list(node.expressions)
    elif isinstance(node, _CHOICES):
        parts = [node.this, *node.expressions]
    elif isinstance(node, exp.Case):
        parts = [branch.args["true"] for branch in node.args["ifs"]] + [node.args.get("default")]
    elif isinstance(node, (exp.Literal, exp.Cast, exp.Count, exp.Null, exp.Parameter, exp.Placeholder)):
        return
    else:
        yield node
        return
    for part in filter(None, parts):
        yield from _leaves(part)


def _counts(node: exp.Expression) -> bool:
    return not isinstance(node, exp.Null)


def _name(node: exp.Expression) -> str:
    """Returns the name that PostgreSQL gives to a column."""
    while isinstance(node, (exp.Paren, exp.Window, exp.Cast)):
        node = node.this
    if isinstance(node, (*_ARITHMETIC, exp.Neg)) or _KIND in node.meta:
        return "?column?"
    if isinstance(node, exp.Case):
        return "case"
    return node.sql_name().lower() if isinstance(node, exp.Func) else "?column?"


def _of_database(type_id: int, modifier: int) -> _Type:
    if type_id in _INTEGERS:
        return Decimal(_INTEGERS[type_id], 0, integer=True)
    if type_id != _NUMERIC:
        return _OTHER
    return Decimal(_MOST, None) if modifier < 0 else Decimal(*divmod(modifier - 4, 1 << 16))


def _of_literal(text: str) -> _Type:
    whole, _, decimals = text.partition(".")
    if not (whole + decimals).isdigit():
        return _OTHER
    if "." not in text:
        kinds = ((longest, digits) for longest, digits in zip(_LONGEST_INTEGERS, (10, 19), strict=True))
        fitting = next((digits for longest, digits in kinds if len(text) <= longest), None)
        return Decimal(fitting, 0, integer=True) if fitting else Decimal(len(text), 0)
    return Decimal(len(whole.lstrip("0")) + len(decimals), len(decimals))


def _of_cast(kind: exp.DataType) -> _Type:
    types = exp.DataType.Type
    integers = {types.SMALLINT: 5, types.INT: 10, types.BIGINT: 19}
    if kind.this in integers:
        return Decimal(integers[kind.this], 0, integer=True)
    if kind.this != types.DECIMAL:
        return _OTHER
    precision, scale = [int(part.name) for part in kind.expressions] + [0, 0][len(kind.expressions) :]
    return Decimal(precision or 18, scale)


def _compute(operator: type[exp.Expression], a: _Type, b: _Type) -> _Type:
    """Returns the type of a computation, as the developer guide's tables have it."""
    if a is _OTHER or b is _OTHER:
        return _OTHER
    if a.integer and b.integer:
        return max(a, b, key=lambda kind: kind.precision)
    if a.scale is None or b.scale is None:
        return Decimal(_MOST, None)
    if operator is exp.Mul:
        return Decimal(min(a.precision + b.precision + 1, _MOST), a.scale + b.scale)
    if operator is exp.Div:
        scale = max(_FEWEST_DECIMALS, a.scale + b.precision - b.scale + 1)
        precision = a.precision - a.scale + b.scale + scale
        if precision > _MOST:
            scale = max(_MOST + scale - precision, _FEWEST_DECIMALS)
        return Decimal(min(precision, _MOST), scale)
    scale = max(a.scale, b.scale)
    return Decimal(min(max(a.precision - a.scale, b.precision - b.scale) + 1 + scale, _MOST), scale)


def _choose(kinds: list[_Type]) -> _Type:
    """Returns the type of a value that is one of several, such as COALESCE's."""
    found = [kind for kind in kinds if kind is not _OTHER]
    if not found or len(found) < len(kinds):
        return _OTHER
    if all(kind.integer for kind in found):
        return max(found, key=lambda kind: kind.precision)
    scales = [kind.scale for kind in found if kind.scale is not None]
    if len(scales) < len(found):
        return Decimal(_MOST, None)
    scale = max(scales)
    whole = max(kind.precision - (kind.scale or 0) for kind in found)
    return Decimal(min(whole + scale, _MOST), scale)
