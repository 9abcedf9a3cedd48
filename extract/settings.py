"""Everything configurable, read from the environment and checked once.

Everything that is missing or wrong is reported together, and only for the sources that are asked for. Each source has
settings under a prefix of its own. `.env.example` lists names and defaults.
"""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus
from uuid import uuid4

from extract.declarations import Source
from extract.errors import SettingsError
from extract.rest_endpoint import credentials

TARGETS = ("local", "sandbox", "dev", "prod")
REGION_NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION")  # dbt's profile goes by the first, boto3 by the second
REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

T = TypeVar("T")


@dataclass(frozen=True)
class ApiSettings:
    """How to reach the employees API, and when its end counts as proved."""

    url: str
    concurrency: int  # requests in flight at once
    misses: int  # consecutive unknown ids that prove the end
    max_id: int  # where reading gives up if the end was not proved before
    timeout: float  # seconds, to connect and then for the whole answer
    attempts: int  # per id, with exponential back-off between them
    key: str | None = field(default=None, repr=False)  # sent as x-api-key, if the API needs one


@dataclass(frozen=True)
class PostgresSettings:
    """How to reach the source database."""

    prefix: str  # of these settings in the environment
    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    sslmode: str
    ca_bundle: Path | None  # the trusted certificates; with them, the server's is verified by default
    connect_timeout: int  # seconds, to connect and sign in
    readers: int  # sessions at most that read one table at once; one more holds its snapshot


@dataclass(frozen=True)
class DropSettings:
    """Where the Parquet files are dropped, a local folder or `s3://bucket/prefix`, and how large they may be."""

    prefix: str  # of these settings in the environment
    url: str
    most_bytes: int  # of the files of a table on one date, as their rows are in memory
    most_memory: int  # bytes that checking them may take


@dataclass(frozen=True)
class RestSettings:
    """How to reach a JSON API and sign in to it."""

    prefix: str  # of these settings in the environment
    url: str  # the paths of the endpoints are relative to it
    timeout: float  # seconds, to connect and then for the whole answer
    attempts: int  # per page, with exponential back-off between them
    most_bytes: int  # of one answer, unpacked
    credentials: Mapping[str, str] = field(repr=False)  # in dlt's words

    @property
    def secrets(self) -> Iterator[str]:
        """The credentials, also as URLs and headers have them."""
        for word, value in self.credentials.items():
            if word != "username":
                yield from dict.fromkeys((value, quote(value, safe=""), quote_plus(value)))
        if "password" in self.credentials:
            pair = f"{self.credentials['username']}:{self.credentials['password']}"
            yield b64encode(pair.encode()).decode()


SourceSettings = ApiSettings | PostgresSettings | DropSettings | RestSettings


@dataclass(frozen=True)
class RedshiftSettings:
    """How to reach the Redshift workgroup and its landing.

    All but the password are used in SQL text or addresses, so each must match a strict pattern.
    """

    host: str
    port: int
    database: str
    workgroup: str | None  # signs in with temporary credentials of this Serverless workgroup; else user and password
    user: str | None
    password: str | None = field(repr=False)
    copy_role: str  # ARN of the role that COPY reads the landing with
    landing: str  # s3://bucket/prefix
    ca_bundle: Path  # the trusted certificates
    granted_roles: tuple[str, str]  # the database roles that dbt grants select on bronze, and on silver and gold


@dataclass(frozen=True)
class SourceSetting:
    """A setting that the sources of a kind have, by its name without the source's prefix."""

    name: str
    default: str | None  # None: it must be set
    secret: bool


@dataclass(frozen=True)
class Settings:
    """The settings of one run."""

    target: str
    warehouse: Path  # the DuckDB file of the target `local`
    redshift: RedshiftSettings | None  # of every other target
    region: str | None  # of AWS, for every client; None if it is not set, which S3 accepts
    work: Path  # scratch space; nothing in it is needed after a run
    artifacts: str | None  # where a build's docs and dbt's results are published: a folder or s3://bucket/prefix
    retry_seconds: float  # for which one table is retried after transient faults
    minimum_share: float  # of a table's rows that a read must have to replace it
    run_id: str  # of this run in ops.extract_runs and among the artifacts; a further attempt has the same
    today: date
    sources: Mapping[str, SourceSettings]  # of those asked for, by their names

    def of(self, source: Source, kind: type[T]) -> T:
        """Returns the settings of a source, which are of a kind."""
        settings = self.sources[source.name]
        assert isinstance(settings, kind)  # noqa: S101  its kind decided what was read
        return settings

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that no output may contain."""
        known = [self.redshift.password if self.redshift else None]
        for source in self.sources.values():
            known.append(getattr(source, "password", None))
            known.append(getattr(source, "key", None))
            known += getattr(source, "secrets", ())
        return tuple(filter(None, known))


class _Environment:
    """Reads settings one by one; collects what is wrong, and which settings there are."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.problems: list[str] = []
        self.known: list[SourceSetting] = []

    def read(
        self,
        name: str,
        parse: Callable[[str], T],
        expected: str,
        default: str | None = None,
        *,
        secret: bool = False,
        hidden: bool = False,  # no secret, but a wrong value may contain one
    ) -> T:
        self.known.append(SourceSetting(name, default, secret))
        text = self.values.get(name, "") or default
        if text is None:
            self.problems.append(f"{name} is not set: expected {expected}")
        else:
            try:
                return parse(text)
            except ValueError:
                shown = "the value given" if secret or hidden else repr(text)
                self.problems.append(f"{name}: expected {expected}, got {shown}")
        return None  # type: ignore[return-value]  # never used: read_settings raises when there are problems


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def _megabytes(text: str) -> int:
    return _positive(text) * 10**6


def _seconds(text: str) -> float:
    if not 0 < (number := float(text)) < 3600:
        raise ValueError(text)
    return number


def _duration(text: str) -> float:
    if not 0 <= (number := float(text)) <= 3600:
        raise ValueError(text)
    return number


def _share(text: str) -> float:
    if not 0 <= (number := float(text)) <= 1:
        raise ValueError(text)
    return number


def _host(text: str) -> str:
    if not re.fullmatch(r"[\w.-]+|[0-9a-fA-F:]+|/[^\s]*", text):  # a name, an address, or the folder of a socket
        raise ValueError(text)
    return text


def _port(text: str) -> int:
    if not 0 < (number := int(text)) < 65536:
        raise ValueError(text)
    return number


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", text):
        raise ValueError(text)
    return text


def _warehouse_file(text: str) -> Path:
    # DuckDB names its catalog after the file, and then gold.x may be the catalog's or the schema's.
    if re.fullmatch(r"bronze|silver|gold|ops|raw_\w+", Path(text).stem, re.IGNORECASE):
        raise ValueError(text)
    return Path(text)


def _work_folder(text: str) -> Path:
    if "%" in str(Path(text).resolve()):  # dlt takes its path for a pattern
        raise ValueError(text)
    return Path(text)


def _matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(text)
        return text

    return parse


_TOKEN, _WORDS = _matching("[!-~]+"), _matching(r"\S|\S[^\x00-\x1f]*\S")
_CREDENTIALS = {"token": _TOKEN, "api_key": _TOKEN, "username": _WORDS, "password": _WORDS}
_ROLE = _matching("[a-z_][a-z0-9_]{0,126}")


def _file(text: str) -> Path:
    if not (path := Path(text)).is_file():
        raise ValueError(text)
    return path


def _optional_file(text: str) -> Path | None:
    return _file(text) if text else None


def _redshift(env: _Environment) -> RedshiftSettings:
    workgroup = env.read(
        "REDSHIFT_WORKGROUP", _matching("|[a-z0-9-]{3,64}"), "the name of a Redshift Serverless workgroup", ""
    )
    user = password = None
    if not workgroup:
        user = env.read(
            "REDSHIFT_USER", _matching(r"[A-Za-z_][\w:.@/+-]{0,126}"), "a user, or set REDSHIFT_WORKGROUP"
        )
        password = env.read("REDSHIFT_PASSWORD", str, "that user's password, or set REDSHIFT_WORKGROUP", secret=True)
    return RedshiftSettings(
        host=env.read("REDSHIFT_HOST", _matching(r"[A-Za-z0-9.-]{1,253}"), "the host of the workgroup"),
        port=env.read("REDSHIFT_PORT", _port, "a port", "5439"),
        database=env.read("REDSHIFT_DATABASE", _matching(r"[a-z_][a-z0-9_]{0,63}"), "the name of the database"),
        workgroup=workgroup or None,
        user=user,
        password=password,
        copy_role=env.read(
            "REDSHIFT_COPY_ROLE",
            _matching(r"arn:aws(-[a-z]+)*:iam::\d{12}:role/[\w+=,.@/-]{1,512}"),
            "the ARN of the role that COPY reads the landing with",
        ),
        landing=env.read(
            "LANDING_URL",
            _matching(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/(?!\.+(/|$))[A-Za-z0-9!_.*-]+)*"),
            "s3://bucket/prefix",
        ),
        ca_bundle=env.read("REDSHIFT_CA_BUNDLE", _file, "the file of a CA bundle", str(_amazon_bundle())),
        granted_roles=(
            env.read("REDSHIFT_TRANSFORMER_ROLE", _ROLE, "the name of a database role", "transformer"),
            env.read("REDSHIFT_READER_ROLE", _ROLE, "the name of a database role", "reader"),
        ),
    )


def _region(env: _Environment, *, needed: bool) -> str | None:
    """Returns the AWS region, from either of the names that AWS's own tools read."""
    name = next((name for name in REGION_NAMES if env.values.get(name)), REGION_NAMES[0])
    expected = "an AWS region, such as sa-east-1"
    if needed:
        return env.read(name, _matching(REGION), f"{expected}, that of REDSHIFT_WORKGROUP")
    return env.read(name, _matching(f"|{REGION}"), expected, "") or None


def _amazon_bundle() -> Path:
    """Returns the bundle of Amazon's root certificates in redshift_connector."""
    package = find_spec("redshift_connector")
    assert package and package.origin  # noqa: S101  a locked requirement
    return Path(package.origin).parent / "files" / "redshift-ca-bundle.crt"


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return parse


def _api(env: _Environment, source: Source) -> ApiSettings:
    prefix = source.settings
    return ApiSettings(
        url=env.read(
            f"{prefix}_URL",
            _url,
            "the http(s) address of the API, without a user, a password or ?id=",
            hidden=True,
        ),
        concurrency=env.read(f"{prefix}_CONCURRENCY", _positive, "a number from 1", "4"),
        misses=env.read(f"{prefix}_MISSES", _positive, "a number from 1", "10"),
        max_id=env.read(f"{prefix}_MAX_ID", _positive, "a number from 1", "10000"),
        timeout=env.read(f"{prefix}_TIMEOUT", _seconds, "seconds below 3600", "10"),
        attempts=env.read(f"{prefix}_ATTEMPTS", _positive, "a number from 1", "4"),
        key=env.read(f"{prefix}_KEY", _matching("[!-~]*"), "a key without blanks", "", secret=True) or None,
    )


def _postgres(env: _Environment, source: Source) -> PostgresSettings:
    prefix = source.settings
    modes = f"one of {', '.join(SSL_MODES)}"
    ca_bundle = env.read(f"{prefix}_CA_BUNDLE", _optional_file, "the file of a CA bundle", "")
    sslmode = "verify-full" if ca_bundle else "require"
    readers = str(min(os.cpu_count() or 1, 4))
    return PostgresSettings(
        prefix=prefix,
        host=env.read(f"{prefix}_HOST", _host, "the host of the source database, without port or user", hidden=True),
        port=env.read(f"{prefix}_PORT", _port, "a port", "5432"),
        database=env.read(f"{prefix}_DATABASE", str, "the name of the source database"),
        user=env.read(f"{prefix}_USER", str, "a user who may read the tables"),
        password=env.read(f"{prefix}_PASSWORD", str, "that user's password", secret=True),
        sslmode=env.read(f"{prefix}_SSLMODE", _one_of(*SSL_MODES), modes, sslmode),
        ca_bundle=ca_bundle,
        connect_timeout=env.read(f"{prefix}_CONNECT_TIMEOUT", _positive, "whole seconds from 1", "10"),
        readers=env.read(f"{prefix}_READERS", _positive, "a number from 1", readers),
    )


def _drop(env: _Environment, source: Source) -> DropSettings:
    prefix = source.settings
    return DropSettings(
        prefix=prefix,
        url=env.read(f"{prefix}_DROP", str, "a folder or s3://bucket/prefix"),
        most_bytes=env.read(f"{prefix}_MAX_MB", _megabytes, "a number of megabytes from 1", "10000"),
        most_memory=env.read(f"{prefix}_MEMORY_MB", _megabytes, "a number of megabytes from 1", "512"),
    )


def _rest_api(env: _Environment, source: Source) -> RestSettings:
    prefix = source.settings
    return RestSettings(
        prefix=prefix,
        url=env.read(
            f"{prefix}_URL",
            _url,
            "the http(s) address that the paths of the endpoints follow, without a user, a password or a query",
            hidden=True,  # a wrong value may contain a key
        ),
        timeout=env.read(f"{prefix}_TIMEOUT", _seconds, "seconds below 3600", "60"),
        attempts=env.read(f"{prefix}_ATTEMPTS", _positive, "a number from 1", "5"),
        most_bytes=env.read(f"{prefix}_MAX_MB", _megabytes, "a number of megabytes from 1", "32"),
        credentials={
            word: env.read(f"{prefix}_{setting}", _CREDENTIALS[word], f"the {word} to sign in with", secret=True)
            for word, setting in credentials(source.client).items()
        },
    )


_KINDS: Mapping[str, Callable[[_Environment, Source], Any]] = {
    "api": _api, "postgres": _postgres, "parquet": _drop, "rest_api": _rest_api,
}  # fmt: skip


# A task has no .env: its message, on one line, names the settings first and then the place that they come from.
IN_AWS = (
    "Terraform sets them: those of a source are in connections of infra/terraform.tfvars, its secrets in Secrets "
    "Manager; docs/guide/aws.md"
)


def settings_of(source: Source) -> tuple[SourceSetting, ...]:
    """Returns the settings that a source has."""
    env = _Environment({})
    _KINDS[source.kind](env, source)
    return tuple(replace(one, name=one.name.removeprefix(f"{source.settings}_")) for one in env.known)


def read_settings(sources: Collection[Source] = (), environment: Mapping[str, str] = os.environ) -> Settings:
    """Returns the settings that a run of `sources` needs.

    Raises:
        SettingsError: naming every setting that is missing or wrong.
    """
    env = _Environment(environment)
    read = {source.name: _KINDS[source.kind](env, source) for source in sources}
    current_date = datetime.now().astimezone().date().isoformat()
    today = env.read("TODAY", date.fromisoformat, "a date YYYY-MM-DD or nothing", current_date)
    target = env.read("DBT_TARGET", _one_of(*TARGETS), f"one of {', '.join(TARGETS)}", "local")
    redshift = None if target in ("local", None) else _redshift(env)
    settings = Settings(
        target=target,
        redshift=redshift,
        region=_region(env, needed=redshift is not None and redshift.workgroup is not None),
        warehouse=env.read(
            "WAREHOUSE_PATH",
            _warehouse_file,
            "the path of a file that is not named like a schema, such as gold.duckdb",
            ".local/warehouse.duckdb",
        ),
        work=env.read("EXTRACT_WORK", _work_folder, "a folder without % in its whole path", ".local/extract"),
        artifacts=env.read("ARTIFACTS_URL", str, "a folder or s3://bucket/prefix", "") or None,
        retry_seconds=env.read("RETRY_SECONDS", _duration, "seconds from 0 to 3600", "60"),
        minimum_share=env.read("MINIMUM_SHARE", _share, "a number from 0 to 1", "0.5"),
        run_id=env.read("RUN_ID", _matching(r"[\w-]{1,80}"), "up to 80 letters, digits, _ and -", str(uuid4())),
        today=today,
        sources=read,
    )
    if env.problems:
        prefixes = tuple(f"{source.settings}_" for source in sources)
        own = any(name.startswith(prefixes) and value for name, value in environment.items())
        count = f"{len(env.problems)} setting{'s' if len(env.problems) > 1 else ''} to fix"
        if environment.get("DEPLOYMENT"):
            raise SettingsError(f"{count}: " + "; ".join([*env.problems, IN_AWS]))
        heading = f"{count} (see .env.example; `make sandbox` prints those of the demo sources):"
        if len(sources) > 1 and not own:
            heading = "no sources set (see .env.example; the demo's are for DBT_TARGET local and sandbox alone):"
        raise SettingsError("\n  ".join([heading, *env.problems]))
    return settings
