"""Measures the pipeline as a user runs it, each time as a process of its own.

- the whole of `make run`: the first one, then one with nothing new
- for growing tables (BENCH_ROWS, by default 1 and 5 million sales), in BENCH_ROUNDS rounds (3) in which the ways take
  turns: the floor of any reader, the project's reading to Parquet, the whole extract to DuckDB with its audit and
  state; medians of the seconds, the ratio to the floor, and the peak of resident memory, which must not grow

Prints tables in Markdown, with the machine's description above them.
"""

import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from sandbox.everything import clean, everything_up
from sandbox.settings import Settings

RUSAGE_UNITS_PER_MB = 1_000_000 if sys.platform == "darwin" else 1_000  # ru_maxrss: bytes there, kilobytes here
TODAY = date(2026, 1, 10)


@dataclass(frozen=True)
class Measure:
    """One command's wall time in seconds and peak of resident memory in MB."""

    seconds: float
    peak_mb: float


def measure(environment: Mapping[str, str], *arguments: str) -> Measure:
    """Runs `python -m` with these arguments to its end.

    Raises:
        SystemExit: if it fails.
    """
    begin = time.monotonic()
    command = [sys.executable, "-m", *arguments]
    log_to_stderr = [(os.POSIX_SPAWN_DUP2, 2, 1)]
    pid = os.posix_spawn(sys.executable, command, {**os.environ, **environment}, file_actions=log_to_stderr)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit(f"python -m {' '.join(arguments)} failed")
    return Measure(time.monotonic() - begin, usage.ru_maxrss / RUSAGE_UNITS_PER_MB)


def main() -> None:
    """Measures and prints."""
    sizes = [int(rows) for rows in os.environ.get("BENCH_ROWS", "1000000,5000000").split(",")]
    rounds = int(os.environ.get("BENCH_ROUNDS", "3"))
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")  # noqa: T201
    for row in (*whole_runs(), *(row for rows in sizes for row in ways(rows, rounds))):
        print(row, flush=True)  # noqa: T201


def whole_runs() -> Iterator[str]:
    """Gives the table of `make run` with 100,000 sales."""
    yield "\n| `make run`, 100,000 sales | seconds | peak MB |\n| --- | ---: | ---: |"
    with TemporaryDirectory(prefix="bench-") as folder, up(Path(folder), 100_000) as environment:
        for what in ("first", "with nothing new"):
            result = measure(environment, "extract", "run", "--build")
            yield f"| {what} | {result.seconds:.1f} | {result.peak_mb:,.0f} |"


def ways(rows: int, rounds: int) -> Iterator[str]:
    """Gives the table of the ways from PostgreSQL for one size."""
    yield f"\n| {rows:,} sales, median of {rounds} | seconds | rows/s | to the floor | peak MB |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    taken: dict[str, list[Measure]] = {"floor": [], "to Parquet": [], "to DuckDB, whole extract": []}
    with TemporaryDirectory(prefix="bench-") as folder, up(Path(folder), rows) as environment:
        for _ in range(rounds):
            taken["floor"].append(measure(environment, "bench.paths", "floor"))
            taken["to Parquet"].append(measure(environment, "bench.paths", "parquet"))
            Path(environment["WAREHOUSE_PATH"]).unlink(missing_ok=True)
            taken["to DuckDB, whole extract"].append(measure(environment, "extract", "run", "--source", "postgres"))
    floor = median(measured.seconds for measured in taken["floor"])
    for what, measures in taken.items():
        seconds = median(measured.seconds for measured in measures)
        peak = max(measured.peak_mb for measured in measures)
        yield f"| {what} | {seconds:.2f} | {rows / seconds:,.0f} | {seconds / floor:.1f} | {peak:,.0f} |"


@contextmanager
def up(folder: Path, sales: int) -> Iterator[dict[str, str]]:
    """The demo sources with so many sales, up while entered; gives the settings of a warehouse beside them."""
    settings = Settings.from_environment(
        {"SANDBOX_DIR": str(folder / "sandbox"), "SANDBOX_SALES": str(sales), "TODAY": TODAY.isoformat()}
    )
    with everything_up(settings) as sources:
        yield scratch(folder) | sources
    clean(settings)


def scratch(folder: Path) -> dict[str, str]:
    """Returns the settings that keep a measurement away from the project's own files."""
    return {
        "DBT_TARGET": "local",
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "EXTRACT_WORK": str(folder / "work"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }


if __name__ == "__main__":
    main()
