"""The list of holidays is correct: the movable ones depend on Easter, the fixed ones occur every year."""

import csv
from datetime import date, timedelta

from dateutil.easter import easter

from tests.python.helpers import ROOT

SEED = ROOT / "seeds" / "feriado.csv"
YEARS = range(2015, 2031)

DAYS_FROM_EASTER = {
    "Carnaval (segunda-feira)": -48,
    "Carnaval (terça-feira)": -47,
    "Sexta-feira Santa": -2,
    "Corpus Christi": 60,
}
FIXED = {(1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2), (11, 15), (12, 25)}
CONSCIENCIA_NEGRA = (11, 20)

with SEED.open(encoding="utf-8") as file:
    HOLIDAYS = list(csv.DictReader(file))


def test_movable_holidays_depend_on_easter() -> None:
    listed = {(row["nome"], row["data"]) for row in HOLIDAYS if row["movel"] == "true"}

    assert listed == {
        (name, str(easter(year) + timedelta(days=days))) for year in YEARS for name, days in DAYS_FROM_EASTER.items()
    }


def test_fixed_holidays_occur_every_year_and_consciencia_negra_since_2024() -> None:
    listed = {date.fromisoformat(row["data"]) for row in HOLIDAYS if row["movel"] == "false"}

    assert listed == {
        date(year, *day) for year in YEARS for day in FIXED | ({CONSCIENCIA_NEGRA} if year >= 2024 else set())
    }


def test_only_carnaval_and_corpus_christi_are_optional() -> None:
    optional = {row["nome"] for row in HOLIDAYS if row["tipo"] == "ponto_facultativo"}

    assert optional == {"Carnaval (segunda-feira)", "Carnaval (terça-feira)", "Corpus Christi"}
    assert {row["tipo"] for row in HOLIDAYS} == {"nacional", "ponto_facultativo"}
