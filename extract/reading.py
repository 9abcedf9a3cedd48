"""What a source gives the runner: one consistent read of one table, as a stream of Arrow batches."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from extract.settings import Settings

State = Mapping[str, Any]


BYTES_PER_CHARACTER = 4  # UTF-8's most; Redshift counts a varchar's length in bytes


@dataclass(frozen=True)
class Limits:
    """The most bytes that one value may have in the warehouse; None where it sets no limit."""

    text: int | None = None
    binary: int | None = None


# A row that does not fit its table: its key, the row as it came in JSON, and what was expected instead.
DEAD_LETTER = pa.schema([("key", pa.string()), ("row", pa.string()), ("reason", pa.string())])
DEAD_LETTER_TEXTS = {"key": 250, "reason": 500}  # characters at most


def dead_letter_table(table: str) -> str:
    """Returns the name of the raw table that keeps the rows that do not fit this one."""
    return f"{table}_dead_letter"


@dataclass(frozen=True)
class Reading:
    """One read of one table.

    `state` is what the next run needs to go on from here; it is stored with the rows, in one load, so
    neither is ever there without the other. `set_aside` has a line for each thing at the source that
    could not be taken and was kept elsewhere with its reason. `dead_letters` are read after the batches. `dist` and
    `sort` name the columns by which Redshift spreads and orders the raw table; a small one needs neither.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    rows_source: int
    rows_repeated: int = 0  # of them, those whose key another row has too
    state: State = field(default_factory=dict)
    watermark: str | None = None
    text_lengths: Mapping[str, int] = field(default_factory=dict)  # column: characters at most, where known
    set_aside: tuple[str, ...] = ()
    rows_dead_letter: int = 0
    dead_letters: Iterator[pa.RecordBatch] = field(default_factory=lambda: iter(()))  # in the schema DEAD_LETTER
    rows_deleted: int = 0  # of the batches' rows, those that say that the source has a key no more
    declared: pa.Schema | None = None  # the columns that a first load must have
    takes_new_columns: bool = True
    dist: str | None = None
    sort: str | None = None


class TableName:
    """What a table is called, from its `source` and its `name`."""

    @property
    def full_name(self: "HasName") -> str:
        """The name for people and records: `postgres.venda`."""
        return f"{self.source}.{self.name}"

    @property
    def dataset(self: "HasName") -> str:
        """The raw schema: `raw_postgres`."""
        return f"raw_{self.source}"


class HasName(Protocol):
    """Anything with a source and a name."""

    @property
    def source(self) -> str:
        """The source's name."""

    @property
    def name(self) -> str:
        """The raw table's name."""


class Table(HasName, Protocol):
    """A table of a source, as data: adding one to its source's list is all it takes to load it."""

    @property
    def full_name(self) -> str:
        """The name for people and records: `postgres.venda`."""

    @property
    def dataset(self) -> str:
        """The raw schema: `raw_postgres`."""

    @property
    def key(self) -> str:
        """The column that tells its rows apart."""

    @property
    def mode(self) -> str:
        """How it is read: snapshot, full, cursor, xmin, files, reconcile, backfill, replay, plan or range."""

    @property
    def replaces(self) -> bool:
        """True where a read is the whole table and takes the place of what was loaded before."""

    def read(self, settings: Settings, state: State, limits: Limits) -> AbstractContextManager[Reading]:
        """Opens one consistent read that goes on from `state`; what goes beyond the limits is a dead letter.

        Raises:
            ExtractError: if the source cannot be read, or does not hold what the table declares.
        """
