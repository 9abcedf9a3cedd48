"""CREATE FUNCTION in SQL, https://docs.aws.amazon.com/redshift/latest/dg/udf-creating-a-scalar-sql-udf.html.

Its body is a statement of Redshift.
"""

import re
from collections.abc import Callable

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.names import fold
from redshift_standin.sql.text import words

_FUNCTION = re.compile(r"create (?:or replace )?function\b")
_BODY = re.compile(r"\bas\s+(?P<body>\$(?P<tag>\w*)\$.*\$(?P=tag)\$|'(?:[^']|'')*')", re.IGNORECASE | re.DOTALL)
_LANGUAGE = re.compile(r"\blanguage\s+(\w+)", re.IGNORECASE)
_TAG = "$rs_body$"


def rewrite_function(sql: str, text: str, rewrite: Callable[[str], str]) -> str | None:
    """Returns CREATE FUNCTION with its body rewritten, None for other statements. `text` is the code alone.

    Raises:
        RedshiftError: `stand-in: …` for a language other than SQL, or Redshift's error for what a body may not have.
    """
    if not _FUNCTION.match(text):
        return None
    found = _BODY.search(sql)
    rest = sql[: found.start()] + sql[found.end() :] if found else sql
    language = _LANGUAGE.search(rest)
    if not found or not language or language[1].lower() != "sql":
        raise not_implemented("CREATE FUNCTION in another language than SQL")
    body = found["body"]
    body = body[1:-1].replace("''", "'") if body[0] == "'" else body[len(found["tag"]) + 2 : -len(found["tag"]) - 2]
    body = body.strip().rstrip(";")
    if re.search(r"\b(from|into|where|group by|order by|limit)\b", words(body)) or not words(body).startswith(
        "select"
    ):
        raise RedshiftError(
            "0A000", "The body of a SQL function is one SELECT without FROM, WHERE, GROUP BY, ORDER BY, LIMIT"
        )
    folded, long_names = fold(body)
    if long_names or _TAG in body:
        raise not_implemented("a name of more than 63 bytes in CREATE FUNCTION")
    return f"{sql[: found.start('body')]}{_TAG}{rewrite(folded)}{_TAG}{sql[found.end('body') :]}"
