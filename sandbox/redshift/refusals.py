"""What Redshift refuses and PostgreSQL would take, with Redshift's words."""

import re

from sandbox.redshift.errors import RedshiftError, not_faithful
from sandbox.redshift.text import code

_NOT_SUPPORTED = "0A000"
_SYNTAX = "42601"
_ARRAYS = "arrays are not supported on Redshift tables"

# A pattern in the code of a statement, the SQLSTATE and the message.
_REFUSED = (
    (r"^create (unique )?index\b", _NOT_SUPPORTED, "SQL command \"CREATE INDEX\" not supported on Redshift tables."),
    (r"^create (constraint )?trigger\b", _NOT_SUPPORTED, "CREATE TRIGGER is not supported"),
    (r"^create (domain|extension|rule|sequence|tablespace|type)\b", _NOT_SUPPORTED, "this object is not supported"),
    (r"^do\b", _SYNTAX, 'syntax error at or near "DO"'),
    (r"\bon conflict\b", _SYNTAX, 'syntax error at or near "ON"'),
    (r"^(insert|update|delete)\b.*\breturning\b", _SYNTAX, 'syntax error at or near "RETURNING"'),
    (r"\barray ?\[|\w ?\[ ?\]", _NOT_SUPPORTED, _ARRAYS),
    (r"\bdistinct on\b", _NOT_SUPPORTED, "SELECT DISTINCT ON is not supported"),
    (r"\blateral\b", _NOT_SUPPORTED, "LATERAL is not supported"),
    (r"\bfilter ?\( ?where\b", _SYNTAX, 'syntax error at or near "("'),
    (r"^merge\b.*\bmatched and\b", _SYNTAX, 'syntax error at or near "AND"'),
    (r"\bfrom generate_series\b.*\bjoin\b|\bfrom\b.*(\bjoin\b|,) ?generate_series\b", _NOT_SUPPORTED,
     "Specified types or functions (one per INFO message) not supported on Redshift tables."),
)  # fmt: skip

# In a table's columns or a cast: types that PostgreSQL has and Redshift has not.
_TYPES = re.compile(
    r"(?:^create\b.*?table\b.*?[(,] ?\S+ |\bas |:: ?)"
    r"(jsonb?|uuid|bytea|money|inet|cidr|macaddr|xml|tsvector|tsquery|hstore|serial|bigserial|int4range)\b"
)


def refuse(statement: str) -> None:
    """Raises what Redshift answers to a statement that it refuses.

    Raises:
        RedshiftError: with Redshift's wording as far as its documentation gives it.
    """
    text = code(statement)
    for pattern, sqlstate, message in _REFUSED:
        # Arrays are known to the leader node, where the catalogue lives, and to nothing else.
        if re.search(pattern, text) and not (message == _ARRAYS and re.search(r"\bpg_[a-z]", text)):
            raise RedshiftError(sqlstate, message)
    if found := _TYPES.search(text):
        raise RedshiftError("42704", f'Column has unsupported type "{found.group(1)}".')
    if re.match(r"(unload|create (external|library|datashare|model)|alter (datashare|external))\b", text):
        raise not_faithful(" ".join(text.split()[:2]).upper())
