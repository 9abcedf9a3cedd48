"""The passes that need a syntax tree and the database: a statement is parsed once, and only if one may change it.

sqlglot drops clauses silently by default: here everything that it does not support is an error.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.lateral import expand_aliases
from redshift_standin.sql.outer_joins import OUTER_JOINS, expand_outer_joins
from redshift_standin.sql.outline import ALIASES, CORRELATIONS
from redshift_standin.sql.pivot import PIVOTS, expand_pivots
from redshift_standin.sql.qualify import rewrite_qualify
from redshift_standin.sql.questions import Questions
from redshift_standin.sql.scales import divide_decimals
from redshift_standin.sql.stars import expand_stars, has_stars
from redshift_standin.sql.statement import Statement, read

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of each statement that it cannot parse


@dataclass(frozen=True)
class _Pass:
    what: str  # that it rewrites
    applies: Callable[[Statement], bool]
    change: Callable[[exp.Expr, Questions], exp.Expr | None]  # None if there is nothing to change
    certain: bool  # PostgreSQL cannot run a statement to which it applies


# In this order. After one that changed the statement, the next ones may apply to what it wrote.
_PASSES = (
    _Pass("QUALIFY", lambda statement: statement.has("qualify"), rewrite_qualify, certain=True),
    _Pass("PIVOT", lambda statement: PIVOTS in statement.needs, expand_pivots, certain=True),
    _Pass("(+)", lambda statement: OUTER_JOINS in statement.needs, expand_outer_joins, certain=True),
    _Pass("EXCLUDE or GROUP BY ALL", has_stars, expand_stars, certain=True),
    _Pass(
        "lateral aliases",
        lambda statement: not statement.needs.isdisjoint((ALIASES, CORRELATIONS)),
        expand_aliases,
        certain=False,
    ),
    _Pass("a division of decimals", lambda statement: statement.has("/"), divide_decimals, certain=False),
)


def needs_tree(statement: Statement) -> bool:
    """Returns whether a rewritten statement may have a form for which a syntax tree is needed."""
    return any(one.applies(statement) for one in _PASSES)


def change_tree(statement: Statement, questions: Questions) -> Statement:
    """Returns a statement for PostgreSQL without the forms for which a syntax tree is needed.

    Raises:
        RedshiftError: Redshift's own error, or `stand-in: …` for what cannot be rewritten.
    """
    applying = [one for one in _PASSES if one.applies(statement)]
    if not applying:
        return statement
    what = next((one.what for one in applying if one.certain), "")
    try:
        tree = sqlglot.parse_one(statement.show(statement.code), read="postgres", error_level=ErrorLevel.RAISE)
        if what and tree.find(exp.Command):
            raise SqlglotError("sqlglot does not parse it")
    except (SqlglotError, RecursionError) as error:
        if not what:
            return statement  # PostgreSQL reports the error
        raise _cannot_rewrite(what, error) from error

    def columns(query: str) -> list[str]:
        (question,) = read(query)
        return questions.columns(change_tree(question.needing(OUTER_JOINS, ALIASES), questions).sql)

    of_pivots = replace(questions, columns=columns)  # for which the query of the input is rewritten as well
    changes = ""
    try:
        for one in _PASSES:
            if changes or one in applying:
                changed = one.change(tree, of_pivots if one.change is expand_pivots else questions)
                if changed is not None:
                    tree, changes = changed, changes or one.what
        if not changes:
            return statement
        return statement.with_code(tree.sql("postgres", unsupported_level=ErrorLevel.RAISE, comments=False))
    except (SqlglotError, RecursionError) as error:
        if not changes and not statement.has("/"):
            return statement  # PostgreSQL reports the error
        raise _cannot_rewrite(changes or applying[-1].what, error) from error


def _cannot_rewrite(what: str, error: Exception) -> RedshiftError:
    return not_implemented(f"{what} in this statement ({' '.join(str(error).split())[:200]})")
