"""Checks of everything that the pipeline needs: `python -m extract doctor`.

Each check uses the real thing and changes nothing, except that of the landing, which writes a file of its own and
deletes it. A check that fails says how to fix it, and the others are still made.
"""

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from uuid import uuid4

from extract import interrupt
from extract.checks.check import Check
from extract.declarations import ApiTable, Declarations, ParquetTable, PostgresTable, RestTable, Source
from extract.disk import find_fault
from extract.errors import ExtractError, SettingsError, join_notes, reason
from extract.load.clock import check_clock
from extract.reading import Limits
from extract.settings import ApiSettings, DropSettings, PostgresSettings, RestSettings, Settings, read_settings
from extract.warehouse.targets import aws_environment, check_blocks, check_file, layer_schema

if TYPE_CHECKING:
    from extract.warehouse.targets import Warehouse

PACKAGES = (
    "dbt-core", "dbt-duckdb", "dbt-redshift", "redshift-connector", "psycopg2-binary", "dlt", "duckdb",
    "adbc-driver-postgresql", "pyarrow",
)  # fmt: skip


def examine(declarations: Declarations) -> list[Check]:
    """Returns the results of all checks."""
    checks = [Check("versions", ok=True, found=versions())]
    looks = {"api": api, "postgres": postgres, "parquet": drop, "rest_api": rest_api}
    for source in declarations.sources:
        look = partial(looks[source.kind], source=source, declarations=declarations.select([source.name]))
        # On the target that needs no settings, so that the warehouse's are not reported with each source.
        checks += looked_at(source.name, [source], os.environ | {"DBT_TARGET": "local"}, look)
    checks += looked_at("warehouse", [], os.environ, partial(warehouse, declarations=declarations))
    if not any(check.what == "warehouse: settings" for check in checks):
        checks += looked_at("dbt", [], os.environ, dbt)
    return checks


def looked_at(
    what: str, sources: Sequence[Source], environment: Mapping[str, str], look: Callable[[Settings], Iterator[Check]]
) -> list[Check]:
    """Returns the checks of one thing; if its settings are wrong or it fails, one check with the reason."""
    checks: list[Check] = []
    secrets: tuple[str, ...] = ()
    try:
        settings = read_settings(sources, environment)
        secrets = settings.secrets
        with aws_environment(settings):
            checks += look(settings)
    except SettingsError as error:
        checks.append(Check(f"{what}: settings", ok=False, found=str(error)))
    except Exception as error:  # noqa: BLE001  the next thing is checked all the same
        interrupt.check(error)
        checks.append(Check(what, ok=False, found=reason(what, error, secrets)))
    return checks


def versions() -> str:
    """Returns the versions of Python and of the packages that matter, of those that are installed."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # the container has no DuckDB
            continue
    return ", ".join(found)


def api(settings: Settings, source: Source, declarations: Declarations) -> Iterator[Check]:
    """Checks that the API answers the first id of every table with a name, or as it answers an unknown id."""
    from extract.sources.api import ask, open_client

    address = settings.of(source, ApiSettings)
    for table in declarations.tables:
        assert isinstance(table, ApiTable)  # noqa: S101  of its kind
        try:
            with open_client(address, attempts=1) as client:
                value = ask(client, table, address, 1)
        except ExtractError as error:
            interrupt.check(error)
            yield Check(table.full_name, ok=False, found=str(error))
            continue
        answer = "with a name" if value else "no such id"
        yield Check(table.full_name, ok=True, found=f"{urljoin(address.url, table.path)}?id=1 answers {answer}")


def rest_api(settings: Settings, source: Source, declarations: Declarations) -> Iterator[Check]:
    """Checks that the API accepts the sign-in and answers the first page of every list, and that its rows fit."""
    import pyarrow as pa

    from extract.sources.rest_api.pages import read_pages
    from extract.sources.rest_api.rows import Rows

    address = settings.of(source, RestSettings)
    for table in declarations.tables:
        assert isinstance(table, RestTable)  # noqa: S101  of its kind
        try:
            page = next(read_pages(table, address, attempts=1))
            rows = Rows(table, Limits())
            letters = pa.Table.from_batches([one for _, one in rows.convert_all(page.rows)], rows.letter_schema)
        except ExtractError as error:
            interrupt.check(error)
            yield Check(table.full_name, ok=False, found=str(error).removesuffix(". Nothing was loaded"))
            continue
        more = "no further page" if page.is_last else "more pages follow"
        found = f"{len(page.rows)} rows on the first page, {more}; mode {table.mode}"
        if letters.num_rows:
            found += f"; {letters.num_rows} rows do not fit, such as: {letters['reason'][0].as_py()}"
        yield Check(table.full_name, ok=not letters.num_rows, found=found)


def postgres(settings: Settings, source: Source, declarations: Declarations) -> Iterator[Check]:
    """Checks that the user can sign in to the database, and that every declared table can be read."""
    from extract.sources.postgres.session import connect, one
    from extract.sources.postgres.snapshot import read_columns

    address = settings.of(source, PostgresSettings)
    with connect(address) as connection, connection.cursor() as cursor:
        (server,) = one(cursor, "select current_setting('server_version')")
        yield Check(source.name, ok=True, found=f"signed in as {address.user}, PostgreSQL {server}")
        for table in declarations.tables:
            assert isinstance(table, PostgresTable)  # noqa: S101  of its kind
            try:
                columns = read_columns(cursor, table, address)
                yield Check(table.full_name, ok=True, found=f"{len(columns)} columns, mode {table.mode}")
            except ExtractError as error:
                yield Check(table.full_name, ok=False, found=str(error))


def drop(settings: Settings, source: Source, declarations: Declarations) -> Iterator[Check]:
    """Checks that the drop can be listed and has valid files for every declared table."""
    from extract.sources.parquet.files import Drop
    from extract.sources.parquet.read import ParquetRead

    found = Drop.open(settings.of(source, DropSettings).url, source).files()
    names = tuple(table.name for table in declarations.tables)
    for table in declarations.tables:
        assert isinstance(table, ParquetTable)  # noqa: S101  of its kind
        try:
            dates, faults = ParquetRead(table, names).choose(found)
        except ExtractError as error:
            yield Check(table.full_name, ok=False, found=str(error))
            continue
        misplaced = join_notes([f"{daily.place}: {fault}" for daily, fault in faults])
        newest = max((daily.folder for daily in dates), default="none")
        files = sum(len(daily.files) for daily in dates)
        yield Check(table.full_name, not faults, misplaced or f"{files} files, the newest of {newest}")


def warehouse(settings: Settings, declarations: Declarations) -> Iterator[Check]:
    """Checks that the user can sign in and write to the warehouse of DBT_TARGET."""
    fault = find_fault("EXTRACT_WORK", settings.work)
    yield Check("work folder", not fault, fault or f"{settings.work} can be written to")
    if settings.redshift is None:
        yield duckdb_file(settings)
        return
    yield landing(settings)
    yield from redshift(settings, declarations)


def duckdb_file(settings: Settings) -> Check:
    """Checks that the DuckDB file is whole, if there is one, and that it and its folder can be written to."""
    path = settings.warehouse
    if fault := find_fault("WAREHOUSE_PATH", path.parent) or find_fault("WAREHOUSE_PATH", path):
        return Check("warehouse", ok=False, found=fault)
    if path.exists():
        import duckdb

        duckdb.connect(str(path), read_only=True).close()  # a file with a log too
        check_file(path)
        check_blocks(path)
        check_clock(settings)
        return Check("warehouse", ok=True, found=f"{path} opens")
    return Check("warehouse", ok=True, found=f"{path} will be created by the first run")


def landing(settings: Settings) -> Check:
    """Checks that the landing belongs to this target, that a file can be written, read and deleted, and the clock."""
    import fsspec
    from botocore.exceptions import BotoCoreError

    from extract.warehouse.landing import what_is_mixed_up, what_to_do

    assert settings.redshift  # noqa: S101  asked for by the target
    url = f"{settings.redshift.landing}/_doctor/{uuid4()}"
    fs, path = fsspec.core.url_to_fs(url)
    try:
        fs.pipe_file(path, b"doctor")
        same = fs.cat_file(path) == b"doctor"
        fs.rm_file(path)
        if fault := what_is_mixed_up(settings):
            return Check("landing", ok=False, found=fault)
        check_clock(settings)
    except (OSError, BotoCoreError) as error:
        return Check("landing", ok=False, found=f"{settings.redshift.landing}: {error}; {what_to_do(error)}")
    return Check("landing", ok=same, found=f"{settings.redshift.landing}: written, read, deleted")


def redshift(settings: Settings, declarations: Declarations) -> Iterator[Check]:
    """Checks sign-in over TLS, snapshot isolation, the roles, and what the user is granted."""
    from extract.warehouse import targets

    address = settings.redshift
    assert address  # noqa: S101  asked for by the target
    with targets.open_warehouse(settings) as target:
        ((user, server),) = target.query("select current_user, version()")
        yield Check("warehouse", ok=True, found=f"{targets.describe_place(settings)} as {user}, {server}")
        yield from each(
            {
                "isolation": lambda: isolation(target, address.database),
                "roles": lambda: roles(target, address.granted_roles, user),
                "grants": lambda: grants(target, settings, declarations, user),
            },
            settings,
        )


def dbt(settings: Settings) -> Iterator[Check]:
    """Checks through dbt that it signs in to the warehouse and writes to the schemas of its target alone."""
    from extract.checks import dbt_setup
    from extract.warehouse.targets import dbt_environment

    looks: dict[str, Callable[[], Check]] = {}
    if settings.redshift:  # DuckDB has no sign-in, and dbt would create a missing file
        looks["dbt signs in"] = lambda: dbt_setup.signs_in(settings)
    looks["dbt schemas"] = lambda: dbt_setup.schemas(settings)
    with dbt_environment(settings):
        yield from each(looks, settings)


def each(looks: Mapping[str, Callable[[], Check]], settings: Settings) -> Iterator[Check]:
    """Yields the result of each check; one that raises an error is a failed check."""
    for what, look in looks.items():
        try:
            yield look()
        except Exception as error:  # noqa: BLE001  the next thing is checked all the same
            interrupt.check(error)
            yield Check(what, ok=False, found=reason(what, error, settings.secrets))


def isolation(target: "Warehouse", database: str) -> Check:
    """Checks that the database uses snapshot isolation."""
    levels = target.query(f"select isolation_level from stv_db_isolation_level where db_name = '{database}'")
    level = str(levels[0][0]).strip() if levels else "unknown"
    if level.lower().startswith("snapshot"):
        return Check("isolation", ok=True, found=f"level {level}")
    fix = f"alter database {database} isolation level snapshot, or concurrent loads fail with error 1023"
    return Check("isolation", ok=False, found=f"level {level}; {fix}")


def roles(target: "Warehouse", expected: Sequence[str], user: str) -> Check:
    """Checks that the roles that dbt grants to exist; only a superuser sees roles other than its own."""
    ((sees_all,),) = target.query("select usesuper from pg_user where usename = current_user")
    present = {name for (name,) in target.query("select role_name from svv_roles")}
    own = sorted(
        name for (name,) in target.query("select role_name from svv_user_grants where user_name = current_user")
    )
    missing = [role for role in expected if role not in present] if sees_all else []
    found = f"{user} is in {', '.join(own) or 'no role'}; "
    if missing:
        fix = "; ".join(f"create role {role}" for role in missing)
        found += f"expected the roles {', '.join(expected)}, {', '.join(missing)} missing: {fix}"
    else:
        found += f"{', '.join(expected)} present" if sees_all else "others are not shown to it"
    return Check("roles", not missing, found)


def grants(target: "Warehouse", settings: Settings, declarations: Declarations, user: str) -> Check:
    """Checks that the user may load (write the raw schemas), build (read them, write dbt's schemas), or both."""
    assert settings.redshift  # noqa: S101  asked for by the target
    raw = [*(source.dataset for source in declarations.sources), "ops"]
    layers = [layer_schema(settings, layer) for layer in ("bronze", "silver", "gold")]
    database = settings.redshift.database
    ((may_create,),) = target.query(f"select has_database_privilege(current_user, '{database}', 'create')")
    existing = {name for (name,) in target.query("select nspname from pg_namespace")}

    def lacking(privilege: str, schemas: Sequence[str]) -> list[str]:
        lacks = []
        for schema in schemas:
            if schema not in existing:
                lacks += [] if may_create else [f"create on database {database} (there is no schema {schema})"]
            elif not target.query(f"select has_schema_privilege(current_user, '{schema}', '{privilege}')")[0][0]:
                lacks.append(f"{privilege} on schema {schema}")
        return lacks

    to_load = lacking("create", raw)
    to_build = lacking("usage", raw) + lacking("create", layers)
    works = [work for work, lacks in (("load", to_load), ("build", to_build)) if not lacks]
    if works:
        return Check("grants", ok=True, found=f"{user} may {' and '.join(works)}")
    found = (
        f"{user} may neither load nor build; to load, grant it {', '.join(to_load)}; to build, {', '.join(to_build)}"
    )
    return Check("grants", ok=False, found=found)
