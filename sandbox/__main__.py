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
from types import FrameType

from redshift_standin.errors import StandInError
from sandbox.errors import SandboxError
from sandbox.settings import TARGETS, Settings, has_own_sources

_DESCRIPTION = """\
Everything the pipeline talks to, on this machine: a PostgreSQL server with the table public.venda, the employees API
and the Parquet drop folder, with the data of an invented business.
"""

_SETTINGS = """\
settings, from the environment:
  SANDBOX_DIR    folder of its data (default: .local/sandbox)
  SANDBOX_SALES  number of sales in a new demo (default: 100000)
  TODAY          the date to bring the demo to, such as 2026-03-31; not before its last date
                 (default: its last date; of a new demo, the current date)
  DBT_TARGET     sandbox: also a stand-in of Redshift and an S3 server

`run` starts the demo sources only for DBT_TARGET local and sandbox, and only if no source of your own is set
(EMPLOYEES_API_URL, SOURCE_POSTGRES_…, PARQUET_DROP).
"""


def main() -> int:
    """Runs the command that the arguments name; returns the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops like Ctrl-C, cleanly
    arguments = _parser().parse_args()
    try:
        match arguments.action:
            case "up":
                return _up(Settings.from_environment(os.environ))
            case "run":
                return _run(arguments.command, os.environ)
            case "stepfunctions":
                return _step_functions(arguments.input, arguments.words)
            case _:
                from sandbox.everything import clean

                clean(Settings.from_environment(os.environ))
                return 0
    except (SandboxError, StandInError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"sandbox: {error}; set SANDBOX_DIR to a folder with room that can be written to\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("sandbox: stopped\n")
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description=_DESCRIPTION,
        epilog=_SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("up", help="start everything, print the settings to connect with, stop on Ctrl-C")
    run = actions.add_parser("run", help="start what a command needs, run it with the settings set, stop")
    run.add_argument("command", nargs="+", metavar="COMMAND", help="after --, the command and its arguments")
    execution = actions.add_parser(
        "stepfunctions", help="run the pipeline as its state machine on AWS does, against the stand-in of Redshift"
    )
    what = execution.add_mutually_exclusive_group()
    what.add_argument("--input", default="{}", metavar="JSON", help='such as \'{"sources": ["postgres"]}\'')
    what.add_argument(
        "--command", dest="words", metavar="COMMAND", help="a command of the loaders, such as 'reconcile'"
    )
    actions.add_parser("clean", help="remove the sandbox's data")
    return parser


def _up(settings: Settings) -> int:
    from sandbox.everything import everything_up

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


def _step_functions(given: str, words: str | None) -> int:
    settings = Settings.from_environment(os.environ)
    what = ["--command", words] if words else ["--input", given]
    command = [sys.executable, "-m", "sandbox.aws.execution", *what, "--logs", str(settings.folder / "tasks")]
    return _run(command, os.environ | {"DBT_TARGET": "sandbox", "ARTIFACTS_URL": str(settings.folder / "artifacts")})


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    """Runs a command with what it needs started: the demo sources, the stand-in of the warehouse, both or neither.

    The demo sources exist for two targets, and only if no source of the user's own is set. So they can neither be
    loaded into another warehouse nor replace a setting.
    """
    target = environment.get("DBT_TARGET") or "local"
    names = _declared_settings()
    own = has_own_sources(environment, names)
    if target not in TARGETS or (own and target == "local"):
        return _run_command(command, environment)
    drops = sorted(name for name in names if name.endswith("_DROP") and environment.get(name, "").startswith("s3://"))
    if own and drops:
        raise SandboxError(
            f"{drops[0]} is on S3, which the target sandbox replaces with a server on this machine: name a folder"
        )
    from sandbox.everything import everything_up

    with everything_up(replace(Settings.from_environment(environment), demo=not own)) as started:
        return _run_command(command, {**environment, **started})


def _declared_settings() -> frozenset[str]:
    """Returns the names of the settings of the declared sources; none if the declarations are wrong.

    The command itself says what is wrong with them.
    """
    from deploy.errors import DeployError
    from deploy.sources import declared_sources, setting_names

    with suppress(DeployError):
        return setting_names(declared_sources())
    return frozenset()


def _run_command(command: list[str], environment: Mapping[str, str]) -> int:
    """Runs a command, forwards signals to it, and returns its exit code as a shell would."""
    arrived: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def forward(number: int, _frame: FrameType | None) -> None:
        if process is None:
            arrived.append(number)
        elif not (number == signal.SIGINT and sys.stdin.isatty()):
            # The terminal has sent Ctrl-C to the process too; a second one would mean something else.
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    try:
        process = subprocess.Popen(command, env=environment)  # noqa: S603  the user's own command
    except OSError as error:
        sys.stderr.write(f"sandbox: cannot run {command[0]}: {error.strerror}\n")
        return 127
    for early in arrived:  # while the process was being started
        process.send_signal(early)
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
