"""The command line: `python -m extract --help`."""

import os
import signal
import sys
import threading
from collections.abc import Sequence

from extract.errors import ExtractError, NotRecordedError, reason
from extract.options import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parser().parse_args(arguments)
    from extract.commands import COMMANDS  # takes half a second, which --help does without
    from extract.logs import log, redact

    try:
        return COMMANDS[options.command](options)
    except NotRecordedError as error:
        print(f"error: {error}; data was loaded but not recorded; run again", file=sys.stderr)  # noqa: T201
        return 1
    except ExtractError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  the log may not be configured yet
        return 2
    except KeyboardInterrupt:
        print("stopped; run again to go on", file=sys.stderr)  # noqa: T201
        return 130
    except Exception as error:  # noqa: BLE001  a traceback would show secrets
        log.debug("traceback", exc_info=True)
        print(f"error: {reason('extract', error, redact.secrets)}", file=sys.stderr)  # noqa: T201
        return 1


def handle_sigterm_as_sigint() -> None:
    """Makes SIGTERM, with which a container is stopped, the same as Ctrl-C.

    ADBC, dlt and dbt each handle SIGINT in their own way; ADBC handles it even in the middle of a query, where no
    Python handler of SIGTERM would run. So a thread receives SIGTERM and sends SIGINT.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    signal.set_wakeup_fd(sender)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)  # only a signal with a handler wakes the thread

    def forward() -> None:
        while number := os.read(receiver, 1):
            if number[0] == signal.SIGTERM:
                os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=forward, name="SIGTERM", daemon=True).start()


if __name__ == "__main__":
    handle_sigterm_as_sigint()
    sys.exit(main())
