"""The memory that a command takes at most."""

import os
import subprocess
import sys
from dataclasses import dataclass
from tempfile import TemporaryFile

KIB = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
GIB = 1 << 30


@dataclass(frozen=True)
class Measured:
    """How a command ended, and the most memory that it had, in bytes."""

    code: int
    output: str
    peak: int


def measure(*arguments: str) -> Measured:
    """Runs `python -m extract …` in a process of its own."""
    with TemporaryFile("w+") as output:
        process = subprocess.Popen([sys.executable, "-m", "extract", *arguments], stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return Measured(process.returncode, " ".join(output.read().split()), usage.ru_maxrss * KIB)
