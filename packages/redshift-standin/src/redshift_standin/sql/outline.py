"""Which of the costly passes a statement's queries may need, from one look at its tokens.

Paths of SUPER, lateral aliases and refused correlations are rare. Here a statement that may have one is distinguished
from one that has none; in doubt it may.
"""

from dataclasses import dataclass, field

from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import unquote_name

_SET_OPERATORS = {"union", "except", "minus", "intersect"}
_ENDS = {"where", "having", "limit", "offset", "qualify", "fetch", "window", "for", "group", "order"} | _SET_OPERATORS
_BEFORE_BY = {"group", "order"}
_NO_ALIAS = _ENDS | {
    "join", "inner", "left", "right", "full", "outer", "cross", "natural", "set", "when", "returning", "connect",
    "start", "then", "values", "select", "with", "on", "using", "as", "at", "pivot", "unpivot", "lateral",
    "tablesample", "from", "",
}  # fmt: skip
_SPECIAL = _ENDS | {"(", ")", ",", "select", "from", "join", "lateral"}
# After these the last word of an item is no alias.
_BEFORE_VALUES = {"distinct", "all", "select", *"+-*/%^|&<>=!~.,(:[", "::", "and", "or", "not", "then", "else"}


PATHS, ALIASES, CORRELATIONS = "paths", "aliases", "correlations"


@dataclass(slots=True)
class _Query:
    """A SELECT."""

    parent: "_Query | None" = None  # whose sources it may name
    expression: bool = False  # it is part of an expression of the parent
    joined: bool = False  # of one in ON
    sources: set[str] = field(default_factory=set)
    unnested: set[str] = field(default_factory=set)  # first names of relations, which may be sources themselves
    used: set[str] = field(default_factory=set)  # names before a dot
    aliases: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Level:
    """What is between two parentheses."""

    query: _Query | None = None
    clause: str = ""  # select, from, where or another one; empty in an expression
    around: str = ""  # the clause of the query that it is in
    source: bool = False  # it is an item of FROM
    table: bool = False  # a query in it is a relation: an item of FROM or a CTE
    expects: bool = False  # an item of FROM is next
    item: int = 0  # where the item of the SELECT list starts


def look(statement: Statement) -> Statement:
    """Returns the statement with the passes that it may need."""
    if not statement.has("select", *_CHANGES):
        return statement
    first, dotted = statement.tokens[0], statement.has(".")
    if statement.has("]", "pivot", "unpivot", "unnest") or (statement.has("into") and first != "insert"):
        return statement.needing(PATHS, ALIASES, CORRELATIONS)
    if not statement.has("select"):
        return statement.needing(PATHS) if dotted and first in _CHANGES else statement
    reader = _Reader([_named(statement, word) if word[0] == "\0" else word for word in statement.tokens])
    reader.read()
    found = set()
    if dotted and (first in _CHANGES or reader.has_long_paths or any(map(_may_have_paths, reader.queries))):
        found.add(PATHS)
    if reader.has_aliases:
        found.add(ALIASES)
    windows = statement.has("over")
    if dotted and any(_may_be_refused(query, windows=windows) for query in reader.queries):
        found.add(CORRELATIONS)
    return statement.needing(*found) if found else statement


_CHANGES = {"update", "delete", "merge"}


def _named(statement: Statement, mark: str) -> str:
    """Returns a quoted name as Redshift stores it, after a quote."""
    hidden = statement.hidden[int(mark[1:-1])]
    return '"' + unquote_name(hidden) if hidden[0] == '"' else "'"


def _may_have_paths(query: _Query) -> bool:
    return bool(_unknown(query, query.used)) or _unknown(query, query.unnested) != query.unnested


def _unknown(query: _Query | None, names: set[str]) -> set[str]:
    """Returns those of the names that are no sources of a query or of those around it."""
    while names and query:
        names = names - query.sources
        query = query.parent
    return names


def _may_be_refused(query: _Query, *, windows: bool) -> bool:
    refusable = query.joined or windows or (query.parent is not None and query.parent.expression)
    return query.expression and refusable and not query.used <= query.sources


def _is_name(word: str) -> bool:
    return word[0] in '"_#' or word[0].isalpha()


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, "", "", ""]
        self._levels = [_Level()]
        self.queries: list[_Query] = []
        self.has_aliases = False
        self.has_long_paths = False

    def read(self) -> None:
        """Finds the queries, their sources and names."""
        tokens, place, end = self._tokens, 0, len(self._tokens) - 3
        while place < end:
            word = tokens[place]
            if word in _SPECIAL:
                place = self._read_special(word, place)
            elif self._levels[-1].expects:
                place = self._read_source(place)
            elif tokens[place + 1] == "." or self._may_be_alias(word):
                place = self._read_name(word, place)
            else:
                place += 1

    def _may_be_alias(self, word: str) -> bool:
        query = self._levels[-1].query
        return query is not None and word.removeprefix('"') in query.aliases

    def _read_special(self, word: str, place: int) -> int:
        """Reads a parenthesis, a comma or a word of a query; returns the place after it."""
        level = self._levels[-1]
        if word == "(":
            self._levels.append(self._open(level, place))
            level.expects = False
        elif word == ")":
            if len(self._levels) > 1:
                self._levels.pop()
                if level.source:
                    return self._read_alias(self._levels[-1].query, place + 1, "")
        elif word == "select":
            self._begin_query(level, place)
        elif word == ",":
            if level.clause == "select":
                self._end_item(level, place)
            elif level.clause == "from":
                level.expects = True
        elif word == "from":
            if level.clause == "select":
                self._end_item(level, place)
                level.clause, level.expects = "from", True
        elif word == "join":
            level.expects = level.clause == "from"
        elif level.clause in ("select", "from", "where") and self._ends(word, place) and not level.expects:
            if level.clause == "select":
                self._end_item(level, place)
            level.clause = "where" if word == "where" else "end"
        return place + 1

    def _ends(self, word: str, place: int) -> bool:
        """Returns whether a word ends a clause."""
        is_word = word in _ENDS and self._tokens[place - 1] != "as"
        return is_word and (word not in _BEFORE_BY or self._tokens[place + 1] == "by")

    def _open(self, level: _Level, place: int) -> _Level:
        before, after = self._tokens[place - 1] if place else "", self._tokens[place + 1]
        within = _Level(level.query, around=level.clause or level.around, source=level.expects)
        within.table = level.expects or before == "as" or (before == "(" and level.table)
        if level.expects and after not in ("select", "with", "("):
            within.clause, within.expects = "from", True
        return within

    def _begin_query(self, level: _Level, place: int) -> None:
        around = level.query
        if level.clause and around:  # after UNION
            query = _Query(around.parent, around.expression, around.joined)
        else:
            expression = around is not None and not level.table
            query = _Query(around, expression, expression and level.around == "from")
        self.queries.append(query)
        level.query, level.clause, level.around, level.expects, level.item = query, "select", "", False, place + 1

    def _end_item(self, level: _Level, place: int) -> None:
        """Notes the alias of an item of the SELECT list."""
        last, before, start = self._tokens[place - 1], self._tokens[place - 2], level.item
        level.item = place + 1
        named = before == "as" or (before not in _BEFORE_VALUES and last != "end")
        if level.query and place - start > 1 and named:
            level.query.aliases.add(last.removeprefix('"'))

    def _read_source(self, place: int) -> int:
        """Reads an item of FROM; returns the place after it."""
        tokens, level = self._tokens, self._levels[-1]
        level.expects = False
        first = last = tokens[place].removeprefix('"')
        place += 1
        while tokens[place] == ".":
            last = tokens[place + 1].removeprefix('"')
            place += 2
        if tokens[place] == "(" or not level.query:  # a function
            return place
        if tokens[place - 2] == ".":
            level.query.unnested.add(first)
        return self._read_alias(level.query, place, last)

    def _read_alias(self, query: _Query | None, place: int, name: str) -> int:
        """Reads the alias of an item of FROM, whose name it has otherwise; returns the place after it."""
        tokens = self._tokens
        if tokens[place] == "as":
            place += 1
        alias = tokens[place]
        if alias not in _NO_ALIAS and _is_name(alias):
            name = alias.removeprefix('"')
            place += 1
        if query and name:
            query.sources.add(name)
        return place

    def _read_name(self, word: str, place: int) -> int:
        """Reads a name before a dot, or that of an alias; returns the place after it."""
        tokens, level = self._tokens, self._levels[-1]
        query = level.query
        place += 1
        if tokens[place] != ".":
            # In WHERE, and in the items after the alias's own.
            named_now = tokens[place - 2] == "as" and level.clause == "select"
            within = (level.clause or level.around) in ("select", "where")
            self.has_aliases = self.has_aliases or (within and not named_now and tokens[place] != "(")
            return place
        if not _is_name(word):
            return place
        parts = [word]
        while tokens[place] == ".":
            parts.append(tokens[place + 1])
            place += 2
        if query and tokens[place] != "(" and tokens[place - 2 * len(parts)] != "::":
            query.used.add(parts[-2].removeprefix('"'))
            self.has_long_paths = self.has_long_paths or len(parts) > 2
        return place
