"""The only module that knows where the warehouse of a DBT_TARGET is and how dlt writes to it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from extract.disk import find_fault
from extract.errors import DAMAGED_FILE, ExtractError
from extract.reading import Limits
from extract.retry import retried
from extract.settings import REGION_NAMES, DropSettings, Settings
from extract.sql import quote
from extract.types import LONGEST_BINARY, LONGEST_TEXT, MOST_COLUMNS
from extract.warehouse.landing import find_mark

REDSHIFT_LIMITS = Limits(text=LONGEST_TEXT, binary=LONGEST_BINARY, columns=MOST_COLUMNS)

# Memory for counting the keys of a large table, before DuckDB uses the disk.
DUCKDB_QUERY_MEMORY = "200MB"

DUCKDB_HEADERS = 3 * 4096  # bytes of a DuckDB file before its first block

AWS_RETRIES = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "3"}  # some seconds for one request


@contextmanager
def open_warehouse(settings: Settings, *, read_only: bool = False) -> Iterator["Warehouse"]:
    """Opens the target's warehouse with a work folder of its own, which is removed when it is closed.

    dlt's working folder is new for each run: what a run must remember is in the warehouse, with the rows it belongs
    to. So a run that was killed, or a container that lost its disk, leaves nothing that a later run could use by
    mistake. With `read_only` a DuckDB file, which must exist, is opened like that.

    Raises:
        ExtractError: if the work folder cannot be written to.
    """
    from extract.warehouse import destinations

    destinations.configure_dlt()
    work = settings.work / uuid4().hex
    try:
        work.mkdir(parents=True)
    except OSError as error:
        fault = find_fault("EXTRACT_WORK", settings.work)
        fault = (
            fault or f"{settings.work}: expected a folder to write to, got {error}; set EXTRACT_WORK to another place"
        )
        raise ExtractError(f"{fault}. Nothing was done") from error
    try:
        if settings.redshift:
            opened = Warehouse(
                destinations.redshift(settings.redshift),
                work,
                destinations.landing(settings.redshift),
                REDSHIFT_LIMITS,
                landing_url=settings.redshift.landing,
                retry_seconds=settings.retry_seconds,
            )
        else:
            settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
            destination = destinations.duckdb(settings.warehouse, read_only=read_only)
            opened = Warehouse(destination, work, query_memory=DUCKDB_QUERY_MEMORY)
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
    """Sets, while entered, the region by both of its names, as each client reads another one, and few own retries.

    The clients' usual retries would go on for minutes without a word; `retried` logs each of its own.
    """
    ours = {name: value for name, value in AWS_RETRIES.items() if name not in os.environ}
    ours |= dict.fromkeys(REGION_NAMES, settings.region) if settings.region else {}
    with environment(ours):
        if not uses_s3(settings):
            yield
            return
        from extract.warehouse.s3_retries import bounded_s3_retries  # its libraries take half a second

        with bounded_s3_retries(settings.retry_seconds):
            yield


def uses_s3(settings: Settings) -> bool:
    """Returns whether a command may read or write S3."""
    drops = [source.url for source in settings.sources.values() if isinstance(source, DropSettings)]
    return bool(settings.redshift) or any(place.startswith("s3://") for place in (*drops, settings.artifacts or ""))


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


def layer_schema(settings: Settings, layer: str) -> str:
    """Returns the schema of a layer of dbt's models, which on dev has a prefix: macros/generate_schema_name.sql."""
    return f"{os.environ.get('DBT_SCHEMA', '')}_{layer}" if settings.target == "dev" else layer


def describe_place(settings: Settings) -> str:
    """Returns where the warehouse is, for people."""
    if settings.redshift:
        return f"redshift://{settings.redshift.host}:{settings.redshift.port}/{settings.redshift.database}"
    return str(settings.warehouse)


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


def check_blocks(path: Path) -> None:
    """Reads every table of a DuckDB file, so that each block is compared with its checksum.

    Raises:
        duckdb.Error: if a block is damaged.
    """
    import duckdb

    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where not internal"
        ).fetchall()
        for schema, table in tables:
            connection.execute(f"select bit_xor(hash(read)) from {quote(schema)}.{quote(table)} as read").fetchall()


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
        landing_url: str | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.retry_seconds = retry_seconds
        self._query_memory = query_memory
        self._session: Any = None
        self._destination = destination
        self._staging = staging
        self._landing_url = landing_url
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
        return retried("the warehouse", self.retry_seconds, lambda: self._answer(sql))

    def answers(self) -> bool:
        """Returns whether the warehouse answers a query at all, at the first attempt, and its landing too."""
        try:
            if self._landing_url:
                find_mark(self._landing_url)
            self._answer("select 1")
        except Exception:  # noqa: BLE001  whatever it is, the fault before it was reported
            return False
        return True

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

    def literal(self, value: Any) -> str:
        """Returns a value as a literal of this warehouse's SQL; on Redshift a backslash in a text is escaped."""
        return str(self._client().capabilities.escape_literal(value))

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

    def execute_alone(self, sql: str) -> None:
        """Runs a statement that returns no rows and that the warehouse accepts in no transaction."""
        try:
            self._client().execute_sql(sql)
        except Exception:
            self.release()
            raise
