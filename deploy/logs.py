"""The logs of the tasks, as they arrive."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

POLL_SECONDS = 5.0
MAX_DELAY = timedelta(minutes=2)  # between the time of a line and its arrival


@dataclass(frozen=True)
class Line:
    """One line of a task's log."""

    time: datetime
    stream: str
    message: str


def follow(client: Any, group: str, since: datetime, poll_seconds: float = POLL_SECONDS) -> Iterator[Line]:
    """Yields every line since a time once, and then new lines forever."""
    seen: dict[str, datetime] = {}
    while True:
        events = client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=int(since.timestamp() * 1000)
        )
        for event in (event for page in events for event in page["events"]):
            if event["eventId"] not in seen:
                at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                seen[event["eventId"]] = at
                yield Line(at, event["logStreamName"], event["message"].rstrip())
        since = max(since, max(seen.values(), default=since) - MAX_DELAY)
        seen = {number: at for number, at in seen.items() if at >= since}
        time.sleep(poll_seconds)
