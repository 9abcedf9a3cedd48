"""What the dbt tests share. Importing dbt takes seconds, so it runs in this process and that is done once."""

from collections.abc import Callable

import pytest

from tests.python.helpers.project import Project
from tests.python.helpers.raw_layer import RawLayer


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """A maker of projects on an empty raw layer, each in place of the one before.

    They have one path: dbt parses the project again when the path in its profile changes, which takes seconds.
    """
    folder = tmp_path_factory.mktemp("dbt")

    def make() -> Project:
        return Project(RawLayer.create(folder / "warehouse.duckdb"), folder / "target")

    return make
