"""What `make run-aws` and `make run-stepfunctions` print, for executions of the deployed state machine."""

from pathlib import Path

from deploy import execution
from tests.python.helpers.machine_run import Machine, machine, tasks_of


def follow(pipeline: Machine, given: str = "{}") -> tuple[execution.End, list[str]]:
    """Returns the end of an execution and the lines that a person reads, without their times."""
    lines: list[str] = []

    def report(steps: list[execution.Step], _running: set[str]) -> None:
        lines.extend(str(step)[10:] for step in steps)

    arn = execution.start(pipeline.client, pipeline.arn, given)
    return execution.follow(pipeline.client, arn, report, poll_seconds=0.05), lines


def test_each_source_and_the_build_are_reported_from_start_to_end(tmp_path: Path) -> None:
    with machine(tasks_of("true", tmp_path)) as pipeline:
        end, lines = follow(pipeline)

    assert end.ok
    loads = [line for line in lines if "(" in line]
    assert sorted(loads) == sorted(
        f"Load the source ({source}): {event}"
        for source in ("api", "parquet", "postgres")
        for event in ("started", "done")
    )
    assert lines[-2:] == ["Build: started", "Build: done"]


def test_a_source_that_fails_is_named_with_its_exit_code_and_its_log(tmp_path: Path) -> None:
    script = '[ "$3" != postgres ] || { echo "no such host"; exit 2; }'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        end, lines = follow(pipeline)
        (failed,) = [line for line in lines if ": failed" in line]
        step, log = failed.split(", log …/")
        assert (pipeline.cluster.logs / f"{log}.log").read_text() == "no such host\n"

    assert end.status == "FAILED"
    assert end.cause
    assert step.startswith("Load the source (postgres): failed: States.TaskFailed: ")
    assert step.endswith(", exit code 2")
    (message,) = [line for line in lines if line.startswith("Report the failures: extract postgres: ExtractFailed")]
    assert log in message
