"""What all tests of the loaders on the stand-in share."""

from pathlib import Path

import pytest

from tests.python.helpers.declared import TABLES
from tests.python.helpers.small_project import make_small_project


@pytest.fixture(autouse=True)
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declares the tables of the tests, whatever the project declares."""
    monkeypatch.setenv("DBT_PROJECT_DIR", str(TABLES))


@pytest.fixture(scope="module")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small dbt project with the settings of the real one."""
    return make_small_project(tmp_path_factory.mktemp("dbt") / "small")
