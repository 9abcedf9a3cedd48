"""Why a database refused a session or ended a query, and what a person can do about it."""

import re

from extract.errors import ExtractError, PassingError, causes
from extract.settings import PostgresSettings
from extract.sql import quote

# What libpq or the server says, and the remedy. A person has to act on each of these; everything else may pass.
REMEDIES = (
    (
        "authentication method requirement",
        "a server whose certificate is not checked gets no password: set {prefix}_CA_BUNDLE to a file with its CA "
        "certificates, or let it ask for scram-sha-256 (password_encryption, pg_hba.conf); for a server on this "
        "machine, {prefix}_SSLMODE='disable'",
    ),
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


def out_of_time(settings: PostgresSettings, error: Exception) -> ExtractError | None:
    """Returns the error of a query that took longer than the server allows; None if it is another fault.

    The same query would take as long again, so it is not retried.
    """
    found = re.search(r"due to (statement|transaction) timeout", " ".join(map(str, causes(error))))
    if not found:
        return None
    limit = f"{found[1]}_timeout"
    return ExtractError(
        f"postgres: database {settings.database} at {settings.host}:{settings.port} ended a query, because it took "
        f"longer than the {limit} of user {settings.user}; raise that: alter role {quote(settings.user)} set {limit} "
        "= 0. Nothing was loaded"
    )


def refusal(settings: PostgresSettings, error: Exception) -> ExtractError:
    """Returns the error of a sign-in that failed: its reason in one line, and the remedy."""
    said = re.sub(r".*\[libpq\] Failed to connect: ", "", " ".join(str(error).split()))
    said = re.sub(r"connection to server .*? failed: (FATAL: +)?|FATAL: +", "", said)
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
