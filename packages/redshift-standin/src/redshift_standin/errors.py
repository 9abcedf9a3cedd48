"""Errors that clients receive, and those of a server that does not start."""


class StandInError(Exception):
    """The stand-in or its PostgreSQL server cannot start or stop; the message has the reason and the remedy."""


class RedshiftError(Exception):
    """An error as Redshift reports it: the SQLSTATE, the message and the detail."""

    def __init__(self, sqlstate: str, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail_text = detail


def not_implemented(what: str) -> RedshiftError:
    """Returns the error for a statement that Redshift may accept and the stand-in cannot run as Redshift does."""
    return RedshiftError("0A000", f"stand-in: {what} is not implemented here; real Redshift may accept it")


def internal_error(error: Exception) -> RedshiftError:
    """Returns the error for a statement at which the stand-in itself failed; the session goes on."""
    return RedshiftError("XX000", f"stand-in: internal error in this statement ({type(error).__name__}: {error})")
