"""A clock of this process that is wrong, as the loaders and dlt read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from time import time

import pytest

READERS = ("extract.load.clock", "extract.load.runner", "dlt.destinations.job_client_impl")


@contextmanager
def clock_ahead(days: int) -> Iterator[None]:
    """Sets the clock ahead while entered."""
    ahead = timedelta(days=days)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            """Returns the wrong time."""
            return datetime.now(tz or UTC) + ahead

    with pytest.MonkeyPatch.context() as patch:
        for module in READERS:
            patch.setattr(f"{module}.datetime", Clock)
        patch.setattr(
            "dlt.common.storages.load_package.increasing_precise_time", lambda: time() + ahead.total_seconds()
        )
        yield
