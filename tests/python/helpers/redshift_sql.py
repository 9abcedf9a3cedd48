"""Finds in a rendered statement what Redshift lacks or treats differently from DuckDB.

The stand-in has a list of what Redshift refuses. This module adds what only DuckDB has, and what models must not use
although Redshift accepts it ("Character types" and "Leader node-only functions" in its Database Developer Guide).
"""

import re
from collections.abc import Iterator
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from redshift_standin.sql import absent, type_names
from redshift_standin.sql.statement import Statement, read

GETDATE = "runs on the leader node only, not on tables: use the macro today, or getdate() in a redshift__ macro"
DUCKDB = "DuckDB's alone"

# Functions that Redshift lacks or that models must not use, with the reason or the replacement.
FUNCTIONS = (
    absent.FUNCTIONS
    | absent.LEADER_FUNCTIONS
    | absent.SERVERS_FILES
    | {
        "any_match": DUCKDB,
        "arg_max": f"{DUCKDB}: use qualify row_number()",
        "arg_min": f"{DUCKDB}: use qualify row_number()",
        "clock_timestamp": GETDATE,
        "count_if": f"{DUCKDB}: use sum(case when … then 1 else 0 end)",
        "countif": f"{DUCKDB}: use sum(case when … then 1 else 0 end)",
        "current_localtimestamp": DUCKDB,
        "date_add": f"{DUCKDB}: use dbt.dateadd",
        "date_diff": f"{DUCKDB}: use dbt.datediff",
        "date_sub": f"{DUCKDB}: use dbt.dateadd",
        "epoch": f"{DUCKDB}: use extract(epoch from …)",
        "generate_series": f"{absent.LEADER}: use dbt.date_spine",
        "hash": f"{DUCKDB}: use md5",
        "if": f"{DUCKDB}: use case",
        "ifnull": "not supported: use coalesce",
        "list": absent.ARRAYS,
        "list_value": absent.ARRAYS,
        "max_by": "not supported: use qualify row_number()",
        "min_by": "not supported: use qualify row_number()",
        "now": GETDATE,
        "quantile_cont": f"{DUCKDB}: use percentile_cont",
        "range": f"{DUCKDB}: use dbt.date_spine",
        "read_parquet": DUCKDB,
        "regexp_extract": f"{DUCKDB}: Redshift's is regexp_substr, so a dispatch macro is needed",
        "string_agg": "not supported: use dbt.listagg",
        "string_split": absent.ARRAYS,
        "strptime": f"{DUCKDB}: use cast",
        "strftime": f"{DUCKDB}: Redshift's is to_char, so a dispatch macro is needed",
        "struct_pack": DUCKDB,
        "today": f"{DUCKDB}: use the macro today",
        "transaction_timestamp": GETDATE,
        "uuid": "Redshift has no uuid",
    }
)

# Other syntax, as patterns over the words of a statement.
FORMS = absent.FORMS | {
    r"[(,=] \[|\bselect \[": absent.ARRAYS,
    r"\busing sample\b": "sampling is not supported",
    r"\b(asof|positional|semi|anti) join\b": f"{DUCKDB}: a join is inner, left, right, full or cross",
    r"\bon conflict\b|\breturning\b": "not supported",
    r"\bcolumns \(": f"{DUCKDB}: COLUMNS",
    r"\* replace \(": f"{DUCKDB}: * REPLACE",
    r"\bcurrent_(timestamp|time)\b|\blocaltime(stamp)?\b": GETDATE,
    r"\bnatural\b": "the join columns change when the tables change",
    r"\b(pivot|unpivot) (?!\()": f"{DUCKDB}: PIVOT as a statement",
}

# Types of casts and columns that Redshift lacks or that models must not use, with the replacement.
TYPES = {
    "blob": "not a type of Redshift: varbyte",
    "bytea": "not a type of Redshift: varbyte",
    "double": "not a type of Redshift: double precision",
    "hugeint": "not a type of Redshift: numeric(38, 0)",
    "interval": "not a type of a column",
    "json": "not a type of Redshift: super",
    "jsonb": "not a type of Redshift: super",
    "string": "not a type of Redshift: varchar(n)",
    "text": "varchar(256) on Redshift: give a length",
    "tinyint": "not a type of Redshift: smallint",
    "uuid": "not a type of Redshift: varchar(36)",
}
WITHOUT_LENGTH = {
    "varchar": "varchar(256) on Redshift, unbounded on DuckDB: give a length",
    "char": "char(1) on Redshift: give a length",
    "numeric": "numeric(18, 0) on Redshift, (18, 3) on DuckDB: give precision and scale",
    "decimal": "numeric(18, 0) on Redshift, (18, 3) on DuckDB: give precision and scale",
}

TRAILING_BLANK = (
    "Redshift ignores trailing blanks in comparisons, DuckDB does not: compare with a text without them, "
    "and with an empty one by its length"
)


def find_faults(sql: str) -> list[str]:
    """Returns what Redshift would refuse in a statement or treat differently, each with its reason."""
    try:
        (tree,) = sqlglot.parse(sql, read="redshift", error_level=ErrorLevel.RAISE)
    except (SqlglotError, ValueError) as error:
        return [f"sqlglot cannot parse it as Redshift SQL: {' '.join(str(error).split())[:200]}"]
    assert tree
    (statement,) = read(sql)
    words = statement.words
    calls = {word for word, after in pairwise(words.split(" ")) if after == "("}
    found = [f"{name}(): {FUNCTIONS[name]}" for name in sorted(calls & FUNCTIONS.keys())]
    found += [f"{match[0]}: {why}" for form, why in FORMS.items() if (match := re.search(form, words))]
    found += [f"{kind}: {why}" for kind, why in sorted(set(find_wrong_types(statement)))]
    return found + [f"{comparison}: {TRAILING_BLANK}" for comparison in find_blank_comparisons(tree)]


def find_wrong_types(statement: Statement) -> Iterator[tuple[str, str]]:
    """Yields each type of a cast that Redshift lacks or that needs a length there, with the reason."""
    for found, _ in type_names.find_types(statement):
        kind = found["name"]
        if kind == "double" and re.match(r"\s+precision\b", found.string[found.end() :]):
            continue
        if kind in TYPES:
            yield kind, TYPES[kind]
        elif kind not in absent.TYPES:
            yield kind, "not a type of Redshift"
        elif kind in WITHOUT_LENGTH and not found["length"]:
            yield kind, WITHOUT_LENGTH[kind]


def find_blank_comparisons(tree: exp.Expression) -> Iterator[str]:
    """Yields each comparison with a text that is empty or ends in a blank."""
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.If):
        if isinstance(node, exp.If):  # `case x when 'text'` compares x with the text
            compared = [node.this] if isinstance(node.parent, exp.Case) and node.parent.this else []
        else:
            compared = [node.this, *node.expressions, *map(node.args.get, ("expression", "low", "high"))]
        if any(isinstance(side, exp.Literal) and side.is_string and side.name[-1:] in ("", " ") for side in compared):
            yield node.sql("redshift")
