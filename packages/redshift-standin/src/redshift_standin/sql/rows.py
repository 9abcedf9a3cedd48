"""The rows of a long INSERT … VALUES: the passes need not read those that consist of numbers, strings and NULL.

dlt and dbt's seeds send thousands of rows in one statement.
"""

import re

_LONG = 10_000  # characters; a shorter statement costs less than the search
_HEAD = re.compile(r"\s*+insert\s++into\b[^;'$/]*?\bvalues\s*+", re.IGNORECASE)
_VALUE = r"(?:'(?:[^'\\]++|''|\\.)*+'|[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?|null\b|true\b|false\b)"
_ROW = rf"\(\s*+{_VALUE}\s*+(?:,\s*+{_VALUE}\s*+)*+\)\s*+"
_FIRST = re.compile(_ROW, re.IGNORECASE | re.DOTALL)
_OTHERS = re.compile(rf"(?:,\s*+{_ROW})++(?=;?\s*\Z)", re.IGNORECASE | re.DOTALL)


def split_rows(sql: str) -> tuple[str, str]:
    """Returns an INSERT with its first row, and the other rows; any other query string, and nothing."""
    if len(sql) < _LONG:
        return sql, ""
    head = _HEAD.match(sql)
    first = _FIRST.match(sql, head.end()) if head else None
    others = _OTHERS.match(sql, first.end()) if first else None
    return (sql[: others.start()], others[0]) if others else (sql, "")
