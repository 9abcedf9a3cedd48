"""The sandbox's command line: `python -m sandbox --help`."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import FrameType, MappingProxyType

from sandbox.errors import SandboxError
from sandbox.everything import clean, everything_up
from sandbox.settings import Settings

_DESCRIPTION = """\
Everything the pipeline talks to, on this machine: a PostgreSQL server with the table public.venda, the employees API
and the Parquet drop folder, with the data of a made-up business.
"""

_SETTINGS = """\
settings, from the environment:
  SANDBOX_DIR    folder of its data (default: .local/sandbox)
  SANDBOX_SALES  number of sales a new sandbox begins with (default: 100000)
  TODAY          the date to bring the sources to, such as 2026-03-31 (default: the real one);
                 a later one than last time lets the days between pass
  DBT_TARGET     sandbox: also a stand-in of Redshift and an S3 server
"""


def main() -> int:
    """Run the command that the arguments name; returns the exit code."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops like Ctrl-C, cleanly
    try:
        settings = Settings.from_environment(os.environ)
        match arguments.action:
            case "up":
                return _up(settings)
            case "run":
                return _run(settings, arguments.command)
            case "stepfunctions":
                return _step_functions(settings, arguments.input)
            case _:
                clean(settings)
                return 0
    except SandboxError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description=_DESCRIPTION,
        epilog=_SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("up", help="everything up until Ctrl-C; prints the settings to connect with")
    run = actions.add_parser("run", help="everything up, run a command with the settings in its environment, stop")
    run.add_argument("command", nargs="+", metavar="COMMAND", help="after --, the command and its arguments")
    execution = actions.add_parser(
        "stepfunctions", help="run the pipeline as its state machine on AWS does, against the stand-in of Redshift"
    )
    execution.add_argument("--input", default="{}", metavar="JSON", help='such as \'{"sources": ["postgres"]}\'')
    actions.add_parser("clean", help="remove the sandbox's data")
    return parser


def _up(settings: Settings) -> int:
    with everything_up(settings) as environment:
        for name, value in environment.items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        if "REDSHIFT_HOST" in environment:
            sys.stdout.write(
                "export DBT_TARGET=sandbox\n"
                f"{for_a_bi_tool(environment)}"
                '# PGPASSWORD="$SANDBOX_REDSHIFT_PASSWORD" PGSSLMODE=verify-full PGSSLROOTCERT="$REDSHIFT_CA_BUNDLE" '
                'psql -h "$REDSHIFT_HOST" -p "$REDSHIFT_PORT" -U awsuser "$REDSHIFT_DATABASE"\n'
            )
        sys.stdout.write(
            '# PGPASSWORD="$SOURCE_POSTGRES_PASSWORD" psql -h "$SOURCE_POSTGRES_HOST" -p "$SOURCE_POSTGRES_PORT" '
            '-U "$SOURCE_POSTGRES_USER" "$SOURCE_POSTGRES_DATABASE"\n'
            "# Everything is up. Ctrl-C stops it.\n"
        )
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            signal.pause()
    return 0


def for_a_bi_tool(environment: Mapping[str, str]) -> str:
    """Returns the warehouse's connection as comments: its parts, and as a JDBC URL.

    https://docs.aws.amazon.com/redshift/latest/mgmt/jdbc20-build-connection-url.html and its list of options.
    """
    host, port, database = (environment[f"REDSHIFT_{part}"] for part in ("HOST", "PORT", "DATABASE"))
    password, bundle = environment["SANDBOX_REDSHIFT_PASSWORD"], environment["REDSHIFT_CA_BUNDLE"]
    return (
        f"# host {host}, port {port}, database {database}, user awsuser, password {password}, CA {bundle}\n"
        f"# jdbc:redshift://{host}:{port}/{database};UID=awsuser;PWD={password};ssl=true;sslmode=verify-full;"
        f"SSLRootCert={bundle}\n"
    )


def _step_functions(settings: Settings, given: str) -> int:
    command = [sys.executable, "-m", "sandbox.aws.execution", "--input", given]
    environment = {"DBT_TARGET": "sandbox", "ARTIFACTS_URL": str(settings.folder / "artifacts")}
    return _run(replace(settings, redshift=True), [*command, "--logs", str(settings.folder / "tasks")], environment)


def _run(settings: Settings, command: list[str], more: Mapping[str, str] = MappingProxyType({})) -> int:
    """Runs a command with everything up; `more` is added to its environment."""
    with everything_up(settings) as environment:
        try:
            process = subprocess.Popen(command, env={**os.environ, **environment, **more})  # noqa: S603 - the user's own
        except OSError as error:
            sys.stderr.write(f"sandbox: cannot run {command[0]}: {error.strerror}\n")
            return 127
        _forward_signals(process)
        code = process.wait()
        return code if code >= 0 else 128 - code


def _forward_signals(process: subprocess.Popen[bytes]) -> None:
    """From here on the process decides what a signal means, and everything stops after it."""

    def forward(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and sys.stdin.isatty():
            return  # the terminal has sent Ctrl-C to the process too: twice would mean something else
        process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)


if __name__ == "__main__":
    sys.exit(main())
