"""`python -m sandbox` as a person or a Makefile calls it."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from extract.declarations import Source
from tests.python.helpers import ROOT
from tests.python.helpers.declared import TABLES
from tests.python.helpers.own_project import declare_in

TODAY = "2017-03-01"
SANDBOX = [sys.executable, "-m", "sandbox"]

NAMES = {
    "EMPLOYEES_API_URL",
    "SOURCE_POSTGRES_HOST",
    "SOURCE_POSTGRES_PORT",
    "SOURCE_POSTGRES_DATABASE",
    "SOURCE_POSTGRES_USER",
    "SOURCE_POSTGRES_PASSWORD",
    "SOURCE_POSTGRES_SSLMODE",
    "PARQUET_DROP",
    "TODAY",
}

PRINT_ENVIRONMENT = "import json, os, sys; print(json.dumps(dict(os.environ)))"

# A command that prints when it is ready for signals; its exit code shows the signal that it got.
WAITS = [
    sys.executable,
    "-c",
    "import signal, sys\n"
    "for s in (signal.SIGINT, signal.SIGTERM):\n"
    "    signal.signal(s, lambda number, _: sys.exit(40 + number))\n"
    "print('ready', flush=True)\n"
    "signal.pause()",
]


@contextmanager
def a_small_sandbox() -> Iterator[dict[str, str]]:
    """The environment of a small sandbox, in a folder that every user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    environment = os.environ | {"SANDBOX_DIR": str(folder / "sandbox"), "SANDBOX_SALES": "500", "TODAY": TODAY}
    yield environment
    subprocess.run([*SANDBOX, "clean"], cwd=ROOT, env=environment, check=True)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A sandbox for the tests that do not change it."""
    with a_small_sandbox() as environment:
        yield environment


@pytest.fixture
def own_environment() -> Iterator[dict[str, str]]:
    """A sandbox for one test alone."""
    with a_small_sandbox() as environment:
        yield environment


def sandbox(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SANDBOX, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*SANDBOX, *arguments],
        cwd=ROOT, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def settings_in(lines: list[str]) -> dict[str, str]:
    exports = [shlex.split(line)[1] for line in lines if line.startswith("export ")]
    return dict(export.split("=", 1) for export in exports)


def connect(settings: dict[str, str]) -> "psycopg2.extensions.connection":
    return psycopg2.connect(
        host=settings["SOURCE_POSTGRES_HOST"],
        port=settings["SOURCE_POSTGRES_PORT"],
        dbname=settings["SOURCE_POSTGRES_DATABASE"],
        user=settings["SOURCE_POSTGRES_USER"],
        password=settings["SOURCE_POSTGRES_PASSWORD"],
        sslmode=settings["SOURCE_POSTGRES_SSLMODE"],
    )


def assert_all_is_down(settings: dict[str, str]) -> None:
    for port in (settings["SOURCE_POSTGRES_PORT"], settings["EMPLOYEES_API_URL"].split(":")[2].split("/")[0]):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(port)))


def test_up_serves_everything_it_prints_until_it_is_stopped(environment: dict[str, str]) -> None:
    process = start(environment, "up")
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Everything is up" in line:
            break
    settings = settings_in(lines)
    assert settings["TODAY"] == TODAY
    with closing(connect(settings)) as session, session.cursor() as cursor:
        cursor.execute("select count(*) from venda")
        assert cursor.fetchone() == (500,)
    with urllib.request.urlopen(f"{settings['EMPLOYEES_API_URL']}?id=1") as response:  # noqa: S310
        assert response.read().decode() == "Ana Conceição"
    assert [path.parent.name for path in Path(settings["PARQUET_DROP"]).rglob("categoria.parquet")] == ["2017-01-01"]

    second = sandbox(environment, "up")
    assert second.returncode == 2
    assert f"in use by process {process.pid}: stop that process first" in second.stderr

    process.terminate()
    assert process.wait() == 0
    assert_all_is_down(settings)


def test_run_gives_the_command_the_settings_and_stops_everything_after_it(environment: dict[str, str]) -> None:
    result = sandbox(environment, "run", "--", sys.executable, "-c", f"{PRINT_ENVIRONMENT}; sys.exit(7)")
    assert (result.returncode, result.stderr) == (7, "")
    settings = json.loads(result.stdout)
    assert settings.keys() >= NAMES
    assert_all_is_down(settings)


def test_run_leaves_the_command_s_own_dashes_alone(environment: dict[str, str]) -> None:
    result = sandbox(environment, "run", "--", "printf", "%s ", "-h", "--", "--help")
    assert result.stdout == "-h -- --help "


def test_run_reports_an_unknown_command(environment: dict[str, str]) -> None:
    result = sandbox(environment, "run", "--", "no-such-command")
    assert (result.returncode, result.stderr) == (
        127,
        "sandbox: cannot run no-such-command: No such file or directory\n",
    )


def test_run_exits_as_a_shell_does_when_the_command_is_killed(environment: dict[str, str]) -> None:
    assert sandbox(environment, "run", "--", "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_forwards_a_signal_and_waits_for_the_command(environment: dict[str, str], number: signal.Signals) -> None:
    process = start(environment, "run", "--", *WAITS)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait() == 40 + number
    # The folder is free for the next command.
    assert sandbox(environment, "run", "--", "true").stderr == ""


@pytest.mark.slow
def test_a_stop_while_the_table_is_filled_leaves_nothing_half_done(own_environment: dict[str, str]) -> None:
    large = own_environment | {"SANDBOX_SALES": "5000000", "TODAY": "2027-01-01"}
    process = start(large, "run", "--", "true")
    assert process.stderr is not None
    assert "of 5,000,000 sales in public.venda" in process.stderr.readline()
    process.terminate()
    assert process.wait() == 130
    assert "Traceback" not in process.stderr.read()
    # Nothing was kept, so that a sandbox of another size and day can start there.
    assert sandbox(own_environment, "run", "--", "true").returncode == 0


@pytest.mark.slow
def test_days_pass_from_one_run_to_the_next(own_environment: dict[str, str]) -> None:
    sandbox(own_environment, "run", "--", "true")
    later = own_environment | {"TODAY": "2017-04-15"}
    listing = sandbox(later, "run", "--", "sh", "-c", 'ls "$PARQUET_DROP"')
    assert listing.stdout.split() == ["2017-01-01", "2017-03-01", "2017-03-31"]
    back = sandbox(own_environment, "run", "--", "true")
    assert back.returncode == 2
    assert back.stderr == (
        "sandbox: TODAY is 2017-03-01, but this demo is already at 2017-04-15: "
        "unset TODAY to stay there, or run `make clean` to start again\n"
    )


@pytest.mark.slow
def test_without_today_the_demo_stays_at_its_last_date(own_environment: dict[str, str]) -> None:
    sandbox(own_environment, "run", "--", "true")
    for today in ("2017-04-15", ""):
        shown = sandbox(own_environment | {"TODAY": today}, "run", "--", "sh", "-c", "echo $TODAY")
        assert (shown.stdout, shown.stderr) == ("2017-04-15\n", "")


@pytest.mark.parametrize(
    ("name", "value"), [("SOURCE_POSTGRES_PASSWORD", "x"), ("EMPLOYEES_API_URL", "http://x"), ("PARQUET_DROP", "/x")]
)
@pytest.mark.parametrize("target", ["local", pytest.param("sandbox", marks=pytest.mark.slow)])
def test_a_source_of_ones_own_keeps_the_demo_away(
    environment: dict[str, str], target: str, name: str, value: str
) -> None:
    given = environment | {name: value, "DBT_TARGET": target, "TODAY": ""}
    result = sandbox(given, "run", "--", sys.executable, "-c", PRINT_ENVIRONMENT)
    found = json.loads(result.stdout)

    assert {setting: found[setting] for setting in NAMES if found.get(setting)} == {name: value}
    assert ("REDSHIFT_HOST" in found) == (target == "sandbox")


def test_every_declared_source_is_ones_own(environment: dict[str, str], tmp_path: Path) -> None:
    declare_in(tmp_path, Source("crm", "postgres", "CRM"), {"conta": {"mode": "full"}})
    declare_in(tmp_path, Source("loja", "parquet", "LOJA"), {"produto": {"mode": "files"}}, produto={"id": "bigint"})
    given = environment | {"CRM_HOST": "crm", "DBT_PROJECT_DIR": str(tmp_path), "TODAY": ""}
    result = sandbox(given, "run", "--", sys.executable, "-c", PRINT_ENVIRONMENT)
    assert {name for name in NAMES if json.loads(result.stdout).get(name)} == set()

    result = sandbox(given | {"LOJA_DROP": "s3://bucket/drop", "DBT_TARGET": "sandbox"}, "run", "--", "true")
    assert (result.returncode, "LOJA_DROP is on S3, which the target sandbox replaces" in result.stderr) == (2, True)


@pytest.mark.parametrize("target", ["dev", "prod"])
def test_the_demo_is_never_loaded_into_another_warehouse(environment: dict[str, str], target: str) -> None:
    given = environment | {"DBT_TARGET": target, "DBT_PROJECT_DIR": str(TABLES)}
    result = sandbox(given, "run", "--", sys.executable, "-c", PRINT_ENVIRONMENT)
    assert json.loads(result.stdout).keys() & NAMES == {"TODAY"}

    loaded = sandbox(given, "run", "--", sys.executable, "-m", "extract", "run")
    assert loaded.returncode == 2
    assert "error: no sources set (see .env.example" in loaded.stderr


def test_a_drop_on_s3_is_refused_where_s3_is_the_stand_in(environment: dict[str, str]) -> None:
    given = environment | {
        "PARQUET_DROP": "s3://bucket/drop",
        "DBT_TARGET": "sandbox",
        "DBT_PROJECT_DIR": str(TABLES),
    }
    result = sandbox(given, "run", "--", "true")
    assert result.returncode == 2
    assert "PARQUET_DROP is on S3, which the target sandbox replaces" in result.stderr


def test_a_folder_that_cannot_be_written_to(environment: dict[str, str]) -> None:
    result = sandbox(environment | {"SANDBOX_DIR": "/proc/sandbox"}, "run", "--", "true")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "set SANDBOX_DIR to a folder with room that can be written to" in result.stderr


@pytest.mark.slow
def test_clean_removes_the_data_and_nothing_else(own_environment: dict[str, str]) -> None:
    folder = Path(own_environment["SANDBOX_DIR"])
    sandbox(own_environment, "run", "--", "true")
    (folder / "mine.txt").write_text("kept")
    assert sandbox(own_environment, "clean").returncode == 0
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    (folder / "mine.txt").unlink()
    assert sandbox(own_environment, "clean").returncode == 0
    assert not folder.exists()


def test_settings_that_cannot_be_are_reported_together(environment: dict[str, str]) -> None:
    result = sandbox(environment | {"SANDBOX_SALES": "many", "TODAY": "yesterday"}, "up")
    assert (result.returncode, result.stdout) == (2, "")
    assert "SANDBOX_SALES must be a whole number from 1 to 1000000000, not 'many'" in result.stderr
    assert "TODAY must be a date such as 2026-03-31, not 'yesterday'" in result.stderr


def test_today_is_after_the_first_day(environment: dict[str, str]) -> None:
    result = sandbox(environment | {"TODAY": "2017-01-01"}, "up")
    assert result.returncode == 2
    assert "TODAY must be after the company's first day, 2017-01-01, not 2017-01-01" in result.stderr


def test_help_names_every_setting(environment: dict[str, str]) -> None:
    result = sandbox(environment, "--help")
    assert result.returncode == 0
    assert all(name in result.stdout for name in ("SANDBOX_DIR", "SANDBOX_SALES", "TODAY", "up", "run", "clean"))
