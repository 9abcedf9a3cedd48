"""What `make run-aws` and `make run-stepfunctions` print, for executions of the deployed state machine."""

import json
from pathlib import Path

from deploy import execution
from tests.python.helpers.machine_run import Machine, machine, tasks_of


def follow(pipeline: Machine, given: str = "{}") -> tuple[execution.End, list[str]]:
    """Returns the end of an execution and the lines that a person reads, without their times."""
    lines: list[str] = []

    arn = execution.start(pipeline.client, pipeline.arn, json.loads(given))
    end = execution.follow(pipeline.client, arn, lambda line: lines.append(line[10:]), poll_seconds=0.1)
    return end, lines


def test_each_source_and_the_build_are_reported_from_start_to_end(tmp_path: Path) -> None:
    with machine(tasks_of("true", tmp_path)) as pipeline:
        end, lines = follow(pipeline)

    assert end.ok
    assert sorted(lines[:-2]) == sorted(
        ["Wait for the list of executions: waiting", "List the running executions: started"]
        + ["List the running executions: done"]
        + [
            f"Run the task (extract {source}): {event}"
            for source in ("api", "parquet", "postgres")
            for event in ("started", "done")
        ]
    )
    assert lines[-2:] == ["Run the task (build): started", "Run the task (build): done"]


def test_a_source_that_fails_is_named_with_its_exit_code_its_log_and_the_message(tmp_path: Path) -> None:
    script = '[ "$3" != postgres ] || { echo "no such host"; exit 2; }'
    with machine(tasks_of(script, tmp_path)) as pipeline:
        end, lines = follow(pipeline)
        (failed,) = [line for line in lines if ": failed: " in line]
        step, log = failed.split(", log …/")
        assert (pipeline.cluster.logs / f"{log}.log").read_text() == "no such host\n"

    assert end.status == "FAILED"
    assert end.cause
    assert step.startswith("Run the task (extract postgres): failed: States.TaskFailed: ")
    assert step.endswith(", exit code 2")
    (message,) = [line for line in lines if line.startswith("Report the failures: \n    extract postgres failed\n")]
    assert "\n      why:    " in message
    assert "no such host\n" in message
    assert log in message
