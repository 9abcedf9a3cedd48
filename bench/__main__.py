"""Measures the pipeline as a user runs it: `make bench`. Each way is a process of its own, and the ways alternate.

- `make run` with 100,000 sales: the first one, then one with nothing new
- for growing tables (BENCH_ROWS, by default 1, 5 and 20 million sales), in BENCH_ROUNDS rounds (3): the floor of any
  reader, the project's reading to Parquet, the whole extract with audit and state to DuckDB and to the stand-in of
  Redshift, and up to five million the other tools that are installed
- for the same tables dbt's first build against the same SQL by hand, and runs with 0, 0.1, 1 and 10 % new rows

Prints the results and writes them to .local/bench/performance.md, with a plot in .local/bench/performance.png.
"""

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2

from bench.layers import first_build, increments
from bench.measure import Measure, Way, in_turns, measure, python
from bench.paths import TABLES
from bench.peers import peers
from bench.plot import plot
from extract.declarations import read_declarations
from sandbox.business import Business
from sandbox.everything import clean, everything_up
from sandbox.settings import Settings

TODAY = date(2026, 1, 10)
MOST_FOR_OTHERS = 5_000_000  # rows: some hold the table in memory
OUT = Path(".local/bench")
FLOOR, PARQUET = "floor: COPY (binary) to nowhere", "to Parquet"
DUCKDB, STAND_IN = "to DuckDB, whole extract", "to the stand-in of Redshift, whole extract"
WAY_COLUMNS = ("seconds", "rows/s", "to the floor", "peak MB")


def main() -> None:
    """Measures, prints and writes."""
    sizes = [int(rows) for rows in os.environ.get("BENCH_ROWS", "1000000,5000000,20000000").split(",")]
    rounds = int(os.environ.get("BENCH_ROUNDS", "3"))
    OUT.mkdir(parents=True, exist_ok=True)
    taken: dict[int, dict[str, Measure]] = {}
    with (OUT / "performance.md").open("w") as out:
        for line in report(sizes, rounds, taken):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            out.write(f"{line}\n")
    plot(taken, OUT / "performance.png")


def report(sizes: Sequence[int], rounds: int, taken: dict[int, dict[str, Measure]]) -> Iterator[str]:
    """Yields the lines of the report, and stores the measures of each size in `taken`."""
    yield machine()
    has_demo = any(one.full_name == "postgres.venda" for one in read_declarations().tables)
    if has_demo:
        yield from table("`make run`, 100,000 sales", ("seconds", "peak MB"), whole_runs(rounds))
    for rows in sizes:
        with scratch() as folder:
            taken[rows] = ways(folder, rows, rounds)
        yield from table(f"{rows:,} sales, median of {rounds}", WAY_COLUMNS, compare_ways(rows, taken[rows]))
        if not has_demo:  # the builds that are measured are of its models
            continue
        with scratch() as folder:
            yield from table(
                f"dbt, {rows:,} sales, median of {rounds}", ("seconds", "to SQL by hand", "peak MB"),
                first_builds(folder, rows, rounds),
            )  # fmt: skip
        with scratch() as folder:
            yield from table(
                f"a run after {rows:,} sales, median of {rounds}",
                ("new rows", "extract, s", "dbt run, s", "of which start-up, s", "peak MB"),
                new_rows(folder, rows, rounds),
            )


def machine() -> str:
    """Returns a description of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{date.today():%Y-%m-%d}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "  # noqa: DTZ011
        f"{memory:.0f} GB, Python {platform.python_version()}"
    )


Rows = Iterator[tuple[str, ...]]


def table(title: str, columns: Sequence[str], rows: Rows) -> Iterator[str]:
    """Yields the lines of a table in Markdown."""
    yield ""
    yield f"| {' | '.join([title, *columns])} |"
    yield f"| --- |{' ---: |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def whole_runs(rounds: int) -> Rows:
    """Yields the rows for `make run` without creating .venv: the first run, then one with nothing new."""
    with scratch() as folder:
        environment = local(folder) | {"SANDBOX_DIR": str(folder / "sandbox"), "TODAY": TODAY.isoformat()}
        run = python("sandbox", "run", "--", *python("extract", "run", "--build"))

        def remove_demo() -> None:
            clean(Settings.from_environment(environment))
            Path(environment["WAREHOUSE_PATH"]).unlink(missing_ok=True)

        first, again = Way("first", run, environment, remove_demo), Way("with nothing new", run, environment)
        for name, taken in in_turns([first, again], rounds).items():
            yield name, f"{taken.seconds:.1f}", f"{taken.peak_mb:,.0f}"
        remove_demo()


def ways(folder: Path, rows: int, rounds: int) -> dict[str, Measure]:
    """Returns the measures of each way with a table of `rows` rows."""
    with demo_sources(folder, rows, TODAY, redshift=True) as redshift:
        environment = redshift | local(folder) | {"DBT_PROJECT_DIR": str(TABLES)}
        warehouse = Path(environment["WAREHOUSE_PATH"])
        floor = Way(FLOOR, python("bench.paths", "floor"), environment)
        measure(floor)  # the first reader of a new table also sets its hint bits
        extract = python("extract", "run", "--source", "postgres")
        csv = Way("COPY to CSV, read by DuckDB", python("bench.paths", "csv"), environment)
        return in_turns(
            [
                floor,
                Way(PARQUET, python("bench.paths", "parquet"), environment),
                Way(DUCKDB, extract, environment, lambda: warehouse.unlink(missing_ok=True)),
                Way(STAND_IN, extract, environment | {"DBT_TARGET": "sandbox"}, lambda: empty_stand_in(redshift)),
            ],
            rounds,
            [csv, *peers(folder, environment)] if rows <= MOST_FOR_OTHERS else [],
        )


def compare_ways(rows: int, taken: Mapping[str, Measure]) -> Rows:
    """Yields a row for each way, with its ratio to the floor."""
    for name, one in taken.items():
        ratio = one.seconds / taken[FLOOR].seconds
        yield name, f"{one.seconds:.2f}", f"{rows / one.seconds:,.0f}", f"{ratio:.1f}", f"{one.peak_mb:,.0f}"


def first_builds(folder: Path, rows: int, rounds: int) -> Rows:
    """Yields the rows for dbt's first build of a loaded warehouse against the same SQL by hand."""
    with demo_sources(folder, rows, TODAY) as environment:
        in_turns([Way("extract", python("extract", "run"), environment)], 1)
        built = first_build(folder, environment, rounds)
    models, tested = built.by_hand, built.tested_by_hand
    without_start = replace(built.run, seconds=built.run.seconds - built.start)
    for name, taken, by_hand in (
        ("the models' SQL by hand", models, models),
        ("`dbt run`", built.run, models),
        ("`dbt run` without its start-up", without_start, models),
        ("the models' and the tests' SQL by hand", tested, tested),
        ("`dbt build`", built.build, tested),
    ):
        yield name, f"{taken.seconds:.2f}", f"{taken.seconds / by_hand.seconds:.2f}", f"{taken.peak_mb:,.0f}"


def new_rows(folder: Path, rows: int, rounds: int) -> Rows:
    """Yields the rows for runs that find 0, 0.1, 1 and 10 % new rows."""
    for one in increments(folder, Business(rows, TODAY), demo_sources, rounds):
        peak = max(one.extract.peak_mb, one.dbt.peak_mb)
        yield (
            f"{one.rows / rows:.1%}", f"{one.rows:,}", f"{one.extract.seconds:.2f}", f"{one.dbt.seconds:.2f}",
            f"{one.start:.2f}", f"{peak:,.0f}",
        )  # fmt: skip


@contextmanager
def demo_sources(folder: Path, sales: int, today: date, *, redshift: bool = False) -> Iterator[dict[str, str]]:
    """Runs the demo sources with so many sales; yields the settings of a warehouse beside them."""
    given = Settings(folder / "sandbox", sales, today, redshift)
    with everything_up(given) as sources:
        yield local(folder) | sources


def local(folder: Path) -> dict[str, str]:
    """Returns the settings that keep a measurement away from the project's own files."""
    return {
        "DBT_TARGET": "local",
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "EXTRACT_WORK": str(folder / "work"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }


@contextmanager
def scratch() -> Iterator[Path]:
    """Yields a temporary folder for a sandbox."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        try:
            yield folder
        finally:
            clean(Settings(folder / "sandbox", None, TODAY))


def empty_stand_in(environment: Mapping[str, str]) -> None:
    """Deletes what an extract loaded into the stand-in, so that the next one is a first load."""
    connection = psycopg2.connect(
        host=environment["REDSHIFT_HOST"], port=environment["REDSHIFT_PORT"], dbname=environment["REDSHIFT_DATABASE"],
        user="awsuser", password=environment["SANDBOX_REDSHIFT_PASSWORD"],
        sslmode="verify-full", sslrootcert=environment["REDSHIFT_CA_BUNDLE"],
    )  # fmt: skip
    with closing(connection), connection, connection.cursor() as cursor:
        for schema in ("raw_postgres", "raw_postgres_staging", "ops"):
            cursor.execute(f"drop schema if exists {schema} cascade")


if __name__ == "__main__":
    main()
