"""The operations page shows what a run did, and what is not as usual."""

from pathlib import Path

import pytest

from extract.reporting.content import Figure, Section
from tests.python.helpers.report_warehouse import ReportWarehouse, cells


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Section:
    warehouse = ReportWarehouse(tmp_path_factory.mktemp("operations") / "warehouse.duckdb", sales=False)
    warehouse.add_operations()
    (section,) = warehouse.page().sections
    return section


def figure(section: Section, title: str) -> Figure:
    return next(figure for figure in section.figures if figure.title == title)


def test_a_failed_table_and_half_the_usual_rows_are_seen_first(operations: Section) -> None:
    assert operations.lead == "The last run was 1 hour ago, at 2025-03-10 11:00 UTC. 3 things to look at."
    assert [(notice.text, notice.status, notice.detail) for notice in operations.notices] == [
        ("s.broken failed; its earlier rows are unchanged.", "bad", "no answer"),
        ("The audit: 1 count does not agree. See below.", "bad", ""),
        ("s.half: 51 rows at the source, 51% of the usual 100.", "warn", ""),
    ]


def test_the_board_has_the_worst_table_first_with_its_runs(operations: Section) -> None:
    board = figure(operations, "Last run of each table")
    assert [(card.title, card.state.text) for card in board.cards] == [
        ("s.broken", "✕ failed"), ("s.half", "! unusual"),
    ]  # fmt: skip
    half = board.cards[1]
    assert [chart.title for chart in half.charts] == [
        "rows at the source: 51 (usual 100)", "rows loaded: 100 (usual 100)", "seconds: 1.5 s (usual 1.5 s)",
    ]  # fmt: skip
    runs = [row for rows in half.charts[0].spec["datasets"].values() for row in rows if "at" in row]
    assert [run["value"] for run in runs] == [100] * 10 + [51]
    assert board.numbers
    assert cells(board.numbers.rows)[1][4:] == [
        "1.5 s", "51", "100", "0", "0", "100", "98", "2",
    ]  # fmt: skip


def test_headline_figures_are_those_of_the_last_run(operations: Section) -> None:
    tiles = {tile.label: (tile.value, [note.text for note in tile.notes]) for tile in operations.tiles}
    assert tiles == {
        "Tables loaded completely": ("1 of 2", ["1 not"]),
        "Rows loaded in the last run": ("200", ["1 hour ago, in 3.0 s of loading"]),
        "Tests passed in the last build": ("2 of 3", ["1 warned"]),
        "Counts that agree in the audit": ("1 of 2", ["see below"]),
        "Rejected rows": ("4", ["5 dead letters ever"]),
    }


def test_tests_rows_left_out_freshness_and_audit_have_their_numbers(operations: Section) -> None:
    tests, left_out = figure(operations, "Tests of the models"), figure(operations, "Dead letters and rejected rows")
    freshness, audit = figure(operations, "Freshness"), figure(operations, "Audit")
    assert tests.answer == (
        "2 of 3 tests passed in the last build, just now. Longest without a pass: rule_2, 24 hours ago."
        " Slowest node: rule_2, 2.0 s."
    )
    assert [tests.numbers and cells(tests.numbers.rows)] == [[["rule_2", "! warn", "7", "2025-03-09 12:00"]]]
    (rows,) = tests.charts[0].spec["datasets"].values()
    assert sum(row["tests"] for row in rows) == 2
    assert left_out.answer.startswith("5 new dead letters in the last 90 days with runs. Most rows: s.half, with 2")
    assert freshness.numbers
    assert ["s.half", "fresh", "2025-03-10 11:00", "1.0"] in cells(freshness.numbers.rows)
    assert audit.numbers
    assert cells(audit.numbers.rows) == [
        ["s.half", "source = raw", "✕ no", "51", "50"],
        ["s.half", "raw = bronze", "✓ yes", "50", "50"],
    ]


def test_an_ordinary_run_needs_no_attention(tmp_path: Path) -> None:
    warehouse = ReportWarehouse(tmp_path / "warehouse.duckdb", sales=False)
    warehouse.add_run("t", 0)
    (section,) = warehouse.page().sections
    assert section.lead.endswith("It was as usual: nothing needs attention.")
    assert figure(section, "Unusual values").answer == ("Shown when a table has 5 earlier runs to compare with.")
    assert figure(section, "Tests of the models").answer == "No build is recorded yet: make build"
    assert figure(section, "Audit").answer == "No audit is recorded yet: make run"


def test_before_the_first_build_the_runs_are_shown_all_the_same(tmp_path: Path) -> None:
    warehouse = ReportWarehouse(tmp_path / "warehouse.duckdb", sales=False)
    warehouse.add_run("t", 1, status="failed", error="first")
    warehouse.connection.execute("drop schema gold cascade")
    warehouse.connection.execute("update ops.extract_runs set source = 's', error = 'no answer'")
    (section,) = warehouse.page().sections
    assert [(card.title, card.state.status) for card in figure(section, "Last run of each table").cards] == [
        ("s.t", "bad")
    ]
    assert section.notices[0].detail == "no answer"
    assert figure(section, "Freshness").answer == "The history is not built yet: make build"


def test_an_empty_warehouse_says_what_to_do(tmp_path: Path) -> None:
    (section,) = ReportWarehouse(tmp_path / "warehouse.duckdb", sales=False).page().sections
    assert section.lead == "No run is recorded yet. Load and build everything: make run"
    assert not section.figures


def test_of_many_tables_those_that_need_attention_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extract.reporting.operations.LISTED", 12)
    warehouse = ReportWarehouse(tmp_path / "warehouse.duckdb", sales=False)
    for number in range(15):
        warehouse.add_run(f"t{number:02}", 0, status="partial" if number == 13 else "ok")
    (section,) = warehouse.page().sections
    board = figure(section, "Last run of each table")
    assert [card.title for card in board.cards][:2] == ["s.t13", "s.t00"]
    assert len(board.cards) == 9
    assert board.numbers
    assert len(board.numbers.rows) == 12
    assert board.numbers.more == "and 3 more without a problem"
