"""How charts look: the colours of the page's style sheet, and numbers in the language of their section.

A colour is the name of a CSS variable. So a chart that is drawn as SVG follows the theme of the page, also after a
change and in print. The palette is that of Okabe and Ito, which colour-blind people can distinguish.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt

COLOURS = tuple(f"var(--c{number})" for number in range(1, 8))
BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY = COLOURS
INK, MUTED, LINE = "var(--ink)", "var(--muted)", "var(--line)"

BRAZILIAN = {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["R$\u00a0", ""]}
ENGLISH = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""]}
LOCALES = {"pt-BR": BRAZILIAN, "en": ENGLISH}

WORDS = {"pt-BR": ("mil", "mi", "bi"), "en": ("k", "M", "G")}

FEWEST = 10  # places on an axis of moments

LABELS = 150  # pixels of a name beside a bar

# As in page.css: Vega measures the texts with it.
FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def finish(chart: Any, language: str, height: int, name: str) -> dict[str, Any]:
    """Returns a chart as Vega-Lite: as wide as its place, in the page's colours."""
    sized = chart.properties(
        width="container", height=height, background="transparent", description=name,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )  # fmt: skip
    spec: dict[str, Any] = sized.to_dict(validate=False)  # which takes longer than all the rest; the tests draw them
    spec["config"] = {
        "locale": {"number": LOCALES[language]},
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": MUTED, "titleColor": MUTED, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE,
            "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": LABELS,
        },
        "bar": {"color": BLUE},
        "line": {"strokeWidth": 2.5},
        "text": {"color": INK, "fontSize": 11},
    }  # fmt: skip
    return spec


def rows(values: list[dict[str, Any]]) -> alt.InlineData:
    """Returns the data of a chart."""
    return alt.InlineData(values=values)


def short_number(language: str) -> str:
    """Returns the expression of an axis' label in few letters: 250 mil, 250k."""
    thousand, million, billion = WORDS[language]
    blank = "\u00a0" if language == "pt-BR" else ""
    sizes = (("1e9", billion), ("1e6", million), ("1e3", thousand))
    expression = "format(datum.value, ',~f')"
    for size, word in reversed(sizes):
        expression = (
            f"abs(datum.value) >= {size} ? format(datum.value / {size}, ',.1~f') + '{blank}{word}' : {expression}"
        )
    return expression


def amount_axis(language: str, **options: Any) -> alt.Axis:
    """Returns a value axis with few short labels."""
    return alt.Axis(title=None, labelExpr=short_number(language), tickCount=4, domain=False, ticks=False, **options)


def time_axis() -> alt.Axis:
    """Returns the axis of months or runs: each label that has room."""
    return alt.Axis(title=None, labelAngle=0, labelOverlap="parity", labelSeparation=10, ticks=False)


def as_given(field: str) -> alt.Color:
    """Returns the colour that a row itself has."""
    return alt.Color(f"{field}:N", scale=None)


def padded(names: Sequence[str]) -> list[str]:
    """Returns the places of an axis: with few names, blank ones too, so that a bar is never as wide as the chart."""
    return [*names, *(" " * number for number in range(1, FEWEST + 1 - len(names)))]


def day_axis() -> alt.Axis:
    """Returns the axis of moments or days that begin with a year, which is not shown."""
    axis = time_axis()
    axis["labelExpr"] = "substring(datum.label, 5, 16)"
    return axis


def name_axis() -> alt.Axis:
    """Returns the axis of names beside bars."""
    return alt.Axis(title=None, domain=False, ticks=False, labelFontSize=12, labelColor=INK, labelLimit=LABELS)
