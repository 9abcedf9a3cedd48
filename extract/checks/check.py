"""The result of one check."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was checked and what was found; if that is wrong, `found` says how to fix it."""

    what: str
    ok: bool
    found: str
