"""The business whose data the sources serve: who works there, what it sells, every sale of every day.

Everything is computed from a `Business` and a date; nothing is read or stored. So a date looks the same whether the
sources were brought to it in one step or in many.

A source whose today is `D` shows what happened up to the day before `D`. Only the days from the opening on bring
changes: one corrected sale each, and every `CHANGE_EVERY` days, starting with the first, a renamed employee and a new
list of categories.
"""

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

FIRST_DAY = date(2017, 1, 1)
"""The company's first day: no true sale is older."""

CHANGE_EVERY = 30
"""Days from one renaming of an employee and a category to the next."""

FIX_EVERY = 10
"""Once in so many passed days the corrected sale is a wrong one, which gets its true values."""

WRONG_EVERY = 10_000
"""One sale in so many is wrong, so 100,000 sales hold every kind of `MISTAKES`."""

VENDA = pa.schema(
    [
        pa.field("id_venda", pa.int32(), nullable=False),
        pa.field("id_funcionario", pa.int32()),
        pa.field("id_categoria", pa.int32()),
        pa.field("data_venda", pa.date32()),
        pa.field("venda", pa.float64()),
    ]
)
"""The shape of sales; `venda` is the amount in reais, with two decimals."""

MISTAKES: tuple[tuple[str, Any], ...] = (
    ("venda", None),
    ("venda", math.nan),
    ("venda", 0.0),
    ("venda", -150.0),
    ("venda", math.inf),
    ("data_venda", None),
    ("data_venda", date(1900, 1, 1)),
    ("id_funcionario", 42),
    ("id_categoria", 99),
)
"""The kinds of wrong sale: a column, and what stands in it instead of the truth."""

_SEED = 20170101
_CORRECTED_WITHIN = timedelta(days=60)
_DISCOUNTS = (0.95, 0.9, 0.85, 0.7)

# Two forms of each name: a renaming turns one into the other.
_EMPLOYEES = {
    1: ("Ana Conceição", "Ana Conceição Ribeiro"),
    2: ("João Batista Araújo", "João B. Araújo"),
    3: ("Márcia D'Ávila", "Márcia D'Ávila Monteiro"),
    4: ("Carlos Eduardo Nunes", "Carlos E. Nunes"),
    5: ("Beatriz Gonçalves", "Beatriz Gonçalves Prado"),
    6: ("Antônio José de Sá", "Antônio de Sá"),
    7: ("Luíza Sant'Anna", "Luíza Sant'Anna Guimarães"),
    8: ("Pedro Henrique Lima", "Pedro H. Lima"),
    9: ("Fátima Brandão", "Fátima Brandão Vilela"),
}
_CATEGORIES = {
    1: ("Alimentos", "Alimentos e bebidas"),
    2: ("Papelaria", "Papelaria e escritório"),
    3: ("Livros", "Livros e revistas"),
    4: ("Brinquedos", "Brinquedos e jogos"),
    5: ("Beleza", "Beleza e perfumaria"),
    6: ("Roupas", "Moda e acessórios"),
    7: ("Esporte", "Esporte e lazer"),
    8: ("Móveis", "Móveis e decoração"),
    9: ("Eletrodomésticos", "Eletrodomésticos e portáteis"),
    10: ("Eletrônicos", "Eletrônicos e informática"),
}
_LATE_CATEGORY = {99: "Vale-presente"}  # sold before any list names it: the first change brings it

_EMPLOYEE_SHARES = np.cumsum([0.16, 0.14, 0.13, 0.12, 0.11, 0.10, 0.09, 0.08, 0.07])  # running totals
_CATEGORY_SHARES = np.cumsum([0.22, 0.09, 0.10, 0.08, 0.12, 0.14, 0.08, 0.04, 0.05, 0.08])
_PRICES = np.array([45.0, 30.0, 55.0, 110.0, 80.0, 140.0, 190.0, 900.0, 1300.0, 1600.0])  # medians, in reais
_SPREAD = 0.45  # of the amounts' logarithms: two sales in three are within 0.64 and 1.57 of the median

_WEEK = (0.85, 0.85, 0.95, 1.0, 1.25, 1.5, 0.6)  # Monday to Sunday
_YEAR = (0.85, 0.8, 0.9, 0.95, 1.1, 1.05, 0.95, 1.05, 0.95, 1.05, 1.1, 1.3)  # January to December
_YEARLY_GROWTH = 1.15


@dataclass(frozen=True)
class Venda:
    """A sale as it should be: a row of `VENDA` with nothing missing."""

    id_venda: int
    id_funcionario: int
    id_categoria: int
    data_venda: date
    venda: float


@dataclass(frozen=True)
class Business:
    """A business of a given size, on any date from its opening on.

    Attributes:
        sales: the number of sales from `FIRST_DAY` to the day before `opening`, at least 1.
        opening: the first today somebody saw, after `FIRST_DAY`.

    Raises:
        ValueError: a size or an opening that no business has.
    """

    sales: int
    opening: date

    def __post_init__(self) -> None:
        if self.sales < 1:
            raise ValueError(f"a business has at least 1 sale, not {self.sales}")
        if self.opening <= FIRST_DAY:
            raise ValueError(f"a business opens after its first day, {FIRST_DAY}, not on {self.opening}")

    def sales_before(self, day: date) -> int:
        """The number of sales recorded before `day`: ids run from 1 to it without a gap."""
        return self.sales * _weight_before(day) // _weight_before(self.opening)

    def sales_on(self, day: date) -> pa.RecordBatch:
        """The sales recorded on `day` as they were recorded, the wrong ones too, in the shape of `VENDA`."""
        sales = self._true_sales_on(day)
        missing = {name: np.zeros(len(ids), dtype=bool) for name, ids in sales.items()}
        first_id = self.sales_before(day) + 1
        first_wrong = (WRONG_EVERY // 2 - first_id) % WRONG_EVERY
        for row in range(first_wrong, len(sales["id_venda"]), WRONG_EVERY):
            column, value = MISTAKES[(first_id + row) // WRONG_EVERY % len(MISTAKES)]
            if value is None:
                missing[column][row] = True
            else:
                sales[column][row] = value
        return pa.record_batch(
            [pa.array(sales[field.name], type=field.type, mask=missing[field.name]) for field in VENDA],
            schema=VENDA,
        )

    def correction_on(self, day: date) -> Venda:
        """The sale corrected on `day`, a passed one, as it stands from then on.

        Mostly a sale of the last 60 days gets a new amount. Once in `FIX_EVERY` days a wrong sale gets its true
        values instead: the newest one of the opening first, then back in time until none is left.
        """
        passed = (day - self.opening).days
        wrong_at_opening = (self.sales + WRONG_EVERY // 2) // WRONG_EVERY
        to_fix = wrong_at_opening - 1 - passed // FIX_EVERY
        if passed % FIX_EVERY == 1 and to_fix >= 0:
            return self._true_sale(WRONG_EVERY * to_fix + WRONG_EVERY // 2, before=day)
        random = np.random.default_rng([_SEED, day.toordinal(), 1])
        newest = self.sales_before(day)
        oldest = self.sales_before(max(day - _CORRECTED_WITHIN, FIRST_DAY)) + 1
        sale = self._true_sale(int(random.integers(min(oldest, newest), newest, endpoint=True)), before=day)
        return replace(sale, venda=float(_cents(sale.venda * random.choice(_DISCOUNTS))))

    def employees(self, today: date) -> dict[int, str]:
        """The name of each employee by id, as of `today`."""
        return _renamed(_EMPLOYEES, self._changes_before(today))

    def category_lists(self, today: date) -> dict[date, dict[int, str]]:
        """Every list of categories up to `today`, by the day it came out: each a name by id, complete."""
        days = [FIRST_DAY, *(self.opening + n * timedelta(CHANGE_EVERY) for n in range(self._changes_before(today)))]
        return {day: _renamed(_CATEGORIES, n) | (_LATE_CATEGORY if n else {}) for n, day in enumerate(days)}

    def _changes_before(self, today: date) -> int:
        return math.ceil((today - self.opening).days / CHANGE_EVERY)

    def _true_sales_on(self, day: date) -> dict[str, Any]:
        first_id, end_id = (self.sales_before(d) + 1 for d in (day, day + timedelta(1)))
        size = end_id - first_id
        random = np.random.default_rng([_SEED, day.toordinal()])
        category = _drawn(_CATEGORY_SHARES, random.random(size))
        return {
            "id_venda": np.arange(first_id, end_id, dtype=np.int32),
            "id_funcionario": _drawn(_EMPLOYEE_SHARES, random.random(size)) + 1,
            "id_categoria": category + 1,
            "data_venda": np.full(size, day, dtype="datetime64[D]"),
            "venda": _cents(_PRICES[category] * np.exp(_SPREAD * random.standard_normal(size))),
        }

    def _true_sale(self, id_venda: int, before: date) -> Venda:
        days = range((before - FIRST_DAY).days)
        day_after = bisect.bisect_left(days, id_venda, key=lambda n: self.sales_before(FIRST_DAY + timedelta(n)))
        day = FIRST_DAY + timedelta(day_after - 1)
        sales = self._true_sales_on(day)
        row = id_venda - self.sales_before(day) - 1
        return Venda(**{name: column[row].item() for name, column in sales.items()})


def _renamed(names: Mapping[int, tuple[str, str]], changes: int) -> dict[int, str]:
    """The names after so many changes, which go round: each turns the next name to its other form."""
    return {
        id_: forms[(changes + len(names) - 1 - place) // len(names) % 2]
        for place, (id_, forms) in enumerate(names.items())
    }


def _drawn(shares: Any, uniform: Any) -> Any:
    return np.searchsorted(shares[:-1], uniform, side="right").astype(np.int32)


def _cents(amounts: Any) -> Any:
    return np.rint(amounts * 100) / 100


def _weight_before(day: date) -> int:
    return _weights_through(day.year)[(day - FIRST_DAY).days]


@cache
def _weights_through(year: int) -> list[int]:
    """The weight of all days before each day, from `FIRST_DAY` through the end of `year`."""
    days = (date(year + 1, 1, 1) - FIRST_DAY).days
    return list(accumulate((_weight(FIRST_DAY + timedelta(n)) for n in range(days)), initial=0))


def _weight(day: date) -> int:
    """How much is sold on `day` compared to other days; an integer, so that sums are exact."""
    growth: float = _YEARLY_GROWTH ** ((day - FIRST_DAY).days / 365.25)
    return round(1_000_000 * growth * _WEEK[day.weekday()] * _YEAR[day.month - 1] * _season(day))


def _season(day: date) -> float:
    if day.month == 12:
        return 1 + day.day / 24 if day.day < 24 else (1.2 if day.day == 24 else 0.5)
    # Black Friday is the day after November's fourth Thursday: a Friday from the 23rd to the 29th.
    black_friday = date(day.year, 11, 23 + (4 - date(day.year, 11, 23).weekday()) % 7)
    around = {-1: 1.5, 0: 4.0, 1: 2.5, 2: 2.0, 3: 1.8}
    return around.get((day - black_friday).days, 1.0)
