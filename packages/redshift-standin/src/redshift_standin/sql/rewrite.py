"""Rewrites Redshift's SQL for PostgreSQL, or raises the error that says why this is not possible.

A statement is read once. A command that PostgreSQL lacks is replaced as a whole; every other statement goes through
the passes in their order, each of which changes the code where it has to. Forms that need a syntax tree or the
database come last, in tree.py.
"""

from functools import lru_cache

from redshift_standin.sql.choices import choose
from redshift_standin.sql.conversions import convert, try_cast
from redshift_standin.sql.ddl import add_column, take_attributes
from redshift_standin.sql.identities import change_identities
from redshift_standin.sql.isolation import set_isolation
from redshift_standin.sql.merge import merge
from redshift_standin.sql.names import fold
from redshift_standin.sql.outer_joins import mark_outer_joins
from redshift_standin.sql.outline import look
from redshift_standin.sql.parameters import set_parameter
from redshift_standin.sql.pivot import mark_pivots
from redshift_standin.sql.prefixes import split_prefix
from redshift_standin.sql.refusals import refuse
from redshift_standin.sql.replacements import replace_calls, replace_words
from redshift_standin.sql.show import show
from redshift_standin.sql.statement import Statement, read
from redshift_standin.sql.super_calls import call_functions
from redshift_standin.sql.super_paths import rewrite_paths
from redshift_standin.sql.top import limit
from redshift_standin.sql.type_names import check_types
from redshift_standin.sql.update import join_target
from redshift_standin.sql.user_functions import create_function
from redshift_standin.sql.utility import run_utility
from redshift_standin.sql.windows import write_windows

# The first that has an answer has the whole of it.
_COMMANDS = (
    show,
    run_utility,
    set_parameter,
    set_isolation,
    lambda statement: create_function(statement, rewrite_statement),
)

_PASSES = (
    convert,
    check_types,
    refuse,
    look,
    mark_pivots,
    mark_outer_joins,
    take_attributes,
    merge,
    join_target,
    change_identities,
    add_column,
    rewrite_paths,
    call_functions,
    write_windows,
    replace_calls,
    replace_words,
    try_cast,
    choose,
    limit,
)


_LONGEST = 4000  # characters of a statement that is kept


def rewrite(script: str) -> str:
    """Returns a query string, which may contain several statements, without the forms that need the database.

    Raises:
        RedshiftError: Redshift's own error, or `stand-in: …` for what cannot be run as Redshift does.
    """
    return ";\n".join(rewrite_statement(one).sql for one in read(script)) or script


def translate(statement: Statement) -> tuple[Statement, dict[str, str]]:
    """Returns one statement as a client sent it for PostgreSQL or `change_tree`, and its long names.

    Clients repeat themselves: what was translated last is kept.

    Raises:
        RedshiftError: as for `rewrite`.
    """
    return (_translate_once if len(statement.source) <= _LONGEST else _translate)(statement)


def _translate(statement: Statement) -> tuple[Statement, dict[str, str]]:
    folded, long_names = fold(statement)
    return rewrite_statement(folded), long_names


_translate_once = lru_cache(maxsize=200)(_translate)


def rewrite_statement(statement: Statement) -> Statement:
    """Returns one statement for PostgreSQL, or for `change_tree`.

    Raises:
        RedshiftError: as for `rewrite`.
    """
    statement = split_prefix(statement) or statement
    for command in _COMMANDS:
        if (answer := command(statement)) is not None:
            return answer
    for change in _PASSES:
        statement = change(statement)
    return statement
