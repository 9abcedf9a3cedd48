r"""A statement, read once: the passes change its code alone.

In the code, marks of the form `\0n\0` stand for strings and quoted names, a blank for each comment.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from redshift_standin.sql.text import HIDDEN, MARK, is_closed

_MARK = re.compile(MARK)
_QUOTES = re.compile(r"['\"$]")
_TOKEN = re.compile(rf"{MARK}|::|[\w#]+|\S")


@dataclass(frozen=True)
class Statement:
    """One statement of a query string."""

    code: str
    hidden: tuple[str, ...] = ()  # what the marks stand for
    source: str = ""  # as the client sent it, with its comments
    prefix: str = ""  # DECLARE, EXPLAIN or PREPARE, up to the statement that they contain
    attributes: str = ""  # a comment with those of a relation, for the catalogue
    needs: frozenset[str] = frozenset()  # passes that may change it, of those that read more than patterns

    @property
    def sql(self) -> str:
        """The statement as text, without comments."""
        return self.prefix + self.show(self.code) + self.attributes

    @cached_property
    def lower(self) -> str:
        """The code in lowercase, of the same length."""
        lower = self.code.lower()
        if len(lower) == len(self.code):
            return lower
        return "".join(one.lower() if len(one.lower()) == 1 else one for one in self.code)

    @cached_property
    def text(self) -> str:
        """The code in lowercase, with one blank for each string, quoted name and white space."""
        return " ".join(_MARK.sub(" ", self.lower).split())

    @cached_property
    def tokens(self) -> list[str]:
        """The words and signs of the code in lowercase, and the marks."""
        return _TOKEN.findall(self.lower)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The different tokens."""
        return frozenset(self.tokens)

    @cached_property
    def words(self) -> str:
        """The tokens joined by blanks: a string is '' and a quoted name ""."""
        return " ".join(
            ('""' if self.is_name(token) else "''") if token[0] == "\0" else token for token in self.tokens
        )

    def has(self, *words: str) -> bool:
        """Returns whether one of these words is in the code. It is not divided into tokens only to find none."""
        if "vocabulary" not in self.__dict__ and not any(word in self.lower for word in words):
            return False
        return not self.vocabulary.isdisjoint(words)

    def is_name(self, mark: str) -> bool:
        """Returns whether a mark stands for a quoted name."""
        return self.hidden[int(mark[1:-1])][0] == '"'

    def show(self, code: str) -> str:
        """Returns a part of the code with what is hidden in it."""
        return _MARK.sub(lambda mark: self.hidden[int(mark[0][1:-1])], code) if "\0" in code else code

    def change(self, change: Callable[[str], str]) -> "Statement":
        """Returns the statement with changed code."""
        return self.with_code(change(self.code))

    def with_code(self, code: str) -> "Statement":
        """Returns the statement with other code. The strings and quoted names that it adds are hidden too."""
        if code == self.code:
            return self
        hidden = self.hidden
        if _QUOTES.search(code):
            code, hidden = mask(code, hidden)
        return replace(self, code=code, hidden=hidden)

    def needing(self, *passes: str) -> "Statement":
        """Returns the statement as one that these passes may change too."""
        return replace(self, needs=self.needs | set(passes))


def mask(text: str, known: tuple[str, ...] = ()) -> tuple[str, tuple[str, ...]]:
    """Returns text with a mark for everything that is no code, and what the marks stand for: `known` and more."""
    hidden = list(known)

    def hide(found: re.Match[str]) -> str:
        hidden.append(_MARK.sub(lambda mark: hidden[int(mark[0][1:-1])], found[0]) if known else found[0])
        return f"\0{len(hidden) - 1}\0"

    return HIDDEN.sub(hide, text), tuple(hidden)


def read(script: str) -> list[Statement]:
    """Returns the statements of a query string, without those that consist of white space and comments."""
    code, hidden = mask(script.replace("\0", ""))
    if ";" not in code:
        statement = _without_comments(code.strip(), hidden, script.strip())
        return [statement] if statement.code else []
    statements = []
    for part in code.split(";"):
        own: list[str] = []

        def renumber(mark: re.Match[str], own: list[str] = own) -> str:
            own.append(hidden[int(mark[0][1:-1])])
            return f"\0{len(own) - 1}\0"

        source = _MARK.sub(lambda mark: hidden[int(mark[0][1:-1])], part).strip()
        statement = _without_comments(_MARK.sub(renumber, part).strip(), tuple(own), source)
        if statement.code:
            statements.append(statement)
    return statements


def _without_comments(code: str, hidden: tuple[str, ...], source: str) -> Statement:
    """Returns a statement; a comment that is not closed stays, so that `fold` finds it."""
    if any(one[0] in "/-" for one in hidden):
        comments = {n for n, one in enumerate(hidden) if one[0] in "/-" and is_closed(one)}
        code = _MARK.sub(lambda mark: " " if int(mark[0][1:-1]) in comments else mark[0], code).strip()
    return Statement(code, hidden, source)
