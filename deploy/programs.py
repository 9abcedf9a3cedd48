"""Running git, docker and terraform."""

import os
import subprocess
from collections.abc import Mapping

from deploy.errors import DeployError


def run(*command: str, text: str | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Runs a program that talks to the person itself; `text` is its standard input, which is theirs without.

    Raises:
        DeployError: if there is no such program, or it does not end with 0.
    """
    _completed(command, text, environment, capture=False)


def output(*command: str) -> str:
    """Returns what a program prints; what it says on standard error the person sees.

    Raises:
        DeployError: if there is no such program, or it does not end with 0.
    """
    return _completed(command, None, None, capture=True)


def _completed(
    command: tuple[str, ...], text: str | None, environment: Mapping[str, str] | None, *, capture: bool
) -> str:
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
        raise DeployError(f"cannot run {command[0]}: {error.strerror}; install it, docs/aws.md says how") from error
    if done.returncode != 0:
        raise DeployError(f"{' '.join(command[:3])} … ended with {done.returncode}; what it said is above")
    return done.stdout or ""
