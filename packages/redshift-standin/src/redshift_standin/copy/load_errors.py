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
NOT_NULL = (1213, "Missing data for not-null field")

NO_LINE = -1  # of a columnar file

# PostgreSQL's context of a value that a column does not accept: "COPY venda, line 3, column dia: "x"".
_CONTEXT = re.compile(
    r'COPY [^,]+, line (?P<line>\d+)(?:, column (?P<column>[^:]+)(?:: "(?P<value>.*)")?)?', re.DOTALL
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
    """COPY loaded nothing; `detail` has the reason."""

    def __init__(self, message: str, detail: LoadErrorDetail) -> None:
        super().__init__("XX000", message)
        self.detail = detail


def load_failure(table: str, detail: LoadErrorDetail) -> LoadError:
    """Returns the error of a COPY that found a row that cannot be loaded; the row is in the system table."""
    name = table.rpartition(".")[2].strip('"')
    message = f"Load into table '{name}' failed.  Check 'sys_load_error_detail' system table for details."
    return LoadError(message, detail)


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


def reason(column: Column, value: str, sqlstate: str) -> tuple[int, str]:
    """Returns Redshift's code and reason for a value that PostgreSQL refused with `sqlstate`."""
    if sqlstate == "23502":
        return NOT_NULL
    if column.type in _INVALID:
        return _INVALID[column.type]
    if kind := _DIGITS.get(column.type):
        wrong = re.search(r"[^0-9]", value.lstrip("+-")) if sqlstate == "22P02" else None
        if wrong:
            place = wrong.start() + len(value) - len(value.lstrip("+-"))
            return 1207, f"Invalid digit, Value '{wrong[0]}', Pos {place}, Type: {kind}"
        return 1204, f"Overflow, Type: {kind}"
    return INVALID_LINE
