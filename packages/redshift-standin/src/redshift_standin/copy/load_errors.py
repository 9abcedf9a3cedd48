"""Rows that COPY could not load, as `sys_load_error_detail` shows them.

The codes are those of https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html. The reasons are
Redshift's where its documentation gives them.
"""

import re
from dataclasses import dataclass

from redshift_standin.copy.statement import Column
from redshift_standin.errors import RedshiftError

DELIMITER_NOT_FOUND = (1214, "Delimiter not found")
EXTRA_COLUMNS = (1202, "Extra column(s) found")
TOO_LONG = (1204, "String length exceeds DDL length")
INVALID_LINE = (1216, "Invalid input line")
INVALID_JSON = (1216, "Invalid JSON format")
INVALID_UTF8 = (1220, "String contains invalid or unsupported UTF-8 codepoints")
INVALID_CHAR = (1220, "Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char")
INVALID_SUPER = (1224, "Invalid JSON format for a column of the type SUPER")
NO_END_QUOTE = (1214, "Delimited value missing end quote")
NO_JSON_ELEMENT = (1216, "Invalid JSONPath format: Not an array or index out of range.")
NOT_NULL = (1213, "Missing data for not-null field")
WRONG_ENCODING = (1221, "The encoding of the file is not the one that COPY has")

NO_LINE = -1  # of a columnar file
CHECK = "Check 'sys_load_error_detail' system table for details."

# PostgreSQL's context of a value that a column does not accept: "COPY venda, line 3, column dia: "x"". Where it skips
# the row, its message is of the form "skipping row due to data type incompatibility at line 3 for column "dia": "x"".
_CONTEXT = re.compile(
    r'COPY [^,]+, line (?P<line>\d+)(?:, column (?P<column>[^:]+)(?:: "(?P<value>.*)")?)?', re.DOTALL
)

_SKIPPED = re.compile(
    r'skipping row due to data type incompatibility at line (?P<line>\d+) for column "(?P<column>.+?)":'
    r' (?:null input|"(?P<value>.*)")',
    re.DOTALL,
)

# The code and the reason of a value that is not of the column's type.
_INVALID = {
    "date": (1205, "Invalid Date Format - length must be 10 or more"),
    "timestamp without time zone": (1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
    "timestamp with time zone": (1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SSOF]"),
    "boolean": (1210, "Unknown boolean format"),
}
_DIGITS = {
    "smallint": "Short", "integer": "Integer", "bigint": "Long", "real": "Float", "double precision": "Double",
    "numeric": "Decimal",
}  # fmt: skip


@dataclass(frozen=True)
class LoadErrorDetail:
    """One row of `sys_load_error_detail` and `stl_load_errors`."""

    file: str
    line: int
    column: Column
    code: int
    reason: str
    raw_line: str = ""
    raw_value: str = ""


class LoadError(RedshiftError):
    """COPY loaded nothing; `details` have the reasons."""

    def __init__(self, message: str, *details: LoadErrorDetail) -> None:
        super().__init__("XX000", message)
        self.details = details


def load_failure(table: str, *details: LoadErrorDetail) -> LoadError:
    """Returns the error of a COPY that found rows that cannot be loaded; the rows are in the system table."""
    message = f"Load into table '{bare_name(table)}' failed.  {CHECK}"
    return LoadError(message, *details)


def bare_name(table: str) -> str:
    """Returns the name of a table without its schema and quotes."""
    return table.rpartition(".")[2].strip('"')


def scan_failure(text: str, detail: LoadErrorDetail) -> LoadError:
    """Returns the error of a COPY of a columnar file that cannot be loaded into the table."""
    return LoadError(f"Spectrum Scan Error. {text}", detail)


@dataclass(frozen=True)
class Rejection:
    """Where PostgreSQL stopped: the number of the record in the whole COPY, the column, the value, the SQLSTATE."""

    record: int
    column: str
    value: str
    sqlstate: str


def parse_rejection(fields: dict[str, str]) -> Rejection | None:
    """Returns where an error of PostgreSQL stopped a COPY, None for an error that is not about a record.

    `fields` are those of the ErrorResponse by letter: C is the SQLSTATE, c the column, W the context.
    """
    found = _CONTEXT.search(fields.get("W", ""))
    if not found or fields["C"][:2] not in {"22", "23"}:
        return None
    return Rejection(int(found["line"]), found["column"] or fields.get("c", ""), found["value"] or "", fields["C"])


def parse_skipped(fields: dict[str, str]) -> Rejection | None:
    """Returns the record that a NoticeResponse of PostgreSQL says it has skipped, None for another notice."""
    found = _SKIPPED.match(fields.get("M", ""))
    return Rejection(int(found["line"]), found["column"], found["value"] or "", "") if found else None


def reason(column: Column, value: str, sqlstate: str) -> tuple[int, str]:
    """Returns Redshift's code and reason for a value that PostgreSQL refused with `sqlstate`."""
    if sqlstate == "23502":
        return NOT_NULL
    if column.type in _INVALID:
        return _INVALID[column.type]
    if column.type == "super" and sqlstate in ("22P02", ""):
        return INVALID_SUPER
    if kind := _DIGITS.get(column.type):
        digits = value.lstrip(" +-")
        wrong = re.search(r"[^0-9]", digits) if sqlstate == "22P02" else None
        if wrong:
            place = wrong.start() + len(value) - len(digits)
            return 1207, f"Invalid digit, Value '{wrong[0]}', Pos {place}, Type: {kind}"
        return 1204, f"Overflow, Type: {kind}"
    return INVALID_LINE
