"""What a task writes to its log for AWS: the last line, and the metrics in CloudWatch's embedded format."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from extract import logs, report, task_log
from extract.checks.audit import Comparison
from extract.errors import ExtractError, NotRecordedError, PassingError, UnansweredError
from extract.load.runner import TableRun
from extract.retry import may_pass
from extract.task_log import Ending
from extract.transform.build import BuildResult
from extract.transform.lineage import Layers

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = TableRun("crm", "conta", "xmin", STARTED, finished_at=STARTED, error="crm.conta: no", may_pass=True)


def end_of(code: int, *errors: tuple[str, list[str], bool | None]) -> dict[str, object]:
    """Returns the last line after these errors."""
    ending = Ending()
    for text, stale, passes in errors:
        ending.add(text, stale=stale, may_pass=passes)
    line: dict[str, object] = json.loads(ending.line(code))
    assert next(iter(line)) == "time"  # as the state machine recognizes it
    assert list(line)[-1] == "end"
    del line["time"], line["end"]
    return line


def test_a_success_says_so() -> None:
    assert end_of(0) == {"level": "info", "message": "succeeded", "exit_code": 0, "stale": [], "retry": False}


@pytest.mark.parametrize(
    ("code", "errors", "retry"),
    [
        (1, [("a", [], False)], False),
        (1, [("a", [], False), ("b", [], True)], True),
        (1, [("a", [], None)], True),
        (2, [("a", [], None)], False),
        (2, [("a", [], True)], True),
        (130, [("stopped", [], True)], True),
        (1, [], True),
    ],
)
def test_a_further_attempt_is_worth_it_if_an_error_may_pass(
    code: int, errors: list[tuple[str, list[str], bool | None]], retry: object
) -> None:
    assert end_of(code, *errors)["retry"] is retry


def test_the_first_error_is_shown_with_the_number_of_the_others() -> None:
    line = end_of(1, ("a: no", ["a"], False), ("b: no", ["b", "a"], False), ("c", [], None))
    assert (line["message"], line["stale"]) == ("a: no (and 2 more in the log)", ["a", "b"])


def test_the_last_line_is_one_event_of_the_log() -> None:
    line = end_of(1, *[("é" * 10_000, [f"t{number}" * 9], True) for number in range(200)])
    assert len(json.dumps(line, ensure_ascii=False).encode()) < 16_000
    assert str(line["message"]).startswith("é" * 599 + "…")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ExtractError("password authentication failed"), False),
        (PassingError("connection refused"), True),
        (UnansweredError("no answer in 4 attempts"), True),
        (NotRecordedError("ops.extract_runs"), True),
        (OSError("Connection refused"), True),
        (ValueError("not known"), True),
    ],
)
def test_what_may_pass(error: Exception, expected: object) -> None:
    assert may_pass(error) is expected


def test_a_fault_of_ours_may_pass_if_it_came_from_a_transient_one() -> None:
    def fail(cause: Exception) -> ExtractError:
        try:
            raise ExtractError("the warehouse does not answer") from cause
        except ExtractError as error:
            return error

    assert may_pass(fail(OSError("Connection refused")))
    assert not may_pass(fail(KeyError("x")))


def start_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begins the log of a task of a deployment, in JSON."""
    monkeypatch.setenv("DEPLOYMENT", "vendas")
    monkeypatch.setattr(logs.console, "_force_terminal", False)
    logs.configure_logging(["segredo"])
    task_log.ending.clear()


def test_a_failed_table_is_stale_and_has_metrics(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_log(monkeypatch)
    report.LogProgress().finished(FAILED)
    task_log.write_end(1)
    text = capsys.readouterr().out
    assert len(text.splitlines()) == 3, text
    metrics, line, end = map(json.loads, text.splitlines())
    assert (line["level"], line["message"]) == ("error", "crm.conta: no")
    assert (end["message"], end["stale"], end["retry"]) == ("crm.conta: no", ["crm.conta"], True)
    directive = metrics.pop("_aws")
    (published,) = directive["CloudWatchMetrics"]
    assert (published["Namespace"], published["Dimensions"]) == ("vendas", [["Table"]])
    assert metrics.pop("Table") == "crm.conta"
    assert metrics == {"LoadSeconds": 0.0, "LoadFailed": 1}
    assert {one["Name"]: one["Unit"] for one in published["Metrics"]} == {
        "LoadSeconds": "Seconds",
        "LoadFailed": "Count",
    }
    assert abs(directive["Timestamp"] / 1000 - datetime.now(UTC).timestamp()) < 3600


def test_dead_letters_and_differences_do_not_pass_by_themselves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_log(monkeypatch)
    report.LogProgress().finished(replace(FAILED, status="partial", error="crm.conta: 1 dead letter", may_pass=False))
    report.log_comparison(Comparison("crm.conta", "source = raw", 2, 1, "select 1"))
    task_log.write_end(1)
    end = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (end["message"], end["stale"], end["retry"]) == (
        "crm.conta: 1 dead letter (and 1 more in the log)", [], False,
    )  # fmt: skip


def test_a_build_that_failed_is_an_error_with_its_nodes_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_log(monkeypatch)
    messages = ("warn test_a: 1 row", "fail test_b: got 3 results")
    built = BuildResult(
        {"fail": 1, "warn": 1}, messages, layers={"crm.conta": Layers(5, 4, 1)}, stale=("silver_conta",)
    )
    report.print_summary((), built, "w")
    task_log.write_end(1)
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    logged = [(line["level"], line["message"]) for line in lines if "level" in line]
    assert logged == [
        ("warning", messages[0]), ("error", messages[1]), ("error", "dbt build"), ("info", "summary"),
        ("error", messages[1]),
    ]  # fmt: skip
    assert (lines[-1]["stale"], lines[-1]["retry"]) == (["silver_conta"], True)
    published = [{name: value for name, value in line.items() if name != "_aws"} for line in lines if "_aws" in line]
    assert published == [
        {"Table": "crm.conta", "RowsInSilver": 4, "RowsRejected": 1},
        {"BuildSeconds": 0, "NodesFailed": 1, "NodesWarned": 1},
    ]


def test_no_secret_is_in_the_last_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    start_log(monkeypatch)
    logs.log.error("the password is segredo")
    task_log.write_end(1)
    assert "segredo" not in capsys.readouterr().out


def test_without_a_deployment_nothing_is_added_to_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DEPLOYMENT", raising=False)
    task_log.write_metrics("Source", "crm", {"SourceLoaded": 1})
    task_log.write_end(1)
    assert capsys.readouterr().out == ""
