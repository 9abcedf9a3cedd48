"""One fault is one message, and nothing is said to be loaded that was not."""

from pathlib import Path
from typing import Any

import pytest

from tests.python.helpers.declared import POSTGRES
from tests.python.helpers.own_project import declare_in
from tests.python.helpers.world import World

BROKEN = "the warehouse has gone"


@pytest.fixture
def no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warehouse in which no run can be recorded."""

    def fail(*_: Any) -> None:
        raise OSError(BROKEN)

    monkeypatch.setattr("extract.load.runner.record", fail)


@pytest.mark.usefixtures("no_record")
def test_data_was_loaded_only_if_a_table_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = world.run("parquet")
    assert loaded.code == 1
    assert f"{BROKEN}; data was loaded but not recorded; run again" in loaded.output

    monkeypatch.setenv("SOURCE_POSTGRES_PORT", "1")
    failed = world.run("postgres")
    assert failed.code == 1
    assert f"error: ops.extract_runs: OSError: {BROKEN}; run again" in failed.output
    assert "loaded but" not in failed.output


@pytest.mark.usefixtures("no_record")
def test_a_warehouse_that_fails_midway_is_said_once_and_no_other_table_is_tried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(BROKEN)

    monkeypatch.setattr("extract.load.runner.dlt_source", fail)
    monkeypatch.setattr("extract.warehouse.targets.Warehouse.answers", lambda _: False)
    outcome = world.run()

    assert outcome.code == 1
    assert outcome.output.count(BROKEN) == 1, outcome.output
    assert outcome.output.count(": started") == 1
    assert "error: ops.extract_runs: not written, for the same reason; run again" in outcome.output


def test_a_source_that_is_down_is_said_and_retried_once_for_all_of_its_tables(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    declare_in(tmp_path, POSTGRES, {name: {"mode": "full"} for name in ("cliente", "loja", "venda")})
    monkeypatch.setenv("DBT_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("SOURCE_POSTGRES_PORT", "1")
    monkeypatch.setenv("RETRY_SECONDS", "3")
    outcome = world.run("postgres")

    errors = [line["message"] for line in outcome.lines if line["level"] == "error"]
    assert outcome.code == 1
    assert "cannot sign in to database" in errors[0]
    assert errors[1:] == [
        "postgres.loja: failed for the same reason as postgres.cliente",
        "postgres.venda: failed for the same reason as postgres.cliente",
    ]
    assert outcome.output.count("retrying in") == len(waits) > 0
    assert "retrying in" not in outcome.output[outcome.output.index("postgres.loja: started") :]
