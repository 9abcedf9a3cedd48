"""The settings of the sandbox, read from the environment and checked once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

from sandbox.errors import SandboxError

_MOST_SALES = 1_000_000_000  # with years to come, ids still fit an integer

TARGETS = ("local", "sandbox")
"""The targets that the demo sources exist for."""

SOURCE_SETTINGS = (
    "EMPLOYEES_API_URL", "SOURCE_POSTGRES_HOST", "SOURCE_POSTGRES_PORT", "SOURCE_POSTGRES_DATABASE",
    "SOURCE_POSTGRES_USER", "SOURCE_POSTGRES_PASSWORD", "SOURCE_POSTGRES_SSLMODE", "PARQUET_DROP",
)  # fmt: skip
"""What the demo sources set."""


@dataclass(frozen=True)
class Settings:
    """Where the sandbox lives and what it starts.

    Attributes:
        folder: contains all of its data; absolute.
        sales: number of sales in a new demo; None for the default.
        today: the date to bring the demo to; None for its own last date, or the current date if it is new.
        redshift: whether to start the Redshift stand-in and S3 too.
        demo: whether to start the demo sources.
    """

    folder: Path
    sales: int | None
    today: date | None
    redshift: bool = False
    demo: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Reads `SANDBOX_DIR`, `SANDBOX_SALES`, `TODAY` and `DBT_TARGET`; an empty one counts as not set.

        Raises:
            SandboxError: with all values that cannot be used.
        """
        problems: list[str] = []
        sales = _sales(environment.get("SANDBOX_SALES", ""), problems)
        today = _today(environment.get("TODAY", ""), problems)
        if problems:
            raise SandboxError("; ".join(problems))
        folder = Path(environment.get("SANDBOX_DIR") or ".local/sandbox").resolve()
        return cls(folder, sales, today, redshift=environment.get("DBT_TARGET") == "sandbox")


def has_own_sources(environment: Mapping[str, str], names: Collection[str]) -> bool:
    """Returns whether one of the settings of the declared sources, or one that the demo sets, is set already."""
    return any(environment.get(name) for name in (*SOURCE_SETTINGS, *names))


def _sales(text: str, problems: list[str]) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_SALES:
        return int(text)
    problems.append(f"SANDBOX_SALES must be a whole number from 1 to {_MOST_SALES}, not {text!r}")
    return None


def _today(text: str, problems: list[str]) -> date | None:
    if not text:
        return None
    from sandbox.business import FIRST_DAY

    try:
        today = date.fromisoformat(text)
    except ValueError:
        problems.append(f"TODAY must be a date such as 2026-03-31, not {text!r}")
        return None
    if today <= FIRST_DAY:
        problems.append(f"TODAY must be after the company's first day, {FIRST_DAY}, not {today}")
    return today
