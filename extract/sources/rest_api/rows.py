"""Rows of JSON as Arrow batches: those that fit the declared columns, and dead letters."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from extract.declarations import DELETED, RESERVED, RestTable
from extract.errors import ExtractError
from extract.names import cut as cut_name
from extract.names import listed, normalize
from extract.reading import DEAD_LETTER, DEAD_LETTER_TEXTS, Limits, letter_key
from extract.sources.rest_api.values import (
    MOST_LEVELS,
    RestColumn,
    make_column,
    shorten,
    storable,
    text_column,
    to_json,
)
from extract.types import MOST_COLUMNS

# In mode cursor a row without values but its key takes out the version that was loaded before.
DELETED_FIELD = pa.field(DELETED, pa.bool_())

CUT = 1000  # bytes of a value above which it is cut in a dead letter that is too long
KEPT = 200  # characters of a value that is cut
AT_ONCE = 1000  # rows that are converted


@dataclass
class Rows:
    """The columns of a table, as its rows show them, and their conversion.

    A field without a declared type becomes a column of text when it comes first, and stays one: `found` has those of
    earlier loads too.
    """

    table: RestTable
    limits: Limits
    found: Sequence[str] = ()
    columns: dict[str, RestColumn] = field(default_factory=dict)  # by their names in raw
    names: dict[str, str | None] = field(default_factory=dict)  # of each field of the JSON; None if it is excluded
    present: dict[str, int] = field(default_factory=dict)  # rows that had the column's field
    count: int = 0

    def __post_init__(self) -> None:
        for column in self.table.columns:
            self.columns[column.name] = make_column(column, self.limits.text)
        for name in self.found:
            if name not in excluded_columns(self.table):
                self.columns.setdefault(name, text_column(name, self.limits.text))

    @property
    def texts(self) -> list[str]:
        """The columns whose type is not declared."""
        declared = {column.name for column in self.table.columns}
        return [name for name in self.columns if name not in declared]

    @property
    def schema(self) -> pa.Schema:
        """The columns of raw."""
        schema = pa.schema([(column.name, column.arrow) for column in self.columns.values()])
        return schema if self.table.replaces else schema.append(DELETED_FIELD)

    @property
    def letter_schema(self) -> pa.Schema:
        """The columns of dead letters: the key, and what is wrong."""
        keys = [(letter_key(n), self.columns[name].arrow) for n, name in enumerate(self.table.key)]
        return pa.schema([*keys, *DEAD_LETTER])

    def convert_all(self, rows: Sequence[Any]) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """Yields what `convert` returns for some rows after the other: more at once would take more memory."""
        for first in range(0, len(rows), AT_ONCE):
            yield self.convert(rows[first : first + AT_ONCE])

    def convert(self, rows: Iterable[Any]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Returns the rows that fit and the dead letters.

        Raises:
            ExtractError: if a row is no object, or two of its fields have one name in raw.
        """
        good: list[dict[str, Any]] = []
        letters: list[dict[str, Any]] = []
        for row in rows:
            named = self.rename(row)
            values, faults = self.parse(named)
            if faults:
                letters.append(self.letter(row, values, faults))
                if not self.table.replaces and all(values.get(name) is not None for name in self.table.key):
                    good.append({name: values[name] for name in self.table.key} | {DELETED: True})
            else:
                good.append(values)
        return pa.RecordBatch.from_pylist(good, self.schema), pa.RecordBatch.from_pylist(letters, self.letter_schema)

    def rename(self, row: Any) -> dict[str, Any]:
        """Returns the values of a row by their names in raw, without the excluded ones."""
        if not isinstance(row, dict):
            raise ExtractError(
                f"{self.table.full_name}: expected a list of objects, got {shorten(row)} in it; check data_selector"
            )
        self.count += 1
        named: dict[str, Any] = {}
        for name, value in row.items():
            loaded = self.names[name] if name in self.names else self.name(name)
            if loaded is not None:
                if loaded in named:
                    raise ExtractError(
                        f"{self.table.full_name}: two fields would both be {loaded} in raw, {cut_name(name)!r} is "
                        f"one; rename it in the declaration: columns: {{rename: {{{cut_name(name)}: …}}}}"
                    )
                named[loaded] = value
                self.present[loaded] = self.present.get(loaded, 0) + 1
        return named

    def name(self, name: str) -> str | None:
        """Returns the name in raw of a field that comes first, which may be a new column; None if it is excluded."""
        if name in self.table.exclude:
            self.names[name] = None
            return None
        rename = f"rename it in the declaration: columns: {{rename: {{{cut_name(name)}: …}}}}"
        try:
            loaded = self.table.rename.get(name) or normalize(name)
        except ValueError as error:
            raise ExtractError(f"{self.table.full_name}: field {cut_name(name)!r}: {error}; {rename}") from error
        if loaded not in self.columns and len(self.columns) == MOST_COLUMNS:
            raise ExtractError(
                f"{self.table.full_name}: expected at most {MOST_COLUMNS:,} fields, got more: "
                f"{listed(self.columns)}; exclude those that are not needed in the declaration, or check that the "
                "rows of the list have the same fields"
            )
        if loaded in RESERVED:
            raise ExtractError(f"{self.table.full_name}: field {name}: the loaders need the name {loaded}; {rename}")
        self.columns.setdefault(loaded, text_column(loaded, self.limits.text))
        self.names[name] = loaded
        return loaded

    def parse(self, named: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Returns the values that fit their columns, and what is wrong with the others."""
        values: dict[str, Any] = {}
        faults: list[str] = []
        for name, value in named.items():
            if value is not None:
                column = self.columns[name]
                try:
                    values[name] = column.parse(value)
                except (ArithmeticError, ValueError, TypeError):
                    faults.append(column.expected(value))
        if not self.table.replaces:
            # Nothing would find such a row again: no later read of changes brings it.
            missing = [name for name in self.table.key if named.get(name) is None]
            faults += [f"column {name}: expected a value in the key, got none" for name in missing]
        return values, faults

    def letter(self, row: Mapping[str, Any], values: Mapping[str, Any], faults: Sequence[str]) -> dict[str, Any]:
        """Returns the dead letter of a row."""
        kept = {name: value for name, value in row.items() if self.names[name] is not None}
        key = [values.get(name) for name in self.table.key]
        whole = all(value is not None for value in key)
        text = self.whole_text(kept)
        if text is None:
            text = to_json({name: cut(value) for name, value in kept.items()}, MOST_LEVELS + 1)
        shown = ", ".join("" if value is None else str(value) for value in key)
        return {
            **{letter_key(n): value if whole else None for n, value in enumerate(key)},
            "key": storable(shown)[: DEAD_LETTER_TEXTS["key"]] if whole and key else None,
            "row": storable(text),
            "reason": "; ".join(faults)[: DEAD_LETTER_TEXTS["reason"]],
        }

    def whole_text(self, kept: Mapping[str, Any]) -> str | None:
        """Returns a row as JSON; None if it has too many levels, or is longer than a text of the warehouse."""
        try:
            text = to_json(kept, MOST_LEVELS + 1)  # of its values, as everywhere
        except ValueError:
            return None
        return None if self.limits.text and len(storable(text).encode()) > self.limits.text else text


def excluded_columns(table: RestTable) -> set[str]:
    """Returns the names in raw that the excluded fields would have, and may have had."""
    names = set()
    for name in table.exclude:
        with suppress(ValueError):
            names.add(table.rename.get(name) or normalize(name))
    return names


def cut(value: Any) -> Any:
    """Returns a value, or the beginning of a long one with its length."""
    try:
        text = value if isinstance(value, str) else to_json(value)
    except ValueError as error:
        return f"… ({error})"
    size = len(storable(text).encode())
    return value if size <= CUT else f"{text[:KEPT]}… ({size} bytes)"
