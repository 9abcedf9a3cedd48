"""What all tests of the loaders on the stand-in share."""

import pytest

from tests.python.helpers.declared import TABLES


@pytest.fixture(autouse=True)
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declares the tables of the tests, whatever the project declares."""
    monkeypatch.setenv("DBT_PROJECT_DIR", str(TABLES))
