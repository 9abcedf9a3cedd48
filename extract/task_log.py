"""What a task adds to its log in AWS: metrics, and a last line that says how its command ended.

Both are written only if DEPLOYMENT names the deployment, as Terraform and the sandbox's state machine set it.

CloudWatch takes the metrics from the log (embedded metric format). The state machine reads the last line: whether a
further attempt may help, and what the operator has to know. docs/operations/alarms.md has an example.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

LONGEST_MESSAGE = 600  # characters of the error in the last line
MOST_STALE = 20  # names in the last line

# The metrics, with their units, by the name of their dimension; those of "" are of the whole deployment.
METRICS: Mapping[str, Mapping[str, str]] = {
    "Table": {
        "RowsAtSource": "Count",
        "RowsLoaded": "Count",
        "RowsDeleted": "Count",
        "DeadLetters": "Count",
        "RowsRejected": "Count",
        "RowsInSilver": "Count",
        "LoadSeconds": "Seconds",
        "LoadFailed": "Count",
    },
    "Source": {
        "SourceLoaded": "Count",  # 1 if all of its tables were loaded, else 0
        "HoursSinceLoad": "None",  # since the last load of the table that was not loaded for the longest time
    },
    "": {"BuildSeconds": "Seconds", "NodesFailed": "Count", "NodesWarned": "Count"},
}


class Ending(logging.Handler):
    """Remembers what the last line says: the errors of this command, what is stale, and whether it may pass.

    A record says so in its `data`: `stale` has names of tables or models, `may_pass` is true or false.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.clear()

    def clear(self) -> None:
        """Forgets everything: another command begins."""
        self.errors: list[str] = []
        self.stale: list[str] = []
        self.may_pass: list[bool] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remembers an error, unless it only sums up others."""
        if getattr(record, "is_summary", False):
            return
        data = getattr(record, "data", {})
        self.add(record.getMessage(), stale=data.get("stale", ()), may_pass=data.get("may_pass"))

    def add(self, error: str, *, stale: Any = (), may_pass: bool | None = None) -> None:
        """Remembers an error; without `may_pass` it says nothing about a further attempt."""
        self.errors.append(error)
        self.stale += [name for name in stale if name not in self.stale]
        self.may_pass += [] if may_pass is None else [may_pass]

    def line(self, code: int) -> str:
        """Returns the last line of a command that ended with this exit code.

        A further attempt is worth it if one of the errors may pass, or if none says anything about that, unless
        the exit code says that nothing was started.
        """
        message = self.errors[0] if self.errors else f"ended with exit code {code}"
        others = len(self.errors) - 1
        more = f" (and {others} more in the log)" if others > 0 else ""
        fields = {
            "time": datetime.now(UTC).isoformat(),
            "level": "error" if code else "info",
            "message": "succeeded" if code == 0 else shorten(message) + more,
            "exit_code": code,
            "stale": self.stale[:MOST_STALE],
            "retry": any(self.may_pass) if self.may_pass else code not in (0, 2),
            "end": True,
        }
        return json.dumps(fields, ensure_ascii=False)


ending = Ending()  # of this process


def shorten(text: str) -> str:
    """Returns a text, cut off if it is too long for the last line."""
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"


def is_deployed() -> bool:
    """Returns whether this is a task of a deployment."""
    return bool(os.environ.get("DEPLOYMENT"))


def write_end(code: int) -> None:
    """Writes the last line of the log."""
    if is_deployed():
        write(ending.line(code))


def write_metrics(dimension: str, name: str, values: Mapping[str, float | None]) -> None:
    """Writes metrics of one table, one source or, with an empty dimension, the deployment; a None is left out."""
    found = {metric: value for metric, value in values.items() if value is not None}
    if not is_deployed() or not found:
        return
    metrics = [{"Name": metric, "Unit": METRICS[dimension][metric]} for metric in found]
    directive = {
        "Namespace": os.environ["DEPLOYMENT"],
        "Dimensions": [[dimension] if dimension else []],
        "Metrics": metrics,
    }
    now = int(datetime.now(UTC).timestamp() * 1000)
    fields = {"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}}
    write(json.dumps(fields | ({dimension: name} if dimension else {}) | found))


def write(line: str) -> None:
    """Writes a line to standard output at once, after what was logged."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
