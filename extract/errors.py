"""What can go wrong in words for the person who has to mend it."""

import re
from collections.abc import Iterable

# What the warehouse, the landing and AWS say, and what to do about it.
ADVICE = (
    (
        r"Could not set lock on file",
        "close the program that has the warehouse's file open, then run again",
    ),
    (
        r"not a valid DuckDB database file",
        "WAREHOUSE_PATH names another kind of file or a damaged one: move it away, then load and build anew",
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
        r"NoCredentials|Unable to locate credentials",
        "no AWS identity: sign in to AWS, or give the task its role",
    ),
    (
        r"Unmatched number of columns|incompatible Parquet schema",
        "the raw table is not as the loader made it: undo what was altered in it, then run again",
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
        r"InsufficientStorage|StorageFull|No space left",
        "the landing or the work folder is full: make room, then run again",
    ),
)  # fmt: skip


class ExtractError(Exception):
    """A fault that names the thing, what was expected, what came, and the way to mend it."""


class PassingError(ExtractError):
    """A fault that may be over in a moment: the same is tried again."""


class NotRecordedError(ExtractError):
    """What was loaded could not be recorded in `ops.extract_runs`."""


class SettingsError(ExtractError):
    """Settings that are missing or wrong, all of them in one message."""


def causes(error: BaseException) -> list[BaseException]:
    """Returns the error and what it came from, outermost first."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def reason(what: str, error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Returns one line a person can act on: our own error where one lies beneath, else the root cause of `what`.

    Libraries wrap errors in errors; the outermost of ours says it best. Where none is ours the innermost one
    does, with what to do about it where that is known. Every text of `secrets` is blotted out, whoever put it there.
    """
    chain = causes(error)
    ours = next((link for link in chain if isinstance(link, ExtractError)), None)
    text = str(ours) if ours else f"{what}: {type(chain[-1]).__name__}: {str(chain[-1]).strip()}{advice(chain)}"
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return " ".join(text.split())


def advice(chain: Iterable[BaseException]) -> str:
    """Returns what to do about the first error that is known, to be put behind its text; else nothing."""
    said = " ".join(f"{type(link).__name__} {link}" for link in chain)
    return next((f"; {what_to_do}" for pattern, what_to_do in ADVICE if re.search(pattern, said)), "")
