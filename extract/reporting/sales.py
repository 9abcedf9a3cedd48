"""What gold says about sales, as few rows as a page shows, whatever the size of the tables."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from extract.reporting.reading import Layers

MODELS = ("vendas_diarias", "vendas_mensais", "funcionario_mensal", "calendario_efeito", "rejeicoes")

MONTHS = 36  # of the monthly chart
CATEGORY_MONTHS = 13
CATEGORIES = 5  # with a colour of their own
LISTED = 20  # categories or employees
REASONS = 6


class Month(NamedTuple):
    """The sales of a month."""

    month: date
    number: int
    amount: Decimal
    working_days: int | None
    is_complete: bool


class Category(NamedTuple):
    """A category's sales in a month."""

    key: int | None
    name: str | None
    number: int
    amount: Decimal
    share: Decimal | None
    on_month: Decimal | None
    on_year: Decimal | None


class CategoryMonth(NamedTuple):
    """The sales of one of the largest categories, or of all others, in a month."""

    month: date
    place: int  # from 1; that of all others is the last
    key: int | None
    name: str | None
    amount: Decimal


class Employee(NamedTuple):
    """An employee's sales in a month."""

    key: int | None
    name: str | None
    rank: int
    number: int
    amount: Decimal
    share: Decimal | None
    on_month: Decimal | None
    on_year: Decimal | None


class KindOfDay(NamedTuple):
    """The average day of a kind, and what is expected of it."""

    group: str
    kind: str
    days: int
    amount: Decimal | None
    expected: Decimal | None
    effect: Decimal | None


class Rejected(NamedTuple):
    """The rejected sales of a reason in a month."""

    month: date
    reason: str
    number: int


class Reason(NamedTuple):
    """All rejected sales of a reason."""

    reason: str
    number: int
    first: date | None
    last: date | None
    without_date: int


class SoFar(NamedTuple):
    """The month in progress up to its last day with sales, and the same days of earlier months."""

    last_day: date
    amount: Decimal
    month_before: Decimal
    year_before: Decimal


@dataclass(frozen=True)
class Sales:
    """What the sales page shows."""

    months: tuple[Month, ...]  # in order of time
    last: Month | None  # the last complete month
    so_far: SoFar | None
    categories: tuple[Category, ...]
    category_count: int
    category_months: tuple[CategoryMonth, ...]
    employees: tuple[Employee, ...]
    employee_count: int
    kinds_of_days: tuple[KindOfDay, ...]
    rejected: tuple[Rejected, ...]
    reasons: tuple[Reason, ...]

    def month(self, month: date) -> Month | None:
        """Returns a month, if it has sales."""
        return next((one for one in self.months if one.month == month), None)


def read_sales(layers: Layers, project: Path) -> Sales | None:
    """Returns what the sales page shows, or None if gold has no sales.

    After the demo was removed, its relations may still be in the warehouse; so the project must have the models too.
    """
    if not layers.has_gold(*MODELS) or not list(project.glob("models/**/gold_vendas_mensais.sql")):
        return None
    months = tuple(read_months(layers))
    last = next((month for month in reversed(months) if month.is_complete), None)
    current = months[-1] if months and not months[-1].is_complete else None
    newest = months[-1].month if months else None
    return Sales(
        months=months,
        last=last,
        so_far=read_so_far(layers, current.month) if current else None,
        categories=tuple(read_categories(layers, last.month)) if last else (),
        category_count=count_rows(layers, "vendas_mensais", last.month) if last else 0,
        category_months=tuple(read_category_months(layers, newest)) if newest else (),
        employees=tuple(read_employees(layers, last.month)) if last else (),
        employee_count=count_rows(layers, "funcionario_mensal", last.month) if last else 0,
        kinds_of_days=tuple(read_kinds_of_days(layers)),
        rejected=tuple(read_rejected(layers, newest)) if newest else (),
        reasons=tuple(read_reasons(layers)),
    )


def months_before(month: date, number: int) -> date:
    """Returns the first day of the month so many months before."""
    years, index = divmod(month.year * 12 + month.month - 1 - number, 12)
    return date(years, index + 1, 1)


def read_months(layers: Layers) -> list[Month]:
    """Returns the months that the page needs: those of the chart, and two more for the first moving average."""
    found = layers.query(
        "select mes, sum(quantidade), sum(valor), max(dias_uteis), min(case when mes_completo then 1 else 0 end)"
        f" from {{gold}}.vendas_mensais group by mes order by mes desc limit {MONTHS + 3}"
    )
    return [
        Month(month, int(number), Decimal(amount), days, bool(complete))
        for month, number, amount, days, complete in reversed(found)
    ]


def read_so_far(layers: Layers, month: date) -> SoFar | None:
    """Returns the sums of the month in progress and of the same days of earlier months; None without a sale."""
    end = months_before(month, -1)
    ((last_day,),) = layers.query(
        "select max(data_venda) from {gold}.vendas_diarias"
        f" where data_venda >= date '{month}' and data_venda < date '{end}'"
    )
    if last_day is None:
        return None
    sums = []
    for before in (0, 1, 12):
        first = months_before(month, before)
        after = min(first.toordinal() + last_day.day, months_before(month, before - 1).toordinal())
        sums.append(
            f"sum(case when data_venda >= date '{first}' and data_venda < date '{date.fromordinal(after)}'"
            " then valor else 0 end)"
        )
    found = layers.query(
        f"select {', '.join(sums)} from {{gold}}.vendas_diarias where data_venda >= date '{months_before(month, 12)}'"
    )
    return SoFar(last_day, *(Decimal(amount) for amount in found[0]))


def read_categories(layers: Layers, month: date) -> list[Category]:
    """Returns the categories of a month, the largest first."""
    found = layers.query(
        "select id_categoria, nome_categoria, quantidade, valor, participacao, crescimento_mes, crescimento_ano"
        f" from {{gold}}.vendas_mensais where mes = date '{month}'"
        f" order by valor desc, id_categoria limit {LISTED}"
    )
    return [Category(*row) for row in found]


def read_category_months(layers: Layers, newest: date) -> list[CategoryMonth]:
    """Returns the last months of the categories that sold most in them, and of all others together."""
    others = CATEGORIES + 1
    found = layers.query(
        f"""
        with totals as (
            select mes, id_categoria, nome_categoria, valor, sum(valor) over (partition by id_categoria) as total
            from {{gold}}.vendas_mensais
            where mes > date '{months_before(newest, CATEGORY_MONTHS)}'
        ),
        ranked as (
            select mes, id_categoria, nome_categoria, valor,
                dense_rank() over (order by total desc, id_categoria) as place
            from totals
        )
        select mes, case when place < {others} then place else {others} end,
            min(case when place < {others} then id_categoria end),
            min(case when place < {others} then nome_categoria end), sum(valor)
        from ranked
        group by 1, 2
        order by 1, 2
        """
    )
    return [CategoryMonth(month, int(place), key, name, amount) for month, place, key, name, amount in found]


def read_employees(layers: Layers, month: date) -> list[Employee]:
    """Returns the employees of a month by rank."""
    found = layers.query(
        "select id_funcionario, nome, posicao, quantidade, valor, participacao, crescimento_mes, crescimento_ano"
        f" from {{gold}}.funcionario_mensal where mes = date '{month}'"
        f" order by posicao, id_funcionario limit {LISTED}"
    )
    return [Employee(*row) for row in found]


def count_rows(layers: Layers, relation: str, month: date) -> int:
    """Returns the number of categories or employees of a month."""
    return int(layers.query(f"select count(*) from {{gold}}.{relation} where mes = date '{month}'")[0][0])


def read_kinds_of_days(layers: Layers) -> list[KindOfDay]:
    """Returns the weekdays and the other kinds of days in their order."""
    found = layers.query(
        "select grupo, tipo, dias, valor_medio_por_dia, valor_esperado_por_dia, efeito"
        " from {gold}.calendario_efeito order by ordem"
    )
    return [KindOfDay(*row) for row in found]


def read_rejected(layers: Layers, newest: date) -> list[Rejected]:
    """Returns the rejected sales of the chart's months by reason; they may be of later months than the valid ones."""
    found = layers.query(
        f"""
        select date_trunc('month', data_venda), motivo, sum(quantidade)
        from {{gold}}.rejeicoes
        where data_venda >= date '{months_before(newest, MONTHS - 1)}'
            and data_venda < date '{months_before(newest, -1)}'
        group by 1, 2
        order by 1, 2
        """
    )
    return [Rejected(date(month.year, month.month, 1), reason, int(number)) for month, reason, number in found]


def read_reasons(layers: Layers) -> list[Reason]:
    """Returns the reasons, those of most rejected sales first."""
    found = layers.query(
        "select motivo, sum(quantidade), min(data_venda), max(data_venda),"
        " sum(case when data_venda is null then quantidade else 0 end)"
        f" from {{gold}}.rejeicoes group by motivo order by 2 desc, 1 limit {LISTED}"
    )
    return [
        Reason(reason, int(number), first, last, int(dateless)) for reason, number, first, last, dateless in found
    ]
