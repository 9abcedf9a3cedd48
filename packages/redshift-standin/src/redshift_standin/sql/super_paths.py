"""SUPER: navigation by `alias.column.a.b[0]`, and unnesting in FROM, as functions of the database.

`from t, t.items as x at i` becomes `from t, lateral rs.elements(t.items) as x (x, i)`: `x` is a row and its column,
as `x.price` and `x` are the value. `unpivot t.item as value at name` becomes a call of `rs.attributes`.

https://docs.aws.amazon.com/redshift/latest/dg/query-super.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.outline import ALIASES, PATHS
from redshift_standin.sql.refusals import reads_catalogue_only
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import MARK, quote, quote_name

_TOKEN = re.compile(
    rf"(?P<blank>\s++)|(?P<mark>{MARK})|(?P<number>\d+(?:\.\d+)?)|(?P<word>[^\W\d][\w$]*)|(?P<sign>::|.)", re.DOTALL
)
_JOINS = {"join", "inner", "left", "right", "full", "outer", "cross", "natural"}
_ENDS = {
    "where", "group", "having", "order", "limit", "offset", "qualify", "window", "fetch", "for", "union", "except",
    "minus", "intersect", "set", "when", "returning", "connect", "start", "then", "values", "select", "with",
}  # fmt: skip
_NO_ALIAS = _JOINS | _ENDS | {"on", "using", "as", "at", "pivot", "unpivot", "lateral", "tablesample", "from"}
_NO_NAME = {
    "and", "or", "not", "in", "is", "null", "case", "when", "then", "else", "end", "as", "on", "by", "like", "ilike",
    "between", "distinct", "all", "any", "some", "exists", "true", "false", "interval",
}  # fmt: skip


def rewrite_paths(statement: Statement) -> Statement:
    """Returns a statement with every path in PostgreSQL's form; one that reads the catalogue alone has none.

    Raises:
        RedshiftError: for a path in MERGE, as on Redshift, or `stand-in: …` for a place in an array without a number.
    """
    if PATHS not in statement.needs or reads_catalogue_only(statement):
        return statement
    changed = statement.with_code(_Reader(statement).rewrite())
    return changed if changed is statement else changed.needing(ALIASES)  # a path in a SELECT list is given a name


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str  # a word in lowercase, a quoted name without quotes
    start: int
    end: int


@dataclass
class _Chain:
    """Names and places in arrays, joined by dots and brackets."""

    first: _Token
    steps: list[str | int]  # without the first
    end: int  # its place in the statement
    last: int  # its last token

    @property
    def name(self) -> str:
        return next((step for step in reversed(self.steps) if isinstance(step, str)), self.first.text)


@dataclass
class _Source:
    """An item of FROM. An element is a value of an array, or of an object."""

    name: str
    schema: str = ""
    element: bool = False
    place: int = 0
    chain: _Chain | None = None  # of what may be unnested
    kind: str = "unnested"
    alias: tuple[str, str] = ("", "")  # of the value and of its place
    end: int = 0


@dataclass
class _Scope:
    """A query: what it reads from."""

    parent: "_Scope | None"
    sources: list[_Source] = field(default_factory=list)

    def find(self, name: str, before: int | None = None) -> _Source | None:
        for source in self.sources:
            if source.name == name and (before is None or source.place < before):
                return source
        return self.parent.find(name) if self.parent else None

    def schema_of(self, name: str, schema: str) -> bool:
        found = self.find(name)
        return bool(found and found.schema == schema)


@dataclass
class _Frame:
    """What a parenthesis is in."""

    scope: _Scope | None
    clause: str = ""  # "select", "from" or another one
    expects_source: bool = False
    is_source: bool = False  # the parenthesis itself is an item of FROM


class _Reader:
    """Reads a statement's tokens and changes its paths."""

    def __init__(self, statement: Statement) -> None:
        self._code = statement.code
        self._tokens = list(_tokens(statement))
        self._scopes: list[_Scope] = []
        self._chains: list[tuple[_Chain, _Scope, int | None]] = []
        self._edits: list[tuple[int, int, str]] = []
        self._merge = bool(self._tokens) and self._tokens[0].text == "merge"

    def rewrite(self) -> str:
        """Returns the code with calls in place of paths."""
        self._read()
        # Outer queries come first, so that what an inner one unnests is known.
        for scope in self._scopes:
            for source in scope.sources:
                if source.chain:
                    self._unnest(scope, source, source.chain)
        for chain, scope, item in self._chains:
            self._navigate(chain, scope, item)
        code = self._code
        for start, end, text in sorted(self._edits, reverse=True):
            code = code[:start] + text + code[end:]
        return code

    def _text(self, place: int) -> str:
        token = self._tokens[place] if 0 <= place < len(self._tokens) else None
        return token.text if token and token.kind in ("word", "sign") else ""

    def _read(self) -> None:
        """Finds the queries, their sources and all paths."""
        frames = [_Frame(None)]
        place = 0
        while place < len(self._tokens):
            frame, token, text = frames[-1], self._tokens[place], self._text(place)
            if text == "(":
                within = _Frame(frame.scope, is_source=frame.expects_source)
                if frame.expects_source and self._text(place + 1) not in ("select", "with", "("):
                    within.clause, within.expects_source = "from", True
                frame.expects_source = False
                frames.append(within)
            elif text == ")":
                if len(frames) > 1 and frames.pop().is_source:
                    place = self._read_alias(frames[-1].scope, place + 1, None)
                    continue
            elif text == "select":
                outer = frame.scope
                if frame.clause and frame.scope and len(frames) > 1:  # after UNION
                    outer = frame.scope.parent
                elif frame.clause and frame.scope:
                    outer = None
                frame.scope, frame.clause, frame.expects_source = self._open(outer), "select", False
            elif place == 0 and text in ("update", "delete", "merge"):
                frame.scope, frame.clause = self._open(None), "from"
                frame.expects_source = text == "update"
            elif (
                text in ("from", "into", "using")
                and frame.scope
                and (
                    frame.clause == "select"
                    or (len(frames) == 1 and frame.clause in ("from", "set") and text != "into")
                    or self._merge
                )
                and not (text == "using" and self._text(place + 1) == "(")
            ):
                frame.clause, frame.expects_source = "from", text != "into" or self._merge
            elif frame.clause == "from" and (text == "," or text == "join"):
                frame.expects_source = True
            elif frame.clause == "from" and not frame.expects_source and text in _ENDS:
                frame.clause = text
            elif frame.expects_source and text != "lateral":
                place = self._read_source(frame, place)
                continue
            elif frame.scope and token.kind in ("word", "quoted") and text not in _NO_NAME and text not in _ENDS:
                place = self._read_path(frame, place)
                continue
            place += 1

    def _open(self, parent: _Scope | None) -> _Scope:
        self._scopes.append(_Scope(parent))
        return self._scopes[-1]

    def _read_source(self, frame: _Frame, place: int) -> int:
        """Reads an item of FROM; returns the place after it."""
        frame.expects_source = False
        kind = "unnested"
        start = self._tokens[place].start
        if self._text(place) == "unpivot":
            kind, place = "attributes", place + 1
        chain = self._read_chain(place)
        if chain is None:
            return place + 1
        place = chain.last + 1
        if self._text(place) == "(":  # a function
            arguments, depth = place + 1, 0
            while place < len(self._tokens):
                depth += {"(": 1, ")": -1}.get(self._text(place), 0)
                place += 1
                if depth == 0:
                    break
            while frame.scope and arguments < place:
                found = self._read_chain(arguments)
                if found and found.steps:
                    self._chains.append((found, frame.scope, None))
                arguments = found.last + 1 if found else arguments + 1
            after = self._read_alias(frame.scope, place, None)
            if chain.first.text == "unnest" and frame.scope:
                if "with" in (self._text(place), self._text(after)):
                    raise not_implemented("UNNEST with OFFSET")
                frame.scope.sources[-1].element = self._text(after - 1) != ")"
            return after
        source = _Source(chain.name, place=start, chain=chain, kind=kind)
        source.schema = str(chain.steps[-2] if len(chain.steps) > 1 else chain.first.text) if chain.steps else ""
        return self._read_alias(frame.scope, place, source)

    def _read_alias(self, scope: _Scope | None, place: int, source: _Source | None) -> int:
        """Reads the names of an item of FROM and adds it to its query; returns the place after them."""
        end = self._tokens[place - 1].end
        if self._text(place) == "as":
            place += 1
        if place < len(self._tokens) and self._is_name(place) and self._text(place) not in _NO_ALIAS:
            name = self._tokens[place].text
            if source:
                source.name, source.schema = name, ""
            else:
                source = _Source(name, place=self._tokens[place].start)
            end, place = self._tokens[place].end, place + 1
            index = ""
            if self._text(place) == "at" and self._is_name(place + 1):
                index, end, place = self._tokens[place + 1].text, self._tokens[place + 1].end, place + 2
            source.alias = (name, index)
            if self._text(place) == "(" and source.chain is None:  # the names of columns
                while place < len(self._tokens) and self._text(place) != ")":
                    place += 1
                place += 1
        if scope:
            source = source or _Source("")  # a query without a name
            source.end = end
            scope.sources.append(source)
        return place

    def _is_name(self, place: int) -> bool:
        return place < len(self._tokens) and self._tokens[place].kind in ("word", "quoted")

    def _read_path(self, frame: _Frame, place: int) -> int:
        """Reads what may be a path in an expression; returns the place after it."""
        before = self._text(place - 1)
        chain = self._read_chain(place)
        if chain is None:
            return place + 1
        after = self._text(chain.last + 1)
        if (
            (chain.steps or chain.first.text in _RESERVED)
            and after != "("
            and before not in ("::", ".")
            and frame.scope
        ):
            item = self._end_of_item(place, chain.last + 1) if frame.clause == "select" else None
            self._chains.append((chain, frame.scope, item))
        return chain.last + 1

    def _read_chain(self, place: int) -> _Chain | None:
        if not self._is_name(place):
            return None
        chain = _Chain(self._tokens[place], [], self._tokens[place].end, place)
        while True:
            sign, last = self._text(chain.last + 1), chain.last
            if sign == "." and self._is_name(last + 2):
                chain.steps.append(self._tokens[last + 2].text)
                chain.last = last + 2
            elif sign == "[":
                token = self._tokens[last + 2] if last + 2 < len(self._tokens) else None
                if self._text(last + 3) != "]" or token is None or token.kind not in ("number", "string"):
                    if token and token.text == "]":
                        return chain
                    raise not_implemented("a place in an array of type SUPER that is not a number")
                chain.steps.append(int(token.text) if token.kind == "number" else token.text[1:-1].replace("''", "'"))
                chain.last = last + 3
            else:
                return chain
            chain.end = self._tokens[chain.last].end

    def _end_of_item(self, first: int, after: int) -> int | None:
        """Returns where an item of a SELECT list ends that is a path and casts alone, None for any other."""
        if self._text(first - 1) not in ("select", "distinct", "all", ","):
            return None
        while self._text(after) == "::":
            after += 2
            while self._text(after) in ("varying", "precision", "without", "with", "time", "zone"):
                after += 1
            if self._text(after) == "(":
                while after < len(self._tokens) and self._text(after) != ")":
                    after += 1
                after += 1
        at_end = after >= len(self._tokens) or self._text(after) in {",", "from", ")", "into"} | _ENDS
        return self._tokens[after - 1].end if at_end else None

    def _unnest(self, scope: _Scope, source: _Source, chain: _Chain) -> None:
        """Makes a call of an item of FROM that is a path."""
        base = scope.find(chain.first.text, source.place)
        if source.kind == "unnested":
            is_path = base and (base.element or (chain.steps and base.schema != base.name))
            if not is_path or (base and base.schema and base.schema == chain.first.text):
                return
        source.element, source.schema = True, ""
        value, index = source.alias
        names = f"{_quote_name(value or chain.name)} ({_quote_name(value or chain.name)}"
        names += f", {_quote_name(index)})" if index else ")"
        function = "elements" if index and source.kind == "unnested" else source.kind
        path = self._path(chain, scope, source.place) or self._code[chain.first.start : chain.end]
        self._edits.append((source.place, source.end, f"lateral rs.{function}({path}) as {names}"))

    def _navigate(self, chain: _Chain, scope: _Scope, item: int | None) -> None:
        path = self._path(chain, scope, None)
        if path is None:
            return
        if self._merge:
            raise RedshiftError("0A000", "Partial reference of SUPER column is not supported in MERGE statement.")
        if item:
            path += self._code[chain.end : item] + f" as {_quote_name(chain.name)}"
        self._edits.append((chain.first.start, item or chain.end, path))

    def _path(self, chain: _Chain, scope: _Scope, before: int | None) -> str | None:
        """Returns the expression for a path, None for a column."""
        first, steps = _quote_name(chain.first.text), chain.steps
        base = scope.find(chain.first.text, before)
        name = isinstance(steps[0], str) if steps else False
        if base and base.element:
            column = f"{first}.{first}"
        elif base and name:
            column, steps = f"{first}.{_quote_name(str(steps[0]))}", steps[1:]
        elif (
            name and len(steps) > 1 and isinstance(steps[1], str) and scope.schema_of(str(steps[0]), chain.first.text)
        ):
            column = f"{first}.{_quote_name(str(steps[0]))}.{_quote_name(steps[1])}"
            steps = steps[2:]
        elif len(steps) > 2 and not base and scope.schema_of(str(steps[1]), str(steps[0])):  # after a database
            column = ".".join((first, *(_quote_name(str(step)) for step in steps[:3])))
            steps = steps[3:]
        elif name and not scope.sources:
            return None
        else:
            column = first
        if not chain.steps and before is None:  # an element, of which PostgreSQL may not know the name without quotes
            return first if base and base.element and first.startswith('"') else None
        if not steps and not (base and base.element):
            return None
        for step in steps:
            column = f"rs.get({column}, {step if isinstance(step, int) else quote(step)})"
        return column


def _tokens(statement: Statement) -> Iterator[_Token]:
    for found in _TOKEN.finditer(statement.code):
        kind, text = str(found.lastgroup), found[0]
        if kind == "mark":
            text = statement.show(text)
            kind = "quoted" if text[0] == '"' else "string"
            text = text[1:-1].replace('""', '"') if kind == "quoted" else text
        elif kind == "word":
            text = text.lower()
        if kind != "blank":
            yield _Token(kind, text, found.start(), found.end())


def _quote_name(name: str) -> str:
    return name if re.fullmatch(r"[a-z_]\w*", name) and name not in _RESERVED else quote_name(name)


_RESERVED = {
    "array",
    "element",
    "index",
    "value",
    "object",
    "order",
    "user",
    "end",
    "all",
    "default",
    "group",
    "table",
}
