"""Errors in words for the person who has to fix them."""

import re
from collections.abc import Iterable, Sequence

DAMAGED_FILE = (
    "WAREHOUSE_PATH names a damaged file or one of another kind: put back a copy of it, or move it away and run "
    "again, which reads the sources from their beginning"
)

AWS_IS_AWAY = "AWS is busy or cannot be reached: run again later; check the network if it stays so"

MOST_NOTES = 20  # that are shown and recorded of one table

# Errors of the warehouse, the landing and AWS, and what to do about them.
ADVICE = (
    (
        r"Could not set lock on file",
        "close the program that has the warehouse's file open, then run again",
    ),
    (
        r"Cannot open file .*Permission denied",
        "let this user read and write the warehouse's file and its folder, or set WAREHOUSE_PATH to another place",
    ),
    (
        r"replaying WAL file|Corrupt WAL file",
        "the log beside the file that WAREHOUSE_PATH names is damaged: put back a copy of both, or move the log away "
        "and run again, which loads again what was in it alone",
    ),
    (
        r"not a valid DuckDB database|Could not read (enough bytes )?from file|Corrupt database file|sqlite_scanner",
        DAMAGED_FILE,
    ),
    (
        r"communication error|connection to server at .* failed: (Connection refused|timeout expired)",
        "check REDSHIFT_HOST and REDSHIFT_PORT, and that this machine may reach the warehouse",
    ),
    (
        r"Not authorized to get credentials of role",
        "check REDSHIFT_COPY_ROLE; the role must be attached to the workgroup's namespace and trust it",
    ),
    (
        r"ExpiredToken|security token included in the request is expired",
        "the AWS session has ended: sign in to AWS again, then run again",
    ),
    (
        r"RequestTimeTooSkewed|Signature expired|Signature not yet current",
        "AWS refuses this machine's clock: correct it, then run again",
    ),
    (
        r"SlowDown|ServiceUnavailable|\(50[0234]\)|(Read|Connect)TimeoutError|EndpointConnectionError|ConnectionClosedError",
        AWS_IS_AWAY,
    ),
    (
        r"NoCredentials|Unable to locate credentials",
        "no AWS identity: sign in to AWS, or give the task its role",
    ),
    (
        r"Unmatched number of columns|incompatible Parquet schema",
        "the raw table was altered: undo the change, then run again",
    ),
    (
        r"terminating connection|connection (was )?closed|SSL connection has been closed|could not receive data",
        "the warehouse ended the connection: run again",
    ),
    (
        r"NoSuchBucket|bucket does not exist",
        "check LANDING_URL",
    ),
    (
        r"Out of Memory Error",
        "DuckDB needs about five times the texts of 2,048 rows: exclude long columns, or use more memory",
    ),
    (
        r"InsufficientStorage|StorageFull|No space left|File too large|Disk quota exceeded",
        "the disk or the landing is full: free some space, then run again",
    ),
    (
        r"Read-only file system",
        "set WAREHOUSE_PATH, EXTRACT_WORK, DBT_TARGET_PATH and DBT_LOG_PATH to places that can be written to",
    ),
)  # fmt: skip


class ExtractError(Exception):
    """A fault that names the thing, what was expected, what was found, and how to fix it."""


class PassingError(ExtractError):
    """A transient fault; the work is retried."""


class UnansweredError(ExtractError):
    """A source that did not answer in all its attempts; this run ends, and a later one may succeed."""


class NotRecordedError(ExtractError):
    """Runs, builds or audits that could not be recorded in `ops`."""


class SettingsError(ExtractError):
    """Settings that are missing or wrong, all of them in one message."""


def causes(error: BaseException) -> list[BaseException]:
    """Returns the error and what it came from, outermost first."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def reason(what: str, error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Returns one line a person can act on: our own error if the chain has one, else the root cause of `what`.

    Libraries wrap errors in errors. Of several of ours the outermost is returned. A root cause is followed by what to
    do about it, if that is known. Every text of `secrets` is redacted, wherever it comes from.
    """
    chain = causes(error)
    ours = next((link for link in chain if isinstance(link, ExtractError)), None)
    text = str(ours) if ours else f"{what}: {type(chain[-1]).__name__}: {str(chain[-1]).strip()}{advice(chain)}"
    return " ".join(redact(text, secrets).split())


def join_notes(notes: Sequence[str]) -> str:
    """Returns notes in one text: of a great many, the first ones and how many more there are."""
    more = [f"and {len(notes) - MOST_NOTES:,} more"] if len(notes) > MOST_NOTES else []
    return "; ".join([*notes[:MOST_NOTES], *more])


def is_away(text: str) -> bool:
    """Returns whether a reason is that AWS does not answer: one fault, whatever was asked for."""
    return text.endswith(AWS_IS_AWAY)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Returns a text without the secrets."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def advice(chain: Iterable[BaseException]) -> str:
    """Returns what to do about the first known error, to be appended to its text; else an empty text."""
    said = " ".join(f"{type(link).__name__} {link}" for link in chain)
    return next((f"; {what_to_do}" for pattern, what_to_do in ADVICE if re.search(pattern, said)), "")
