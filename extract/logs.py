"""The log: words on a terminal, JSON lines elsewhere, and neither a secret nor a control character in either."""

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.logging import RichHandler
from rich.segment import Segment
from rich.text import Text

from extract import errors
from extract.task_log import ending
from extract.visible import visible, visible_lines

log = logging.getLogger("extract")


class VisibleConsole(Console):
    """A console on which texts from outside cannot act: what it shows is escaped, its own codes are not."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Returns a text to be laid out; what is escaped takes its room."""
        return super().render_str(visible_lines(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yields the pieces of what is shown."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible_lines(segment.text))


console = VisibleConsole(highlight=False, soft_wrap=True)


class Redact(logging.Filter):
    """Redacts secrets in every record and escapes control characters: in its message, fields and traceback."""

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
        """Returns a text, or a value with texts in it, without the secrets and with control characters escaped."""
        if isinstance(value, str):
            return visible_lines(errors.redact(value, self.secrets))
        if isinstance(value, dict):
            return {key: self.clean(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
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
        return json.dumps(line, ensure_ascii=False, default=lambda value: visible(str(value)))


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
    log.handlers[:] = [handler, ending]  # in this order: what is remembered is redacted
    log.propagate = False
    log.setLevel(logging.DEBUG if debug else logging.INFO)
