"""The stand-in alone, for any client: `python -m redshift_standin --help`."""

import argparse
import os
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from redshift_standin.errors import StandInError
from redshift_standin.postgres import PostgresServer
from redshift_standin.server.listener import Options, RedshiftServer
from redshift_standin.signatures import AccessKey

_DESCRIPTION = """\
Starts a stand-in of Amazon Redshift on this machine and prints how to connect to it. Ctrl-C stops it; its data stays.
"""

_SETTINGS = """\
settings, from the environment:
  REDSHIFT_PASSWORD     the password of the admin user (default: a new one at each start)
  AWS_ENDPOINT_URL_S3   the S3 server that COPY reads from, such as moto or MinIO (default: none)
  AWS_ACCESS_KEY_ID     with AWS_SECRET_ACCESS_KEY the key that COPY signs with
"""


def main() -> int:
    """Runs the stand-in until it is stopped; returns the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops like Ctrl-C, cleanly
    options = _parser().parse_args()
    folder: Path = options.folder
    key = AccessKey.from_environment(os.environ)
    choices = Options(
        options.port,
        options.database,
        options.user,
        os.environ.get("REDSHIFT_PASSWORD", ""),
        tuple(options.copy_role),
    )
    with suppress(KeyboardInterrupt):
        try:
            with (
                PostgresServer(folder / "postgres") as postgres,
                RedshiftServer(postgres, folder, os.environ.get("AWS_ENDPOINT_URL_S3", ""), key, choices) as server,
            ):
                sys.stdout.write(_lines(server))
                sys.stdout.flush()
                signal.pause()
        except StandInError as error:
            sys.stderr.write(f"redshift_standin: {error}\n")
            return 2
        except OSError as error:
            sys.stderr.write(f"redshift_standin: {error}; choose a folder that can be written to with --folder\n")
            return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m redshift_standin",
        description=_DESCRIPTION,
        epilog=_SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=5439, help="of 127.0.0.1; 0 for any free one (default: 5439)")
    parser.add_argument(
        "--folder", type=Path, default=Path(".redshift-standin"), help="of its data (default: .redshift-standin)"
    )
    parser.add_argument("--database", default="dev", help="the name of its database (default: dev)")
    parser.add_argument("--user", default="awsuser", help="the admin user (default: awsuser)")
    parser.add_argument(
        "--copy-role",
        action="append",
        default=[],
        metavar="ARN",
        help="a role that may COPY, may be repeated (default: each role with the name copy)",
    )
    return parser


def _lines(server: RedshiftServer) -> str:
    """Returns what people and programs need to connect, as a shell takes it."""
    host, port, database, user = server.host, server.port, server.database, server.user
    bundle = server.ca_bundle.resolve()
    password, ca = quote(server.password, safe=""), quote(str(bundle), safe="/")
    return f"""\
export PGHOST={host} PGPORT={port} PGDATABASE={shlex.quote(database)} PGUSER={shlex.quote(user)}
export PGPASSWORD={shlex.quote(server.password)} PGSSLMODE=verify-full PGSSLROOTCERT={shlex.quote(str(bundle))}
# psql:       psql
# JDBC:       jdbc:redshift://{host}:{port}/{database}?ssl=true&sslmode=verify-full&sslrootcert={bundle}
# SQLAlchemy: redshift+psycopg2://{quote(user, safe="")}:{password}@{host}:{port}/{quote(database, safe="")}\
?sslmode=verify-full&sslrootcert={ca}
# The stand-in is up. Ctrl-C stops it.
"""


if __name__ == "__main__":
    sys.exit(main())
