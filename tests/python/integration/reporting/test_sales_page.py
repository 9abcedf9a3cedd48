"""The sales page has the numbers of gold, as people in Brazil write them."""

from pathlib import Path

import pytest

from extract.reporting.content import Figure, Section
from tests.python.helpers.report_warehouse import MARCH, ReportWarehouse, cells


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Section:
    warehouse = ReportWarehouse(tmp_path_factory.mktemp("sales") / "warehouse.duckdb", states=False)
    warehouse.add_sales()
    return warehouse.page().sections[0]


def figure(section: Section, title: str) -> Figure:
    return next(figure for figure in section.figures if figure.title.startswith(title))


def test_the_lead_says_what_happened_in_the_last_complete_month(sales: Section) -> None:
    assert (sales.language, sales.title) == ("pt-BR", "Vendas de fevereiro de 2025")
    assert sales.lead == (
        "Em fevereiro de 2025 vendemos R$\u00a014.000: 7,7% a mais que em janeiro de 2025 e 600,0% a mais que em"
        " fevereiro de 2024. A maior categoria foi Livros, com 75,0% das vendas; quem mais vendeu foi Ana D'Ávila."
    )


def test_headline_figures_have_their_growth(sales: Section) -> None:
    tiles = {tile.label: (tile.value, *(note.text for note in tile.notes)) for tile in sales.tiles}
    growths = ("▲ +7,7% sobre jan/25", "▲ +600,0% sobre fev/24")
    assert tiles == {
        "Vendas": ("R$\u00a014.000", *growths),
        "Quantidade de vendas": ("280", *growths),
        "Venda média": ("R$\u00a050,00", "= +0,0% sobre jan/25", "= +0,0% sobre fev/24"),
        "Por dia útil (20 no mês)": ("R$\u00a0700", *growths),
        # The same ten days of the month before and the year before, not all of them.
        "Março até o dia 10": ("R$\u00a03.000", "▲ +50,0% sobre 1 a 10 de fev/25", "▼ -25,0% sobre 1 a 10 de mar/24"),
    }


def test_months_have_their_sums_and_moving_averages(sales: Section) -> None:
    months = figure(sales, "Vendas por mês")
    assert months.numbers
    rows = cells(months.numbers.rows)
    assert len(rows) == 15
    assert rows[0][:4] == ["mar/25 (em curso)", "R$\u00a015.000,00", "300", "\u2013"]
    assert rows[1] == ["fev/25", "R$\u00a014.000,00", "280", "R$\u00a013.000,00", "20", "+7,7%", "+600,0%"]
    assert rows[-1][3:] == ["\u2013", "20", "\u2013", "\u2013"]  # the first month has nothing before it
    values = [row for rows in months.charts[0].spec["datasets"].values() for row in rows]
    assert sum(value["valor"] for value in values) == 1000 * sum(range(1, 16))


def test_categories_and_employees_without_a_name_have_their_number(sales: Section) -> None:
    categories, employees = figure(sales, "Categorias").numbers, figure(sales, "Funcionários").numbers
    assert categories
    assert employees
    assert cells(categories.rows) == [
        ["Livros", "R$\u00a010.500", "75,0%", "140", "\u2013", "+50,0%"],
        ["categoria 2", "R$\u00a03.500", "25,0%", "140", "\u2013", "-25,0%"],
    ]
    assert [row[:3] for row in cells(employees.rows)] == [
        ["Ana D'Ávila", "1º", "R$\u00a07.000,00"],
        ["funcionário 8", "2º", "R$\u00a04.666,67"],
    ]


def test_days_and_rejected_sales_have_their_numbers(sales: Section) -> None:
    days, rejected = figure(sales, "Dia da semana"), figure(sales, "Vendas rejeitadas")
    assert days.answer.startswith("Melhor: segunda-feira, com R$\u00a01.234 por dia (+23,4% sobre o esperado).")
    assert rejected.answer.startswith("1.203 vendas rejeitadas ao todo, 1.200 nos últimos 15 meses.")
    assert rejected.numbers
    assert cells(rejected.numbers.rows) == [
        ["valor_nan", "1.200", "0", "03/02/2025", "03/02/2025"],
        ["data_ausente", "3", "3", "\u2013", "\u2013"],
    ]


def test_most_categories_are_the_others(tmp_path: Path) -> None:
    warehouse = ReportWarehouse(tmp_path / "warehouse.duckdb", states=False)
    for key in range(1, 31):
        warehouse.add(
            "gold.vendas_mensais",
            {
                "mes": MARCH, "id_categoria": key, "nome_categoria": f"C{key}", "quantidade": 1, "valor": key,
                "mes_completo": True,
            },
        )  # fmt: skip
    categories = figure(warehouse.page().sections[0], "Categorias")
    (rows,) = categories.charts[0].spec["datasets"].values()
    assert {row["categoria"]: row["valor"] for row in rows} == {
        "C30": 30, "C29": 29, "C28": 28, "C27": 27, "C26": 26, "outras": sum(range(26)),
    }  # fmt: skip
    assert categories.numbers
    assert len(categories.numbers.rows) == 20
    assert categories.numbers.more == "e mais 10 categorias menores"


def test_without_sales_the_page_says_what_to_do(tmp_path: Path) -> None:
    (section, _) = ReportWarehouse(tmp_path / "warehouse.duckdb").page().sections
    assert section.lead.endswith("Carregue as fontes e construa os modelos: make run")
    assert not section.figures


def test_in_the_first_month_nothing_is_compared(tmp_path: Path) -> None:
    warehouse = ReportWarehouse(tmp_path / "warehouse.duckdb", states=False)
    warehouse.add(
        "gold.vendas_mensais",
        {"mes": MARCH, "id_categoria": None, "quantidade": 1, "valor": 5, "mes_completo": False},
    )
    warehouse.add("gold.vendas_diarias", {"data_venda": MARCH, "quantidade": 1, "valor": 5})
    section = warehouse.page().sections[0]
    assert section.lead.startswith("O primeiro mês de vendas ainda não terminou")
    assert [(tile.label, tile.value, tile.notes[0].text) for tile in section.tiles] == [
        ("Março até o dia 1", "R$\u00a05", "sem base em 1 a 1 de fev/25")
    ]
    assert figure(section, "Vendas rejeitadas").answer == "Nenhuma venda foi rejeitada."


def test_a_project_without_the_demo_has_no_sales_page(tmp_path: Path) -> None:
    warehouse = ReportWarehouse(tmp_path / "warehouse.duckdb")
    (tmp_path / "models" / "gold_vendas_mensais.sql").unlink()
    assert [section.name for section in warehouse.page().sections] == ["operations"]
