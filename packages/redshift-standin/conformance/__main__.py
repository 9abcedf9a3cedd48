"""How much of Redshift's guide and of other projects' test suites passes against the stand-in: `make conformance`.

The suites are not part of this repository. CONFORMANCE_CHECKOUTS names a folder with their checkouts, by the names of
their repositories; an environment is made for each one beside it. Without a checkout its line says what to fetch.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import endpoint
from suites import SUITES, Place, Result, Suite

PACKAGE = Path(__file__).parents[1]
sys.path.append(str(PACKAGE / "tests"))


def main() -> int:
    """Prints a Markdown table; returns 1 if the stand-in answers otherwise than the guide."""
    options = _parser().parse_args()
    checkouts = Path(os.environ.get("CONFORMANCE_CHECKOUTS", "")).resolve()
    write("| suite | passed | not passed |", "| --- | ---: | --- |")
    differing = 0
    if not options.suites or "guide" in options.suites:
        totals = judge_guide()
        differing = totals["differs"]
        write(f"| developer guide | {totals['equal']} equal | {totals['refused']} refused, {differing} differ |")
    for suite in SUITES:
        if options.suites and suite.name not in options.suites:
            continue
        checkout = checkouts / suite.repository.rpartition("/")[2]
        if not os.environ.get("CONFORMANCE_CHECKOUTS") or not checkout.is_dir():
            write(
                f"| {suite.name} | | not run: no checkout of github.com/{suite.repository} in CONFORMANCE_CHECKOUTS |"
            )
            continue
        result = run(suite, checkout)
        write(f"| {suite.name} | {result.passed} of {result.passed + len(result.failed)} | {len(result.failed)} |")
        if options.failed:
            write_error(result.failed)
    return 1 if differing else 0


def judge_guide() -> Counter[str]:
    """Returns how many of the guide's examples are equal, are refused, and differ."""
    from guide import judge, read_examples

    totals: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, endpoint.start(Path(folder)) as started:
        for example in read_examples():
            with closing(started.server.connect()) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute("drop schema if exists t cascade; create schema t; set search_path to t")
                verdict = judge(example, connection)
            totals[verdict if verdict in ("equal", "refused") else "differs"] += 1
    return totals


def run(suite: Suite, checkout: Path) -> Result:
    """Runs a suite in its own environment against a stand-in of its own."""
    output = checkout.with_name(f"{checkout.name}.results")
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    with tempfile.TemporaryDirectory() as folder, endpoint.start(Path(folder)) as started:
        return suite.run(started, Place(checkout, make_environment(suite, checkout), output))


def make_environment(suite: Suite, checkout: Path) -> Path:
    """Returns the Python of a suite's environment, which is created if it does not exist."""
    if not suite.installs:
        return Path(sys.executable)
    folder = checkout.with_name(f"{checkout.name}.venv")
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        for arguments in suite.installs:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *arguments], check=True)
        (folder / "ready").touch()
    return python


def write(*lines: str) -> None:
    """Prints lines of the table."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def write_error(lines: Iterable[str]) -> None:
    """Prints the names of tests, apart from the table."""
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    names = ["guide", *(suite.name for suite in SUITES)]
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--failed", action="store_true", help="print the names of the tests that failed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
