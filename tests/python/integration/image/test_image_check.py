"""`python -m deploy check-image` on machines with Docker, with a Docker that is not up, and without either."""

import json
import sys
from pathlib import Path

import pytest

from deploy.__main__ import main

# Writes down its arguments; fails where a file says so.
PROGRAM = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(any((here / f"{{word}}.fails").exists() for word in sys.argv[1:]))
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a docker that is the only program on PATH."""
    (tmp_path / "docker").write_text(PROGRAM.format(python=sys.executable))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def calls(docker: Path) -> list[list[str]]:
    return [json.loads(line) for line in (docker / "calls").read_text().splitlines()]


def test_the_image_runs_as_on_fargate(docker: Path) -> None:
    assert main(["check-image"]) == 0

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


def test_settings_are_handed_on_by_name_and_files_are_shown(
    docker: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCE_POSTGRES_PASSWORD", "s3cr3t")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("PARQUET_DROP", str(tmp_path / "drop"))
    monkeypatch.setenv("SHELL_HISTORY", "not ours")

    main(["check-image"])

    run = next(command for command in calls(docker) if command[0] == "run")
    assert {"--env=SOURCE_POSTGRES_PASSWORD", "--env=AWS_ENDPOINT_URL_S3", "--env=PARQUET_DROP"} <= set(run)
    assert f"--volume={tmp_path}/drop:{tmp_path}/drop:ro" in run
    assert not any("s3cr3t" in word or "SHELL_HISTORY" in word for word in run)


def test_a_pipeline_that_fails_in_the_image_fails_the_check(docker: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (docker / "doctor.fails").touch()

    assert main(["check-image"]) == 1

    assert "docker run --rm … ended with 1" in capfd.readouterr().out
    assert calls(docker)[-1][:2] == ["image", "rm"]


def test_without_a_daemon_and_without_buildah_it_is_skipped(docker: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (docker / "info.fails").touch()

    assert main(["check-image"]) == 0

    assert "skipped: no Docker daemon here, and no buildah with mmdebstrap for root" in capfd.readouterr().out
    assert calls(docker) == [["info"]]


def test_without_docker_it_is_skipped(docker: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (docker / "docker").unlink()

    assert main(["check-image"]) == 0

    assert "skipped" in capfd.readouterr().out
    assert list(docker.iterdir()) == []
