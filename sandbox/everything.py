"""All the sources together, and what a client needs to know of them."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from redshift_standin.postgres import PostgresServer
from sandbox.settings import Settings
from sandbox.sources import api, drop, venda

if TYPE_CHECKING:
    from redshift_standin.server import RedshiftServer

ROLES = ("transformer", "reader")  # those that dbt grants to; the warehouse's set-up makes them


@contextmanager
def everything_up(settings: Settings) -> Iterator[dict[str, str]]:
    """Everything up while entered, brought to the settings' today; gives the environment to connect with.

    Raises:
        SandboxError: the folder is in use, or belongs to a sandbox that these settings contradict.
    """
    with PostgresServer(settings.folder / "postgres") as server:
        business = venda.bring_forward(server, settings.sales, settings.today)
        drop.bring_forward(settings.folder / "drop", business.category_lists(settings.today))
        postgres = venda.loader_settings(server)
        with api.serve(api.names(business.employees(settings.today))) as url, warehouse(server, settings) as redshift:
            yield {
                "EMPLOYEES_API_URL": url,
                "SOURCE_POSTGRES_HOST": postgres.host,
                "SOURCE_POSTGRES_PORT": str(postgres.port),
                "SOURCE_POSTGRES_DATABASE": postgres.dbname,
                "SOURCE_POSTGRES_USER": postgres.user,
                "SOURCE_POSTGRES_PASSWORD": postgres.password,
                "SOURCE_POSTGRES_SSLMODE": postgres.sslmode,
                "PARQUET_DROP": str(settings.folder / "drop"),
                "TODAY": settings.today.isoformat(),
                **redshift,
            }


@contextmanager
def warehouse(postgres: PostgresServer, settings: Settings) -> Iterator[dict[str, str]]:
    """The Redshift stand-in with its S3 and sign-in, if the settings ask for it; gives the environment to connect."""
    if not settings.redshift:
        yield {}
        return
    from redshift_standin import redshift_serverless
    from redshift_standin.server import DATABASE, RedshiftServer
    from sandbox.aws import s3

    with (
        s3.serve(settings.folder / "landing") as s3_url,
        RedshiftServer(postgres, settings.folder / "redshift", s3_url) as server,
        redshift_serverless.serve(server.temporary_login, server.host, server.port) as serverless_url,
    ):
        make_roles(server)
        yield {
            **s3.KEYS,
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
    """Makes the database roles that are not there yet."""
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select role_name from svv_roles")
        present = {name for (name,) in cursor.fetchall()}
        for role in ROLES:
            if role not in present:
                cursor.execute(f"create role {role}")


def clean(settings: Settings) -> None:
    """Remove all data of the sandbox, and its folder if nothing else is in it.

    Raises:
        SandboxError: it is up.
    """
    PostgresServer(settings.folder / "postgres").remove()
    for folder in ("drop", "landing", "redshift", "artifacts", "tasks"):
        shutil.rmtree(settings.folder / folder, ignore_errors=True)
    with suppress(OSError):  # absent, or somebody keeps other things in it
        settings.folder.rmdir()
