"""Why a database refused a session, and what a person can do about it."""

import re

from extract.errors import ExtractError, PassingError
from extract.settings import PostgresSettings

# What libpq or the server says, and the remedy. A person has to act on each of these; everything else may pass.
REMEDIES = (
    ("authentication failed|no password supplied", "check {prefix}_USER and {prefix}_PASSWORD"),
    ('database ".*" does not exist', "check {prefix}_DATABASE"),
    ('role ".*" does not exist', "check {prefix}_USER"),
    ("not permitted to log in", "let the role sign in (alter role … login), or check {prefix}_USER"),
    ("permission denied for database", "grant connect on {database} to the user, or check {prefix}_DATABASE"),
    (
        "server does not support SSL",
        "turn TLS on there, or set {prefix}_SSLMODE='disable': the password and all rows then travel unencrypted",
    ),
    (
        "no pg_hba.conf entry",
        "let the user in from this machine, in that file of the server, or check {prefix}_SSLMODE",
    ),
    ("certificate", "check {prefix}_CA_BUNDLE and {prefix}_SSLMODE"),
    ("Name or service not known|No address associated", "check {prefix}_HOST"),
)


def refusal(settings: PostgresSettings, error: Exception) -> ExtractError:
    """Returns the error of a sign-in that failed: its reason in one line, and the remedy."""
    said = re.sub(r".*\[libpq\] Failed to connect: ", "", " ".join(str(error).split()))
    said = re.sub(r"connection to server .* failed: (FATAL: +)?|FATAL: +", "", said)
    kind: type[ExtractError]
    for pattern, remedy in REMEDIES:
        if re.search(pattern, said):
            kind, todo = ExtractError, remedy
            break
    else:
        kind, todo = PassingError, "check that the server at {prefix}_HOST and {prefix}_PORT takes connections"
    todo = todo.format(prefix=settings.prefix, database=settings.database)
    return kind(
        f"postgres: cannot sign in to database {settings.database} at {settings.host}:{settings.port} as "
        f"{settings.user}: {said}; {todo}"
    )
