"""Errors: those that a client is sent, and those of whoever starts the stand-in."""


class StandInError(Exception):
    """The stand-in or its PostgreSQL server cannot start or stop; the message says why and how to fix it."""


class RedshiftError(Exception):
    """An error as Redshift reports it: the SQLSTATE and the message."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message


def not_faithful(what: str) -> RedshiftError:
    """The error for a statement that Redshift may well take and the stand-in cannot carry out as Redshift would."""
    return RedshiftError("0A000", f"stand-in: {what} is not implemented here; real Redshift may accept it")


def unforeseen(error: Exception) -> RedshiftError:
    """The error for a statement at which the stand-in itself has failed: a defect, but no reason to hang up."""
    return RedshiftError("XX000", f"stand-in: it has failed at this statement ({type(error).__name__}: {error})")
