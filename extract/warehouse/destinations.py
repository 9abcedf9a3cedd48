"""dlt: its settings, and the destinations that it loads.

Temporary credentials are asked for afresh at each connection. dlt 1.31 knows a fixed user and password only. Those of
Redshift Serverless live for 900 to 3,600 seconds
(https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html), less than a long run,
and a credentials object of a subclass is coerced back by dlt unless the destination's configuration declares it.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import dlt
from dlt.common.configuration import configspec
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials
from dlt.destinations.impl.redshift.configuration import RedshiftClientConfiguration, RedshiftCredentials

from extract.settings import RedshiftSettings

DLT_SETTINGS: dict[str, dict[str, Any]] = {
    "runtime": {
        "dlthub_telemetry": False,
        "log_level": "CRITICAL",  # what it retries is no error yet, and what fails is reported in one line
        "intercept_signals": False,  # dlt forgets one that arrives in the last part of its work
    },
    "schema": {"naming": "extract.warehouse.naming"},
    "data_writer": {"buffer_max_items": 2},  # rows or batches: 5,000 rows of long texts would be gigabytes
    "normalize": {
        "parquet_normalizer": {"add_dlt_load_id": True},
        "data_writer": {"file_max_bytes": 512 * 1024**2},  # of 64 MB to 1 GB, as COPY likes them
    },
    "destination": {"replace_strategy": "insert-from-staging"},  # atomic on DuckDB and, without TRUNCATE, on Redshift
    "load": {
        "truncate_staging_dataset": True,
        "raise_on_failed_jobs": True,
        "raise_on_max_retries": 2,  # the loaders retry the whole load, for as long as RETRY_SECONDS says
        "parallelism_strategy": "table-sequential",  # Redshift serialises COPYs into one table anyway
    },
}

LANDING_LAYOUT = "{table_name}/{load_id}.{file_id}.{ext}"  # below <landing>/<raw schema>/


def configure_dlt() -> None:
    """Makes dlt read its settings from here, and from no environment and no file.

    They are part of the code: a variable that is set for something else changes no load. To look each of them up in
    the environment takes dlt a seventh of the time of a small load.
    """
    context = Container()[PluggableRunContext]
    context.providers = ConfigProvidersContainer([CustomLoaderDocProvider("the loaders", lambda: DLT_SETTINGS)])
    context.initialize_runtime()  # which took its settings from the environment when dlt was imported


class KnownDestination:
    """A destination with explicit credentials, whose capabilities follow from a configuration that never changes.

    dlt would resolve it some twenty times in a load, which is another seventh of the time of a small one.
    """

    spec: Any
    config_params: dict[str, Any]

    @cached_property
    def _configuration(self) -> Any:
        blank = self.spec(credentials=self.config_params["credentials"].copy())
        return self.configuration(blank, accept_partial=True)  # type: ignore[attr-defined]

    def capabilities(self, config: Any = None, naming: Any = None) -> Any:
        """Returns what the destination can do, as dlt's own destination says."""
        return super().capabilities(config or self._configuration, naming)  # type: ignore[misc]


class DuckDb(KnownDestination, dlt.destinations.duckdb):
    """dlt's DuckDB destination."""

    destination_type = "dlt.destinations.duckdb"

    @property
    def client_class(self) -> Any:
        """The client, whose module imports DuckDB; the image does not contain it."""
        from extract.warehouse.duckdb_files import FilesClient

        return FilesClient


class Redshift(KnownDestination, dlt.destinations.redshift):
    """dlt's Redshift destination."""

    destination_type = "dlt.destinations.redshift"


@configspec(init=False)
class WorkgroupCredentials(RedshiftCredentials):
    """Credentials that are those of this process's own AWS identity in a Serverless workgroup."""

    workgroup: str = None  # type: ignore[assignment]  # dlt's configspecs default to None

    def to_native_representation(self) -> str:
        """Returns the connection string of one connection, with credentials that begin to live now.

        Raises:
            botocore.exceptions.ClientError: if AWS refuses them.
        """
        import boto3

        answer = boto3.client("redshift-serverless").get_credentials(
            workgroupName=self.workgroup, dbName=self.database, durationSeconds=900
        )
        self.username, self.password = answer["dbUser"], answer["dbPassword"]
        return super().to_native_representation()


@configspec
class WorkgroupConfiguration(RedshiftClientConfiguration):
    """The destination's configuration, which declares the credentials so that dlt keeps them."""

    credentials: WorkgroupCredentials = None  # type: ignore[assignment]


class RedshiftWorkgroup(Redshift):
    """dlt's Redshift destination for a workgroup's temporary credentials."""

    spec = WorkgroupConfiguration  # type: ignore[assignment]  # narrower, as dlt resolves it


def duckdb(file: Path, *, read_only: bool = False) -> Any:
    """Returns dlt's DuckDB destination.

    Keeping the order in which rows arrive, which no table has, would make it write with one core only.
    https://duckdb.org/docs/stable/guides/performance/how_to_tune_workloads
    """
    credentials = DuckDbCredentials(str(file), read_only=read_only)
    credentials.global_config = {"preserve_insertion_order": False}
    return DuckDb(credentials)


def landing(settings: RedshiftSettings) -> Any:
    """Returns the S3 landing as dlt's staging; every file that was ever loaded stays there."""
    # s3fs would hold ten parts of 50 MB at once.
    return dlt.destinations.filesystem(settings.landing, layout=LANDING_LAYOUT, kwargs={"max_concurrency": 2})


def redshift(settings: RedshiftSettings) -> Any:
    """Returns dlt's Redshift destination, which signs in to a workgroup with credentials fresh at each connection."""
    address: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "database": settings.database,
        "query": {
            "sslmode": "verify-full", "sslrootcert": str(settings.ca_bundle), "application_name": "extract",
            "keepalives_idle": "60", "keepalives_interval": "30", "keepalives_count": "5",
        },
    }  # fmt: skip
    options: dict[str, Any] = {
        "staging_iam_role": settings.copy_role,
        "truncate_tables_on_staging_destination_before_load": False,  # the landing is immutable
        # Redshift's TRUNCATE commits at once: a load that failed after it would leave the table empty.
        "supports_truncate_command": False,
    }
    if settings.workgroup:
        # dlt requires a user and a password; these are replaced at each connection.
        passing = {"username": "workgroup", "password": "temporary", "workgroup": settings.workgroup}
        return RedshiftWorkgroup(credentials=filled(WorkgroupCredentials(), address | passing), **options)
    fixed = {"username": settings.user, "password": settings.password}
    return Redshift(credentials=filled(RedshiftCredentials(), address | fixed), **options)


def filled(credentials: Any, values: Mapping[str, Any]) -> Any:
    """Returns dlt's credentials with these values, which its constructors do not accept."""
    for name, value in values.items():
        setattr(credentials, name, value)
    return credentials
