"""Runs commands of the pipeline and writes down each call that they make to AWS, one line of JSON per call.

    python record_calls.py <calls.jsonl>

Reads one JSON object per line: `task`, `environment`, `command`, `wrong_clock`. Runs each command in a process of its
own and then writes its exit code as a line. It is a program of its own because it changes botocore: every client,
whichever library made it, calls through the two methods that it replaces. The processes are forks, which saves each
of them the seconds that the imports of dlt and dbt take.
"""

import json
import os
import sys
from contextlib import ExitStack
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import dbt.cli.main  # noqa: F401  for the forks
from aiobotocore.client import AioBaseClient
from botocore.client import BaseClient

import extract.load.clock
import extract.load.runner
import extract.transform.build
from extract.__main__ import main
from tests.python.helpers.wrong_clock import clock_ahead


def listen(kind: Any, task: str, calls: Path) -> None:
    """Makes every call of this kind of client write a line: task, service, operation and parameters."""
    call = kind._make_api_call

    @wraps(call)
    def record(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        service = self.meta.service_model.service_name
        shown = {name: value for name, value in parameters.items() if isinstance(value, str | dict)}
        with calls.open("a") as out:
            out.write(json.dumps([task, service, operation, shown]) + "\n")
        return call(self, operation, parameters)

    kind._make_api_call = record


def run(task: str, environment: dict[str, str], command: list[str], calls: Path, *, wrong_clock: bool) -> int:
    """Runs a command in a fork, with its output on standard error; returns its exit code.

    A wrong clock is ahead, and nothing compares it with another one.
    """
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.environ.clear()
    os.environ.update(environment)
    for client in (BaseClient, AioBaseClient):
        listen(client, task, calls)
    with ExitStack() as stack:
        if wrong_clock:
            stack.enter_context(clock_ahead(400))
            extract.load.clock.TOLERANCE = timedelta(days=500)
        sys.exit(main(command))


if __name__ == "__main__":
    for line in sys.stdin:
        code = run(calls=Path(sys.argv[1]), **json.loads(line))
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()
