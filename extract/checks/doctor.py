"""Whether everything the pipeline needs is there: `python -m extract doctor`.

Each check asks the real thing and changes nothing; the landing's is the exception that must write to know: a file of
its own, which it deletes again. One that fails says how to mend it, and stops no other.
"""

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from extract import interrupt
from extract.checks.check import Check
from extract.errors import ExtractError, SettingsError, reason
from extract.settings import SOURCES, Settings, read_settings
from extract.warehouse.targets import aws_environment, check_file

if TYPE_CHECKING:
    from extract.warehouse.targets import Warehouse

PACKAGES = (
    "dbt-core", "dbt-duckdb", "dbt-redshift", "redshift-connector", "psycopg2-binary", "dlt", "duckdb",
    "adbc-driver-postgresql", "pyarrow",
)  # fmt: skip


def examine() -> list[Check]:
    """Returns every check, each made whether or not others failed."""
    checks = [Check("versions", ok=True, found=versions())]
    looks: dict[str, Callable[[Settings], Iterator[Check]]] = {"api": api, "postgres": postgres, "parquet": drop}
    for source in SOURCES:
        # On the target that needs no settings, so that the warehouse's are not asked for with each source.
        checks += looked_at(source, [source], os.environ | {"DBT_TARGET": "local"}, looks[source])
    checks += looked_at("warehouse", [], os.environ, warehouse)
    if not any(check.what == "warehouse: settings" for check in checks):
        checks += looked_at("dbt", [], os.environ, dbt)
    return checks


def looked_at(
    what: str, sources: list[str], environment: Mapping[str, str], look: Callable[[Settings], Iterator[Check]]
) -> list[Check]:
    """Returns the checks of one thing; if its settings are wrong or it breaks, the one check that says so."""
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


def api(settings: Settings) -> Iterator[Check]:
    """The employees API answers its first id with a name, or with its text for an unknown one."""
    from extract.sources.api import TABLES, ask, client

    assert settings.api  # noqa: S101  read_settings gives what a source needs
    name = ask(client(settings.api, attempts=1), TABLES[0], settings.api, 1)
    yield Check("api", ok=True, found=f"{settings.api.url}?id=1 answers {'with a name' if name else 'no such id'}")


def postgres(settings: Settings) -> Iterator[Check]:
    """The sales database lets the user in, and every declared table can be read and has its columns."""
    from extract.sources.postgres.session import connect, one
    from extract.sources.postgres.table import TABLES

    assert settings.postgres  # noqa: S101  read_settings gives what a source needs
    with connect(settings.postgres) as connection, connection.cursor() as cursor:
        (server,) = one(cursor, "select current_setting('server_version')")
        yield Check("postgres", ok=True, found=f"signed in as {settings.postgres.user}, PostgreSQL {server}")
        for table in TABLES:
            try:
                columns = table.source_columns(cursor, settings.postgres)
                yield Check(f"postgres.{table.name}", ok=True, found=f"{len(columns)} columns, mode {table.mode}")
            except ExtractError as error:
                yield Check(f"postgres.{table.name}", ok=False, found=str(error))


def drop(settings: Settings) -> Iterator[Check]:
    """The drop can be listed and has files for every declared table."""
    from extract.sources.parquet import TABLES, Drop

    assert settings.drop  # noqa: S101  read_settings gives what a source needs
    found = Drop.open(settings.drop.url).files()
    for table in TABLES:
        try:
            files, faults = table.choose(found)
        except ExtractError as error:
            yield Check(f"parquet.{table.name}", ok=False, found=str(error))
            continue
        misplaced = "; ".join(f"{file.path}: {fault}" for file, fault in faults)
        newest = max((file.folder for file in files), default="none")
        yield Check(f"parquet.{table.name}", not faults, misplaced or f"{len(files)} files, the newest of {newest}")


def warehouse(settings: Settings) -> Iterator[Check]:
    """The warehouse of DBT_TARGET can be signed in to and written to."""
    if settings.redshift is None:
        yield duckdb_file(settings.warehouse)
        return
    yield landing(settings)
    yield from redshift(settings)


def duckdb_file(path: Path) -> Check:
    """The DuckDB file can be opened, or its folder written to where there is none yet."""
    if path.exists():
        import duckdb

        duckdb.connect(str(path), read_only=True).close()  # a file with a log too
        check_file(path)
        return Check("warehouse", ok=True, found=f"{path} opens")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if os.access(folder, os.W_OK):
        return Check("warehouse", ok=True, found=f"{path} will be made by the first run")
    return Check(
        "warehouse", ok=False, found=f"{path}: {folder} is not writable; set WAREHOUSE_PATH to another place"
    )


def landing(settings: Settings) -> Check:
    """The landing is this target's; a file can be written to it, read back and deleted."""
    import fsspec
    from botocore.exceptions import BotoCoreError

    from extract.warehouse.landing import what_is_mixed_up

    assert settings.redshift  # noqa: S101  asked for by the target
    url = f"{settings.redshift.landing}/_doctor/{uuid4()}"
    fs, path = fsspec.core.url_to_fs(url)
    try:
        fs.pipe_file(path, b"doctor")
        same = fs.cat_file(path) == b"doctor"
        fs.rm_file(path)
        if fault := what_is_mixed_up(settings):
            return Check("landing", ok=False, found=fault)
    except (OSError, BotoCoreError) as error:
        return Check(
            "landing", ok=False, found=f"{settings.redshift.landing}: {error}; check LANDING_URL and the role"
        )
    return Check("landing", ok=same, found=f"{settings.redshift.landing}: written, read, deleted")


def redshift(settings: Settings) -> Iterator[Check]:
    """The workgroup lets the user in over TLS, isolates by snapshot, has the roles, and lets the user do its work."""
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
                "grants": lambda: grants(target, settings, user),
            },
            settings,
        )


def dbt(settings: Settings) -> Iterator[Check]:
    """dbt, asked itself, signs in to the warehouse and writes to the schemas of its target and of nobody else."""
    from extract.checks import dbt_setup
    from extract.warehouse.targets import dbt_environment

    looks: dict[str, Callable[[], Check]] = {}
    if settings.redshift:  # to a file nobody signs in, and dbt would make one that is missing
        looks["dbt signs in"] = lambda: dbt_setup.signs_in(settings)
    looks["dbt schemas"] = lambda: dbt_setup.schemas(settings)
    with dbt_environment(settings):
        yield from each(looks, settings)


def each(looks: Mapping[str, Callable[[], Check]], settings: Settings) -> Iterator[Check]:
    """Gives the check of each look; one that breaks says so and the next is looked at all the same."""
    for what, look in looks.items():
        try:
            yield look()
        except Exception as error:  # noqa: BLE001  the next thing is checked all the same
            interrupt.check(error)
            yield Check(what, ok=False, found=reason(what, error, settings.secrets))


def isolation(target: "Warehouse", database: str) -> Check:
    """The database isolates by snapshot."""
    levels = target.query(f"select isolation_level from stv_db_isolation_level where db_name = '{database}'")
    level = str(levels[0][0]).strip() if levels else "unknown"
    if level.lower().startswith("snapshot"):
        return Check("isolation", ok=True, found=f"level {level}")
    mend = f"alter database {database} isolation level snapshot, or concurrent loads fail with error 1023"
    return Check("isolation", ok=False, found=f"level {level}; {mend}")


def roles(target: "Warehouse", expected: Sequence[str], user: str) -> Check:
    """The roles that dbt grants to are there, as far as this user sees roles: but for superusers, its own alone."""
    ((sees_all,),) = target.query("select usesuper from pg_user where usename = current_user")
    present = {name for (name,) in target.query("select role_name from svv_roles")}
    own = sorted(
        name for (name,) in target.query("select role_name from svv_user_grants where user_name = current_user")
    )
    missing = [role for role in expected if role not in present] if sees_all else []
    found = f"{user} is in {', '.join(own) or 'no role'}; "
    if missing:
        mend = "; ".join(f"create role {role}" for role in missing)
        found += f"expected the roles {', '.join(expected)}, {', '.join(missing)} missing: {mend}"
    else:
        found += f"{', '.join(expected)} present" if sees_all else "others are not shown to it"
    return Check("roles", not missing, found)


def grants(target: "Warehouse", settings: Settings, user: str) -> Check:
    """The user may load, by writing the raw schemas, or build, by reading these and writing dbt's; or both."""
    from extract.sources import TABLES

    assert settings.redshift  # noqa: S101  asked for by the target
    prefix = f"{os.environ.get('DBT_SCHEMA', '')}_" if settings.target == "dev" else ""
    raw = [*dict.fromkeys(f"raw_{table.source}" for table in TABLES), "ops"]
    layers = [f"{prefix}{layer}" for layer in ("bronze", "silver")]
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
