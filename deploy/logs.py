"""What the tasks log, as it arrives."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

PAUSE = 5.0  # seconds between two looks
LATE = timedelta(minutes=2)  # a line may be seen that much after its time


@dataclass(frozen=True)
class Line:
    """One line of a task."""

    time: datetime
    stream: str
    message: str


def follow(client: Any, group: str, since: datetime, pause: float = PAUSE) -> Iterator[Line]:
    """Gives every line since then, each once, and goes on with new ones without an end."""
    told: dict[str, datetime] = {}
    while True:
        events = client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=int(since.timestamp() * 1000)
        )
        for event in (event for page in events for event in page["events"]):
            if event["eventId"] not in told:
                at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                told[event["eventId"]] = at
                yield Line(at, event["logStreamName"], event["message"].rstrip())
        since = max(since, max(told.values(), default=since) - LATE)
        told = {number: at for number, at in told.items() if at >= since}
        time.sleep(pause)
