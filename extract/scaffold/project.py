"""The files of the dbt project that belong to tables: found by what they select from, changed all at once."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from extract.declarations import Table
from extract.errors import ExtractError
from extract.scaffold.yaml_text import Step, add_items, names, parse, remove_item


class Project:
    """The dbt project; changes are kept until `write`, so that a problem changes nothing."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or Path(os.environ.get("DBT_PROJECT_DIR") or ".")
        self.changed: dict[str, str | None] = {}  # a path: its new text, or None if it goes
        self.items: dict[
            tuple[str, tuple[Step, ...], tuple[str, ...]], list[str]
        ] = {}  # to add to lists of YAML files

    def read(self, path: str) -> str | None:
        """Returns the text of a file, as it will be; None if it does not exist."""
        if path in self.changed:
            return self.changed[path]
        file = self.root / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def change(self, path: str, text: str | None) -> None:
        """Notes the new text of a file, or that it goes.

        Raises:
            ExtractError: if a YAML file would not be one any more.
        """
        if text is not None and path.endswith((".yml", ".yaml")):
            try:
                parse(text)
            except yaml.YAMLError as error:
                problem = " ".join(str(error).split())
                raise ExtractError(
                    f"{path}: cannot be changed by this command; edit it by hand: {problem}"
                ) from error
        self.changed[path] = text or None

    def add_item(self, path: str, place: tuple[Step, ...], block: str, before: tuple[str, ...] = ()) -> None:
        """Notes an item of a list. All items of a list are added at once: one by one would take minutes."""
        self.items.setdefault((path, place, before), []).append(block)

    def write(self) -> Iterator[str]:
        """Writes the changes; yields what was done to each file."""
        for (path, place, before), blocks in self.items.items():
            self.change(path, add_items(self.read(path) or "", place, blocks, before))
        for path, text in self.changed.items():
            file = self.root / path
            if text is None:
                if file.exists():
                    file.unlink()
                    yield f"removed {path}"
            elif not file.exists() or file.read_text(encoding="utf-8") != text:
                verb = "changed" if file.exists() else "wrote"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
                yield f"{verb} {path}"

    def files(self, *suffixes: str, under: Sequence[str] = ("models",)) -> list[str]:
        """Returns the paths of the files with these endings, those that are noted included."""
        found = {
            str(file.relative_to(self.root))
            for folder in under
            for file in (self.root / folder).rglob("*")
            if file.suffix in suffixes and file.is_file()
        }
        found |= {path for path in self.changed if path.endswith(suffixes) and path.startswith(tuple(under))}
        return sorted(path for path in found if self.read(path) is not None)

    def models_of(self, table: Table) -> list[str]:
        """Returns the names of the models that select from a raw table."""
        call = rf"\b(source|latest_rows)\(\s*'{table.dataset}'\s*,\s*'{table.name}'\s*\)".replace("'", "['\"]")
        return self.models_with(call)

    def models_with(self, pattern: str) -> list[str]:
        """Returns the names of the models whose SQL contains a pattern."""
        return [Path(path).stem for path in self.files(".sql") if re.search(pattern, self.read(path) or "")]

    def models_from(self, model: str) -> list[str]:
        """Returns the names of the models that select from a model."""
        return self.models_with(ref(model))

    def path_of(self, model: str) -> str | None:
        """Returns the path of a model's SQL."""
        return next((path for path in self.files(".sql") if Path(path).stem == model), None)

    def entries(self, kind: str, name: str) -> list[tuple[str, tuple[Step, ...]]]:
        """Returns the YAML files that have an entry, each with the path to it."""
        path: tuple[Step, ...] = (kind, ("name", name))
        files = self.files(".yml", ".yaml", under=("models", "snapshots", "seeds"))
        return [(file, path) for file in files if name in names(self.read(file) or "", (kind,))]

    def remove_entry(self, kind: str, name: str) -> None:
        """Removes an entry from the YAML files that have it."""
        for file, path in self.entries(kind, name):
            self.remove(file, path)

    def remove(self, file: str, path: Sequence[Step]) -> None:
        """Removes an item from a YAML file, and the file if nothing is left in it."""
        text = remove_item(self.read(file) or "", path)
        self.change(file, text if parse(text) else None)

    def undeclare(self, table: Table) -> None:
        """Notes that a declaration goes, and its source with the last one."""
        source: tuple[Step, ...] = ("sources", ("name", table.dataset))
        for file, _ in self.entries("sources", table.dataset):
            text = self.read(file) or ""
            declared = names(text, (*source, "tables"))
            if table.name in declared:
                last = set(declared) <= {table.name, "_dlt_loads"}
                self.remove(file, source if last else (*source, "tables", ("name", table.name)))

    def users(self, model: str, going: Sequence[str]) -> list[str]:
        """Returns the files that refer to a model, without the models that are `going`."""
        files = self.files(".sql", ".yml", ".yaml", under=("models", "snapshots", "tests/data"))
        return [
            file for file in files if Path(file).stem not in going and re.search(ref(model), self.read(file) or "")
        ]


def ref(model: str) -> str:
    """Returns the pattern of a reference to a model."""
    return rf"\bref\(\s*['\"]{re.escape(model)}['\"]\s*\)"
