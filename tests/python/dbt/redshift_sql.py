"""What Redshift has not, or has otherwise than DuckDB, in a statement that dbt has rendered.

Sources: "Unsupported PostgreSQL functions", "Unsupported PostgreSQL features", "Leader node-only functions",
"Data types" and "Character types" in Amazon Redshift's Database Developer Guide.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.tokens import TokenType

GETDATE = "runs on the leader node only, not on tables: use the macro hoje, or getdate() in a redshift__ macro"
ARRAYS = "Redshift has no arrays, only SUPER"
DUCKDB = "DuckDB's alone"
LEADER = "runs on the leader node only: it cannot be joined with tables"

# Functions that Redshift has not, and why they are met all the same or what does their work.
FUNCTIONS = {
    "age": LEADER,
    "any_match": DUCKDB,
    "arg_max": f"{DUCKDB}: use qualify row_number()",
    "arg_min": f"{DUCKDB}: use qualify row_number()",
    "array_agg": ARRAYS,
    "array_length": ARRAYS,
    "array_to_string": ARRAYS,
    "bit_length": "not supported: use octet_length",
    "clock_timestamp": GETDATE,
    "corr": "not supported",
    "count_if": f"{DUCKDB}: use sum(case when … then 1 else 0 end)",
    "countif": f"{DUCKDB}: use sum(case when … then 1 else 0 end)",
    "covar_pop": "not supported",
    "covar_samp": "not supported",
    "current_localtimestamp": DUCKDB,
    "date_add": f"{DUCKDB}: use dbt.dateadd",
    "date_diff": f"{DUCKDB}: use dbt.datediff",
    "date_sub": f"{DUCKDB}: use dbt.dateadd",
    "div": "not supported: use trunc(a / b)",
    "encode": "another thing in Redshift, where it is not supported as a function",
    "epoch": f"{DUCKDB}: use extract(epoch from …)",
    "every": "not supported: use bool_and",
    "format": "not supported",
    "gen_random_uuid": "Redshift has no uuid",
    "generate_series": f"{LEADER}: use dbt.date_spine",
    "generate_subscripts": ARRAYS,
    "hash": f"{DUCKDB}: use md5",
    "if": f"{DUCKDB}: use case",
    "ifnull": "not supported: use coalesce",
    "isfinite": LEADER,
    "justify_days": "not supported",
    "justify_hours": "not supported",
    "list": ARRAYS,
    "list_value": ARRAYS,
    "make_date": "not supported: cast a text to date",
    "make_timestamp": "not supported: cast a text to timestamp",
    "max_by": "not supported: use qualify row_number()",
    "min_by": "not supported: use qualify row_number()",
    "now": GETDATE,
    "overlay": "not supported",
    "quantile_cont": f"{DUCKDB}: use percentile_cont",
    "range": f"{DUCKDB}: use dbt.date_spine",
    "read_parquet": DUCKDB,
    "regexp_extract": f"{DUCKDB}: Redshift's is regexp_substr, so a dispatch macro is needed",
    "regexp_matches": "not supported: use ~",
    "regexp_split_to_array": ARRAYS,
    "regexp_split_to_table": "not supported",
    "row": "row constructors are not supported",
    "string_agg": "not supported: use dbt.listagg",
    "string_split": ARRAYS,
    "strptime": f"{DUCKDB}: use cast",
    "strftime": f"{DUCKDB}: Redshift's is to_char, so a dispatch macro is needed",
    "struct_pack": DUCKDB,
    "to_json": DUCKDB,
    "today": f"{DUCKDB}: use the macro hoje",
    "transaction_timestamp": GETDATE,
    "unnest": ARRAYS,
    "uuid": "Redshift has no uuid",
    "width_bucket": "not supported",
    "xmlagg": "not supported",
}

# Forms, in the statement's words joined by blanks, in lower case, a text as '' and a name in quotes as "".
FORMS = {
    r"\bfilter \( where\b": "FILTER is not supported: use case inside the aggregate",
    r"\bdistinct on \(": "DISTINCT ON is not supported: use qualify row_number()",
    r"\blateral\b": "LATERAL is not supported",
    r"\barray \[|[(,=] \[|\bselect \[": ARRAYS,
    r"\bis (not )?distinct from\b": "IS DISTINCT FROM is not supported: compare, and say what null means",
    r"\bwindow \w+ as \(": "the WINDOW clause is not supported: write the window out",
    r"\b(range|groups) between\b": "a frame is ROWS BETWEEN; RANGE and GROUPS with bounds are not supported",
    r"\btablesample\b|\busing sample\b": "sampling is not supported",
    r"\b(asof|positional|semi|anti) join\b": f"{DUCKDB}: a join is inner, left, right, full or cross",
    r"\b(from|join) \( values\b": "VALUES is for INSERT alone: use select … union all",
    r"\bfetch (first|next)\b": "FETCH is not supported: use limit",
    r"\bwith ordinality\b": "WITH ORDINALITY is not supported",
    r"\bon conflict\b|\breturning\b": "not supported",
    r"\bcolumns \(": f"{DUCKDB}: COLUMNS",
    r"\* replace \(": f"{DUCKDB}: * REPLACE",
    r"\bcurrent_(timestamp|time)\b|\blocaltime(stamp)?\b": GETDATE,
    r"\bisodow\b|\bisoyear\b": "not a date part of Redshift",
    r"\bnatural\b": "which columns it joins by changes with the tables",
    r"\bfor update\b": "not supported",
    r"\b(pivot|unpivot) (?!\()": f"{DUCKDB}: PIVOT as a statement",
}

# Types in a cast or a column, without their lengths.
TYPES = {
    "bit": "not a type of Redshift",
    "blob": "not a type of Redshift: varbyte",
    "bytea": "not a type of Redshift: varbyte",
    "double": "not a type of Redshift: double precision",
    "hugeint": "not a type of Redshift: numeric(38, 0)",
    "interval": "not a type of a column",
    "json": "not a type of Redshift: super",
    "jsonb": "not a type of Redshift: super",
    "money": "not a type of Redshift",
    "string": "not a type of Redshift: varchar(n)",
    "text": "varchar(256) on Redshift: give a length",
    "tinyint": "not a type of Redshift: smallint",
    "ubigint": "not a type of Redshift",
    "uinteger": "not a type of Redshift",
    "uuid": "not a type of Redshift: varchar(36)",
}
WITHOUT_LENGTH = {
    "varchar": "varchar(256) on Redshift, unbounded on DuckDB: give a length",
    "char": "char(1) on Redshift: give a length",
    "numeric": "numeric(18, 0) on Redshift, (18, 3) on DuckDB: give precision and scale",
    "decimal": "numeric(18, 0) on Redshift, (18, 3) on DuckDB: give precision and scale",
}

TRAILING_BLANK = (
    "Redshift ignores trailing blanks in comparisons, DuckDB does not: compare with a text that has none, "
    "and with an empty one by its length"
)


def faults(sql: str) -> list[str]:
    """Returns what Redshift would refuse in a statement, or take for something else, with the reason of each."""
    try:
        (tree,) = sqlglot.parse(sql, read="redshift", error_level=ErrorLevel.RAISE)
    except (SqlglotError, ValueError) as error:
        return [f"sqlglot does not read it as Redshift's: {' '.join(str(error).split())[:200]}"]
    assert tree
    words, calls = code(sql)
    found = [f"{name}(): {FUNCTIONS[name]}" for name in sorted(calls & FUNCTIONS.keys())]
    found += [f"{match[0]}: {why}" for form, why in FORMS.items() if (match := re.search(form, words))]
    found += [f"{kind}: {why}" for kind, why in sorted(wrong_types(words))]
    return found + [f"{comparison}: {TRAILING_BLANK}" for comparison in blank_comparisons(tree)]


def code(sql: str) -> tuple[str, set[str]]:
    """Returns a statement's words joined by blanks, texts and quoted names emptied, and the functions it calls."""
    tokens = Redshift().tokenize(sql)
    emptied = {TokenType.STRING: "''", TokenType.IDENTIFIER: '""'}
    words = [emptied.get(token.token_type, token.text.lower()) for token in tokens]
    calls = {word for word, after in pairwise(words) if after == "("}
    return " ".join(words), calls


def wrong_types(words: str) -> Iterator[tuple[str, str]]:
    """Gives each type of a cast that Redshift has not or that needs a length there."""
    # what stands between `as` and the end of a cast is a type; an alias ends in a comma or a word
    for match in re.finditer(r"(?:\bas (?=\w+(?: precision)? (?:\)|\( \d))|:: )(\w+)( precision)?( \()?", words):
        kind, precision, length = match.groups()
        if kind in TYPES and not precision:
            yield kind, TYPES[kind]
        if kind in WITHOUT_LENGTH and not length:
            yield kind, WITHOUT_LENGTH[kind]


def blank_comparisons(tree: exp.Expression) -> Iterator[str]:
    """Gives each comparison with a text that is empty or ends in a blank."""
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.If):
        if isinstance(node, exp.If):  # `case x when 'text'` compares x with the text
            compared = [node.this] if isinstance(node.parent, exp.Case) and node.parent.this else []
        else:
            compared = [node.this, *node.expressions, *map(node.args.get, ("expression", "low", "high"))]
        if any(isinstance(side, exp.Literal) and side.is_string and side.name[-1:] in ("", " ") for side in compared):
            yield node.sql("redshift")
