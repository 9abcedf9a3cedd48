"""What a source says of a table: the same for a Postgres table, a Parquet file and a JSON API."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from extract.declarations import RESERVED
from extract.names import normalize
from extract.sql import quote
from extract.types import LONGEST_TEXT

TIMES = ("date", "timestamp", "timestamptz")
NUMBERS = ("smallint", "integer", "bigint")

MADE = ("excluida_em", "carregado_em")  # columns that bronze adds
FILES = ("_file_path", "_file_date")  # columns that the loader of files adds, which bronze keeps


@dataclass(frozen=True)
class FoundColumn:
    """A column: its name in raw, its type there, its type in bronze and silver."""

    name: str
    raw_type: str
    data_type: str
    comment: str = ""
    origin: str = ""  # what describes it if the source has no comment
    at_source: str = ""  # its name there
    nullable: bool = True
    is_indexed: bool = False  # an index begins with it


@dataclass(frozen=True)
class FoundTable:
    """A table. `rename` has the columns whose name in raw does not follow from that at the source."""

    name: str
    what: str  # for people: "Table vendas.cliente"
    comment: str
    columns: Sequence[FoundColumn]
    key: tuple[str, ...]
    mode: str
    reason: str  # of the mode
    rename: Mapping[str, str] = field(default_factory=dict)
    place: tuple[str, str] | None = None  # schema and name at the source
    endpoint: Mapping[str, Any] = field(default_factory=dict)  # of a JSON API
    cursor: str | None = None
    lag: str | None = None
    sampled: bool = False  # True if only some rows were seen, which do not show every column and type

    @property
    def appends(self) -> bool:
        """True if raw keeps every version of a row."""
        return self.mode in ("xmin", "cursor")

    @property
    def relation(self) -> str | None:
        """The table at the source in SQL, where that is not its name in raw."""
        if self.place is None or self.place == ("public", self.name):
            return None
        return ".".join(quote_if_needed(part) for part in self.place)

    def follow(self, cursor: str) -> "FoundTable":
        """Returns the table with a cursor, and a lag in which most transactions end."""
        kind = next(column.raw_type for column in self.columns if column.name == cursor)
        lag = "1 day" if kind in TIMES else "1000"
        reason = f"Each run reads the rows whose {cursor} is at most {lag} behind the greatest one seen."
        return replace(self, cursor=cursor, lag=lag, reason=reason)

    def override(self, key: tuple[str, ...] | None, mode: str | None) -> "FoundTable":
        """Returns the table with what a person said of it."""
        table = self if key is None else replace(self, key=key)
        return table if mode is None else replace(table, mode=mode, reason="Chosen when the table was added.")


def name_columns(names: Sequence[str], *, reserved: Sequence[str] = (*RESERVED, *MADE)) -> dict[str, str]:
    """Returns the name in raw of each column at the source; no two get the same, and none gets a reserved one."""
    named: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        try:
            wanted = normalize(name)
        except ValueError:
            wanted = f"coluna_{number}"
        loaded = f"{wanted.strip('_')}_origem" if wanted in reserved else wanted
        copy = 2
        while loaded in named.values():
            loaded = f"{wanted}_{copy}"
            copy += 1
        named[name] = loaded
    return named


def normalized(name: str) -> str | None:
    """Returns the name in raw, None if it cannot have one."""
    try:
        return normalize(name)
    except ValueError:
        return None


def renamed(named: Mapping[str, str]) -> dict[str, str]:
    """Returns the columns whose name in raw does not follow from that at the source."""
    return {name: loaded for name, loaded in named.items() if normalized(name) != loaded}


def quote_if_needed(name: str) -> str:
    """Returns a name as SQL writes it, in quotes only where it needs them."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else quote(name)


def text_type(characters: int | None) -> str:
    """Returns the type of a text: Redshift counts its length in bytes."""
    return f"varchar({min(characters * 4, LONGEST_TEXT) if characters else LONGEST_TEXT})"
