"""What can be set about the sandbox, read from the environment and checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Self

from sandbox.business import FIRST_DAY
from sandbox.errors import SandboxError

_MOST_SALES = 1_000_000_000  # with years to come, ids still fit an integer


@dataclass(frozen=True)
class Settings:
    """Where the sandbox lives and what it shows.

    Attributes:
        folder: holds all of its data; absolute.
        sales: how many sales a new sandbox begins with; None leaves it to the sandbox.
        today: the day its sources are brought to.
        redshift: True where the Redshift stand-in and S3 are to be up too.
    """

    folder: Path
    sales: int | None
    today: date
    redshift: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """`SANDBOX_DIR`, `SANDBOX_SALES`, `TODAY` and `DBT_TARGET`; one that is empty counts as not set.

        Raises:
            SandboxError: values that cannot be used, all of them at once.
        """
        problems: list[str] = []
        sales = _sales(environment.get("SANDBOX_SALES", ""), problems)
        today = _today(environment.get("TODAY", ""), problems)
        if problems:
            raise SandboxError("; ".join(problems))
        folder = Path(environment.get("SANDBOX_DIR") or ".local/sandbox").resolve()
        return cls(folder, sales, today, redshift=environment.get("DBT_TARGET") == "sandbox")


def _sales(text: str, problems: list[str]) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_SALES:
        return int(text)
    problems.append(f"SANDBOX_SALES must be a whole number from 1 to {_MOST_SALES}, not {text!r}")
    return None


def _today(text: str, problems: list[str]) -> date:
    today = datetime.now().astimezone().date()
    if text:
        try:
            today = date.fromisoformat(text)
        except ValueError:
            problems.append(f"TODAY must be a date such as 2026-03-31, not {text!r}")
    if today <= FIRST_DAY:
        problems.append(f"TODAY must be after the company's first day, {FIRST_DAY}, not {today}")
    return today
