"""The command line: `python -m extract --help`."""

import argparse
import signal
import sys
from collections.abc import Sequence

from extract import interrupt
from extract.errors import ExtractError, NotRecordedError, reason
from extract.options import parser
from extract.task_log import ending, write_end
from extract.visible import visible_lines

STOPPED = "stopped; run again to continue"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parser().parse_args(arguments)
    ending.clear()
    try:
        with interrupt.listening():
            code = run_command(options)
            interrupt.check()  # a library may have lost the signal
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)  # noqa: T201
        ending.add(STOPPED, may_pass=True)
        code = 128 + signal.SIGINT
    write_end(code)
    return code


def run_command(options: argparse.Namespace) -> int:
    """Runs the command that the options name and prints its error; returns the exit code."""
    from extract.commands import COMMANDS  # takes half a second, which --help does without
    from extract.logs import log, redact
    from extract.retry import may_pass

    try:
        interrupt.watch_adbc()
        return COMMANDS[options.command](options)
    except Exception as error:  # noqa: BLE001  a traceback would show secrets
        interrupt.check(error)
        log.debug("traceback", exc_info=True)
        is_ours = isinstance(error, ExtractError)
        text = visible_lines(str(error) if is_ours else reason("extract", error, redact.secrets))
        print(f"error: {text}", file=sys.stderr)  # noqa: T201  the log may not be configured yet
        ending.add(" ".join(text.split()), may_pass=may_pass(error))
        return 2 if is_ours and not isinstance(error, NotRecordedError) else 1


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:  # before the signals are handled, or after
        print(STOPPED, file=sys.stderr)  # noqa: T201
        code = 128 + signal.SIGINT
    for number in (signal.SIGINT, signal.SIGTERM):  # the command is over; so the exit code stays
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)
