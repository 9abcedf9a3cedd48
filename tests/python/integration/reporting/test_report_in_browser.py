"""The report in Chromium, from its file alone: on a phone and a screen, dark and light, whatever the names are."""

import re
from html import unescape
from pathlib import Path

import pytest

from extract.reporting.runtime import javascript
from tests.python.helpers.chromium import DARK, LIGHT, Shown, open_page
from tests.python.helpers.report_warehouse import ReportWarehouse

HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=alert(1)>\"'\x1b[31m\u202e\\"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a warehouse with hostile names in everything that a source or a person chooses."""
    folder = tmp_path_factory.mktemp("report")
    warehouse = ReportWarehouse(folder / "warehouse.duckdb")
    warehouse.add_sales()
    warehouse.add_operations()
    warehouse.add_run(f"T{HOSTILE}", 0, status="failed", error=HOSTILE)
    for table, column in (
        ("gold.vendas_mensais", "nome_categoria"), ("gold.funcionario_mensal", "nome"), ("gold.rejeicoes", "motivo"),
        ("gold.calendario_efeito", "tipo"), ("gold.failing_tests", "message"), ("ops.audit_results", "what"),
    ):  # fmt: skip
        warehouse.connection.execute(f"update {table} set {column} = {column} || ?", [HOSTILE])
    file = folder / "report.html"
    file.write_text(warehouse.page().render(javascript(), "index.html"), encoding="utf-8")
    return file


def drawn_marks(shown: Shown) -> dict[str, int]:
    """Returns the number of marks of each chart by its name."""
    charts = re.split(r'<div class="chart[^>]*aria-label="', shown.dom)[1:]
    return {
        chart.partition('"')[0]: len(re.findall(r'aria-roledescription="(?:bar|point|rule mark|text mark)"', chart))
        for chart in charts
    }


@pytest.mark.parametrize(("width", "theme"), [(390, DARK), (1400, LIGHT), (390, LIGHT), (1400, DARK)])
def test_every_chart_is_drawn(report: Path, tmp_path: Path, width: int, theme: int) -> None:
    shown = open_page(f"file://{report}", tmp_path, width, theme)

    assert shown.console == []
    marks = drawn_marks(shown)
    assert len(marks) == 5 + 3 * 3 + 5
    assert f'data-drawn="{len(marks)}"' in shown.dom
    assert all(marks.values()), marks
    assert marks["Vendas por mês com média móvel de três meses"] >= 15
    assert 'fill="var(--c1)"' in shown.dom  # the colours follow the theme
    assert "<title>Vendas de fevereiro de 2025</title>" in shown.dom
    assert "<img" not in shown.dom.partition("<script")[0]


def test_the_file_needs_no_other_and_is_small(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert len(text.encode()) < 3_000_000
    body = text.partition('<script type="application/json"')[0]
    assert re.findall(r'(?:src|href)="(?!#)([^"]*)"', body) == ["index.html"]
    assert "default-src 'none'" in unescape(body)
    assert not re.search("[\x00-\x08\x1b\u202e]", text)


def test_every_chart_has_a_name_and_every_table_headings(report: Path) -> None:
    body = report.read_text(encoding="utf-8").partition('<script type="application/json"')[0]
    named = re.findall(r'class="chart" role="img" aria-label="[^"]+', body)
    assert len(named) == body.count('class="chart"')
    assert body.count("<figure") == body.count("<figcaption")
    assert body.count("<table") == body.count("<thead")
