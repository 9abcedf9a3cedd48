"""Users, groups, roles, schemas, databases, privileges: what PostgreSQL lacks is taken out, or refused.

https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html and the pages of its neighbours.
"""

import re

from redshift_standin.errors import not_implemented
from redshift_standin.sql.statement import Statement
from redshift_standin.sql.text import MARK, NAME

_FLAGS = re.IGNORECASE | re.DOTALL
_STATEMENT = re.compile(
    r"(create|alter|drop) (user|role|group|schema|database)\b|(grant|revoke)\b|alter default privileges\b"
)

# What has no effect on results, with its replacement.
_TAKEN_OUT = (
    (r"\bnocreateuser\b", ""),
    (r"\bsyslog\s+access\s+(?:restricted|unrestricted)\b", ""),
    (r"\breset\s+session\s+timeout\b|\bsession\s+timeout\s+\d+", ""),
    (rf"\bexternalid\s+(?:to\s+)?{MARK}", ""),
    (r"\bconnection\s+limit\s+unlimited\b", "connection limit -1"),
    (r"\bquota\s+(?:unlimited|\d+(?:\.\d+)?\s*(?:mb|gb|tb))", ""),
    (r"\bcollate\s+(?:case_sensitive|cs)\b", ""),
    (r"(?<=\s)with\s+(?=rename\b)", ""),
    (r"(\bdrop\s+(?:role|user)\b.*)\brestrict\b", r"\1"),
    (rf"(\bdrop\s+database\s+{NAME})\s+force\b", r"\1 with (force)"),
)  # fmt: skip
_REFUSED = (
    (r"(create|alter) user .*\bcreateuser\b", "a user who is a superuser"),
    (r"alter role \S+ owner\b", "ALTER ROLE OWNER TO"),
    (r"drop role .*\bforce\b", "DROP ROLE FORCE"),
    (r".*\bcollate (case_insensitive|ci)\b", "COLLATE CASE_INSENSITIVE"),
    (r"(grant|revoke) .*\bassumerole\b", "ASSUMEROLE"),
    (r"(grant|revoke) (grant option for )?([\w ,]*, ?)?(alter|drop)\b.* on\b", "the privilege ALTER or DROP"),
    (r"(grant|revoke) .*\bon (datashare|model|policy)\b", "this privilege"),
    (r"(grant|revoke) .*\bfor (tables|schemas|functions|procedures|languages|copy jobs)\b.*\bin\b",
     "a scoped privilege"),
    (r"(grant|revoke) (usage|alter)\b.* on database\b", "this privilege of a database"),
    (r"(grant|revoke) (admin option for )?(create|alter|drop|access|cancel|explain|ignore|analyze|vacuum|truncate"
     r"|attach|detach) (?!on )(?!, )[\w ,]*\b(to|from) role\b", "a system privilege"),
)  # fmt: skip
_DIGEST = re.compile(r"\bpassword\s+'(?:md5[0-9a-f]{32}'|sha256\|[^|']*\|)", _FLAGS)
_HASHED = re.compile(r"(\bpassword\s+')sha256\|([^|']*')", _FLAGS)
_PRIVILEGES = re.compile(r"(grant|revoke|alter default privileges)\b")
_OF_DATABASE = re.compile(
    rf"((?:create|drop)\s+schema\s+(?:if\s+(?:not\s+)?exists\s+)?){MARK}\s*\.\s*(?={NAME})", _FLAGS
)
_NOTHING = "call rs.nothing()"
_NOTHING_LEFT = re.compile(rf"\s*alter\s+(?:user|role|schema|database)\s+{NAME}\s*", _FLAGS)
_LANGUAGE = re.compile(r"(grant|revoke) (grant option for )?(usage|all)( privileges)? on language ")


def change_identities(statement: Statement) -> Statement:
    """Returns such a statement without what PostgreSQL lacks, others unchanged.

    Raises:
        RedshiftError: `stand-in: …` for what cannot be done as Redshift does.
    """
    text = statement.text
    if not _STATEMENT.match(text):
        return statement
    for pattern, what in _REFUSED:
        if re.match(pattern, text):
            raise not_implemented(what)
    if text.startswith(("create user", "alter user")):
        if _DIGEST.search(statement.sql):
            raise not_implemented("a password given as a digest")
        # Redshift hashes a password itself, in the way that its beginning names.
        statement = statement.with_code(_HASHED.sub(r"\1\2", statement.sql))
    if _LANGUAGE.match(text):
        return statement.with_code(_NOTHING)
    code = _OF_DATABASE.sub(r"\1", statement.code)
    for pattern, replacement in _TAKEN_OUT:
        code = re.sub(pattern, replacement, code, flags=_FLAGS)
    if _NOTHING_LEFT.fullmatch(code):
        return statement.with_code(_NOTHING)
    if text.startswith("create role "):
        code += " noinherit"  # by which the catalogue distinguishes a role from a group
    elif _PRIVILEGES.match(text):
        if re.search(r"\brole sys ?:", text):
            raise not_implemented("a system-defined role")
        # PostgreSQL has one kind of role, without a keyword before its name.
        code = re.sub(r"\brole\s+", "", code, flags=_FLAGS)
    return statement.with_code(code)
