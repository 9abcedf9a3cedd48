"""The command line: `python -m extract --help`."""

import argparse
import signal
import sys
from collections.abc import Sequence

from extract import interrupt
from extract.errors import ExtractError, NotRecordedError, reason
from extract.options import parser
from extract.visible import visible_lines

STOPPED = "stopped; run again to continue"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        with interrupt.listening():
            code = run_command(options)
            interrupt.check()  # a library may have lost the signal
            return code
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)  # noqa: T201
        return 128 + signal.SIGINT


def run_command(options: argparse.Namespace) -> int:
    """Runs the command that the options name and prints its error; returns the exit code."""
    from extract.commands import COMMANDS  # takes half a second, which --help does without
    from extract.logs import log, redact

    try:
        interrupt.watch_adbc()
        return COMMANDS[options.command](options)
    except Exception as error:  # noqa: BLE001  a traceback would show secrets
        interrupt.check(error)
        log.debug("traceback", exc_info=True)
        if isinstance(error, ExtractError):
            print_error(str(error))
            return 1 if isinstance(error, NotRecordedError) else 2
        print_error(reason("extract", error, redact.secrets))
        return 1


def print_error(text: str) -> None:
    """Prints an error; the log may not be configured yet."""
    print(f"error: {visible_lines(text)}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:  # before the signals are handled, or after
        print(STOPPED, file=sys.stderr)  # noqa: T201
        code = 128 + signal.SIGINT
    for number in (signal.SIGINT, signal.SIGTERM):  # the command is over; so the exit code stays
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)
