"""What a source says of a table: the same for a Postgres table and a Parquet file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from extract.declarations import RESERVED
from extract.names import normalize

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


@dataclass(frozen=True)
class FoundTable:
    """A table. `words` are those of its declaration beside mode and key."""

    name: str
    what: str  # for people: "Table vendas.cliente"
    comment: str
    columns: Sequence[FoundColumn]
    key: tuple[str, ...]
    mode: str
    reason: str  # of the mode
    words: Mapping[str, object] = field(default_factory=dict)

    @property
    def appends(self) -> bool:
        """True if raw keeps every version of a row."""
        return self.mode in ("xmin", "cursor")

    def override(self, key: tuple[str, ...] | None, mode: str | None, name: str | None) -> "FoundTable":
        """Returns the table with what a person said of it."""
        table = replace(self, name=name or self.name)
        if key is not None:
            table = replace(table, key=key)
        if mode is not None:
            table = replace(table, mode=mode, reason="Chosen when the table was added.")
        return table


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


def text_type(characters: int | None) -> str:
    """Returns the type of a text: Redshift counts its length in bytes, and allows 65,535."""
    return f"varchar({min(characters * 4, 65_535) if characters else 65_535})"
