"""The UNLOAD statement: its query, its target and its options.

Grammar and behaviour: https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

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
from redshift_standin.sql.statement import read

_MEGABYTE = 1 << 20
_SMALLEST, _LARGEST = 5 * _MEGABYTE, int(6.2 * 1024 * _MEGABYTE)
_EXTENSIONS = {"gzip": "gz", "bz2": "bz2", "zstd": "zst"}
_FORMATS = {"csv", "parquet", "json", "fixedwidth"}
_ONLY_TEXT = ("delimiter", "fixedwidth", "addquotes", "escape", "null", "header")
_COMPRESSIONS = ("gzip", "bzip2", "zstd")


@dataclass(frozen=True)
class Unload:
    """A parsed UNLOAD statement."""

    query: str
    bucket: str
    prefix: str
    format: str = "text"  # csv, parquet, json, fixedwidth, or text
    authorization: Authorization = field(default_factory=Authorization)
    partitions: tuple[str, ...] = ()
    include: bool = False  # the partitions' columns are in the files, too
    manifest: bool = False
    verbose: bool = False
    header: bool = False
    delimiter: str = "|"
    widths: tuple[int, ...] = ()
    compression: str = ""  # gzip, bz2, zstd
    add_quotes: bool = False
    null: str | None = None
    escape: bool = False
    overwrite: bool = False
    clean: bool = False
    parallel: bool = True
    largest: int = _LARGEST  # bytes of a file
    extension: str = ""
    kms_key: str = ""

    @property
    def suffix(self) -> str:
        """What ends the name of each file."""
        if self.extension:
            return "." + self.extension.removeprefix(".")
        if self.format == "parquet":
            return ".parquet"
        return "." + _EXTENSIONS[self.compression] if self.compression else ""

    def file_key(self, folder: str, number: int) -> str:
        """Returns the key of a file of a partition's folder, which is empty without PARTITION BY."""
        name = f"0000_part_{number:02}" if self.parallel else f"{number:03}"
        return f"{self.root}{folder}{name}{self.suffix}"

    @property
    def root(self) -> str:
        """The prefix of all keys."""
        return self.prefix + "/" if self.partitions and not self.prefix.endswith("/") else self.prefix


def parse(statement: str) -> Unload:
    """Parses an UNLOAD statement.

    Raises:
        RedshiftError: for what Redshift refuses, or `stand-in: …` for options that are not implemented here.
    """
    reader = Reader(statement)
    reader.expect("unload")
    reader.expect("(")
    query = reader.text().strip().removesuffix(";")
    reader.expect(")")
    reader.expect("to")
    bucket, prefix = split_url(reader.text())
    values, given, authorization = read_options(reader, _OPTIONS, {})
    _check(given, values)
    _check_query(query)
    if values.get("format") == "csv":
        values.setdefault("delimiter", ",")
    return Unload(query, bucket, prefix, authorization=authorization.finish(), **values)


def _partition(reader: Reader, values: dict[str, Any]) -> None:
    reader.expect("by")
    values["partitions"] = reader.names()
    values["include"] = reader.take("include")


def _manifest(reader: Reader, values: dict[str, Any]) -> None:
    values["manifest"], values["verbose"] = True, reader.take("verbose")


def _delimiter(reader: Reader, values: dict[str, Any]) -> None:
    values["delimiter"] = single_character("DELIMITER", reader.text())


def _fixedwidth(reader: Reader, values: dict[str, Any]) -> None:
    values["format"], values["widths"] = "fixedwidth", parse_widths(reader.text())


def _encrypted(reader: Reader, values: dict[str, Any]) -> None:
    values["encrypted"] = "auto" if reader.take("auto") else "yes"


def _largest(reader: Reader, values: dict[str, Any]) -> None:
    size = float(reader.number()) * _MEGABYTE
    if reader.take("gb"):
        size *= 1024
    else:
        reader.take("mb")
    if not _SMALLEST <= size <= _LARGEST:
        raise RedshiftError("22023", "MAXFILESIZE must be between 5 MB and 6.2 GB")
    values["largest"] = int(size)


def _row_group(reader: Reader, _: dict[str, Any]) -> None:
    reader.number()
    if not reader.take("gb"):
        reader.take("mb")


def _text(name: str) -> Callable[[Reader, dict[str, Any]], None]:
    def take(reader: Reader, values: dict[str, Any]) -> None:
        values[name] = reader.text()

    return take


def _parallel(reader: Reader, values: dict[str, Any]) -> None:
    values["parallel"] = reader.switch()


def _symmetric_key(reader: Reader, _: dict[str, Any]) -> None:
    reader.text()
    raise not_implemented("client-side encryption")


_OPTIONS: dict[str, Callable[[Reader, dict[str, Any]], None]] = {
    "csv": flag("format", to="csv"), "parquet": flag("format", to="parquet"), "json": flag("format", to="json"),
    "fixedwidth": _fixedwidth, "partition": _partition, "manifest": _manifest, "header": flag("header"),
    "delimiter": _delimiter, "encrypted": _encrypted, "kms_key_id": _text("kms_key"),
    "master_symmetric_key": _symmetric_key, "addquotes": flag("add_quotes"), "null": _text("null"),
    "escape": flag("escape"), "allowoverwrite": flag("overwrite"), "cleanpath": flag("clean"),
    "parallel": _parallel, "maxfilesize": _largest, "rowgroupsize": _row_group, "extension": _text("extension"),
    "gzip": flag("compression", to="gzip"), "bzip2": flag("compression", to="bz2"),
    "zstd": flag("compression", to="zstd"),
}  # fmt: skip


def _check(given: set[str], values: dict[str, Any]) -> None:
    """Raises Redshift's errors for options that exclude each other."""
    if len(_FORMATS & given) > 1 or len(given.intersection(_COMPRESSIONS)) > 1:
        raise RedshiftError("42601", "conflicting or redundant options")
    refuse_together("csv", ("fixedwidth", "addquotes"), given)
    refuse_together("fixedwidth", ("delimiter", "header", "escape", "addquotes"), given)
    refuse_together("cleanpath", ("allowoverwrite",), given)
    for kind in ("parquet", "json"):
        refused = _ONLY_TEXT + (_COMPRESSIONS if kind == "parquet" else ())
        for option in refused:
            if kind in given and option in given:
                raise RedshiftError("0A000", f"{option.upper()} is not supported for UNLOAD to {kind.upper()}")
    if "rowgroupsize" in given and "parquet" not in given:
        raise RedshiftError("0A000", "ROWGROUPSIZE is only supported for UNLOAD to PARQUET")
    encrypted = values.pop("encrypted", "")
    if values.get("kms_key") and encrypted != "yes":
        raise RedshiftError("22023", "KMS_KEY_ID needs ENCRYPTED and cannot be used with ENCRYPTED AUTO")


def _check_query(query: str) -> None:
    """Raises Redshift's errors for what UNLOAD does not run."""
    words = " ".join(one.words for one in read(query))
    if not re.match(r"(?:\( )*(?:select|with)\b", words):
        raise RedshiftError("42601", "UNLOAD needs a SELECT query")
    depth = 0
    for word in words.split():
        depth += (word == "(") - (word == ")")
        if word == "limit" and not depth:
            raise RedshiftError("0A000", "Limit clause is not supported")
