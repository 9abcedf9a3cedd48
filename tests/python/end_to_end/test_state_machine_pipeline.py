"""The state machine with the pipeline's own commands, from the sources through the Redshift stand-in to silver."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

import psycopg2
import pytest

from redshift_standin.postgres import PostgresServer
from sandbox.aws import state_machine
from sandbox.aws.ecs import Cluster, Task, TaskDefinition
from tests.python.helpers import PATIENCE, ROOT
from tests.python.helpers.faulty_proxy import faulty_proxy
from tests.python.helpers.machine_run import Ended, machine

pytestmark = pytest.mark.slow

COUNTS = """
    select (select count(*) from silver.venda), (select count(*) from silver.venda_rejeitada),
        (select count(*) from silver.funcionario), (select count(*) from silver.categoria)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sandbox and of everything that the pipeline writes."""
    return tmp_path_factory.mktemp("pipeline")


def sandbox(folder: Path, settings: Mapping[str, str], *command: str) -> "subprocess.Popen[str]":
    """Starts a command of the sandbox in the folder."""
    environment = os.environ | {
        "SANDBOX_DIR": str(folder / "sandbox"),
        "SANDBOX_SALES": "2000",
        "EXTRACT_WORK": str(folder / "work"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", *command],
        cwd=ROOT, env=environment | settings, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def started(folder: Path, settings: Mapping[str, str], *arguments: str) -> "subprocess.Popen[str]":
    """Starts `python -m sandbox stepfunctions` in the folder."""
    return sandbox(folder, settings, "stepfunctions", *arguments)


def execution(folder: Path, settings: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs an execution in the folder until it ends."""
    process = started(folder, settings, *arguments)
    output, errors = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def counts(folder: Path) -> tuple[int, ...]:
    """Returns the row counts of silver: sales, rejected sales, employees and categories."""
    with (
        PostgresServer(folder / "sandbox" / "postgres") as server,
        closing(server.connect("dev")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(COUNTS)
        (row,) = cursor.fetchall()
        return tuple(row)


@dataclass(frozen=True)
class First:
    """The first executions, of the sales in two ranges and of all else, and the row counts of silver after them."""

    ranges: "subprocess.CompletedProcess[str]"
    done: "subprocess.CompletedProcess[str]"
    counts: tuple[int, ...]


@pytest.fixture(scope="module")
def first(folder: Path) -> First:
    ranges = execution(
        folder, {"TODAY": "2026-01-10"}, "--command", "plan --source postgres --table venda --ranges 2"
    )
    assert ranges.returncode == 0, ranges.stdout + ranges.stderr
    done = execution(folder, {"TODAY": "2026-01-10"}, "--input", '{"sources": ["api", "parquet"]}')
    assert done.returncode == 0, done.stdout + done.stderr
    return First(ranges, done, counts(folder))


def stages(done: "subprocess.CompletedProcess[str]") -> list[list[str]]:
    """Returns the steps that ran at the same time, stage by stage, as the output shows them."""
    found: list[list[str]] = []
    running = set()
    for step, event in re.findall(r"Run the task \((.*?)\): (\w+)", done.stdout):
        if event == "started":
            found = found if running else [*found, []]
            found[-1] = sorted([*found[-1], step])
            running.add(step)
        else:
            running.discard(step)
    return found


def test_all_sources_come_through_to_silver(first: First) -> None:
    # On a busy machine the sandbox reports how many sales it has made.
    assert [line for line in first.done.stderr.splitlines() if not line.startswith("sandbox: ")] == []
    table = "--source postgres --table venda"
    ran = [
        [f"plan {table} --ranges 2"],
        [f"range {table} --number 1", f"range {table} --number 2"],
        ["run"],
        ["build"],
    ]
    assert stages(first.ranges) == ran
    assert stages(first.done) == [["extract api", "extract parquet"], ["build"]]
    assert first.done.stdout.splitlines()[-1].startswith("succeeded in 0:")
    sales, rejected, employees, categories = first.counts
    assert (sales + rejected, employees, categories) == (2000, 9, 10)


def test_the_docs_and_results_of_the_execution_are_published(first: First, folder: Path) -> None:
    (name,) = re.findall(r"execution (\S+),", first.done.stdout)
    artifacts = folder / "sandbox" / "artifacts"
    assert (artifacts / "docs" / "index.html").exists()
    assert json.loads((artifacts / "runs" / name / "summary.json").read_text())["ok"] is True


@pytest.mark.usefixtures("first")
def test_an_invalid_input_is_reported(folder: Path) -> None:
    done = execution(folder, {"TODAY": "2026-01-10"}, "--input", '{"source": ["api"]}')
    assert done.returncode == 1
    expected = "BadInput: input: expected {} or an object with sources or commands"
    assert re.search(rf"^failed after 0:\d\d:\d\d: {re.escape(expected)}", done.stdout, re.MULTILINE)
    assert done.stderr == ""


@pytest.mark.usefixtures("first")
def test_a_signal_stops_the_execution_and_its_tasks(folder: Path) -> None:
    process = started(folder, {"TODAY": "2026-01-10"}, "--input", '{"sources": ["parquet"]}')
    assert process.stdout is not None
    for line in process.stdout:
        if "Run the task (extract parquet): started" in line:
            break
    process.terminate()
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output.splitlines()[-1], errors) == (130, "execution stopped", "")


# --- the same commands with faults, in one sandbox ---

API, POSTGRES, BUILD = ("run", "--source", "api"), ("run", "--source", "postgres"), ("build",)


@dataclass(frozen=True)
class Up:
    """A running sandbox in which everything was loaded and built some days ago."""

    environment: dict[str, str]
    folder: Path
    first: First

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs a statement in the warehouse; returns its rows."""
        connection = psycopg2.connect(
            host=self.environment["REDSHIFT_HOST"], port=self.environment["REDSHIFT_PORT"],
            dbname=self.environment["REDSHIFT_DATABASE"], user="awsuser",
            password=self.environment["SANDBOX_REDSHIFT_PASSWORD"], sslmode="verify-full",
            sslrootcert=self.environment["REDSHIFT_CA_BUNDLE"],
        )  # fmt: skip
        connection.autocommit = True
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def pipeline(self, fault: Callable[[tuple[str, ...], int], Mapping[str, str]]) -> "FaultyCluster":
        """Both task definitions as the pipeline itself; `fault` may break each start of a task."""
        pipeline = TaskDefinition(
            state_machine.CONTAINER,
            (sys.executable, "-m", "extract"),
            os.environ | self.environment | {"DBT_TARGET": "sandbox", "DEPLOYMENT": "sandbox"},
        )
        definitions = {state_machine.LOADER: pipeline, state_machine.TRANSFORMER: pipeline}
        cluster = FaultyCluster(definitions, self.folder / "tasks")
        cluster.fault = fault
        return cluster


class FaultyCluster(Cluster):
    """Tasks whose environment is changed by `fault`, which gets the command and the number of its start."""

    fault: Callable[[tuple[str, ...], int], Mapping[str, str]]

    def run(self, parameters: Mapping[str, Any]) -> Task:  # noqa: D102  as in Cluster
        override = parameters["overrides"]["containerOverrides"][0]
        command = tuple(override["command"])
        different = self.fault(command, len(self.of(command)) + 1)
        override["environment"] += [{"name": name, "value": value} for name, value in different.items()]
        return super().run(parameters)

    def of(self, command: tuple[str, ...]) -> list[Task]:
        """The tasks of a command in the order of their starts."""
        return [task for task in self.tasks.values() if task.command == command]

    def logs_of(self, command: tuple[str, ...]) -> list[str]:
        """The log of each task of a command."""
        return [self.log(task.arn.split("/")[-1]).read_text() for task in self.of(command)]


@pytest.fixture(scope="module")
def up(first: First, folder: Path) -> Iterator[Up]:
    process = sandbox(folder, {"TODAY": "2026-01-12", "DBT_TARGET": "sandbox"}, "up")
    environment = {
        "ARTIFACTS_URL": str(folder / "sandbox" / "artifacts"),
        "EXTRACT_WORK": str(folder / "work"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("# Everything is up"):
            break
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            environment[name] = "".join(shlex.split(value))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # the working directory of tasks, as in the image
        yield Up(environment, folder, first)
    process.terminate()
    assert process.wait(timeout=PATIENCE) == 0


@dataclass(frozen=True)
class Ran:
    """Executions that have ended, and their tasks."""

    ended: list[Ended]
    cluster: FaultyCluster


@pytest.fixture(scope="module")
def recovered(up: Up) -> Ran:
    """One source with a wrong setting, one that is unreachable once, and a data test that fails once."""

    def fault(command: tuple[str, ...], attempt: int) -> Mapping[str, str]:
        if command == API:
            return {"EMPLOYEES_API_TIMEOUT": "soon"}
        if command == POSTGRES:
            return {"SOURCE_POSTGRES_PORT": "1"} if attempt < 2 else {}  # nobody listens there
        more = {1: 1, 2: -1}[attempt]
        up.query(f"update ops.extract_runs set rows_loaded = rows_loaded + {more} where table_name = 'venda'")
        return {}

    cluster = up.pipeline(fault)
    with machine(cluster) as pipeline:
        ended = pipeline.ended(pipeline.start('{"sources": ["api", "postgres"]}', "recovered"))
    return Ran([ended], cluster)


def test_a_source_that_is_unreachable_once_is_in_silver_after_the_retry(recovered: Ran, up: Up) -> None:
    assert [task.exit_code for task in recovered.cluster.of(POSTGRES)] == [1, 0]
    sales, rejected, *others = up.first.counts
    ((now, employees, categories),) = up.query(
        "select (select count(*) from silver.venda) + (select count(*) from silver.venda_rejeitada),"
        " (select count(*) from silver.funcionario), (select count(*) from silver.categoria)"
    )
    assert now > sales + rejected
    assert [employees, categories] == others


def test_a_source_with_wrong_settings_is_reported_and_does_not_stop_the_others(recovered: Ran) -> None:
    (ended,) = recovered.ended
    assert [task.exit_code for task in recovered.cluster.of(API)] == [2]
    assert "EMPLOYEES_API_TIMEOUT: expected seconds below 3600" in recovered.cluster.logs_of(API)[0]
    assert (ended.status, ended.error) == ("FAILED", "ExtractFailed")
    (message,) = ended.messages
    assert message["Subject"] == "sandbox: failed: extract api"
    assert "EMPLOYEES_API_TIMEOUT: expected seconds below 3600" in message["Message"]
    assert "stale:  every table of api\n  to do:  This step did nothing. Correct what it says" in message["Message"]
    assert "Silver was rebuilt from everything that was loaded." in message["Message"]


def test_the_second_attempt_of_a_build_is_a_dbt_retry(recovered: Ran) -> None:
    assert [task.exit_code for task in recovered.cluster.of(BUILD)] == [1, 0]
    lines = [
        json.loads(line) for text in recovered.cluster.logs_of(BUILD) for line in text.splitlines() if line[0] == "{"
    ]
    whole, again = (line for line in lines if line.get("message") == "dbt build")
    assert [text.split(":")[0] for text in whole["messages"]] == ["fail last_extract_matches_raw"]
    assert sum(again["counts"].values()) < 20 < sum(whole["counts"].values())
    assert again["ok"]


@pytest.fixture(scope="module")
def two(up: Up) -> Ran:
    """Two executions that start at the same time, of a source that is too slow."""

    def fault(command: tuple[str, ...], _attempt: int) -> Mapping[str, str]:
        # The test is not about the build: without a target it ends at once.
        return {"DBT_TARGET": "none"} if command == BUILD else {"EMPLOYEES_API_URL": slow.url}

    def answer_late(_request: str, _seen: int) -> None:
        sleep(6)

    cluster = up.pipeline(fault)
    with faulty_proxy(up.environment["EMPLOYEES_API_URL"]) as slow:
        slow.fault = answer_late
        with machine(cluster, timeouts={"Run the task": 5}, settle=1) as pipeline:
            arns = [pipeline.start('{"sources": ["api"]}', name) for name in ("one", "other")]
            return Ran([pipeline.ended(arn) for arn in arns], cluster)


def test_of_two_executions_one_starts_tasks_and_the_other_names_it(two: Ran) -> None:
    _, other = two.ended
    assert (other.status, other.error) == ("FAILED", "AlreadyRunning")
    assert other.cause.endswith(":one")
    assert [task.command for task in two.cluster.tasks.values()] == [API, BUILD]


def test_a_load_that_takes_too_long_is_stopped_and_reported(two: Ran) -> None:
    one, _ = two.ended
    (load,) = two.cluster.of(API)
    assert load.exit_code in (130, 143)  # 143 if the program has not yet installed its signal handlers
    assert (one.status, one.error) == ("FAILED", "ExtractFailed")
    (message,) = one.messages
    assert message["Subject"] == "sandbox: failed: extract api, build"
    assert "extract api failed\n  why:    States.Timeout" in message["Message"]
    assert "build failed\n  why:    " in message["Message"]
