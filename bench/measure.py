"""Measures the time and memory of commands, several of them alternately."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile

TIMED = Path(__file__).with_name("timed.py")


@dataclass(frozen=True)
class Measure:
    """Wall time in seconds, and the peak resident memory in MB of a command and the processes that it waited for."""

    seconds: float
    peak_mb: float


def do_nothing() -> None:
    """Does nothing, before or after a command."""


@dataclass(frozen=True)
class Way:
    """A command to measure, and what to do before and after each run."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] = do_nothing
    after: Callable[[], object] = do_nothing


class WayFailed(Exception):  # noqa: N818  the name is the event
    """A command ended with another exit code than 0."""


def python(*arguments: str) -> list[str]:
    """Returns the command that runs a module of this environment."""
    return [sys.executable, "-m", *arguments]


def measure(way: Way) -> Measure:
    """Runs a way to its end and returns its measure.

    Raises:
        WayFailed: with the end of its output.
    """
    way.before()
    answer, written = os.pipe()
    with TemporaryFile() as output, os.fdopen(answer) as answers:
        process = subprocess.Popen(  # noqa: S603  commands of ours
            [sys.executable, str(TIMED), str(written), *way.command],
            env={**os.environ, **way.environment}, pass_fds=[written],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        os.close(written)
        process.wait()
        answer_text = answers.read()
        code, seconds, peak_mb = json.loads(answer_text) if answer_text else (process.returncode, 0, 0)
        if code != 0:
            output.seek(0)
            tail = b"\n".join(output.read().splitlines()[-15:]).decode(errors="replace")
            raise WayFailed(f"{way.name} ended with exit code {code}:\n{tail}")
    way.after()
    return Measure(seconds, peak_mb)


def in_turns(ways: Sequence[Way], rounds: int, others: Sequence[Way] = ()) -> dict[str, Measure]:
    """Runs the ways one after another, `rounds` times; returns the median time and the greatest peak by name.

    One of the `others` that fails is left out, and its error is written to stderr.

    Raises:
        WayFailed: if one of the `ways` fails.
    """
    taken: defaultdict[str, list[Measure]] = defaultdict(list)
    left_out = set()
    for _ in range(rounds):
        for way in (*ways, *others):
            if way.name in left_out:
                continue
            try:
                taken[way.name].append(measure(way))
            except WayFailed as failed:
                if way in ways:
                    raise
                sys.stderr.write(f"left out: {failed}\n")
                left_out.add(way.name)
    return {
        name: Measure(median(one.seconds for one in measures), max(one.peak_mb for one in measures))
        for name, measures in taken.items()
        if name not in left_out
    }
