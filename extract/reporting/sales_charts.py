"""The charts of the sales page."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import altair as alt

from extract.reporting.content import Chart
from extract.reporting.numbers import short_month
from extract.reporting.sales import CategoryMonth, Employee, KindOfDay, Month, Rejected
from extract.reporting.theme import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    MUTED,
    ORANGE,
    PINK,
    RED,
    SKY,
    amount_axis,
    as_given,
    finish,
    name_axis,
    rows,
    short_number,
    time_axis,
)  # fmt: skip

PORTUGUESE = "pt-BR"
MONEY = "$,.2f"
BAR = 26  # pixels of a bar and the space to the next one


def draw_months(months: Sequence[Month], averages: dict[date, Decimal]) -> Chart:
    """Draws the sum of each month and its moving average; the month in progress is paler."""
    data = [
        {
            "mes": short_month(one.month), "valor": float(one.amount), "quantidade": one.number,
            "media": float(averages[one.month]) if one.month in averages else None,
            "opacidade": 1 if one.is_complete else 0.45, "dias": one.working_days,
        }
        for one in months
    ]  # fmt: skip
    x = alt.X("mes:O", sort=None, axis=time_axis())
    tooltip = [
        alt.Tooltip("mes:N", title="mês"), alt.Tooltip("valor:Q", title="vendas", format=MONEY),
        alt.Tooltip("media:Q", title="média móvel", format=MONEY),
        alt.Tooltip("quantidade:Q", title="quantidade", format=","), alt.Tooltip("dias:Q", title="dias úteis"),
    ]  # fmt: skip
    base = alt.Chart(rows(data))
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=x,
        y=alt.Y("valor:Q", axis=amount_axis(PORTUGUESE)),
        opacity=alt.Opacity("opacidade:Q", scale=None),
        tooltip=tooltip,
    )
    line = base.mark_line(color=ORANGE).encode(x=x, y="media:Q", tooltip=tooltip)
    name = "Vendas por mês com média móvel de três meses"
    legend = (("vendas do mês", BLUE), ("média móvel de 3 meses", ORANGE))
    return Chart(name, finish(bars + line, PORTUGUESE, 260, name), legend)


def draw_categories(months: Sequence[CategoryMonth], names: dict[int, str]) -> Chart:
    """Draws the sums of the largest categories by month, one above the other."""
    data = [
        {"mes": short_month(one.month), "categoria": names[one.place], "lugar": one.place, "valor": float(one.amount)}
        for one in months
    ]
    colours = [*COLOURS[: max(names) - 1], GREY] if len(names) > 5 else list(COLOURS[: len(names)])
    chart = (
        alt.Chart(rows(data))
        .mark_bar()
        .encode(
            x=alt.X("mes:O", sort=None, axis=time_axis()),
            y=alt.Y("valor:Q", axis=amount_axis(PORTUGUESE)),
            color=alt.Color("categoria:N", legend=None, scale=alt.Scale(domain=list(names.values()), range=colours)),
            order=alt.Order("lugar:O"),
            tooltip=[
                alt.Tooltip("mes:N", title="mês"),
                alt.Tooltip("categoria:N"),
                alt.Tooltip("valor:Q", title="vendas", format=MONEY),
            ],
        )
    )
    name = "Vendas por mês e categoria"
    return Chart(name, finish(chart, PORTUGUESE, 260, name), tuple(zip(names.values(), colours, strict=True)))


def draw_employees(employees: Sequence[Employee], names: Sequence[str]) -> Chart:
    """Draws the employees of a month by rank."""
    data = [
        {
            "nome": name, "valor": float(one.amount), "quantidade": one.number, "posicao": one.rank,
            "ano": None if one.on_year is None else float(one.on_year),
            "mes": None if one.on_month is None else float(one.on_month),
        }
        for name, one in zip(names, employees, strict=True)
    ]  # fmt: skip
    most = max([float(one.amount) for one in employees] + [1])
    base = alt.Chart(rows(data)).encode(
        y=alt.Y("nome:N", sort=None, axis=name_axis()),
        x=alt.X("valor:Q", axis=None, scale=alt.Scale(domain=[0, most * 1.4])),
        tooltip=[
            alt.Tooltip("posicao:O", title="posição"), alt.Tooltip("nome:N"),
            alt.Tooltip("valor:Q", title="vendas", format=MONEY),
            alt.Tooltip("quantidade:Q", title="quantidade", format=","),
            alt.Tooltip("mes:Q", title="sobre o mês anterior", format="+.1%"),
            alt.Tooltip("ano:Q", title="sobre o ano anterior", format="+.1%"),
        ],
    )  # fmt: skip
    label = short_number(PORTUGUESE).replace("datum.value", "datum.valor")
    texts = base.transform_calculate(rotulo=label).mark_text(align="left", dx=5).encode(text="rotulo:N")
    name = "Funcionários por vendas no mês"
    return Chart(name, finish(base.mark_bar(cornerRadiusEnd=2, height=16) + texts, PORTUGUESE, BAR * len(data), name))


def draw_days(kinds: Sequence[KindOfDay]) -> Chart:
    """Draws how far each kind of day is above or below what is expected."""
    data = [
        {
            "tipo": one.kind,
            "efeito": float(one.effect),
            "valor": float(one.amount or 0),
            "dias": one.days,
            "cor": ORANGE if one.effect < 0 else BLUE,
        }
        for one in kinds
        if one.effect is not None
    ]
    most = max([abs(float(one.effect)) for one in kinds if one.effect is not None] + [0.01]) * 1.75
    base = alt.Chart(rows(data)).encode(
        y=alt.Y("tipo:N", sort=None, axis=name_axis()),
        x=alt.X("efeito:Q", axis=None, scale=alt.Scale(domain=[-most, most])),
        tooltip=[
            alt.Tooltip("tipo:N", title="dia"), alt.Tooltip("efeito:Q", format="+.1%"),
            alt.Tooltip("valor:Q", title="vendas por dia", format=MONEY), alt.Tooltip("dias:Q", format=","),
        ],
    )  # fmt: skip
    bars = base.mark_bar(height=16).encode(color=as_given("cor"))
    above = base.transform_filter("datum.efeito >= 0").mark_text(align="left", dx=5)
    below = base.transform_filter("datum.efeito < 0").mark_text(align="right", dx=-5)
    text = alt.Text("efeito:Q", format="+.0%")
    zero = alt.Chart(rows([{"x": 0}])).mark_rule(color=MUTED).encode(x=alt.X("x:Q", axis=None))
    name = "Efeito do dia da semana e dos feriados"
    chart = bars + above.encode(text=text) + below.encode(text=text) + zero
    return Chart(name, finish(chart, PORTUGUESE, BAR * len(data), name))


def draw_rejected(months: Sequence[date], rejected: Sequence[Rejected], reasons: Sequence[str]) -> Chart:
    """Draws the rejected sales of each month by reason; months without any are shown too."""
    colours = (RED, BLUE, ORANGE, GREEN, PINK, SKY, GREY)[: len(reasons)]
    data = [{"mes": short_month(one.month), "motivo": one.reason, "quantidade": one.number} for one in rejected]
    by_month = Counter[date]()
    for one in rejected:
        by_month[one.month] += one.number
    most = max([*by_month.values(), 4])
    chart = (
        alt.Chart(rows(data))
        .mark_bar()
        .encode(
            x=alt.X("mes:O", axis=time_axis(), scale=alt.Scale(domain=[short_month(month) for month in months])),
            y=alt.Y(
                "sum(quantidade):Q",
                axis=amount_axis(PORTUGUESE, tickMinStep=1),
                scale=alt.Scale(domain=[0, most]),
            ),
            color=alt.Color("motivo:N", legend=None, scale=alt.Scale(domain=list(reasons), range=list(colours))),
            tooltip=[
                alt.Tooltip("mes:N", title="mês"),
                alt.Tooltip("motivo:N"),
                alt.Tooltip("sum(quantidade):Q", title="vendas rejeitadas", format=","),
            ],
        )
    )
    name = "Vendas rejeitadas por mês e motivo"
    return Chart(name, finish(chart, PORTUGUESE, 200, name), tuple(zip(reasons, colours, strict=True)))
