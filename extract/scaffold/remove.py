"""`extract remove`: removes tables with their models, or the demo."""

import argparse

from extract.declarations import Declarations, Table, read_declarations
from extract.errors import ExtractError
from extract.scaffold import demo
from extract.scaffold.add import say
from extract.scaffold.project import Project


def remove(options: argparse.Namespace) -> int:
    """Removes what the options name."""
    if bool(options.tables) == options.demo:
        raise ExtractError("expected the tables to remove, or --demo")
    declared = read_declarations()
    project = Project()
    if options.demo:
        demo.remove(project, declared)
    for name in options.tables:
        remove_table(project, find_table(name, declared))
    for line in project.write():
        say(line)
    say("the warehouse keeps what was loaded and built; drop those tables by hand if nobody needs them")
    return 0


def find_table(name: str, declared: Declarations) -> Table:
    """Returns the declared table of a name, with or without its source.

    Raises:
        ExtractError: if there is none, or several.
    """
    found = [table for table in declared.tables if name in (table.full_name, table.name)]
    if len(found) > 1:
        raise ExtractError(f"{name}: expected one of {', '.join(table.full_name for table in found)}")
    return found[0] if found else declared.find(name)


def remove_table(project: Project, table: Table) -> None:
    """Notes that a declaration and its models go.

    Raises:
        ExtractError: if other files select from them.
    """
    suffixes = (table.name, f"{table.source.name}_{table.name}")
    going = [model for model in project.models_of(table) if model in {f"bronze_{suffix}" for suffix in suffixes}]
    going += [f"silver_{name.removeprefix('bronze_')}" for name in going]
    users = {user for model in going for user in project.users(model, going)}
    users |= {str(project.path_of(model)) for model in project.models_of(table) if model not in going}
    if users:
        raise ExtractError(
            f"{table.full_name}: its models are used by {', '.join(sorted(users))}; change or remove them first"
        )
    for model in going:
        if path := project.path_of(model):
            project.change(path, None)
        project.remove_entry("models", model)
    project.undeclare(table)
