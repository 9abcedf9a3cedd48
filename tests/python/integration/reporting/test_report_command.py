"""The command writes the file and publishes it; what it cannot write fails no run."""

import json
from pathlib import Path

import duckdb
import pytest

from extract.__main__ import main
from extract.commands import show_as_report
from extract.settings import read_settings
from extract.warehouse.targets import open_warehouse
from tests.python.helpers.report_warehouse import ReportWarehouse


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a warehouse in which a table was loaded once, and a library that draws nothing."""
    warehouse = ReportWarehouse(tmp_path / "warehouse.duckdb", sales=False)
    warehouse.add_run("t", 0)
    warehouse.page()
    for name, value in {
        "DBT_TARGET": "local", "WAREHOUSE_PATH": tmp_path / "warehouse.duckdb", "EXTRACT_WORK": tmp_path / "work",
        "DBT_TARGET_PATH": tmp_path / "target", "ARTIFACTS_URL": tmp_path / "artifacts",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr("extract.reporting.write.javascript", lambda: "")
    return tmp_path


def test_the_page_links_to_the_docs_beside_it(folder: Path) -> None:
    for place, docs in (("target", "static_index.html"), ("artifacts/docs", "index.html")):
        (folder / place).mkdir(parents=True)
        (folder / place / docs).touch()

    assert main(["report"]) == 0

    assert 'href="static_index.html"' in (folder / "target" / "report.html").read_text()
    assert 'href="index.html"' in (folder / "artifacts" / "docs" / "report.html").read_text()


def test_a_page_without_docs_has_no_link_to_them(folder: Path) -> None:
    assert main(["report"]) == 0
    assert "href=" not in (folder / "target" / "report.html").read_text()


def test_what_cannot_be_written_is_an_error_of_the_command_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report"]) == 0
    before = (folder / "target" / "report.html").read_text()
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("alter table gold.table_state drop column mode")

    settings = read_settings()
    with open_warehouse(settings) as warehouse:
        assert show_as_report(settings, warehouse) is None
    error = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert error["level"] == "error"
    assert error["message"].startswith("report: BinderException")
    assert error["message"].endswith("the report is that of before; write it again: make report")
    assert (folder / "target" / "report.html").read_text() == before
    assert main(["report"]) == 1


def test_before_the_first_run_the_command_says_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "warehouse.duckdb").unlink()
    assert main(["report"]) == 2
    assert "nothing loaded yet: run make run" in capsys.readouterr().err
    assert not (folder / "warehouse.duckdb").exists()
