"""What `make run-aws` shows of the state machine as it is deployed, run by the interpreter with quick scripts."""

from pathlib import Path

from machine_run import Machine, machine, tasks_of

from deploy import execution


def followed(pipeline: Machine, given: str = "{}") -> tuple[execution.End, list[str]]:
    """The end of an execution and what a person read until then."""
    read: list[str] = []

    def tell(steps: list[execution.Step], _running: set[str]) -> None:
        read.extend(f"{step.state}: {step.what}" for step in steps)

    arn = execution.start(pipeline.client, pipeline.arn, given)
    return execution.follow(pipeline.client, arn, tell, pause=0.05), read


def test_each_source_and_the_build_are_told_from_start_to_end(tmp_path: Path) -> None:
    with machine(tasks_of("true", tmp_path)) as pipeline:
        end, read = followed(pipeline)

    assert end.ok
    loads = [line for line in read if "(" in line]
    assert sorted(loads) == sorted(
        f"Load the source ({source}): {what}"
        for source in ("api", "parquet", "postgres")
        for what in ("started", "done")
    )
    builds = read[read.index(next(line for line in read if line.startswith("Build"))) :]
    assert [line.split(": ")[1] for line in builds] == ["started", "done"]


def test_a_source_that_fails_is_named_with_its_exit_code(tmp_path: Path) -> None:
    with machine(tasks_of('[ "$3" != postgres ] || exit 2', tmp_path)) as pipeline:
        end, read = followed(pipeline)

    assert end.status == "FAILED"
    assert end.cause
    (failed,) = [line for line in read if ": failed" in line]
    assert failed.startswith("Load the source (postgres): failed: States.TaskFailed: ")
    assert failed.endswith(", exit code 2")
