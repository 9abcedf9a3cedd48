"""The tables that the loaders read, as the dbt project declares them.

    sources:
      - name: raw_postgres                   # the raw schema: one dbt source per connection
        config: {meta: {extract: {kind: postgres, settings: SOURCE_POSTGRES}}}
        tables:
          - name: venda
            config: {meta: {extract: {mode: xmin, key: [id_venda]}}}

A dbt source with `extract` is a connection, and each of its tables with `extract` is loaded. All files are read and
checked before anything starts, and all problems are reported at once. dbt is not imported, which would take seconds.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import yaml

from extract.errors import ExtractError
from extract.names import normalize
from extract.rest_endpoint import find_client_problems, find_endpoint_problems
from extract.sql import quote
from extract.types import split_type

DELETED = "_deleted"  # true in a raw row that says that the source no longer has its key
TIMES = ("date32", "timestamp", "timestamptz")  # the types of a cursor from which a time can be subtracted
WHOLE_NUMBERS = ("int16", "int32", "int64")
RESERVED = (DELETED, "_dlt_load_id", "_dlt_id", "_file_path", "_file_date")  # columns that the loaders add

SECRET = re.compile(r"://[^/\s@]*:[^/\s@]*@|\b(password|token|secret|api_?key)\b\s*[=:]", re.IGNORECASE)


class DeclarationError(ExtractError):
    """Declarations that are wrong, all of them in one message."""


@dataclass(frozen=True)
class Source:
    """A connection: its name (without `raw_`), its kind, and the prefix of its settings in the environment."""

    name: str
    kind: str
    settings: str
    client: Mapping[str, Any] = field(default_factory=dict, hash=False)  # of a JSON API: how it is asked

    @property
    def dataset(self) -> str:
        """The raw schema."""
        return f"raw_{self.name}"


@dataclass(frozen=True)
class Column:
    """A column of a raw table whose type is declared."""

    name: str
    data_type: str
    nullable: bool = True  # false with `constraints: [{type: not_null}]`


@dataclass(frozen=True)
class Table:
    """A table to load. All names are those in raw: of the table, of its key, of its columns."""

    name: str
    mode: str
    source: Source
    key: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    dist: str | None = None  # the columns by which Redshift distributes and sorts the raw table, if it is large
    sort: str | None = None

    SOURCE_WORDS: ClassVar[tuple[str, ...]] = ("kind", "settings")
    WORDS: ClassVar[tuple[str, ...]] = ("mode", "key", "dist", "sort")
    MODES: ClassVar[Mapping[str, bool]] = {}  # each mode, and whether it needs a key
    REPLACING: ClassVar[tuple[str, ...]] = ()  # the modes in which a read is the whole table

    @property
    def full_name(self) -> str:
        """The name for people and records: `postgres.venda`."""
        return f"{self.source.name}.{self.name}"

    @property
    def dataset(self) -> str:
        """The raw schema: `raw_postgres`."""
        return self.source.dataset

    @property
    def relation(self) -> str:
        """The raw table in SQL."""
        return f"{self.dataset}.{quote(self.name)}"

    @property
    def dead_letters(self) -> str:
        """The name of the raw table of its dead letters."""
        return f"{self.name}_dead_letter"

    @property
    def source_keys(self) -> str:
        """The name of the raw table of the keys that the source has, if they are compared in the warehouse."""
        return f"{self.name}_source_keys"

    @property
    def replaces(self) -> bool:
        """True if a read is the whole table and replaces what was loaded before."""
        return self.mode in self.REPLACING

    @property
    def counts_source(self) -> bool:
        """True if a run knows how many rows the source has, those that it does not read included."""
        return True

    def problems(self) -> Iterator[str]:
        """Yields what is wrong with the declaration."""
        if self.mode not in self.MODES:
            yield f"mode: expected one of {', '.join(self.MODES)}, got {self.mode!r}"
        elif self.MODES[self.mode] and not self.key:
            yield f"key: mode {self.mode} needs one: without it a row that is read twice is two rows"
        if len(set(self.key)) < len(self.key):
            yield f"key: expected each column once, got {', '.join(self.key)}"


@dataclass(frozen=True)
class PostgresTable(Table):
    """A table or view of a Postgres database."""

    schema: str = "public"
    relation_name: str = ""  # at the source; empty where it is the name in raw
    cursor: str | None = None
    lag: int | timedelta | None = None
    date: str | None = None  # the column that a backfill by dates uses
    new_columns: str = "take"
    exclude: tuple[str, ...] = ()  # columns that are not read
    rename: Mapping[str, str] = field(default_factory=dict)  # a column's name at the source: its name in raw
    filter: str | None = None  # a condition on the rows, in the SQL of the source

    WORDS: ClassVar = (*Table.WORDS, "relation", "cursor", "lag", "date", "new_columns", "columns", "filter")
    MODES: ClassVar = {"full": False, "cursor": True, "xmin": True}
    REPLACING: ClassVar = ("full",)

    @property
    def source_argument(self) -> str:
        """The table at the source as a shell hands it to `extract add`."""
        name = f"{self.schema}.{self.relation_name or self.name}".replace("'", "'\\''")
        return f"'{name}'"

    @property
    def source_relation(self) -> str:
        """The table at the source in SQL."""
        return f"{quote(self.schema)}.{quote(self.relation_name or self.name)}"

    def problems(self) -> Iterator[str]:
        """Yields what is wrong with the declaration."""
        yield from super().problems()
        if (self.mode == "cursor") != (self.cursor is not None and self.lag is not None):
            yield "cursor, lag: mode cursor needs both, and no other mode takes them"
        if self.new_columns not in ("take", "refuse"):
            yield f"new_columns: expected take or refuse, got {self.new_columns!r}"


@dataclass(frozen=True)
class ParquetTable(Table):
    """A table of the Parquet drop; `columns` are those that every file must have."""

    exclude: tuple[str, ...] = ()  # columns that are not read
    rename: Mapping[str, str] = field(default_factory=dict)  # a column's name in the files: its name in raw

    WORDS: ClassVar = (*Table.WORDS, "columns")
    MODES: ClassVar = {"files": False}

    def problems(self) -> Iterator[str]:
        """Yields what is wrong with the declaration."""
        yield from super().problems()
        names = [column.name for column in self.columns]
        if re.match(r"_[a-z_]", self.name):
            yield "expected another name: files and folders whose name starts with _ are not read"
        if not names:
            yield "columns: expected each column of the files with its data_type, got none"
        for word, words in (("key", self.key), ("columns, rename", self.rename.values())):
            unknown = [name for name in words if name not in names]
            yield from (f"{word}: expected one of the columns {', '.join(names)}, got {name}" for name in unknown)
        for column in self.columns:
            if split_type(column.data_type)[0] == "time":
                yield f"column {column.name}: data_type: Redshift loads no time from a file; expected varchar(65535)"


@dataclass(frozen=True)
class ApiTable(Table):
    """An endpoint that returns one value in plain text for each id, from 1 on."""

    path: str = ""  # relative to the URL of the source
    column: str = "nome"  # the name of the value
    length: int = 100  # characters of a value at most

    WORDS: ClassVar = (*Table.WORDS, "path", "column", "length")
    MODES: ClassVar = {"snapshot": True}
    REPLACING: ClassVar = ("snapshot",)

    def problems(self) -> Iterator[str]:
        """Yields what is wrong with the declaration."""
        yield from super().problems()
        if self.key != ("id",):
            yield f"key: expected [id], which the API is asked for, got [{', '.join(self.key)}]"


@dataclass(frozen=True)
class RestTable(Table):
    """A list of a JSON API; `columns` are the fields that have a type, every other one is a text."""

    endpoint: Mapping[str, Any] = field(default_factory=dict, hash=False)  # in dlt's words
    cursor: str | None = None
    lag: int | timedelta | None = None
    new_columns: str = "take"
    exclude: tuple[str, ...] = ()  # fields that are not loaded
    rename: Mapping[str, str] = field(default_factory=dict, hash=False)  # a field: its name in raw

    SOURCE_WORDS: ClassVar = (*Table.SOURCE_WORDS, "client")
    WORDS: ClassVar = (*Table.WORDS, "endpoint", "cursor", "lag", "new_columns", "columns")
    MODES: ClassVar = {"snapshot": False, "cursor": True}
    REPLACING: ClassVar = ("snapshot",)

    @property
    def counts_source(self) -> bool:
        """False in mode cursor: the API says what changed, not how many rows it has."""
        return self.replaces

    def problems(self) -> Iterator[str]:
        """Yields what is wrong with the declaration."""
        yield from super().problems()
        yield from find_endpoint_problems(self.endpoint, self.source.client, self.mode)
        types = {column.name: split_type(column.data_type)[0] for column in self.columns}
        for role, name in (*(("key", name) for name in self.key), ("cursor", self.cursor)):
            if name and name not in types:
                yield f"{role}: column {name} needs a data_type under columns"
        for name, kind in types.items():
            if kind in ("binary", "time"):
                yield f"columns: {name}: expected a type that JSON has, got {kind}; declare varchar"
        if (self.mode == "cursor") != (self.cursor is not None and self.lag is not None):
            yield "cursor, lag: mode cursor needs both, and no other mode takes them"
        elif self.cursor in types:
            kind = types[self.cursor]
            expected = "a time such as 1 day" if kind in TIMES else "a whole number"
            if kind not in (*TIMES, *WHOLE_NUMBERS):
                yield f"cursor: expected a date, a timestamp or a whole number, {self.cursor} is a {kind}"
            elif isinstance(self.lag, timedelta) != (kind in TIMES) and self.lag != 0:
                yield f"lag: expected {expected}: cursor {self.cursor} is a {kind}"
        if self.new_columns not in ("take", "refuse"):
            yield f"new_columns: expected take or refuse, got {self.new_columns!r}"


KINDS: Mapping[str, type[Table]] = {
    "postgres": PostgresTable, "parquet": ParquetTable, "api": ApiTable, "rest_api": RestTable,
}  # fmt: skip


@dataclass(frozen=True)
class Declarations:
    """The tables to load."""

    tables: tuple[Table, ...] = ()

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The sources that have tables, in the order of the declarations."""
        return tuple(dict.fromkeys(table.source for table in self.tables))

    def select(self, sources: Iterable[str]) -> "Declarations":
        """Returns the declarations of some sources.

        Raises:
            ExtractError: if a source is not declared.
        """
        wanted, known = set(sources), [source.name for source in self.sources]
        if unknown := sorted(wanted - set(known)):
            raise ExtractError(f"source {unknown[0]}: not declared; expected one of {', '.join(known) or '(none)'}")
        return Declarations(tuple(table for table in self.tables if table.source.name in wanted))

    def find(self, full_name: str) -> Table:
        """Returns the table of a name such as `postgres.venda`.

        Raises:
            ExtractError: if it is not declared.
        """
        for table in self.tables:
            if table.full_name == full_name:
                return table
        names = ", ".join(table.full_name for table in self.tables)
        raise ExtractError(f"{full_name}: no such table; expected one of {names or '(none is declared)'}")


def read_declarations(project: Path | None = None) -> Declarations:
    """Returns what the dbt project declares, by default that in DBT_PROJECT_DIR or the current folder.

    Raises:
        DeclarationError: naming everything that is wrong, each with its file and entry.
    """
    root = project or Path(os.environ.get("DBT_PROJECT_DIR") or ".")
    reader = _Reader()
    for file in sorted((root / "models").rglob("*.y*ml")):
        reader.read_file(file, str(file.relative_to(root)))
    reader.check_names()
    if reader.problems:
        heading = f"{len(reader.problems)} problem{'s' if len(reader.problems) > 1 else ''} in the declarations:"
        raise DeclarationError("\n  ".join([heading, *reader.problems]))
    return Declarations(tuple(reader.tables))


class _Reader:
    """Reads files one by one; collects tables and problems."""

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self.problems: list[str] = []
        self._sources: dict[str, tuple[Source, str]] = {}
        self._places: dict[str, str] = {}  # of each table

    def read_file(self, file: Path, name: str) -> None:
        text = file.read_text(encoding="utf-8")
        if "extract" not in text:
            return
        try:
            content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe
        except yaml.YAMLError as error:
            self.problems.append(f"{name}: expected YAML, got: {' '.join(str(error).split())}")
            return
        sources = content.get("sources") if isinstance(content, dict) else None
        for entry in sources or ():
            words = extract_words(entry)
            if words is not None:
                self._read_source(entry, words, f"{name}: source {entry.get('name')}")

    def check_names(self) -> None:
        """Refuses a table whose name another one needs for a table that the loaders make."""
        names = {table.full_name for table in self.tables}
        for table in self.tables:
            for made in (table.dead_letters, table.source_keys):
                if f"{table.source.name}.{made}" in names:
                    place = self._places[f"{table.source.name}.{made}"]
                    self.problems.append(f"{place}: the loaders need this name for {table.full_name}; choose another")

    def _read_source(self, entry: Mapping[str, Any], words: Any, place: str) -> None:
        kind = words.get("kind") if isinstance(words, dict) else None
        if not self._check_words(words, KINDS.get(str(kind), Table).SOURCE_WORDS, place):
            return
        settings, client, schema = words.get("settings"), words.get("client", {}), str(entry.get("name"))
        if not re.fullmatch(r"raw_[a-z][a-z0-9_]*", schema):
            self.problems.append(f"{place}: expected a name such as raw_crm, the schema that it is loaded into")
        elif kind not in KINDS:
            self.problems.append(f"{place}: kind: expected one of {', '.join(KINDS)}, got {kind!r}")
        elif not isinstance(settings, str) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", settings):
            self.problems.append(f"{place}: settings: expected a prefix of variables, such as CRM, got {settings!r}")
        else:
            problems = [f"{place}: {problem}" for problem in find_client_problems(client, settings)]
            self.problems += problems
            source = Source(schema.removeprefix("raw_"), str(kind), settings, {} if problems else client)
            other, declared = self._sources.setdefault(source.name, (source, place))
            if other != source:
                self.problems.append(f"{place}: expected the same {' and '.join(words)} as in {declared}")
            for table in entry.get("tables") or ():
                words = extract_words(table)
                if words is not None:
                    self._read_table(source, table, words, f"{place}, table {table.get('name')}")

    def _read_table(self, source: Source, entry: Mapping[str, Any], words: Any, place: str) -> None:
        kind = KINDS[source.kind]
        if not self._check_words(words, kind.WORDS, place):
            return
        before = len(self.problems)
        values: dict[str, Any] = {"columns": tuple(self._read_columns(entry, place))}
        for word in words:
            self._attempt(f"{place}: {word}", lambda: values.update(PARSERS[word](words[word])))  # noqa: B023  called at once
        name = str(entry.get("name"))
        self._attempt(place, lambda: expect_normalized(name))
        if "mode" not in words:
            self.problems.append(f"{place}: mode: expected one of {', '.join(kind.MODES)}, got none")
        if len(self.problems) > before:
            return
        table = kind(name=name, source=source, **values)
        self.problems += [f"{place}: {problem}" for problem in table.problems()]
        other = self._places.setdefault(table.full_name, place)
        if table.full_name in [known.full_name for known in self.tables]:
            self.problems.append(f"{place}: {table.full_name} is declared twice, also in {other}")
        else:
            self.tables.append(table)

    def _read_columns(self, entry: Mapping[str, Any], place: str) -> Iterator[Column]:
        """Yields the columns that have a data_type, without those that the loaders add."""
        for column in entry.get("columns") or ():
            name, data_type = str(column.get("name")), column.get("data_type")
            if data_type is not None and name not in RESERVED:
                self._attempt(f"{place}, column {name}: data_type", lambda: split_type(str(data_type)))  # noqa: B023  called at once
                yield Column(name, str(data_type), nullable=not has_not_null(column))

    def _check_words(self, words: Any, known: tuple[str, ...], place: str) -> bool:
        """Returns whether these words can be read; notes each that cannot."""
        if not isinstance(words, dict):
            self.problems.append(f"{place}: extract: expected {{{', '.join(known)}}}, got {words!r}")
            return False
        before = len(self.problems)
        for word, value in words.items():
            if word not in known:
                self.problems.append(f"{place}: extract: unknown word {word!r}; expected {', '.join(known)}")
            elif re.search(r"\{[{%#]", str(value)):
                self.problems.append(f"{place}: {word}: expected a plain value, got Jinja")
            elif SECRET.search(str(value)):
                self.problems.append(f"{place}: {word}: found a secret, which dbt would publish; use a setting")
        return len(self.problems) == before

    def _attempt(self, place: str, work: Callable[[], object]) -> None:
        try:
            work()
        except ValueError as error:
            self.problems.append(f"{place}: {error}")


def find_word_problems(source: Source, words: Mapping[str, Any], place: str) -> list[str]:
    """Returns which words of a table's declaration cannot be read, whatever the rest of it is."""
    reader = _Reader()
    reader._check_words(words, KINDS[source.kind].WORDS, place)
    return reader.problems


def extract_words(entry: Any) -> Any:
    """Returns what `config.meta.extract` of an enabled entry contains, None if it is missing."""
    config = entry.get("config") if isinstance(entry, dict) else None
    if not isinstance(config, dict) or config.get("enabled", True) is False:
        return None
    meta = config.get("meta")
    return meta.get("extract") if isinstance(meta, dict) else None


def has_not_null(column: Mapping[str, Any]) -> bool:
    """Returns whether an entry of a column has dbt's constraint `not_null`."""
    constraints = column.get("constraints") or ()
    return any(isinstance(one, dict) and one.get("type") == "not_null" for one in constraints)


def expect_normalized(name: str) -> str:
    """Returns a name that is as it is in raw.

    Raises:
        ValueError: if raw has it in another way.
    """
    if normalize(name) != name:
        raise ValueError(f"expected the name in raw, {normalize(name)}, got {name}")
    return name


def parse_text(value: Any) -> str:
    """Returns a text.

    Raises:
        ValueError: for anything else.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected a text, got {value!r}")
    return value


def parse_key(value: Any) -> tuple[str, ...]:
    """Returns the columns of a key.

    Raises:
        ValueError: if they are not a list of columns in raw.
    """
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"expected a list of columns, such as [id] or [empresa, codigo], got {value!r}")
    return tuple(expect_normalized(name) for name in value)


def parse_relation(value: Any) -> dict[str, str]:
    """Returns schema and name of a table at the source, as SQL writes them: `vendas."Cliente"`.

    Raises:
        ValueError: if it is not so written.
    """
    name = r'("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)'
    found = re.fullmatch(rf"(?:{name}\.)?{name}", parse_text(value))
    if not found:
        raise ValueError(f'expected a table as SQL writes it, such as vendas."Cliente", got {value!r}')
    schema, relation = (part[1:-1].replace('""', '"') if part and part[0] == '"' else part for part in found.groups())
    return {"schema": schema or "public", "relation_name": relation}


def parse_lag(value: Any) -> int | timedelta:
    """Returns how far behind the greatest cursor rows are read again: a number, or a time.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = re.fullmatch(r"(\d+) (day|hour|minute)s?", str(value))
    if not found:
        raise ValueError(f"expected a whole number, or a time such as 1 day, 12 hours or 30 minutes, got {value!r}")
    return timedelta(**{f"{found[2]}s": int(found[1])})


def parse_columns(value: Any) -> dict[str, Any]:
    """Returns which columns are not read, and which get another name.

    Raises:
        ValueError: if it is not `{exclude: […], rename: {…}}`.
    """
    if not isinstance(value, dict) or not set(value) <= {"exclude", "rename"}:
        raise ValueError(f"expected {{exclude: [cpf], rename: {{Preço: preco}}}}, got {value!r}")
    exclude, rename = value.get("exclude", []), value.get("rename", {})
    if not isinstance(exclude, list) or not isinstance(rename, dict):
        raise ValueError(f"expected a list to exclude and a mapping to rename, got {value!r}")
    for name in rename.values():
        expect_normalized(str(name))
    return {"exclude": tuple(map(str, exclude)), "rename": {str(old): str(new) for old, new in rename.items()}}


def parse_length(value: Any) -> int:
    """Returns a number of characters.

    Raises:
        ValueError: for anything but a whole number from 1.
    """
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"expected a whole number from 1, got {value!r}")
    return value


PARSERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "mode": lambda value: {"mode": parse_text(value)},
    "key": lambda value: {"key": parse_key(value)},
    "dist": lambda value: {"dist": expect_normalized(parse_text(value))},
    "sort": lambda value: {"sort": expect_normalized(parse_text(value))},
    "relation": parse_relation,
    "cursor": lambda value: {"cursor": expect_normalized(parse_text(value))},
    "lag": lambda value: {"lag": parse_lag(value)},
    "date": lambda value: {"date": expect_normalized(parse_text(value))},
    "new_columns": lambda value: {"new_columns": parse_text(value)},
    "columns": parse_columns,
    "filter": lambda value: {"filter": parse_text(value)},
    "endpoint": lambda value: {"endpoint": value},
    "path": lambda value: {"path": str(value)},
    "column": lambda value: {"column": expect_normalized(parse_text(value))},
    "length": lambda value: {"length": parse_length(value)},
}
