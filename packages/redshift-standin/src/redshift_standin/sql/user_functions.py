"""CREATE FUNCTION in SQL, https://docs.aws.amazon.com/redshift/latest/dg/udf-creating-a-scalar-sql-udf.html.

Its body is a statement of Redshift.
"""

import re
from collections.abc import Callable

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.names import fold
from redshift_standin.sql.statement import Statement, read

_FUNCTION = re.compile(r"create (?:or replace )?function\b")
_BODY = re.compile(r"\bas\s+(?P<body>\$(?P<tag>\w*)\$.*\$(?P=tag)\$|'(?:[^']|'')*')", re.IGNORECASE | re.DOTALL)
_LANGUAGE = re.compile(r"\blanguage\s+(\w+)", re.IGNORECASE)
_CLAUSES = re.compile(r"\b(from|into|where|group by|order by|limit)\b")
_TAG = "$rs_body$"


def create_function(statement: Statement, rewrite: Callable[[Statement], Statement]) -> Statement | None:
    """Returns CREATE FUNCTION with its body rewritten, None for other statements.

    Raises:
        RedshiftError: `stand-in: …` for a language other than SQL, or Redshift's error for what a body may not have.
    """
    if not _FUNCTION.match(statement.text):
        return None
    sql = statement.sql
    found = _BODY.search(sql)
    rest = sql[: found.start()] + sql[found.end() :] if found else sql
    language = _LANGUAGE.search(rest)
    if not found or not language or language[1].lower() != "sql":
        raise not_implemented("CREATE FUNCTION in another language than SQL")
    text = found["body"]
    text = text[1:-1].replace("''", "'") if text[0] == "'" else text[len(found["tag"]) + 2 : -len(found["tag"]) - 2]
    body = next(iter(read(text)), Statement(""))
    if _CLAUSES.search(body.words) or not body.words.startswith("select") or len(read(text)) > 1:
        raise RedshiftError(
            "0A000", "The body of a SQL function is one SELECT without FROM, WHERE, GROUP BY, ORDER BY, LIMIT"
        )
    folded, long_names = fold(body)
    if long_names or _TAG in text:
        raise not_implemented("a name of more than 63 bytes in CREATE FUNCTION")
    new = f"{_TAG}{rewrite(folded).sql}{_TAG}"
    return statement.with_code(f"{sql[: found.start('body')]}{new}{sql[found.end('body') :]}")
