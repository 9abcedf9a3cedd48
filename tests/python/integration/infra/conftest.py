"""The fixture that the tests of infra/ share: infra/ as rendered, once per worker."""

import pytest

from tests.python.helpers.rendered_infra import Infra, copy, render


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Infra:
    """infra/ as Terraform renders it."""
    return render(copy(tmp_path_factory.mktemp("rendered") / "infra"))
