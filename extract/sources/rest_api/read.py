"""Lists of JSON APIs → `raw_<source>.<table>`.

    pages (dlt's RESTClient) → rows in the declared types → a file of Arrow batches → one load

| mode     | what a run reads                                       | does not see                          |
| -------- | ------------------------------------------------------ | ------------------------------------- |
| snapshot | the whole list; replaces the raw table                 | -                                     |
| cursor   | what changed since the greatest cursor seen minus lag, | deletions, and changes behind the lag |
|          | as far as the API says; appended                       |                                       |

Nothing is loaded before the last page was read: a sign-in that expires on the way leaves the table as it was.

Pages are no snapshot. A row that is added or deleted while they are read moves others from one page to the next. One
that comes twice shows it, and another one may then be missing. In mode snapshot this fails the read. In mode cursor a
row that changes meanwhile may rightly come again, so all is loaded, and the watermark stays where it was: the next
run reads the same pages again.
"""

import logging
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from extract.declarations import TIMES, RestTable
from extract.errors import ExtractError, PassingError
from extract.names import listed
from extract.reading import Limits, OwnRead, Reading, State, real_columns
from extract.settings import RestSettings, Settings
from extract.sources.rest_api.rows import Rows, excluded_columns
from extract.sources.rest_api.spool import Spool
from extract.types import characters, split_type

log = logging.getLogger("extract")

EAST = timedelta(hours=14)  # as far as a local clock may be ahead of UTC

Watermark = Any  # a datetime, a date or an int, as the cursor's type is


@dataclass(frozen=True)
class RestRead(OwnRead):
    """The read that every run makes of a list."""

    table: RestTable

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Reads all pages into a file and gives what is in it.

        `state["cursor"]` is the watermark. `state["texts"]` names the columns without a declared type,
        `state["always"]` those that every row had so far.

        Raises:
            ExtractError: if a page cannot be read, is not as the table declares, or the list lost a column.
            PassingError: if the pages shifted while they were read.
        """
        with ExitStack() as closing:
            listing = Listing(self.table, settings, state, limits, closing)
            watermark = parse_watermark(self.table, state["cursor"]) if "cursor" in state else None
            start = None if watermark is None else format_watermark(step_back(watermark, self.table.lag))
            listing.read(start)
            yield listing.reading(watermark)


@dataclass(frozen=True)
class RestBackfill:
    """The read of what has a cursor in a range; the table goes on from where it was."""

    table: RestTable
    first: Watermark
    last: Watermark
    mode: str = "backfill"

    @property
    def replaces(self) -> bool:
        """False: what was loaded before stays."""
        return False

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:
        """Reads all pages of the range; an API that takes no end gives everything from the first value on.

        Raises:
            ExtractError: as the table's own read.
            PassingError: as the table's own read.
        """
        with ExitStack() as closing:
            listing = Listing(self.table, settings, state, limits, closing)
            listing.read(format_watermark(self.first), format_watermark(self.last))
            yield listing.reading(None, f"{self.first} to {self.last}")


def plan_backfill(table: RestTable, first: str, last: str) -> list[RestBackfill]:
    """Returns the read of a backfill from `first` to `last`, both included.

    The end that is asked for is one more, because an API may exclude it.

    Raises:
        ExtractError: if the table has no cursor, or these are no values of it.
    """
    what = table.full_name
    if table.cursor is None:
        raise ExtractError(f"{what}: every run reads all of it (mode {table.mode}); run it instead")
    kind = cursor_kind(table)
    try:
        start, end = make_range(kind, first), make_range(kind, last, step=1)
    except (ValueError, OverflowError) as error:
        expected = "two dates YYYY-MM-DD" if kind in TIMES else "two whole numbers"
        raise ExtractError(f"{what}: expected {expected} of {table.cursor}, got {first} and {last}") from error
    if not start < end:
        raise ExtractError(f"{what}: expected a first value that is not above the last, got {first} and {last}")
    return [RestBackfill(table, start, end)]


def make_range(kind: str, text: str, step: int = 0) -> Watermark:
    """Returns an end of a range in the cursor's type, some days or numbers later.

    Raises:
        ValueError: if the text is no date or no number.
    """
    if kind not in TIMES:
        return int(text) + step
    day = date.fromisoformat(text) + timedelta(days=step)
    if kind == "date32":
        return day
    return datetime.combine(day, time(), UTC if kind == "timestamptz" else None)


class Listing:
    """What the pages of one read brought, in files."""

    def __init__(
        self, table: RestTable, settings: Settings, state: State, limits: Limits, closing: ExitStack
    ) -> None:
        self.table = table
        self.settings = settings.of(table.source, RestSettings)
        self.state = state
        self.rows = Rows(table, limits, state.get("texts", ()))
        self.good, self.letters = Spool(settings.work), Spool(settings.work)
        closing.callback(self.good.close)
        closing.callback(self.letters.close)
        self.keys: list[pa.RecordBatch] = []  # with the page of each
        self.greatest: Watermark | None = None
        self.latest = latest_cursor(table)

    def read(self, start: str | None, end: str | None = None) -> None:
        """Reads all pages.

        Raises:
            ExtractError: if one cannot be read.
        """
        from extract.sources.rest_api.pages import read_pages  # with dlt, which takes its time

        for page in read_pages(self.table, self.settings, start, end):
            for good, letters in self.rows.convert_all(page.rows):
                self.good.write(good)
                self.letters.write(letters)
                if self.table.key:
                    keys = good.select(list(self.table.key))
                    self.keys.append(keys.append_column("_page", pa.repeat(pa.scalar(page.number), keys.num_rows)))
                if self.table.cursor:
                    self.note_cursor(good[self.table.cursor])

    def note_cursor(self, values: pa.Array) -> None:
        """Notes the greatest cursor, but none in the future: what comes before that would not be read."""
        if self.latest is not None:
            values = values.filter(pc.less_equal(values, pa.scalar(self.latest, values.type)))
        greatest = pc.max(values).as_py()
        if greatest is not None and (self.greatest is None or greatest > self.greatest):
            self.greatest = greatest

    def reading(self, watermark: Watermark | None, shown: str | None = None) -> Reading:
        """Returns the reading of what was read; the watermark goes on from the one before.

        A backfill, which has a range to show, leaves it.

        Raises:
            ExtractError: if the list lost a column, or has one that the declaration refuses.
            PassingError: if the pages shifted while they were read.
        """
        self.check_fields()
        state = {**self.state, "texts": self.rows.texts, "always": self.always()}
        shifted, repeated = self.count_repeated()
        if shifted:
            self.check_shift(shifted)
        elif shown is None and self.table.cursor:
            watermark = max((value for value in (watermark, self.greatest) if value is not None), default=None)
        if shown is None and watermark is not None:
            state["cursor"] = format_watermark(watermark)
        lengths = {column.name: characters(column.data_type) for column in self.table.columns}
        return Reading(
            schema=self.rows.schema,
            batches=self.good.batches(self.rows.schema),
            rows_source=self.rows.count,
            rows_repeated=repeated if self.table.replaces else 0,
            state=state,
            watermark=shown or state.get("cursor"),
            text_lengths={name: length for name, length in lengths.items() if length},
            reals=real_columns(self.table.columns),
            notes=tuple(self.notes(repeated)),
            rows_dead_letter=self.letters.rows,
            dead_letters=self.letters.batches(self.rows.letter_schema),
        )

    def check_fields(self) -> None:
        """Compares the fields of the rows with those declared, and with those that every row had so far.

        Raises:
            ExtractError: if a column is refused, or lost in the whole list.
        """
        what, rows = self.table.full_name, self.rows
        if self.table.new_columns == "refuse" and rows.texts:
            raise ExtractError(
                f"{what}: the fields {listed(rows.texts)} are not declared, and the declaration refuses new "
                "columns; declare or exclude them. Nothing was loaded"
            )
        if not rows.count:
            return
        known = self.state.get("always")
        if known is None:
            if unseen := [name for name in rows.columns if name not in rows.present]:
                texts = listed(rows.texts) or "none"
                log.warning(
                    "%s: no row has the declared fields %s; loaded as text without a declaration: %s",
                    what, listed(unseen), texts,
                )  # fmt: skip
            return
        excluded = excluded_columns(self.table)
        lost = [name for name in known if name not in rows.present and name not in excluded]
        if lost and self.table.replaces:
            raise ExtractError(
                f"{what}: column {listed(lost)} is missing in every row, and every row had it "
                f"before. Nothing was loaded; {self.table.dataset}.{self.table.name} keeps its rows. To load the "
                f"table from the beginning as it is now: python -m extract run --accept {what}"
            )
        if lost:
            log.warning("%s: every row had %s before, and none has it now: null", what, listed(lost))

    def always(self) -> list[str]:
        """Returns the columns that every row had so far."""
        known = self.state.get("always")
        if not self.rows.count:
            return list(known or ())
        now = [name for name in self.rows.columns if self.rows.present.get(name) == self.rows.count]
        return now if known is None else [name for name in now if name in known]

    def count_repeated(self) -> tuple[dict[str, Any] | None, int]:
        """Returns a key that is on two pages, with these, and how many rows have the key of another row."""
        if not self.keys:
            return None, 0
        keys = pa.Table.from_batches(self.keys).drop_null()
        groups = keys.group_by(list(self.table.key)).aggregate([("_page", "min"), ("_page", "max")])
        shifted = groups.filter(pc.not_equal(groups["_page_min"], groups["_page_max"])).slice(0, 1).to_pylist()
        return (shifted[0] if shifted else None), keys.num_rows - groups.num_rows

    def check_shift(self, shifted: dict[str, Any]) -> None:
        """Says that the pages shifted while they were read.

        Raises:
            PassingError: if they were to be the whole list.
        """
        first, last = shifted.pop("_page_min"), shifted.pop("_page_max")
        key = ", ".join(f"{name} = {value}" for name, value in shifted.items())
        found = f"{self.table.full_name}: {key} is on page {first} and on page {last}"
        if self.table.replaces:
            raise PassingError(
                f"{found}: the pages shifted while they were read, and another row may be missing. Nothing was "
                "loaded; run again, or ask the API for a stable order under params"
            )
        log.warning("%s: rows changed while they were read; the next run reads these pages again", found)

    def notes(self, repeated: int) -> Iterator[str]:
        """Yields what a person has to know of rows that are not loaded."""
        what, dataset = self.table.full_name, self.table.dataset
        if self.letters.rows:
            yield (
                f"{what}: {self.letters.rows:,} rows have values that do not fit their columns; "
                f"{dataset}.{self.table.dead_letters} has each with its reason. Correct them at the source, or the "
                "data_type in the declaration"
            )
        if repeated and self.table.replaces:
            yield (
                f"{what}: {repeated:,} rows have the key of another row; one row of each key is kept. Make the key "
                "unique at the source, or declare another key"
            )


def cursor_kind(table: RestTable) -> str:
    """Returns the kind of the cursor's type."""
    return next(split_type(column.data_type)[0] for column in table.columns if column.name == table.cursor)


def latest_cursor(table: RestTable) -> Watermark | None:
    """Returns the greatest cursor that is not in the future, wherever its clock is; None for a number."""
    if table.cursor is None:
        return None
    now = datetime.now(UTC).replace(microsecond=0)
    match cursor_kind(table):
        case "timestamptz":
            return now
        case "timestamp":
            return (now + EAST).replace(tzinfo=None)
        case "date32":
            return (now + EAST).date()
        case _:
            return None


def parse_watermark(table: RestTable, text: str) -> Watermark:
    """Returns a watermark that was stored.

    Raises:
        ExtractError: if the cursor has another type now.
    """
    try:
        match cursor_kind(table):
            case "date32":
                return date.fromisoformat(text)
            case "timestamp" | "timestamptz":
                return datetime.fromisoformat(text)
            case _:
                return int(text)
    except ValueError as error:
        raise ExtractError(
            f"{table.full_name}: expected a watermark of the cursor {table.cursor}, got {text} of another column or "
            f"type. To load the table from the beginning: python -m extract run --accept {table.full_name}"
        ) from error


def format_watermark(value: Watermark) -> str:
    """Returns a watermark as it is stored and asked for: ISO 8601, UTC as Z."""
    return str(value) if isinstance(value, int) else value.isoformat().replace("+00:00", "Z")


def step_back(value: Watermark, lag: int | timedelta | None) -> Watermark:
    """Returns the watermark less the lag; of a date, whole days."""
    if isinstance(value, int):
        assert isinstance(lag, int)  # noqa: S101  checked with the declaration
        return value - lag
    if not isinstance(lag, timedelta):  # 0
        return value
    return value - (lag if isinstance(value, datetime) else timedelta(days=math.ceil(lag / timedelta(days=1))))
