"""`extract add`: declares tables and writes their models."""

import argparse
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from extract import logs
from extract.declarations import (
    KINDS,
    Declarations,
    PostgresTable,
    Source,
    Table,
    extract_words,
    find_word_problems,
    read_declarations,
)
from extract.errors import ExtractError
from extract.names import normalize
from extract.scaffold import templates
from extract.scaffold.found import FILES, NUMBERS, TIMES, FoundColumn, FoundTable
from extract.scaffold.parquet import read_file
from extract.scaffold.postgres import find_tables
from extract.scaffold.project import Project
from extract.scaffold.rest_api import choose_client, find_lists, parent_url
from extract.scaffold.yaml_text import Step, add_items, find, remove_item, replace_scalar, value_of
from extract.settings import PostgresSettings, read_settings

# Names of the time of a row's last change.
CHANGED = re.compile(r"atualiz|alter|modif|mudan|revis|update|chang|modified|last_edit|touched")

PREFIXES = {"postgres": "SOURCE_POSTGRES"}  # of settings, where it is not the source's name


@dataclass(frozen=True)
class Choices:
    """What a person says instead of the source."""

    key: tuple[str, ...] | None = None
    mode: str | None = None
    name: str | None = None
    cursor: str | None = None
    only_raw: bool = False
    update: bool = False


def add(options: argparse.Namespace) -> int:
    """Adds tables; returns 1 if one of them could not be read."""
    key = tuple(part.strip() for part in options.key.split(",")) if options.key is not None else None
    choices = Choices(key, options.mode, options.name, options.cursor, options.only_raw, options.update)
    declared = read_declarations()
    source = choose_source(options.source, options.kind, declared)
    if choices.cursor and choices.mode != "cursor":
        raise ExtractError("--cursor: expected --mode cursor, which alone has one")
    if choices.mode and choices.mode not in KINDS[source.kind].MODES:
        raise ExtractError(f"--mode: expected one of {', '.join(KINDS[source.kind].MODES)}, got {choices.mode}")
    project, failed = Project(), 0
    found: list[FoundTable] = []
    for name, table in read_source(source, options.tables):
        if isinstance(table, ExtractError):
            say(f"{name}: not added: {table}")
            failed += 1
        else:
            found.append(table)
    if choices.name and len(found) + failed != 1:
        raise ExtractError(f"--name: expected one table, got {len(found) + failed}")
    taken = [table.name for table in declared.tables if table.source == source]
    for table in found:
        known = find_known(table, source, declared)
        name = known.name if known else choose_name(choices.name or table.name, taken, explicit=bool(choices.name))
        taken.append(name)
        chosen = replace(table.override(choices.key, choices.mode), name=name)
        if chosen.mode == "cursor" and not known:
            chosen = choose_cursor(f"{source.name}.{name}", chosen, choices.cursor)
        if problems := [] if known else find_problems(source, chosen):
            say(f"{table.what}: not added: {'; '.join(problems)}. Rename it at the source, or add a view of it")
            failed += 1
            continue
        for line in add_table(project, source, known, chosen, choices):
            say(line)
    for line in project.write():
        say(line)
    if found:
        read_declarations(project.root)  # what was written must be what the loaders read
    return 1 if failed else 0


def find_problems(source: Source, table: FoundTable) -> list[str]:
    """Returns what keeps a declaration of the table from being read: names at the source that would be Jinja."""
    (entry,) = yaml.safe_load(templates.declaration(source, table))
    return find_word_problems(source, extract_words(entry), f"{source.name}.{table.name}")


def say(line: str) -> None:
    """Prints a line."""
    logs.console.print(line, markup=False)


def choose_source(name: str, kind: str | None, declared: Declarations) -> Source:
    """Returns the source of a name: the declared one, else a new one.

    Raises:
        ExtractError: if its kind is not known, or another one is declared.
    """
    for source in (*declared.sources, *declared_sources(Project())):
        if source.name == name:
            if kind not in (None, source.kind):
                raise ExtractError(f"source {name}: declared with kind {source.kind}, got --kind {kind}")
            return source
    kind = kind or (name if name in READERS else None)
    if kind not in READERS:
        known = ", ".join(source.name for source in declared.sources) or "(none)"
        raise ExtractError(
            f"source {name}: not declared; expected one of {known}, or a new one with --kind {' or '.join(READERS)}"
        )
    if normalize(name) != name:
        raise ExtractError(f"source {name}: expected a name such as {normalize(name)}")
    prefix = PREFIXES.get(name, name.upper())
    return Source(name, kind, prefix, choose_client(prefix) if kind == "rest_api" else {})


def declared_sources(project: Project) -> Iterator[Source]:
    """Yields the sources that are declared, those without tables too."""
    for file in project.files(".yml", ".yaml"):
        text = project.read(file) or ""
        root = find(text, ("sources",)) if "extract" in text else None
        for item in root.value if root is not None else ():
            name = str(value_of(item, "name"))
            words = find(text, ("sources", ("name", name), "config", "meta", "extract"))
            if words is not None and name.startswith("raw_"):
                declared = yaml.safe_load(yaml.serialize(words))
                client = declared.get("client") or {}
                yield Source(name[4:], str(declared.get("kind")), str(declared.get("settings")), client)


def read_source(source: Source, names: list[str]) -> Iterator[tuple[str, FoundTable | ExtractError]]:
    """Yields each table that the names say, or why it cannot be read."""
    yield from READERS[source.kind](source, names)


def read_postgres(source: Source, names: list[str]) -> Iterator[tuple[str, FoundTable | ExtractError]]:
    """Yields the tables of a Postgres database."""
    settings = read_settings([source], os.environ | {"DBT_TARGET": "local"})  # the warehouse is not needed
    yield from find_tables(source, settings.of(source, PostgresSettings), names)


def read_parquet(_source: Source, names: list[str]) -> Iterator[tuple[str, FoundTable | ExtractError]]:
    """Yields the tables of Parquet files."""
    for name in names:
        try:
            yield name, read_file(Path(name))
        except ExtractError as error:
            yield name, error


def read_rest_api(source: Source, names: list[str]) -> Iterator[tuple[str, FoundTable | ExtractError]]:
    """Yields the lists of a JSON API."""
    yield from find_lists(source, names)
    if not os.environ.get(f"{source.settings}_URL"):
        say(f"set {source.settings}_URL='{parent_url(names[0])}' in .env")


READERS = {"postgres": read_postgres, "parquet": read_parquet, "rest_api": read_rest_api}


def find_known(table: FoundTable, source: Source, declared: Declarations) -> Table | None:
    """Returns the declaration of the same table at the source, under whatever name."""
    for known in declared.tables:
        if known.source == source:
            place = (known.schema, known.relation_name or known.name) if isinstance(known, PostgresTable) else None
            if table.place == place and (place or known.name == table.name):
                return known
    return None


def choose_name(wanted: str, taken: Collection[str], *, explicit: bool) -> str:
    """Returns a name in raw that no other table has.

    Raises:
        ExtractError: if a person asked for one that is taken, or that raw would have in another way.
    """
    if explicit and (wanted in taken or normalize(wanted) != wanted):
        reason = "another table has it" if wanted in taken else f"expected a name such as {normalize(wanted)}"
        raise ExtractError(f"--name {wanted}: {reason}")
    name, copy = wanted, 2
    while name in taken:
        name, copy = f"{wanted}_{copy}", copy + 1
    return name


def add_table(
    project: Project, source: Source, known: Table | None, table: FoundTable, choices: Choices
) -> Iterator[str]:
    """Notes what has to be written for a table; yields what a person has to know.

    Raises:
        ExtractError: if a file that a person wrote is in the way.
    """
    full_name = f"{source.name}.{table.name}"
    check_key(full_name, table)
    if known is None:
        declare(project, source, table)
        key = ", ".join(table.key) or "none"
        yield f"{full_name}: mode {table.mode}, key {key}. {table.reason}"
    else:
        yield from compare(project, source, known, table, update=choices.update)
    models = project.models_of(known) if known else []
    if not choices.only_raw and not models:
        # A person may have declared another mode or key since.
        declared = table if known is None else replace(table, mode=known.mode, key=known.key)
        write_models(project, source, declared)


def check_key(full_name: str, table: FoundTable) -> None:
    """Refuses a key that the table does not have, and a mode that needs more than was said.

    Raises:
        ExtractError: naming the columns.
    """
    columns = [column.name for column in table.columns]
    if unknown := [column for column in table.key if column not in columns]:
        raise ExtractError(f"{full_name}: --key: no column {unknown[0]}; it has {', '.join(columns)}")
    if table.appends and not table.key:
        raise ExtractError(f"{full_name}: mode {table.mode} needs a key; say which: --key COLUMN,COLUMN")


def choose_cursor(full_name: str, table: FoundTable, wanted: str | None) -> FoundTable:
    """Returns a table in the mode cursor with the column that grows with every change.

    It is chosen if there is one time whose name says so, or one of them with an index.

    Raises:
        ExtractError: if a person has to say which one, with those that are possible.
    """
    if table.endpoint:
        raise ExtractError(
            f"{full_name}: mode cursor needs the parameter that takes the watermark; add it with --only-raw, write "
            "mode, cursor, lag and incremental into its declaration, then add it again"
        )
    possible = [column for column in table.columns if column.raw_type in (*TIMES, *NUMBERS)]
    if wanted:
        if wanted not in (column.name for column in possible):
            raise ExtractError(f"{full_name}: --cursor {wanted}: expected one of {list_columns(possible)}")
        return table.follow(wanted)
    named = [column for column in possible if column.raw_type in TIMES and CHANGED.search(column.name)]
    named = [column for column in named if column.is_indexed] or named
    if len(named) != 1:
        raise ExtractError(
            f"{full_name}: mode cursor needs a column that grows with every change; say which: --cursor COLUMN, "
            f"one of {list_columns(possible)}"
        )
    return table.follow(named[0].name)


def list_columns(columns: Sequence[FoundColumn]) -> str:
    """Returns columns with their types, for people."""
    return ", ".join(f"{c.name} ({c.raw_type}{', indexed' if c.is_indexed else ''})" for c in columns) or "(none)"


def declare(project: Project, source: Source, table: FoundTable) -> None:
    """Notes the declaration of a table."""
    block = templates.declaration(source, table)
    tables: tuple[Step, ...] = ("sources", ("name", source.dataset), "tables")
    for file, _ in project.entries("sources", source.dataset):
        text = project.read(file) or ""
        if find(text, tables) is not None:
            project.add_item(file, tables, block, before=("_dlt_loads",))
            return
    file = f"models/bronze/_{source.dataset}__sources.yml"
    if project.read(file) is not None:
        raise ExtractError(f"{file}: expected the source {source.dataset} in it; declare it there, or move the file")
    place = {
        "postgres": f"The Postgres database of the settings {source.settings}_….",
        "parquet": "Parquet files.",
        "rest_api": f"The JSON API of the settings {source.settings}_….",
    }
    project.change(file, templates.source_file(source, place[source.kind], block))


def write_models(project: Project, source: Source, table: FoundTable) -> None:
    """Notes bronze, silver and their YAML.

    Raises:
        ExtractError: if the names are taken.
    """
    suffix = free_suffix(project, source, table.name)
    bronze, silver = f"bronze_{suffix}", f"silver_{suffix}"
    project.change(f"models/bronze/{bronze}.sql", templates.bronze(source, table))
    project.change(f"models/silver/{silver}.sql", templates.silver(table, bronze))
    for layer, block in (
        ("bronze", templates.bronze_entry(table, bronze)),
        ("silver", templates.silver_entry(table, silver)),
    ):
        file = f"models/{layer}/_{layer}_{source.name}__models.yml"
        text = project.read(file)
        indented = "\n".join(f"  {line}".rstrip() for line in block.splitlines()) + "\n"
        if text is None or find(text, ("models",)) is None:
            project.change(file, f"{text or ''}models:\n{indented}")
        else:
            project.add_item(file, ("models",), block)


def free_suffix(project: Project, source: Source, name: str) -> str:
    """Returns what the models are called after their layer.

    Raises:
        ExtractError: if both names are taken.
    """
    for suffix in (name, f"{source.name}_{name}"):
        models = (f"bronze_{suffix}", f"silver_{suffix}")
        if not any(project.path_of(model) or project.entries("models", model) for model in models):
            return suffix
    raise ExtractError(
        f"{source.name}.{name}: models bronze_{name} and bronze_{source.name}_{name} exist already and read another "
        "table; choose another name: --name"
    )


def compare(project: Project, source: Source, known: Table, table: FoundTable, *, update: bool) -> Iterator[str]:
    """Yields how a table differs from its declaration; notes the changes if they are asked for."""
    excluded, rename = getattr(known, "exclude", ()), getattr(known, "rename", {})
    before = {column.name: column.data_type for column in known.columns}
    columns = [c for c in table.columns if c.at_source not in excluded and c.name not in FILES]
    columns = [replace(c, name=rename.get(c.at_source, c.name)) for c in columns]
    now = {column.name: column for column in columns}
    new = [column for name, column in now.items() if name not in before]
    lost = [name for name in before if name not in now and not table.sampled]
    both = {name: column for name, column in now.items() if name in before}
    types = {n: column for n, column in both.items() if same_type(before[n]) != same_type(column.raw_type)}
    types = {} if table.sampled else types
    lines = [f"new: {column.name} {column.raw_type}" for column in new]
    lines += [f"lost: {name}" for name in lost]
    lines += [f"changed: {name} from {before[name]} to {column.raw_type}" for name, column in types.items()]
    if table.key and set(table.key) != set(known.key):
        declared = ", ".join(known.key) or "none"
        lines.append(f"key: {declared} is declared, {', '.join(table.key)} at the source; change it by hand")
    if not lines:
        yield f"{known.full_name}: declared already, no difference"
        return
    yield from (f"{known.full_name}: {line}" for line in lines)
    if update:
        yield from Update(project, source, known).apply(new, lost, types)
    else:
        yield f"{known.full_name}: nothing was changed; --update writes the columns"


def same_type(data_type: str) -> str:
    """Returns a type without blanks, to compare it."""
    return data_type.replace(" ", "").lower()


@dataclass(frozen=True)
class Update:
    """Changes of the columns in a table's declaration and models, line by line: what a person wrote stays."""

    project: Project
    source: Source
    known: Table

    def apply(
        self, new: Iterable[FoundColumn], lost: Iterable[str], types: Mapping[str, FoundColumn]
    ) -> Iterator[str]:
        """Notes the changes; yields those that a person has to make."""
        new, lost = [*new], [*lost]
        for file, _ in self.project.entries("sources", self.source.dataset):
            path: tuple[Step, ...] = ("sources", ("name", self.source.dataset), "tables", ("name", self.known.name))
            if find(self.project.read(file) or "", path) is not None:
                blocks = [templates.source_column(column) for column in new]
                raw = {name: column.raw_type for name, column in types.items()}
                self.change_yaml(file, path, blocks, lost, raw)
        models = self.project.models_of(self.known)
        for bronze in models:
            yield from self.change_sql(bronze, templates.bronze_line, new, lost, types)
            for model in (bronze, *self.project.models_from(bronze)):
                for file, path in self.project.entries("models", model):
                    typed = model != bronze
                    blocks = [templates.model_column(column, (), (), typed=typed) for column in new]
                    final = {name: column.data_type for name, column in types.items()} if typed else {}
                    self.change_yaml(file, path, blocks, lost, final)
            for model in self.project.models_from(bronze):
                yield from self.change_sql(model, templates.silver_line, new, lost, {})
        name = self.known.full_name
        yield (
            f"{name}: rebuild its models: python -m extract run --build --full-refresh; if a column was lost, or has "
            f"a type that cannot contain the one before, add --accept {name}: it loads the table from the beginning"
        )

    def change_yaml(
        self, file: str, path: tuple[Step, ...], new: Iterable[str], lost: Iterable[str], types: Mapping[str, str]
    ) -> None:
        """Notes the columns of an entry."""
        text = self.project.read(file) or ""
        for name in lost:
            text = remove_item(text, (*path, "columns", ("name", name)))
        for name, data_type in types.items():
            place = (*path, "columns", ("name", name), "data_type")
            if find(text, place) is not None:
                text = replace_scalar(text, place, templates.scalar_type(data_type))
        last = ("_deleted", "_dlt_load_id", "excluida_em", "carregado_em")
        text = add_items(text, (*path, "columns"), [*new], before=last)
        self.project.change(file, text)

    def change_sql(
        self,
        model: str,
        line_of: "templates.LineOf",
        new: Iterable[FoundColumn],
        lost: Iterable[str],
        types: Mapping[str, FoundColumn],
    ) -> Iterator[str]:
        """Notes the lines of a model; yields those that are not as `add` wrote them."""
        path = self.project.path_of(model)
        assert path  # noqa: S101  it was found by its file
        lines = (self.project.read(path) or "").splitlines(keepends=True)
        for name in [*lost, *types]:
            sql = templates.sql_name(name)
            at = [n for n, line in enumerate(lines) if line.rstrip().endswith((f" as {sql},", f"    {sql},"))]
            if len(at) != 1:
                yield f"{path}: column {name}: change it by hand"
            elif name in types:
                lines[at[0]] = line_of(types[name])
            else:
                del lines[at[0]]
        for column in new:
            at = [n for n, line in enumerate(lines) if line.strip() in ("excluida_em,", "_dlt_load_id,")]
            if at:
                lines.insert(at[0], line_of(column))
            else:
                yield f"{path}: add by hand: {line_of(column).strip()}"
        self.project.change(path, "".join(lines))
