"""Running git, docker and terraform."""

import os
import subprocess
from collections.abc import Mapping

from deploy.errors import DeployError


def run(*command: str, text: str | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Runs a program on the terminal. `text` is its standard input (default: the terminal).

    Raises:
        DeployError: the program is not installed, or its exit code is not 0.
    """
    _run(command, text, environment, capture=False)


def output(*command: str) -> str:
    """Returns the standard output of a program; its standard error goes to the terminal.

    Raises:
        DeployError: the program is not installed, or its exit code is not 0.
    """
    return _run(command, None, None, capture=True)


def _run(command: tuple[str, ...], text: str | None, environment: Mapping[str, str] | None, *, capture: bool) -> str:
    try:
        done = subprocess.run(  # noqa: S603  the commands of this package
            command,
            input=text,
            env=os.environ | (environment or {}),
            stdout=subprocess.PIPE if capture else None,
            text=True,
            check=False,
        )
    except OSError as error:
        raise DeployError(
            f"cannot run {command[0]}: {error.strerror}; docs/guide/aws.md lists what to install"
        ) from error
    if done.returncode != 0:
        raise DeployError(f"{' '.join(command[:3])} … failed with exit code {done.returncode}; see its output above")
    return done.stdout or ""
