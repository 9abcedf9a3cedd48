"""`.ci/check_image.py` with Docker, with a Docker whose daemon is down, and without either."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from extract.declarations import Source
from tests.python.helpers import ROOT
from tests.python.helpers.own_project import declare_in

# Writes down its arguments; fails if a file says so.
PROGRAM = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(any((here / f"{{word}}.fails").exists() for word in sys.argv[1:]))
"""


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """The folder of a docker that is the only program on PATH."""
    (tmp_path / "docker").write_text(PROGRAM.format(python=sys.executable))
    (tmp_path / "docker").chmod(0o755)
    return tmp_path


def check(docker: Path, project: Path = ROOT, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(project / ".ci" / "check_image.py")]
    environment = {"PATH": str(docker), **settings}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def calls(docker: Path) -> list[list[str]]:
    return [json.loads(line) for line in (docker / "calls").read_text().splitlines()]


def test_the_image_runs_as_on_fargate(docker: Path) -> None:
    assert check(docker).returncode == 0

    commands = calls(docker)
    assert [command[0] for command in commands] == ["info", "build", "run", "run", "run", "image"]
    runs = [command for command in commands if command[0] == "run"]
    for run in runs:
        assert {"--read-only", "--rm"} <= set(run)
        assert run[run.index("--tmpfs") + 1] == "/scratch"
        assert run[run.index("--cap-drop") + 1] == "ALL"
    assert [run[run.index("plataforma-vendas:check") + 1 :] for run in runs] == [
        ["--help"], ["doctor"], ["run", "--build"],
    ]  # fmt: skip


def test_settings_are_passed_by_name_and_files_are_mounted(docker: Path, tmp_path: Path) -> None:
    check(
        docker,
        SOURCE_POSTGRES_PASSWORD="s3cr3t",  # noqa: S106  a made-up one
        AWS_ENDPOINT_URL_S3="http://127.0.0.1:1",
        PARQUET_DROP=str(tmp_path / "drop"),
        SHELL_HISTORY="not a setting",
    )

    run = next(command for command in calls(docker) if command[0] == "run")
    assert {"--env=SOURCE_POSTGRES_PASSWORD", "--env=AWS_ENDPOINT_URL_S3", "--env=PARQUET_DROP"} <= set(run)
    assert f"--volume={tmp_path}/drop:{tmp_path}/drop:ro" in run
    assert not any("s3cr3t" in word or "SHELL_HISTORY" in word for word in run)


def test_the_settings_of_every_declared_source_are_passed(docker: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(ROOT / ".ci", project / ".ci")
    shutil.copy(ROOT / ".env.example", project)
    declare_in(project, Source("crm", "postgres", "CRM"), {"conta": {"mode": "full"}})
    check(docker, project, PYTHONPATH=str(ROOT), CRM_PASSWORD="s3cr3t", CRM_CA_BUNDLE="/ca.crt", ERP_HOST="h")  # noqa: S106  made up

    run = next(command for command in calls(docker) if command[0] == "run")
    assert {"--env=CRM_PASSWORD", "--env=CRM_CA_BUNDLE", "--volume=/ca.crt:/ca.crt:ro"} <= set(run)
    assert not any("s3cr3t" in word or "ERP_HOST" in word for word in run)


def test_a_pipeline_that_fails_in_the_image_fails_the_check(docker: Path) -> None:
    (docker / "doctor.fails").touch()

    done = check(docker)

    assert done.returncode == 1
    assert "docker run --rm … failed with exit code 1" in done.stderr
    assert calls(docker)[-1][:2] == ["image", "rm"]


def test_without_a_daemon_and_without_buildah_the_check_is_skipped(docker: Path) -> None:
    (docker / "info.fails").touch()

    done = check(docker)

    assert done.returncode == 0
    assert "skipped: needs a Docker daemon, or buildah and mmdebstrap as root" in done.stdout
    assert calls(docker) == [["info"]]


def test_without_docker_the_check_is_skipped(docker: Path) -> None:
    (docker / "docker").unlink()

    done = check(docker)

    assert (done.returncode, "skipped" in done.stdout) == (0, True)
    assert list(docker.iterdir()) == []
