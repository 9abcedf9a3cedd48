"""The input of an execution: a JSON object, or a command of the loaders with what has to follow it.

What can be known without AWS is checked here, with the declarations of this commit, before anything is started: the
words of a command, its table, its dates.
"""

import json
import shlex
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from deploy.errors import DeployError

# The commands that a loader's task may run; the state machine has the same list, and a test compares them.
LOADER_COMMANDS = ("run", "plan", "range", "backfill", "reconcile", "replay", "redate", "doctor")


def read_input(text: str) -> dict[str, Any]:
    """Returns the input that a JSON text contains. The state machine checks all of it but the words of commands.

    Raises:
        DeployError: the text is not a JSON object, or a command in it is wrong.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise DeployError(f"INPUT: expected a JSON object, got {text!r}: {error}") from error
    if not isinstance(given, dict):
        raise DeployError(f"INPUT: expected a JSON object such as {{}}, got {text!r}")
    commands = given.get("commands")
    for words in commands if isinstance(commands, list) else []:
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            check_words(words)
    return given


def make_input(command: str) -> dict[str, Any]:
    """Returns the input that runs a command, such as `backfill --source postgres --table venda --from … --to …`.

    A plan is followed by its ranges and by a run, which closes it. The build comes last, if the command loads, and it
    rebuilds incremental models after a command whose rows they would not see.

    Raises:
        DeployError: the command is wrong.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise DeployError(f"CMD: expected words as in a shell, got {command!r}: {error}") from error
    options = check_words(words)
    commands = [words]
    if options.command == "plan":
        table = ["--source", options.source, "--table", options.table]
        commands += [["range", *table, "--number", str(number)] for number in range(1, options.ranges + 1)]
        commands += [["run"]]  # of all sources: the build needs what no run has loaded before
    given: dict[str, Any] = {"commands": commands}
    if options.command == "doctor":
        given["build"] = False
    if (
        options.command == "redate"
        or (options.command == "replay" and not options.dead_letters)
        or (options.command == "run" and options.accept)
    ):
        given["full_refresh"] = True
    return given


def check_words(words: Sequence[str]) -> Namespace:
    """Returns the options of a command that a loader's task may run.

    Raises:
        DeployError: the words are no such command, or name what is not declared or cannot be read like this.
    """
    from extract.commands import check_request
    from extract.errors import ExtractError
    from extract.options import parser

    shown = shlex.join(words)
    if not words or words[0] not in LOADER_COMMANDS:
        raise DeployError(
            f"CMD: expected a command of the loaders ({', '.join(LOADER_COMMANDS)}), got {shown!r}. A build follows "
            "the command; to build alone what is loaded, run make run-aws INPUT='{\"full_refresh\": true}'"
        )
    try:
        options = parser().parse_args(words)
    except SystemExit as error:  # what is wrong is printed
        raise DeployError(f"CMD: {shown!r} was refused; nothing was started") from error
    if getattr(options, "build", False):
        raise DeployError("CMD: leave out --build and --full-refresh: the execution builds after the command")
    try:
        check_request(options)
    except ExtractError as error:
        raise DeployError(f"CMD: {error}; nothing was started") from error
    return options
