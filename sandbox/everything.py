"""Everything that the sandbox starts, and the settings to connect to it."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from redshift_standin.postgres import ConnectionSettings, PostgresServer
from sandbox.settings import Settings
from sandbox.sources import api, drop, venda

if TYPE_CHECKING:
    from redshift_standin.server.listener import RedshiftServer

ROLES = ("transformer", "reader")  # the roles that dbt grants to; in AWS the set-up of the database creates them


@contextmanager
def everything_up(settings: Settings) -> Iterator[dict[str, str]]:
    """Runs everything that the settings ask for while entered; yields the environment to connect with.

    Raises:
        SandboxError: if the demo in the folder contradicts the settings.
        StandInError: if another process uses the folder, or a server does not start.
    """
    with PostgresServer(settings.folder / "postgres") as server, ExitStack() as stack:
        sources = stack.enter_context(demo_sources(server, settings)) if settings.demo else {}
        yield sources | stack.enter_context(warehouse(server, settings))


@contextmanager
def demo_sources(server: PostgresServer, settings: Settings) -> Iterator[dict[str, str]]:
    """Runs the demo sources while entered, brought to their date; yields the environment to connect with."""
    today = settings.today or venda.last_date(server) or datetime.now().astimezone().date()
    business = venda.bring_forward(server, settings.sales, today)
    drop.bring_forward(settings.folder / "drop", business.category_lists(today))
    with api.serve(api.names(business.employees(today))) as url:
        yield {
            "EMPLOYEES_API_URL": url,
            **source_settings(venda.loader_settings(server)),
            "PARQUET_DROP": str(settings.folder / "drop"),
            "TODAY": today.isoformat(),
        }


def source_settings(postgres: ConnectionSettings) -> dict[str, str]:
    """Returns the settings with which the loaders connect to a Postgres source."""
    return {
        "SOURCE_POSTGRES_HOST": postgres.host,
        "SOURCE_POSTGRES_PORT": str(postgres.port),
        "SOURCE_POSTGRES_DATABASE": postgres.dbname,
        "SOURCE_POSTGRES_USER": postgres.user,
        "SOURCE_POSTGRES_PASSWORD": postgres.password,
        "SOURCE_POSTGRES_SSLMODE": postgres.sslmode,
    }


@contextmanager
def warehouse(postgres: PostgresServer, settings: Settings) -> Iterator[dict[str, str]]:
    """Runs the Redshift stand-in with its S3 and sign-in, if asked for; yields the environment to connect with."""
    if not settings.redshift:
        yield {}
        return
    from redshift_standin.server import redshift_serverless
    from redshift_standin.server.listener import DATABASE, RedshiftServer
    from redshift_standin.signatures import AccessKey
    from sandbox.aws import s3

    key = AccessKey.random()
    with (
        s3.serve(settings.folder / "landing", key) as s3_url,
        RedshiftServer(postgres, settings.folder / "redshift", s3_url, key) as server,
        redshift_serverless.serve(server.temporary_login, server.host, server.port, key) as serverless_url,
    ):
        make_roles(server)
        yield {
            **s3.settings(key),
            "AWS_ENDPOINT_URL_S3": s3_url,
            "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS": serverless_url,
            "LANDING_URL": f"s3://{s3.LANDING}/landing",
            "REDSHIFT_HOST": server.host,
            "REDSHIFT_PORT": str(server.port),
            "REDSHIFT_DATABASE": DATABASE,
            "REDSHIFT_WORKGROUP": redshift_serverless.WORKGROUP,
            "SANDBOX_REDSHIFT_PASSWORD": server.password,  # of awsuser, for people: the pipeline has the workgroup
            "REDSHIFT_COPY_ROLE": "arn:aws:iam::000000000000:role/copy",
            "REDSHIFT_CA_BUNDLE": str(server.ca_bundle),
            # redshift_connector takes its CAs from OpenSSL's places, which these name
            "SSL_CERT_FILE": str(server.ca_bundle),
            "SSL_CERT_DIR": "",
        }


def make_roles(server: "RedshiftServer") -> None:
    """Creates the database roles that do not exist yet."""
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select role_name from svv_roles")
        present = {name for (name,) in cursor.fetchall()}
        for role in ROLES:
            if role not in present:
                cursor.execute(f"create role {role}")


def clean(settings: Settings) -> None:
    """Removes all data of the sandbox, and its folder if nothing else is in it.

    Raises:
        StandInError: if it is running.
    """
    PostgresServer(settings.folder / "postgres").remove()
    for folder in ("drop", "landing", "redshift", "artifacts", "tasks"):
        shutil.rmtree(settings.folder / folder, ignore_errors=True)
    with suppress(OSError):  # missing, or somebody keeps other things in it
        settings.folder.rmdir()
