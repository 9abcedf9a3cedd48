"""The COPY statement: its options, and the columns that it fills.

Grammar and behaviour: https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html and its page on columnar formats.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.text import code, quote

_STATEMENT = re.compile(
    r"""\s*copy\s+(?P<table>(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+)){0,2})\s*(?:\((?P<columns>[^)]*)\))?\s+
    from\s+'s3://(?P<bucket>[^/']+)/(?P<key>[^']*)'(?P<options>.*)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
# Options without effect here: there is one region, and there are no statistics or encodings.
_WITHOUT_EFFECT = re.compile(
    r"""\b(region\s+'[^']*' | (date|time)format(\s+as)?\s+'auto' | statupdate(\s+(on|off|true|false)\b)?
    | compupdate(\s+(on|off|true|false|preset)\b)? | maxerror(\s+as)?\s+0\b | serializetojson\b | format\b(\s+as\b)?
    | as\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_ROLE = re.compile(
    r"""\biam_role\s+(?:as\s+)?(?:default\b|'(?P<role>[^']*)')
    | \b(?:with\s+)?credentials\s+(?:as\s+)?'aws_iam_role=(?P<credentials>[^';]*)'""",
    re.IGNORECASE | re.VERBOSE,
)
_KNOWN_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/copy\Z")
TEXTS = ("character", "character varying")


@dataclass(frozen=True)
class Copy:
    """A parsed COPY statement."""

    table: str
    columns: tuple[str, ...]
    bucket: str
    key: str
    format: str  # parquet, json, csv, or text: fields with a delimiter and no quotes
    gzip: bool = False
    manifest: bool = False
    delimiter: str = ","
    ignore_header: int = 0
    truncate: bool = False
    ignore_case: bool = False  # of the names in JSON


@dataclass(frozen=True)
class Column:
    """A column of the target as PostgreSQL describes it."""

    name: str
    type: str = "text"
    length: int | None = None  # bytes at most, for character and character varying
    key: str = ""  # its name in JSON: PostgreSQL has a shorter one for a long name


def is_copy(statement: str) -> bool:
    """Returns whether a statement is COPY."""
    return code(statement).startswith("copy ")


def parse(statement: str, roles: Collection[str] = ()) -> Copy:
    """Parses a COPY statement; `roles` are those that may read, or without any each role with the name `copy`.

    Raises:
        RedshiftError: for what Redshift refuses, or `stand-in: …` for options that are not implemented here.
    """
    found = _STATEMENT.fullmatch(re.sub(r"/\*.*?\*/|;\s*\Z", "", statement, flags=re.DOTALL).strip())
    if not found:
        raise not_implemented("COPY other than from 's3://bucket/prefix'")
    options = _take_role(found["options"], roles)
    values: dict[str, Any] = {"format": "text", "delimiter": "|"}

    def take(pattern: str) -> re.Match[str] | None:
        nonlocal options
        match = re.search(pattern, options, re.IGNORECASE)
        options = re.sub(pattern, " ", options, flags=re.IGNORECASE)
        return match

    if take(r"\bparquet\b"):
        values["format"] = "parquet"
    elif json := take(r"\bjson\s+(?:as\s+)?'auto(\s+ignorecase)?'"):
        values["format"] = "json"
        values["ignore_case"] = bool(json[1])
    elif take(r"\bcsv\b"):
        values |= {"format": "csv", "delimiter": ","}
    values["gzip"] = bool(take(r"\bgzip\b"))
    values["manifest"] = bool(take(r"\bmanifest\b"))
    values["truncate"] = bool(take(r"\btruncatecolumns\b"))
    if delimiter := take(r"\bdelimiter\s+(?:as\s+)?'([^']*)'"):
        values["delimiter"] = delimiter[1]
    if header := take(r"\bignoreheader\s+(?:as\s+)?(\d+)"):
        values["ignore_header"] = int(header[1])
    rest = _WITHOUT_EFFECT.sub(" ", options).split()
    if rest:
        raise not_implemented(f"COPY with {' '.join(rest)}")
    columns = tuple(name.strip().strip('"').lower() for name in (found["columns"] or "").split(",") if name.strip())
    return Copy(found["table"], columns, found["bucket"], found["key"], **values)


def _take_role(options: str, roles: Collection[str]) -> str:
    """Returns the options without the role.

    Raises:
        RedshiftError: for a role that may not read, for no role, and for keys in the statement's text.
    """
    found = _ROLE.search(options)
    if not found and re.search(r"\b(credentials|access_key_id|secret_access_key)\b", options, re.IGNORECASE):
        raise not_implemented("COPY with keys in its text (give IAM_ROLE)")
    if not found:
        raise RedshiftError("22023", "COPY/UNLOAD requires CREDENTIALS or IAM_ROLE")
    role = found["role"] or found["credentials"]
    if role and not (role in roles if roles else _KNOWN_ROLE.match(role)):
        raise RedshiftError("XX000", f"Not authorized to get credentials of role {role}")
    return options.replace(found[0], " ")


def describe_query(copy: Copy) -> str:
    """Returns the query for the target's columns: name, type, maximum bytes of a text, name as clients see it."""
    return (
        "select attname, format_type(atttypid, null), nullif(greatest(atttypmod - 4, 0), 0), rs.whole(attname) "
        "from pg_attribute "
        f"where attrelid = {quote(copy.table)}::regclass and attnum > 0 and not attisdropped order by attnum"
    )


def target_columns(copy: Copy, described: Sequence[Sequence[str | None]]) -> list[Column]:
    """Returns the columns that the files fill, in the order of the column list, or else of the table.

    Raises:
        RedshiftError: for a column that the table does not have.
    """
    known = {
        str(name): Column(str(name), str(kind), int(length) if length and kind in TEXTS else None, str(whole))
        for name, kind, length, whole in described
    }
    for name in copy.columns:
        if name not in known:
            raise RedshiftError("42703", f'column "{name}" of relation "{copy.table}" does not exist')
    return [known[name] for name in copy.columns] or list(known.values())
