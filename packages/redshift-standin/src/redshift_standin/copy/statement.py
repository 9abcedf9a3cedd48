"""The COPY statement: its options, and the columns that it fills.

Grammar and behaviour: https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html and its page on columnar formats.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from redshift_standin.copy.formats import Format, compile_format
from redshift_standin.copy.options import (
    Authorization,
    Reader,
    flag,
    parse_widths,
    read_options,
    refuse_together,
    single_character,
    split_url,
)
from redshift_standin.errors import RedshiftError, not_implemented
from redshift_standin.sql.text import quote

TEXTS = ("character", "character varying")
_COMPRESSIONS = {"gzip": "gzip", "bzip2": "bz2", "zstd": "zstd"}
_ENCODINGS = {"utf8": "utf-8", "utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be"}
_FORMATS = ("csv", "json", "parquet", "fixedwidth")
_NOT_HERE = {
    "avro": "Avro", "orc": "ORC", "shapefile": "a shapefile", "lzop": "LZOP", "encrypted": "ENCRYPTED",
    "master_symmetric_key": "ENCRYPTED", "ssh": "SSH", "readratio": "READRATIO", "job": "COPY JOB",
}  # fmt: skip
# https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
_OF_PARQUET = {
    "parquet", "acceptinvchars", "fillrecord", "iam_role", "credentials", "access_key_id", "secret_access_key",
    "session_token", "statupdate", "manifest", "explicit_ids", "serializetojson", "maxerror",
}  # fmt: skip
_NOT_OF_JSON = ("csv", "delimiter", "escape", "fillrecord", "fixedwidth", "ignoreblanklines", "null", "removequotes")
_MOST_ERRORS = 100_000


@dataclass(frozen=True)
class Copy:
    """A parsed COPY statement."""

    table: str
    columns: tuple[str, ...]
    bucket: str
    key: str
    format: str = "text"  # parquet, json, csv, fixedwidth, or text: fields with a delimiter and no quotes
    authorization: Authorization = field(default_factory=Authorization)
    compression: str = ""  # gzip, bz2, zstd
    manifest: bool = False
    delimiter: str = "|"
    quote: str = '"'
    widths: tuple[int, ...] = ()
    ignore_header: int = 0
    truncate: bool = False
    ignore_case: bool = False  # of the names in JSON
    whole: bool = False  # a document of JSON is one value
    json_paths: str = ""  # the URL of the file
    null: str = r"\N"
    escape: bool = False
    remove_quotes: bool = False
    fill: bool = False  # missing columns at the end
    blanks_as_null: bool = False
    empty_as_null: bool = False
    trim_blanks: bool = False
    ignore_blank_lines: bool = False
    encoding: str = "utf-8"
    replacement: str = ""  # of a byte that is not UTF-8
    date_format: Format | str = ""  # a format, or auto
    time_format: Format | str = ""  # a format, or auto, epochsecs, epochmillisecs
    any_date: bool = False  # NULL in place of an invalid date
    explicit_ids: bool = False
    round: bool = False
    no_load: bool = False
    max_errors: int | None = 1  # so many fail the load; None: none does


@dataclass(frozen=True)
class Column:
    """A column of the target as PostgreSQL describes it."""

    name: str
    type: str = "text"
    length: int | None = None  # bytes at most, for character and character varying
    key: str = ""  # its name in JSON: PostgreSQL has a shorter one for a long name
    scale: int | None = None  # of a numeric
    required: bool = False  # NOT NULL
    identity: str = ""  # a: always generated, d: by default


def parse(statement: str) -> Copy:
    """Parses a COPY statement.

    Raises:
        RedshiftError: for what Redshift refuses, or `stand-in: …` for options that are not implemented here.
    """
    reader = Reader(statement)
    reader.expect("copy")
    if reader.peek().value == "job":
        raise not_implemented("COPY JOB")
    table = _table(reader)
    columns = reader.names() if reader.peek().value == "(" else ()
    reader.expect("from")
    bucket, key = split_url(reader.text())
    values, given, authorization = read_options(reader, _OPTIONS, _NOT_HERE)
    _check(given, values)
    copy = Copy(table, columns, bucket, key, authorization=authorization.finish(), **values)
    return replace(copy, delimiter=",") if copy.format == "csv" and "delimiter" not in given else copy


def _table(reader: Reader) -> str:
    """Returns the name of the table as it is written. A word may have dots, also at its ends."""
    table = ""
    while (token := reader.peek()).kind in ("word", "name"):
        if table and not table.endswith(".") and not token.raw.startswith("."):
            break
        table += reader.next().raw
    if not table or table.endswith("."):
        raise reader.error()
    return table


def _csv(reader: Reader, values: dict[str, Any]) -> None:
    values["format"] = "csv"
    if reader.take("quote"):
        values["quote"] = single_character("QUOTE", reader.text())


def _json(reader: Reader, values: dict[str, Any]) -> None:
    values["format"] = "json"
    reader.take("as")
    option = reader.next().value if reader.peek().kind == "text" else "auto"
    if option.startswith("s3://"):
        values["json_paths"] = option
    elif option in ("auto", "auto ignorecase", "noshred"):
        values["ignore_case"], values["whole"] = option == "auto ignorecase", option == "noshred"
    else:
        raise RedshiftError("22023", f"Invalid JSONPath format or JSON option: {option}")


def _delimiter(reader: Reader, values: dict[str, Any]) -> None:
    values["delimiter"] = single_character("DELIMITER", reader.text())


def _fixedwidth(reader: Reader, values: dict[str, Any]) -> None:
    values["format"], values["widths"] = "fixedwidth", parse_widths(reader.text())


def _null(reader: Reader, values: dict[str, Any]) -> None:
    value = reader.text()
    if "\n" in value:
        raise RedshiftError("22023", "NULL AS cannot contain a newline")
    values["null"] = value


def _header(reader: Reader, values: dict[str, Any]) -> None:
    values["ignore_header"] = int(reader.number())


def _max_errors(reader: Reader, values: dict[str, Any]) -> None:
    count = int(reader.number())
    if count > _MOST_ERRORS:
        raise RedshiftError("22023", f"MAXERROR must be between 0 and {_MOST_ERRORS}")
    values["max_errors"] = max(count, 1)


def _encoding(reader: Reader, values: dict[str, Any]) -> None:
    reader.take("as")
    name = reader.next().value.lower()
    if name not in _ENCODINGS:
        raise RedshiftError("22023", "ENCODING must be UTF8, UTF16, UTF16LE or UTF16BE")
    values["encoding"] = _ENCODINGS[name]


def _replacement(reader: Reader, values: dict[str, Any]) -> None:
    given = reader.peek().value == "as" or reader.peek().kind == "text"
    values["replacement"] = single_character("ACCEPTINVCHARS", reader.text()) if given else "?"


def _date_format(reader: Reader, values: dict[str, Any]) -> None:
    text = reader.text()
    values["date_format"] = text if text == "auto" else compile_format(text)


def _time_format(reader: Reader, values: dict[str, Any]) -> None:
    text = reader.text()
    values["time_format"] = text if text in ("auto", "epochsecs", "epochmillisecs") else compile_format(text)


def _compression_update(reader: Reader, _: dict[str, Any]) -> None:
    if not reader.take("preset"):
        reader.switch()


def _switch(reader: Reader, _: dict[str, Any]) -> None:
    reader.switch()


def _row_sample(reader: Reader, _: dict[str, Any]) -> None:
    reader.number()


_OPTIONS: dict[str, Callable[[Reader, dict[str, Any]], None]] = {
    "csv": _csv, "json": _json, "parquet": flag("format", to="parquet"), "fixedwidth": _fixedwidth,
    "delimiter": _delimiter, "null": _null, "ignoreheader": _header, "maxerror": _max_errors,
    "ignoreallerrors": flag("max_errors", to=None), "encoding": _encoding, "acceptinvchars": _replacement,
    "dateformat": _date_format, "timeformat": _time_format, "acceptanydate": flag("any_date"),
    "manifest": flag("manifest"), "truncatecolumns": flag("truncate"), "escape": flag("escape"),
    "removequotes": flag("remove_quotes"), "fillrecord": flag("fill"), "blanksasnull": flag("blanks_as_null"),
    "emptyasnull": flag("empty_as_null"), "trimblanks": flag("trim_blanks"),
    "ignoreblanklines": flag("ignore_blank_lines"), "explicit_ids": flag("explicit_ids"), "roundec": flag("round"),
    "noload": flag("no_load"), "compupdate": _compression_update, "statupdate": _switch,
    "comprows": _row_sample, "serializetojson": lambda *_: None,
    **{word: flag("compression", to=name) for word, name in _COMPRESSIONS.items()},
}  # fmt: skip


def _check(given: set[str], values: dict[str, Any]) -> None:
    """Raises Redshift's errors for options that exclude each other."""
    formats = [name for name in _FORMATS if name in given]
    if "csv" in given:
        refuse_together("csv", ("fixedwidth", "removequotes", "escape"), given)
    if len(formats) > 1 or len(_COMPRESSIONS.keys() & given) > 1:
        raise RedshiftError("42601", "conflicting or redundant options")
    refuse_together("fixedwidth", ("delimiter", "escape", "removequotes"), given)
    refuse_together("ignoreallerrors", ("maxerror",), given)
    if "fixedwidth" in given and values.get("encoding", "utf-8") != "utf-8":
        raise RedshiftError("42601", "FIXEDWIDTH data must be UTF8")
    if "json" in given:
        for option in _NOT_OF_JSON:
            if option in given:
                raise RedshiftError("0A000", f"{option.upper()} argument is not supported for JSON based COPY")
    if "parquet" in given:
        other = given - _OF_PARQUET
        if values.get("max_errors", 1) != 1:
            other.add("maxerror")
        for option in sorted(other):
            raise RedshiftError("0A000", f"{option.upper()} argument is not supported for PARQUET based COPY")
    elif "serializetojson" in given:
        raise RedshiftError("0A000", "SERIALIZETOJSON is only supported for PARQUET and ORC based COPY")


def describe_query(copy: Copy) -> str:
    """Returns the query for the target's columns: name, type, modifier, name for clients, NOT NULL, identity."""
    return (
        "select attname, format_type(atttypid, null), atttypmod, rs.whole(attname), attnotnull, attidentity "
        "from pg_attribute "
        f"where attrelid = {quote(copy.table)}::regclass and attnum > 0 and not attisdropped order by attnum"
    )


def target_columns(copy: Copy, described: Sequence[Sequence[str | None]]) -> list[Column]:
    """Returns the columns that the files fill, in the order of the column list, or else of the table.

    Raises:
        RedshiftError: for a column that the table does not have, and for an identity that may not be filled.
    """
    known = {column.name: column for column in map(_column, described)}
    for name in copy.columns:
        if name not in known:
            raise RedshiftError("42703", f'column "{name}" of relation "{copy.table}" does not exist')
    chosen = [known[name] for name in copy.columns]
    generated = [column for column in known.values() if column.identity == "a"]
    if copy.columns and not copy.explicit_ids and any(column in generated for column in chosen):
        raise RedshiftError("0A000", "cannot set an identity column to a value without EXPLICIT_IDS")
    if copy.explicit_ids and not any(column.identity for column in (chosen or known.values())):
        raise RedshiftError("0A000", "EXPLICIT_IDS needs an identity column among the columns")
    if chosen:
        return chosen
    return [column for column in known.values() if copy.explicit_ids or column not in generated]


def _column(described: Sequence[str | None]) -> Column:
    name, kind, modifier, whole, required, identity = (value or "" for value in described)
    bare = max(int(modifier) - 4, 0)
    return Column(
        name,
        kind,
        bare or None if kind in TEXTS else None,
        whole,
        ((bare & 0x7FF) ^ 1024) - 1024 if kind == "numeric" and bare else None,
        required == "t",
        identity,
    )


def needs_time_zone(column: Column) -> bool:
    """Returns whether a column's values have a time zone."""
    return bool(re.search("with time zone", column.type))
