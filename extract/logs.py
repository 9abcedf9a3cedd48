"""The log: words on a terminal, JSON lines elsewhere, and no secret in either."""

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.logging import RichHandler

log = logging.getLogger("extract")
console = Console(highlight=False, soft_wrap=True)


class Redact(logging.Filter):
    """Redacts secrets in every record: its arguments, its fields and its traceback."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self.secrets = tuple(filter(None, secrets))

    def filter(self, record: logging.LogRecord) -> bool:
        """Redacts the record and lets it pass."""
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        record.msg, record.args = self.clean(message), ()
        if hasattr(record, "data"):
            record.data = self.clean(record.data)
        return True

    def clean(self, value: Any) -> Any:
        """Returns a text, or a value with texts in it, without the secrets."""
        if isinstance(value, str):
            for secret in self.secrets:
                value = value.replace(secret, "***")
        elif isinstance(value, dict):
            return {key: self.clean(part) for key, part in value.items()}
        elif isinstance(value, list | tuple):
            return [self.clean(part) for part in value]
        return value


redact = Redact()  # of this process; it gets its secrets when the settings are read


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, message, and the fields a record was given as `data`."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record's line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "data", {}),
        }
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(secrets: Iterable[str], *, debug: bool = False) -> None:
    """Sends the log to the terminal in words or, without a terminal, to standard output as JSON lines."""
    redact.secrets = tuple(filter(None, secrets))
    handler: logging.Handler
    if console.is_terminal:
        handler = RichHandler(console=console, show_time=False, show_path=False, show_level=False)
    else:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonLines())
    handler.addFilter(redact)
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if debug else logging.INFO)
