"""Tests that need a tool that may be missing."""

import os
from typing import NoReturn

import pytest


def infra_tool(reason: str) -> NoReturn:
    """Skips the test, with what to install as `reason`; fails it if REQUIRE_INFRA is set."""
    if os.environ.get("REQUIRE_INFRA"):
        pytest.fail(f"REQUIRE_INFRA is set: {reason}", pytrace=False)
    pytest.skip(reason)
