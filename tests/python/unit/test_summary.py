"""The summary of a run on narrow terminals: it fits, and no number is cut."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from extract import report
from extract.checks.audit import Comparison, Load
from extract.load.runner import TableRun
from extract.logs import configure_logging
from extract.transform.build import BuildResult, Layers, Models

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
LOADED = TableRun(
    "postgres", "venda", "xmin", STARTED, "ok", STARTED + timedelta(seconds=2000),
    rows_source=1_234_567_890, rows_landed=1_234_567_890, rows_loaded=1_234_567_890,
    rows_deleted=12_345_678, rows_dead_letter=1_234_567,
)  # fmt: skip
BUILT = BuildResult(
    {"pass": 90},
    (),
    {"postgres.venda": Models("bronze.venda", "silver.venda", '"w"."silver"."x"', "silver.venda_rejeitada")},
    {"postgres.venda": Layers(1_234_567_890, 1_234_555_555, 12_335)},
)
NUMBERS = ("1,234,567,890", "12,345,678", "1,234,567", "1,234,555,555", "12,335")


@pytest.fixture(params=[80, 60])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal of this width shows."""
    shown = io.StringIO()
    width: int = request.param
    monkeypatch.setattr(report, "console", Console(file=shown, width=width, force_terminal=True, color_system=None))
    return shown


def widest(screen: io.StringIO) -> int:
    return max(map(len, screen.getvalue().splitlines()))


def test_counts_fit_and_rejected_rows_name_their_relation(screen: io.StringIO) -> None:
    report.print_summary([LOADED], BUILT, "w.duckdb")

    assert widest(screen) <= report.console.width
    for number in NUMBERS:
        assert number in screen.getvalue().replace("\n", " ").split() or f"({number})" in screen.getvalue()
    assert "rejected 12,335 (silver.venda_rejeitada)" in screen.getvalue()


def test_a_failed_table_is_followed_by_its_reason(screen: io.StringIO) -> None:
    failed = replace(LOADED, status="failed", error="postgres.venda: cannot sign in")
    report.print_summary([failed, LOADED], None, "w.duckdb")

    lines = screen.getvalue().splitlines()
    reason = lines.index("  postgres.venda: cannot sign in")
    assert "failed" in "".join(lines[:reason])
    assert "  ok  " not in "".join(lines[:reason])


def test_the_audit_folds_words_and_no_number(screen: io.StringIO) -> None:
    comparison = Comparison("postgres.venda_com_nome_longo", "bronze = silver + rejected", *[1_234_567_890] * 2, "q")
    load = Load(comparison.table, "1764259000.123456", 1_234_567_890, "run", "xmin", 1_234_567_890)
    report.print_loads([load])
    report.print_comparisons([comparison], every=True)

    assert widest(screen) <= report.console.width
    assert screen.getvalue().count("1,234,567,890") == 4


COMPARED = Comparison("postgres.venda", "raw = bronze", 9, 9, "select 1 as the_difference", same=False)
BEHIND = f"postgres.venda: {report.BEHIND}"


def test_a_model_that_only_lacks_newer_loads_is_reported_with_what_to_do(screen: io.StringIO) -> None:
    report.print_comparisons([replace(COMPARED, behind=True)], every=True)

    shown = " ".join(screen.getvalue().split())
    assert "postgres.venda raw = bronze - -" in shown
    assert shown.endswith(f"audit 0 of 1 counts agree {BEHIND}")


def test_a_model_that_differs_is_reported_with_the_query(screen: io.StringIO) -> None:
    report.print_comparisons([COMPARED], every=True)

    assert "9 and 9, but not the same ones" in " ".join(screen.getvalue().split())
    assert "the_difference" in screen.getvalue()
    assert BEHIND not in screen.getvalue()


def test_the_log_says_what_to_do_about_newer_loads(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging((), debug=False)
    report.print_comparisons([replace(COMPARED, behind=True), COMPARED], every=False)

    behind, differs, _ = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert behind["message"] == f"audit {BEHIND}"
    assert behind.keys().isdisjoint({"expected", "found", "query"})
    assert (differs["message"], differs["found"]) == ("audit postgres.venda: raw = bronze", 9)
