"""What `make run-aws` shows of the state machine as it is deployed, run by the interpreter with quick scripts."""

from pathlib import Path

from deploy import execution
from sandbox.aws.execution import followed as followed_here
from tests.python.helpers.machine_run import Machine, machine, tasks_of


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


def test_the_sandbox_tells_where_the_output_of_a_failed_task_is(tmp_path: Path) -> None:
    told: list[str] = []
    with machine(tasks_of('[ "$3" != api ] || { echo "no such host"; exit 2; }', tmp_path)) as pipeline:
        status = followed_here(pipeline.client, pipeline.start('{"sources": ["api"]}'), told.append)
        (failed,) = [line for line in told if "failed with" in line]
        step, log = failed.split(" failed with exit code 2, see ")
        assert (pipeline.cluster.logs / log).read_text() == "no such host\n"

    assert step.endswith(" s  Load the source: run --source api:")
    assert status == "FAILED"
    assert "FAILED: ExtractFailed: extract api: Essential container in task exited, exit code 2" in told[-1]
