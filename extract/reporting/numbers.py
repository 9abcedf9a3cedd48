"""Numbers, dates and durations as people write them, in Portuguese and in English."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

MONTHS = (
    "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro",
    "dezembro",
)  # fmt: skip

DASH = "\u2013"  # for what is not known

Number = int | float | Decimal


def brazilian(value: Number, digits: int = 0) -> str:
    """Returns a number as in Brazil: 1.234,5."""
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


def reais(value: Number, digits: int = 0) -> str:
    """Returns an amount in reais: R$ 1.234."""
    text = brazilian(value, digits)
    return f"{'-' if text.startswith('-') else ''}R$\u00a0{text.removeprefix('-')}"


def month_name(month: date) -> str:
    """Returns a month: novembro de 2026."""
    return f"{MONTHS[month.month - 1]} de {month.year}"


def short_month(month: date) -> str:
    """Returns a month in few letters: nov/26."""
    return f"{MONTHS[month.month - 1][:3]}/{month.year % 100:02}"


def growth(value: Number | None, before: Number | None) -> Decimal | None:
    """Returns by which part of what was before a value is larger; None if there is nothing to compare with."""
    if value is None or not before or before < 0:
        return None
    return Decimal(value) / Decimal(before) - 1


def percent(part: Number | None, sign: str = "") -> str:
    """Returns a part in percent: 12,3%; with a sign as a change: +12,3%."""
    return DASH if part is None else f"{100 * part:{sign}.1f}%".replace(".", ",")


def count(value: Number | None) -> str:
    """Returns a count: 1,234."""
    return DASH if value is None else f"{value:,.0f}"


def seconds(value: Number | None) -> str:
    """Returns a duration that was measured: 0.8 s, 12 min."""
    if value is None:
        return DASH
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:,.0f} min" if value < 7200 else f"{value / 3600:,.1f} h"


def ago(moment: datetime | None, now: datetime) -> str:
    """Returns how long ago something was: 3 hours ago."""
    if moment is None:
        return "never"
    passed = max(now - moment, timedelta())
    for size, unit in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):
        if passed >= 2 * size or (passed >= size and unit != "day"):
            number = passed // size
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def moment_text(moment: datetime | None) -> str:
    """Returns a moment: 2026-11-28 13:30."""
    return DASH if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def plural(number: int, one: str, many: str = "", write: Callable[[Number], str] = count) -> str:
    """Returns a count with its noun: 1 table, 2 tables."""
    return f"{write(number)} {one if number == 1 else many or one + 's'}"
