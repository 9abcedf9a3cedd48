"""Fixtures of the dbt tests. dbt runs in this process, because importing it takes seconds."""

from collections.abc import Callable

import pytest

from tests.python.helpers.project import Project
from tests.python.helpers.raw_layer import RawLayer


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """Returns a function that makes a project on an empty raw layer, which replaces the project before.

    All have the same path: dbt parses the project again when the path in its profile changes, which takes seconds.
    """
    folder = tmp_path_factory.mktemp("dbt")

    def make() -> Project:
        return Project(RawLayer.create(folder / "warehouse.duckdb"), folder / "target")

    return make
