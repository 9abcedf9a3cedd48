"""Settings of a session: those that clients may change. The others are PostgreSQL's own.

https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html
"""

import re

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.parameters import PARAMETERS

# That a client may give when it connects.
STARTED_WITH = {
    "application_name", "datestyle", "extra_float_digits", "search_path", "statement_timeout", "timezone",
}  # fmt: skip
_KNOWN = STARTED_WITH | PARAMETERS | {
    "client_min_messages", "interval_forbid_composite_literals", "seed",
    # What drivers set in every session.
    "client_encoding", "default_transaction_isolation", "default_transaction_read_only", "names",
    "standard_conforming_strings",
}  # fmt: skip
_SET = re.compile(
    r"(?:(?:set|reset)(?: session(?! authorization)| local)?|alter (?:user|role|database) (?:\"\"|\w+) (?:set|reset))"
    r" (?!characteristics as |local |to |session timeout\b)"
    r"(?P<name>time zone|transaction|session authorization|role|all|\w+|\"\")"
    r"(?P<extension> \. \w+)?"
)
# Those on whose value the stand-in itself relies.
_FIXED = {"client_encoding": "utf-?8|unicode", "names": "utf-?8|unicode", "standard_conforming_strings": "on"}


def check_setting(text: str, sql: str) -> None:
    """Checks SET, RESET and ALTER USER … SET; `text` is the statement's words.

    Raises:
        RedshiftError: for a setting that Redshift does not have, or `stand-in: …` for one that is fixed here.
    """
    found = _SET.match(text)
    if not found or found["extension"]:  # PostgreSQL has no setting of its own with a dot
        return
    name = found["name"]
    if name in {"time zone", "transaction", "all"}:
        return
    if name in {"role", "session authorization"}:
        raise not_implemented(f"SET {name.upper()}")
    if name not in _KNOWN and not name.startswith(("enable_", "mv_enable_", "spectrum_")):
        raise RedshiftError("42704", f'unrecognized configuration parameter "{name}"')
    as_fixed = rf"['\"\s=](?:{_FIXED.get(name)})['\"]?[\s;]*\Z"
    if name in _FIXED and not text.startswith("reset") and not re.search(as_fixed, sql, re.IGNORECASE):
        raise not_implemented(f"SET {name} to this value")
