"""The sales page, in Portuguese, the language of the business."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from extract.reporting import sales_charts
from extract.reporting.content import Cell, Figure, Numbers, Section, Tile
from extract.reporting.numbers import DASH, brazilian, growth, month_name, percent, reais, short_month
from extract.reporting.sales import (
    CATEGORIES,
    CATEGORY_MONTHS,
    MONTHS,
    REASONS,
    Category,
    CategoryMonth,
    Employee,
    Month,
    Rejected,
    Sales,
    months_before,
)  # fmt: skip

WORDS = {"numbers": "Números", "written": "Gerado em"}

GROWTHS = ("sobre o mês anterior", "sobre o ano anterior")  # headings

OTHER_REASONS = "outros motivos"


def write_sales(sales: Sales) -> Section:
    """Returns the page."""
    if not sales.months:
        lead = "Ainda não há vendas válidas. Carregue as fontes e construa os modelos: make run"
        return Section("vendas", "pt-BR", "Vendas", "Vendas", lead, words=WORDS)
    figures = (
        write_months(sales),
        write_categories(sales),
        write_employees(sales),
        write_days(sales),
        write_rejected(sales),
    )
    title = f"Vendas de {month_name(sales.last.month)}" if sales.last else "Vendas"
    return Section(
        "vendas", "pt-BR", "Vendas", title, write_lead(sales), tuple(write_tiles(sales)), (), figures, WORDS
    )


def write_lead(sales: Sales) -> str:
    """Returns what happened in the last complete month, in two sentences."""
    last = sales.last
    if last is None:
        return "O primeiro mês de vendas ainda não terminou; os números completos aparecem no mês que vem."
    text = f"Em {month_name(last.month)} vendemos {reais(last.amount)}"
    compared = [
        f"{percent(abs(change))} {'a mais' if change >= 0 else 'a menos'} que em {month_name(month)}"
        for month in (months_before(last.month, 1), months_before(last.month, 12))
        if (change := on(sales, last, month)) is not None
    ]
    text += f": {' e '.join(compared)}." if compared else "."
    if sales.categories and sales.categories[0].share:
        best = sales.categories[0]
        text += f" A maior categoria foi {category_name(best.key, best.name)}, com {percent(best.share)} das vendas"
        if sales.employees:
            text += f"; quem mais vendeu foi {employee_name(sales.employees[0])}"
        text += "."
    return text


def on(sales: Sales, month: Month, before: date) -> Decimal | None:
    """Returns the growth of a month's sum on an earlier month."""
    earlier = sales.month(before)
    return growth(month.amount, earlier.amount if earlier else None)


def change(part: Decimal | None, than: str) -> Cell:
    """Returns a growth as a note; an arrow says what the colour says."""
    if part is None:
        return Cell(f"sem base em {than}")
    arrow = "▲" if part > 0 else "▼" if part < 0 else "="
    return Cell(f"{arrow} {percent(part, '+')} sobre {than}", "good" if part > 0 else "bad" if part < 0 else "")


def write_tiles(sales: Sales) -> Iterator[Tile]:
    """Yields the headline figures of the last complete month, and of the month in progress."""
    if last := sales.last:
        month, year = months_before(last.month, 1), months_before(last.month, 12)
        earlier = (sales.month(month), sales.month(year))
        names = (short_month(month), short_month(year))

        def changes(*values: Decimal | int | None) -> tuple[Cell, ...]:
            return tuple(
                change(growth(values[0], value), name) for value, name in zip(values[1:], names, strict=True)
            )

        yield Tile("Vendas", reais(last.amount), changes(last.amount, *(one and one.amount for one in earlier)))
        yield Tile(
            "Quantidade de vendas",
            brazilian(last.number),
            changes(last.number, *(one and one.number for one in earlier)),
        )
        yield Tile(
            "Venda média", reais(mean(last) or 0, 2), changes(mean(last), *(one and mean(one) for one in earlier))
        )
        if daily := by_working_day(last):
            yield Tile(
                f"Por dia útil ({last.working_days} no mês)",
                reais(daily),
                changes(daily, *(one and by_working_day(one) for one in earlier)),
            )
    if so_far := sales.so_far:
        month = so_far.last_day.replace(day=1)
        day = so_far.last_day.day
        yield Tile(
            f"{month_name(month).split()[0].capitalize()} até o dia {day}",
            reais(so_far.amount),
            tuple(
                change(growth(so_far.amount, before), f"1 a {day} de {short_month(months_before(month, months))}")
                for months, before in ((1, so_far.month_before), (12, so_far.year_before))
            ),
        )


def mean(month: Month) -> Decimal | None:
    """Returns the average amount of a sale."""
    return month.amount / month.number if month.number else None


def by_working_day(month: Month) -> Decimal | None:
    """Returns the sum for each working day."""
    return month.amount / month.working_days if month.working_days else None


def moving_averages(months: Sequence[Month]) -> dict[date, Decimal]:
    """Returns the average of each complete month and the two before."""
    sums = {month.month: month.amount for month in months}
    averages = {}
    for month in months:
        three = [sums.get(months_before(month.month, number)) for number in range(3)]
        found = [amount for amount in three if amount is not None]
        if month.is_complete and len(found) == len(three):
            averages[month.month] = sum(found, Decimal(0)) / len(three)
    return averages


def write_months(sales: Sales) -> Figure:
    """Returns the sums by month."""
    averages = moving_averages(sales.months)
    months = sales.months[-MONTHS:]
    complete = [month for month in months if month.is_complete]
    answer = "Nenhum mês terminou ainda."
    if complete:
        best = max(complete, key=lambda month: month.amount)
        now = averages.get(complete[-1].month)
        year_ago = averages.get(months_before(complete[-1].month, 12))
        answer = f"Melhor mês dos últimos {len(complete)}: {month_name(best.month)}, com {reais(best.amount)}."
        if now:
            answer += f" A média dos últimos três meses é {reais(now)}"
            trend = growth(now, year_ago)
            answer += f" ({percent(trend, '+')} em um ano)." if trend is not None else "."
    return Figure(
        "Vendas por mês",
        answer,
        (sales_charts.draw_months(months, averages),),
        numbers=Numbers(
            ("mês", "vendas", "quantidade", "média móvel", "dias úteis", *GROWTHS),
            tuple(
                (
                    short_month(one.month) + ("" if one.is_complete else " (em curso)"), reais(one.amount, 2),
                    brazilian(one.number), reais(averages[one.month], 2) if one.month in averages else DASH,
                    DASH if one.working_days is None else str(one.working_days),
                    *(
                        percent(on(sales, one, months_before(one.month, n)), "+") if one.is_complete else DASH
                        for n in (1, 12)
                    ),
                )
                for one in reversed(months)
            ),
        ),
        is_wide=True,
    )  # fmt: skip


def category_name(key: int | None, name: str | None) -> str:
    """Returns what a category is called."""
    return name or ("sem categoria" if key is None else f"categoria {key}")


def write_categories(sales: Sales) -> Figure:
    """Returns the sums by category: as bars by month, and the last complete month as numbers."""
    names = {
        one.place: "outras" if one.place > CATEGORIES else category_name(one.key, one.name)
        for one in sorted(sales.category_months, key=category_place)
    }
    answer = "Nenhum mês terminou ainda."
    if sales.last:
        moved = [one for one in sales.categories if one.on_year is not None and one.amount > 0]
        answer = f"Em {month_name(sales.last.month)}"
        if moved:
            up, down = max(moved, key=year_change), min(moved, key=year_change)
            answer += (
                f", a categoria que mais cresceu em um ano foi {category_name(up.key, up.name)}"
                f" ({percent(up.on_year, '+')}), e a que menos cresceu, {category_name(down.key, down.name)}"
                f" ({percent(down.on_year, '+')})."
            )
        else:
            answer += f" venderam-se {brazilian(sales.category_count)} categorias."
    numbers = None
    if sales.categories:
        left_out = sales.category_count - len(sales.categories)
        numbers = Numbers(
            ("categoria", "vendas", "parte", "quantidade", *GROWTHS),
            tuple(
                (
                    category_name(one.key, one.name), reais(one.amount), percent(one.share),
                    brazilian(one.number), percent(one.on_month, "+"), percent(one.on_year, "+"),
                )
                for one in sales.categories
            ),
            more=f"e mais {brazilian(left_out)} categorias menores" if left_out else "",
        )  # fmt: skip
    return Figure(
        f"Categorias por mês, últimos {CATEGORY_MONTHS} meses",
        answer,
        (sales_charts.draw_categories(sales.category_months, names),),
        numbers=numbers,
    )


def category_place(one: CategoryMonth) -> int:
    """Returns the place of a category, to sort by."""
    return one.place


def year_change(one: Category) -> Decimal:
    """Returns the growth on the year before, to sort by."""
    return one.on_year or Decimal(0)


def employee_name(one: Employee) -> str:
    """Returns what an employee is called; where names are left out, the number."""
    return one.name or ("sem funcionário" if one.key is None else f"funcionário {one.key}")


def write_employees(sales: Sales) -> Figure:
    """Returns the ranking of the last complete month."""
    if not sales.employees or not sales.last:
        return Figure("Funcionários", "O ranking aparece quando o primeiro mês de vendas terminar.")
    names = [employee_name(one) for one in sales.employees]
    doubled = {name for name in names if names.count(name) > 1}
    labels = [
        f"{name} ({one.key})" if name in doubled else name for name, one in zip(names, sales.employees, strict=True)
    ]
    first = sales.employees[0]
    answer = f"1º lugar: {labels[0]}, com {reais(first.amount)}"
    answer += f" ({percent(first.on_month, '+')} sobre o mês anterior)." if first.on_month is not None else "."
    left_out = sales.employee_count - len(names)
    return Figure(
        f"Funcionários em {month_name(sales.last.month)}",
        answer,
        (sales_charts.draw_employees(sales.employees, labels),),
        numbers=Numbers(
            ("funcionário", "posição", "vendas", "parte", "quantidade", *GROWTHS),
            tuple(
                (
                    label, f"{one.rank}º", reais(one.amount, 2), percent(one.share), brazilian(one.number),
                    percent(one.on_month, "+"), percent(one.on_year, "+"),
                )
                for label, one in zip(labels, sales.employees, strict=True)
            ),
            more=f"e mais {brazilian(left_out)} com vendas menores" if left_out else "",
        ),
    )  # fmt: skip


def write_days(sales: Sales) -> Figure:
    """Returns the effect of weekdays and holidays."""
    known = [one for one in sales.kinds_of_days if one.effect is not None]
    if not known:
        return Figure("Dia da semana e feriados", "O efeito aparece quando houver vendas em dias do calendário.")
    best, worst = (choose(known, key=lambda one: one.effect or Decimal(0)) for choose in (max, min))
    return Figure(
        "Dia da semana e feriados",
        f"Melhor: {best.kind}, com {reais(best.amount or 0)} por dia ({percent(best.effect, '+')} sobre o esperado)."
        f" Pior: {worst.kind}, com {reais(worst.amount or 0)} ({percent(worst.effect, '+')}).",
        (sales_charts.draw_days(known),),
        numbers=Numbers(
            ("dia", "efeito", "vendas por dia", "esperado", "dias"),
            tuple(
                (
                    one.kind, percent(one.effect, "+"), reais(one.amount or 0, 2), reais(one.expected or 0, 2),
                    brazilian(one.days),
                )
                for one in known
            ),
        ),
    )  # fmt: skip


def write_rejected(sales: Sales) -> Figure:
    """Returns the rejected sales by reason."""
    title = "Vendas rejeitadas por motivo"
    if not sales.reasons:
        return Figure(title, "Nenhuma venda foi rejeitada.")
    total = sum(reason.number for reason in sales.reasons)
    months = [one.month for one in sales.months[-MONTHS:]]
    charted_reasons = {one.reason for one in sales.rejected}
    names = [reason.reason for reason in sales.reasons if reason.reason in charted_reasons][:REASONS]
    shown = [one if one.reason in names else Rejected(one.month, OTHER_REASONS, one.number) for one in sales.rejected]
    if any(one.reason == OTHER_REASONS for one in shown):
        names.append(OTHER_REASONS)
    charted = sum(one.number for one in shown)
    answer = f"{brazilian(total)} {'venda rejeitada' if total == 1 else 'vendas rejeitadas'} ao todo"
    answer += (
        f", {brazilian(charted)} nos últimos {len(months)} meses. Corrija-as na fonte: a próxima carga as aceita."
    )
    return Figure(
        title,
        answer,
        (sales_charts.draw_rejected(months, shown, names),) if shown else (),
        numbers=Numbers(
            ("motivo", "vendas", "sem data", "primeiro dia", "último dia"),
            tuple(
                (one.reason, brazilian(one.number), brazilian(one.without_date), day(one.first), day(one.last))
                for one in sales.reasons
            ),
        ),
        is_open=True,
    )


def day(value: date | None) -> str:
    """Returns a day: 28/11/2026."""
    return f"{value:%d/%m/%Y}" if value else DASH
