"""What a page of the report consists of: texts, numbers and charts, without their HTML."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cell:
    """A text of a table or a note; its status says how it is to be taken."""

    text: str
    status: str = ""  # good, warn, bad, or nothing
    detail: str = ""  # a second line


@dataclass(frozen=True)
class Numbers:
    """A table of numbers; the columns from `numeric` on contain numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    numeric: int = 1
    more: str = ""  # which rows are left out


@dataclass(frozen=True)
class Chart:
    """A chart, as Vega-Lite."""

    name: str  # for people who do not see it
    spec: dict[str, Any]
    legend: tuple[tuple[str, str], ...] = ()  # names and colours
    title: str = ""


@dataclass(frozen=True)
class Card:
    """One thing of several that are alike, with its state, facts and charts."""

    title: str
    state: Cell
    facts: tuple[Cell | str, ...]
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A question with its answer in words, as charts and as numbers."""

    title: str
    answer: str
    charts: tuple[Chart, ...] = ()
    cards: tuple[Card, ...] = ()
    numbers: Numbers | None = None
    is_open: bool = False  # the numbers are shown without a click
    is_wide: bool = False


@dataclass(frozen=True)
class Tile:
    """A headline figure."""

    label: str
    value: str
    notes: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Section:
    """One page of the report."""

    name: str  # its address in the file
    language: str
    tab: str
    title: str
    lead: str
    tiles: tuple[Tile, ...] = ()
    notices: tuple[Cell, ...] = ()
    figures: tuple[Figure, ...] = ()
    words: dict[str, str] = field(default_factory=dict)  # of the page's own, in its language
