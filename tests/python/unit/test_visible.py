"""Texts from outside where they leave the program: nothing in them acts on a terminal, a log or the warehouse."""

import io
import json
import logging
import re
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.panel import Panel

from deploy.execution import End, Step
from extract import __main__, logs, report
from extract.checks.audit import Comparison
from extract.checks.check import Check
from extract.errors import ExtractError, join_notes
from extract.load.runner import TableRun
from extract.logs import VisibleConsole, configure_logging
from extract.scaffold import add, listing
from extract.transform.build import BuildResult
from extract.visible import visible, visible_lines
from tests.python.helpers.declared import TABLES

HOSTILE = "a\x1b[31mb\x1b]0;c\x07d\x9be\x7ff\u202eg\u2028h\udcffi\ud800j"
SHOWN = r"a\x1b[31mb\x1b]0;c\x07d\u009be\x7ff\u202eg\u2028h\xffi\ud800j"
FAILED = TableRun("postgres", "venda", "xmin", datetime(2026, 1, 1, tzinfo=UTC), error=f"{HOSTILE}\n\x1b[2J")


def test_every_character_that_acts_is_escaped() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible("a\tb\nc\rd") == r"a\tb\nc\rd"
    assert visible_lines("a\nb\r\n") == "a\nb\\r\n"


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_every_other_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@given(st.text(st.characters(categories=["Cc", "Cs", "Zl", "Zp", "L"])))
def test_what_is_escaped_can_be_written_and_is_escaped_once(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert shown.encode().decode("ascii", "ignore").isprintable()


Print = Callable[[], object]
OUTPUTS: dict[str, Print] = {
    "a failed table": lambda: report.print_summary([FAILED], None, "w.duckdb"),
    "a message of dbt": lambda: report.print_summary([], BuildResult({"error": 1}, (HOSTILE,)), "w.duckdb"),
    "a check": lambda: report.print_checks([Check("drop", ok=False, found=HOSTILE)]),
    "a comparison": lambda: report.print_comparisons([Comparison("t", HOSTILE, 1, 2, HOSTILE)], every=True),
    "a table that was not added": lambda: add.say(HOSTILE),
    "a line of the log": lambda: logs.log.warning("%s", HOSTILE, extra={"data": {"found": [HOSTILE]}}),
    "a traceback": lambda: log_traceback(),
}


def log_traceback() -> None:
    """Logs an error with its traceback."""
    try:
        raise OSError(HOSTILE)
    except OSError:
        logs.log.error("failed", exc_info=True)


@pytest.mark.parametrize("output", OUTPUTS)
def test_on_a_terminal(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.TextIOWrapper(io.BytesIO(), "utf-8")
    console = VisibleConsole(file=screen, width=200, force_terminal=True, color_system=None, soft_wrap=True)
    monkeypatch.setattr(report, "console", console)
    monkeypatch.setattr(logs, "console", console)
    configure_logging(())
    OUTPUTS[output]()
    screen.flush()
    shown = screen.buffer.getvalue().decode()
    assert r"a\x1b[31mb" in shown
    assert r"g\u2028h\xffi\ud800j" in shown.replace("\n", "")
    assert set(re.findall(r"[^ -~\n]", shown)) <= {"\u2026", "█"}  # of rich's tracebacks


def test_a_terminal_keeps_its_own_codes() -> None:
    screen = io.StringIO()
    console = VisibleConsole(file=screen, width=20, force_terminal=True, color_system="standard")
    console.print(Panel("\x1b[2Jx", style="red"))
    console.print("a\nb")
    assert screen.getvalue().count("\x1b[31m") == screen.getvalue().count("\x1b[0m") > 0
    assert r"\x1b[2Jx" in screen.getvalue()
    assert screen.getvalue().endswith("a\nb\n")


@pytest.mark.parametrize("output", [name for name in OUTPUTS if "added" not in name])
def test_in_the_log(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs.log, "handlers", [])
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    monkeypatch.setattr("sys.stdout", stream)
    configure_logging(())
    OUTPUTS[output]()
    if output == "a failed table":
        report.LogProgress().finished(FAILED)
    stream.flush()
    lines = stream.buffer.getvalue().decode().splitlines()
    texts = json.dumps([json.loads(line) for line in lines], ensure_ascii=False)
    assert SHOWN in texts.replace("\\\\", "\\")
    assert texts.isprintable()


def test_secrets_are_redacted_before_anything_is_escaped() -> None:
    filtered = logs.Redact(["se\x1bcret"])
    record = logging.LogRecord("extract", logging.INFO, "", 0, "a se\x1bcret", (), None)
    filtered.filter(record)
    assert record.getMessage() == "a ***"


def test_in_the_list_of_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_PROJECT_DIR", str(TABLES))
    monkeypatch.setattr(listing, "row", lambda *_: ("postgres", f"{HOSTILE}\t\n"))
    listing.list_tables(Namespace())
    assert capsys.readouterr().out.splitlines()[1] == f"postgres\t{SHOWN}\\t\\n"


def test_in_errors(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_options: Namespace) -> int:
        raise ExtractError(f"{HOSTILE}\n  second line")

    monkeypatch.setattr("extract.commands.COMMANDS", {"list": fail})
    assert __main__.main(["list"]) == 2
    assert capsys.readouterr().err == f"error: {SHOWN}\n  second line\n"
    with pytest.raises(SystemExit):
        __main__.main(["plan", "--source", "x", "--table", "y", "--ranges", HOSTILE])
    assert "\x1b" not in capsys.readouterr().err


def test_in_the_steps_and_the_end_of_an_execution() -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    assert str(Step(time, HOSTILE, HOSTILE)).endswith(f"  {SHOWN}: {SHOWN}")
    end = End("FAILED", HOSTILE, HOSTILE, timedelta(seconds=1))
    assert end.summary == f"failed after 0:00:01: {SHOWN}: {SHOWN}"


def test_a_great_many_notes_are_counted() -> None:
    notes = [f"note {number}" for number in range(50_000)]
    assert join_notes(notes[:20]) == "; ".join(notes[:20])
    assert join_notes(notes).endswith("; note 19; and 49,980 more")
