"""What a test needs and this machine may not have."""

import os
from typing import NoReturn

import pytest


def infra_tool(reason: str) -> NoReturn:
    """Skips the test; fails it where REQUIRE_INFRA says that what infra's tests need was set up."""
    if os.environ.get("REQUIRE_INFRA"):
        pytest.fail(f"REQUIRE_INFRA is set: {reason}", pytrace=False)
    pytest.skip(reason)
