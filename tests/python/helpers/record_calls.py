"""Runs one command of the pipeline and writes down each call it makes to AWS, a line of JSON for each.

    python record_calls.py <calls.jsonl> <task> run --source api

It is a program of its own because it changes botocore: every client, whatever library made it, calls through these
two methods.
"""

import json
import sys
from functools import wraps
from pathlib import Path
from typing import Any

from aiobotocore.client import AioBaseClient
from botocore.client import BaseClient

from extract.__main__ import main


def listen(kind: Any, task: str, calls: Path) -> None:
    """Makes every call of this kind of client leave a line: task, service, operation, and what it is about."""
    call = kind._make_api_call

    @wraps(call)
    def recorded(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        service = self.meta.service_model.service_name
        shown = {name: value for name, value in parameters.items() if isinstance(value, str | dict)}
        with calls.open("a") as out:
            out.write(json.dumps([task, service, operation, shown]) + "\n")
        return call(self, operation, parameters)

    kind._make_api_call = recorded


if __name__ == "__main__":
    for client in (BaseClient, AioBaseClient):
        listen(client, sys.argv[2], Path(sys.argv[1]))
    sys.exit(main(sys.argv[3:]))
