"""What a source gives the runner: one consistent read of one table, as a stream of Arrow batches."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from extract.declarations import Column, Table
from extract.settings import Settings
from extract.types import split_type

State = Mapping[str, Any]


@dataclass(frozen=True)
class Limits:
    """The most bytes of one value and the most columns of a table in the warehouse; None where it sets no limit."""

    text: int | None = None
    binary: int | None = None
    columns: int | None = None


# A dead letter: its key for people, the row as JSON, and what was expected instead. Its key in the types of the raw
# table stands before these, in columns of `letter_key`, so that a later version of the row can be found.
DEAD_LETTER = pa.schema([("key", pa.string()), ("row", pa.string()), ("reason", pa.string())])
DEAD_LETTER_TEXTS = {"key": 250, "reason": 500}  # characters at most


def letter_key(number: int) -> str:
    """Returns the name of a column of the key in a dead letter; the number counts from 0."""
    return f"_key_{number + 1}"


@dataclass(frozen=True)
class Reading:
    """One read of one table.

    `state` is what the next run needs to go on from here; it is stored in the same load as the rows, so neither
    exists without the other. `notes` has a line for each thing at the source that was not loaded and was kept
    elsewhere with its reason. `dead_letters` are read after the batches; their columns are those of the key and
    DEAD_LETTER.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    rows_source: int
    rows_repeated: int = 0  # of them, those whose key another row has too
    state: State = field(default_factory=dict)
    watermark: str | None = None
    text_lengths: Mapping[str, int] = field(default_factory=dict)  # column: characters at most, where known
    reals: frozenset[str] = frozenset()  # columns of doubles whose type at the source is real
    notes: tuple[str, ...] = ()
    rows_dead_letter: int = 0
    dead_letters: Iterator[pa.RecordBatch] = field(default_factory=lambda: iter(()))
    rows_deleted: int = 0  # of the batches' rows, those that say that the source no longer has a key
    declared: pa.Schema | None = None  # the columns that a first load must have
    takes_new_columns: bool = True


def real_columns(columns: Iterable[Column]) -> frozenset[str]:
    """Returns the columns that are declared as real."""
    return frozenset(column.name for column in columns if split_type(column.data_type)[0] == "float32")


class Read(Protocol):
    """A way to read a table: as every run does, or as a backfill, a reconcile and others do."""

    @property
    def table(self) -> Table:
        """The table that it reads and loads."""

    @property
    def mode(self) -> str:
        """How it reads: one of the table's modes, or keys, reconcile, backfill, replay, plan or range."""

    @property
    def replaces(self) -> bool:
        """True if it is the whole table and replaces what was loaded before."""

    def open(self, settings: Settings, state: State, limits: Limits) -> AbstractContextManager[Reading]:
        """Opens one consistent read that goes on from `state`; a row with a value beyond the limits is a dead letter.

        Raises:
            ExtractError: if the source cannot be read, or is not as the table declares.
        """


@dataclass(frozen=True)
class OwnRead:
    """The read that every run makes of a table; each kind of source has one."""

    table: Table

    @property
    def mode(self) -> str:
        """The mode of the table."""
        return self.table.mode

    @property
    def replaces(self) -> bool:
        """True in the modes that read the whole table."""
        return self.table.replaces
