"""The only module that knows where the warehouse of a DBT_TARGET is and how dlt writes to it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from extract.errors import DAMAGED_FILE, ExtractError
from extract.reading import Limits
from extract.retry import retried
from extract.settings import REGION_NAMES, RedshiftSettings, Settings
from extract.types import LONGEST_BINARY, LONGEST_TEXT, MOST_COLUMNS

# Settings of dlt, which it reads from the environment; they are part of the code.
DLT = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",  # what it retries is no error yet, and what fails is reported in one line
    "RUNTIME__INTERCEPT_SIGNALS": "false",  # dlt forgets one that arrives in the last part of its work
    "SCHEMA__NAMING": "extract.warehouse.naming",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "2",  # rows or batches: 5,000 rows of long texts would be gigabytes
    "NORMALIZE__DATA_WRITER__FILE_MAX_BYTES": str(512 * 1024**2),  # of 64 MB to 1 GB, as COPY likes them
    "DESTINATION__REPLACE_STRATEGY": "insert-from-staging",  # atomic on DuckDB and, without TRUNCATE, on Redshift
    "LOAD__TRUNCATE_STAGING_DATASET": "true",
    "LOAD__RAISE_ON_FAILED_JOBS": "true",
    "LOAD__PARALLELISM_STRATEGY": "table-sequential",  # Redshift serialises COPYs into one table anyway
}

REDSHIFT_LIMITS = Limits(text=LONGEST_TEXT, binary=LONGEST_BINARY, columns=MOST_COLUMNS)

# Memory for counting the keys of a large table, before DuckDB uses the disk.
DUCKDB_QUERY_MEMORY = "200MB"

DUCKDB_HEADERS = 3 * 4096  # bytes of a DuckDB file before its first block

LANDING_LAYOUT = "{table_name}/{load_id}.{file_id}.{ext}"  # below <landing>/<raw schema>/


@contextmanager
def open_warehouse(settings: Settings) -> Iterator["Warehouse"]:
    """Opens the target's warehouse with a work folder of its own, which is removed when it is closed.

    dlt's working folder is new for each run: what a run must remember is in the warehouse, with the rows it belongs
    to. So a run that was killed, or a container that lost its disk, leaves nothing that a later run could use by
    mistake.

    Raises:
        ExtractError: if the work folder cannot be written to.
    """
    os.environ.update(DLT)
    work = settings.work / uuid4().hex
    try:
        work.mkdir(parents=True)
    except OSError as error:
        raise ExtractError(
            f"{settings.work}: expected a folder to write to, got {error}; set EXTRACT_WORK to one with free space "
            "that can be written to. Nothing was done"
        ) from error
    try:
        if settings.redshift:
            opened = Warehouse(
                redshift(settings.redshift),
                work,
                landing(settings.redshift),
                REDSHIFT_LIMITS,
                retry_seconds=settings.retry_seconds,
            )
        else:
            settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
            opened = Warehouse(duckdb(settings.warehouse), work, query_memory=DUCKDB_QUERY_MEMORY)
        try:
            yield opened
        finally:
            opened.release()
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def dbt_environment(settings: Settings) -> Iterator[None]:
    """Sets, while entered, the variables that dbt and AWS's clients read from the environment alone.

    RUN_ID is in the comment of each statement. redshift_connector, dbt's client, has no setting for its CAs: it
    trusts Amazon's and OpenSSL's, which SSL_CERT_FILE names.
    """
    ours = {"RUN_ID": settings.run_id}
    if settings.redshift and os.environ.get("REDSHIFT_CA_BUNDLE"):
        ours["SSL_CERT_FILE"] = str(settings.redshift.ca_bundle)
    with aws_environment(settings), environment(ours):
        yield


@contextmanager
def aws_environment(settings: Settings) -> Iterator[None]:
    """Sets, while entered, the region by both of its names: each client reads another one."""
    with environment(dict.fromkeys(REGION_NAMES, settings.region) if settings.region else {}):
        yield


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets variables of the environment while entered and restores them afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def describe_place(settings: Settings) -> str:
    """Returns where the warehouse is, for people."""
    if settings.redshift:
        return f"redshift://{settings.redshift.host}:{settings.redshift.port}/{settings.redshift.database}"
    return str(settings.warehouse)


def duckdb(file: Path) -> Any:
    """Returns dlt's DuckDB destination.

    Keeping the order in which rows arrive, which no table has, would make it write with one core only.
    https://duckdb.org/docs/stable/guides/performance/how_to_tune_workloads
    """
    import dlt
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    credentials = DuckDbCredentials(str(file))
    credentials.global_config = {"preserve_insertion_order": False}
    return dlt.destinations.duckdb(credentials)


def landing(settings: RedshiftSettings) -> Any:
    """Returns the S3 landing as dlt's staging; every file that was ever loaded stays there."""
    import dlt

    # s3fs would hold ten parts of 50 MB at once.
    return dlt.destinations.filesystem(settings.landing, layout=LANDING_LAYOUT, kwargs={"max_concurrency": 2})


def redshift(settings: RedshiftSettings) -> Any:
    """Returns dlt's Redshift destination, which signs in to a workgroup with credentials fresh at each connection."""
    import dlt
    from dlt.destinations.impl.redshift.configuration import RedshiftCredentials

    from extract.warehouse.redshift_iam import RedshiftIam, WorkgroupCredentials

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
        return RedshiftIam(credentials=filled(WorkgroupCredentials(), address | passing), **options)
    fixed = {"username": settings.user, "password": settings.password}
    return dlt.destinations.redshift(credentials=filled(RedshiftCredentials(), address | fixed), **options)


def filled(credentials: Any, values: Mapping[str, Any]) -> Any:
    """Returns dlt's credentials with these values, which its constructors do not accept."""
    for name, value in values.items():
        setattr(credentials, name, value)
    return credentials


def check_file(path: Path) -> None:
    """Checks that a DuckDB file has all of its blocks; a file that is missing is no fault.

    DuckDB opens one that has lost its end, and fails at the first query that needs a lost block.

    Raises:
        ExtractError: if it is truncated.
        duckdb.Error: if it cannot be opened.
    """
    import duckdb

    # What a killed run left in the log beside the file may count blocks that are not written yet.
    if not path.exists() or path.with_name(f"{path.name}.wal").exists():
        return
    size = path.stat().st_size - DUCKDB_HEADERS
    with duckdb.connect(str(path), read_only=True) as connection:
        ((block, total, used),) = connection.execute(
            "select block_size, total_blocks, used_blocks from pragma_database_size()"
        ).fetchall()
    # Free blocks may be missing at the end of a whole file, as they were never written: then it ends with a block.
    if size < block * used or (size < block * total and size % block):
        raise ExtractError(f"{path}: the file is truncated; {DAMAGED_FILE}")


class Warehouse:
    """A warehouse that dlt can load: its destination, its staging and the folder for work in progress."""

    def __init__(
        self,
        destination: Any,
        work: Path,
        staging: Any = None,
        limits: Limits | None = None,
        query_memory: str | None = None,
        retry_seconds: float = 0,
    ) -> None:
        self.limits = limits or Limits()
        self._query_memory = query_memory
        self._retry_seconds = retry_seconds
        self._session: Any = None
        self._destination = destination
        self._staging = staging
        self._work = work

    def pipeline(self, dataset: str, table: str) -> Any:
        """Returns the pipeline of one table, with its state and schema as the warehouse has them.

        One pipeline per table: a fault, a retry or a schema change in one never touches another.
        """
        import dlt

        pipeline = dlt.pipeline(
            pipeline_name=f"{dataset}_{table}",
            destination=self._destination,
            staging=self._staging,
            dataset_name=dataset,
            pipelines_dir=str(self._work),
        )
        pipeline.sync_destination()
        pipeline._state_restored = True  # run() would query all of it a second time
        return pipeline

    def _client(self) -> Any:
        """Returns the session for queries; opening one takes dlt longer than most queries."""
        if self._session is None:
            import dlt

            self._session = dlt.pipeline(
                "query", destination=self._destination, dataset_name="ops", pipelines_dir=str(self._work)
            ).sql_client()
            try:
                self._session.open_connection()
            except Exception:
                self._session = None
                raise
        return self._session

    def release(self) -> None:
        """Ends the session: DuckDB lets dbt or another client open a file only if nobody else has it open."""
        if self._session is not None:
            session, self._session = self._session, None
            session.close_connection()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query; it is retried after a lost connection."""
        return retried("the warehouse", self._retry_seconds, lambda: self._answer(sql))

    def _answer(self, sql: str) -> list[tuple[Any, ...]]:
        client = self._client()
        try:
            if self._query_memory:
                client.execute_sql(f"set memory_limit = '{self._query_memory}'")
            with client.execute_query(sql) as cursor:
                rows: list[tuple[Any, ...]] = cursor.fetchall()
            if self._query_memory:
                client.execute_sql("reset memory_limit")  # it applies to the whole database, which dlt loads with too
        except Exception:
            self.release()  # with what was set, and with the transaction that failed
            raise
        return rows

    def tables(self) -> set[tuple[str, str]]:
        """Returns schema and name of every table and view."""
        return set(self.query("select table_schema, table_name from information_schema.tables"))

    def execute(self, *statements: str) -> None:
        """Runs statements that return no rows, in one transaction."""
        client = self._client()
        try:
            with client.begin_transaction():
                for sql in statements:
                    client.execute_sql(sql)
        except Exception:
            self.release()
            raise
