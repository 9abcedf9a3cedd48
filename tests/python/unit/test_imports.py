"""The rule of imports: no circles, and none from a lower room of the code to a higher one.

Every import counts, those inside functions and under TYPE_CHECKING too.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.python.helpers import ROOT

# What each top-level package may import of this repository, besides itself.
ALLOWED = {
    "redshift_standin": set[str](),
    "extract": set[str](),
    "sandbox": {"deploy", "redshift_standin"},  # deploy follows executions, of AWS and of the sandbox
    "deploy": {"extract"},  # what it deploys follows from the declarations
    "bench": {"extract", "sandbox"},
}
PACKAGES = {
    name: ROOT / ("packages/redshift-standin/src" if name == "redshift_standin" else "") / name for name in ALLOWED
}
# The rooms of `extract`, from the lowest to the highest. Modules that are not named here are base modules: errors,
# settings, sql and the like.
BASE = "the base modules"
ROOMS = (
    {BASE},
    {"extract.sources"},
    {"extract.warehouse"},
    {"extract.load"},
    {"extract.transform"},
    {"extract.checks"},
    {"extract.reporting"},
    {"extract.scaffold"},
    {"extract.report", "extract.commands", "extract.__main__"},
)

Imports = dict[str, set[str]]


def module_name(file: Path, package: Path) -> str:
    """Returns a file's name in an import statement."""
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_imports(packages: dict[str, Path]) -> Imports:
    """Returns the modules of this repository that each of its modules imports."""
    files = {module_name(file, package): file for package in packages.values() for file in package.rglob("*.py")}
    return {name: set(imported(name, file, files)) for name, file in files.items()}


def imported(module: str, file: Path, modules: dict[str, Path]) -> Iterator[str]:
    """Yields each of `modules` that a file imports; `from package import module` counts for the module alone."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: -(node.level - 1) or None] if node.level else []
            source = ".".join([*parents, *filter(None, [node.module])])
            for alias in node.names:
                name = f"{source}.{alias.name}"
                if name in modules or source in modules:
                    yield name if name in modules else source


def find_circle(imports: Imports) -> list[str]:
    """Returns the modules of a circle, the first one again at its end; an empty list if no circle exists."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def room(module: str) -> int:
    """Returns the position of a module's room."""
    parts = module.split(".")
    prefixes = {".".join(parts[:length]) for length in range(len(parts) + 1)}
    return next((position for position, names in enumerate(ROOMS) if names & prefixes), 0)


def imports_of_higher_rooms(imports: Imports) -> list[str]:
    """Returns the imports within `extract` that lead from a lower room to a higher one."""
    return [
        f"{module} imports {other}"
        for module, others in sorted(imports.items())
        for other in sorted(others)
        if module.startswith("extract.") and other.startswith("extract.") and room(module) < room(other)
    ]


def imports_of_other_packages(imports: Imports) -> list[str]:
    """Returns the imports of a package that the importing package may not know."""
    return [
        f"{module} imports {other}"
        for module, others in sorted(imports.items())
        for other in sorted(others)
        for package in [module.split(".")[0]]
        if other.split(".")[0] not in {package, *ALLOWED[package]}
    ]


@pytest.fixture(scope="module")
def imports() -> Imports:
    """Returns the imports of this repository."""
    return read_imports(PACKAGES)


def test_all_packages_are_read(imports: Imports) -> None:
    assert {module.split(".")[0] for module in imports} == set(ALLOWED)
    assert "extract.settings" in imports["extract.sources.api"]  # at the top of the module
    assert "extract.sources.deadline" in imports["extract.sources.api"]  # in a function


def test_no_circle(imports: Imports) -> None:
    assert find_circle(imports) == []


def test_no_import_of_a_higher_room(imports: Imports) -> None:
    assert imports_of_higher_rooms(imports) == []


def test_no_import_of_another_package(imports: Imports) -> None:
    assert imports_of_other_packages(imports) == []


SOURCES = {
    "extract/__init__.py": "",
    "extract/sql.py": "from . import errors\n",
    "extract/errors.py": "from extract.sql import quote\n",
    "extract/load/__init__.py": "",
    "extract/load/runner.py": "def run():\n    from ..checks.audit import audit\n",
    "extract/checks/__init__.py": "import typing\nif typing.TYPE_CHECKING:\n    import sandbox.business\n",
    "extract/checks/audit.py": "from extract.load import runner\n",
    "sandbox/__init__.py": "",
    "sandbox/business.py": "import extract.sql as sql\n",
}


def test_what_breaks_the_rule_is_found(tmp_path: Path) -> None:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    imports = read_imports({name: tmp_path / name for name in ("extract", "sandbox")})

    assert imports["extract.sql"] == {"extract.errors"}
    assert set(find_circle(imports)) in (
        {"extract.sql", "extract.errors"}, {"extract.load.runner", "extract.checks.audit"},
    )  # fmt: skip
    assert imports_of_higher_rooms(imports) == ["extract.load.runner imports extract.checks.audit"]
    assert imports_of_other_packages(imports) == [
        "extract.checks imports sandbox.business", "sandbox.business imports extract.sql",
    ]  # fmt: skip
