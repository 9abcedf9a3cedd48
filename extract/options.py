"""Commands and options of the command line, and their help."""

import argparse
from pathlib import Path
from typing import NoReturn, TypeAlias

from extract.visible import visible

DESCRIPTION = """\
Loads the sources into the raw schemas of the warehouse that DBT_TARGET names (default: local, a DuckDB file).
Settings come from the environment; .env.example lists them all."""

EXIT_CODES = """\
exit codes: 0 success; 1 a table, a file or a dbt node failed, the rest is done; 2 nothing was done;
130 stopped by Ctrl-C or SIGTERM: run again to continue"""


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


class Parser(argparse.ArgumentParser):
    """A parser whose errors show control characters of an argument escaped."""

    def error(self, message: str) -> NoReturn:
        """Prints what is wrong with the arguments and exits."""
        super().error(visible(message))


def parser() -> Parser:
    """Returns the parser of the command line."""
    main = Parser(
        "python -m extract",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    main.add_argument("--debug", action="store_true", help="log tracebacks too; secrets are redacted")
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_declaration_commands(commands)
    add_run_commands(commands)
    add_range_commands(commands)
    add_repair_commands(commands)
    return main


def add_declaration_commands(commands: Commands) -> None:
    """Adds the commands that change the declarations, and the one that lists them."""
    add = commands.add_parser("add", help="declare tables of a source and write their models")
    add.add_argument("source", metavar="SOURCE", help="a declared source such as postgres, or a new one")
    add.add_argument(
        "tables",
        nargs="+",
        metavar="TABLE",
        help="venda, vendas.cliente, 'public.*'; a Parquet file; a URL of a JSON API",
    )
    add.add_argument(
        "--kind", help="of a new source: postgres, parquet or rest_api (default: the one that SOURCE names)"
    )
    add.add_argument("--key", metavar="COLUMN,COLUMN", help="the key (default: as the source says)")
    add.add_argument("--mode", help="how it is read (default: xmin for a table with a key, else full)")
    add.add_argument("--cursor", metavar="COLUMN", help="with --mode cursor: the column that grows with every change")
    add.add_argument("--name", help="the name in raw (default: the source's, after its schema unless that is public)")
    add.add_argument("--only-raw", action="store_true", help="write no models")
    add.add_argument("--update", action="store_true", help="write what differs at the source now")

    remove = commands.add_parser("remove", help="remove tables from the declarations, with their models")
    remove.add_argument("tables", nargs="*", metavar="TABLE", help="a declared table: venda or postgres.venda")
    remove.add_argument("--demo", action="store_true", help="remove the demo: its tables, models and their tests")

    commands.add_parser("list", help="list the declared tables and their models")


def add_run_commands(commands: Commands) -> None:
    """Adds the commands that load the sources and build the models."""
    run = commands.add_parser("run", help="load the sources; with --build, also dbt build, docs and report")
    run.add_argument(
        "--source", action="append", metavar="SOURCE", help="only this source; may be repeated (default: all)"
    )
    run.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="SOURCE.TABLE",
        help="load this table again despite changed columns or a smaller size; its old rows are kept",
    )
    run.add_argument("--build", action="store_true", help="then dbt freshness, build and docs, and the report")
    run.add_argument("--full-refresh", action="store_true", help="with --build: rebuild incremental models")

    build = commands.add_parser(
        "build", help="dbt freshness, build, docs and report in one process; published to ARTIFACTS_URL"
    )
    build.add_argument("--full-refresh", action="store_true", help="rebuild incremental models")


def add_range_commands(commands: Commands) -> None:
    """Adds the commands of a first load in ranges."""
    plan = commands.add_parser("plan", help="divide a very large table's keys into ranges, for its first load")
    one_table(plan)
    plan.add_argument("--ranges", required=True, type=ranges, metavar="N", help="how many, from 2 to 200")

    one_range = commands.add_parser("range", help="load one range of a plan; when all are loaded, run continues")
    one_table(one_range)
    one_range.add_argument("--number", required=True, type=int, metavar="K", help="from 1 to the plan's ranges")


def add_repair_commands(commands: Commands) -> None:
    """Adds the commands that compare, correct and check."""
    commands.add_parser("audit", help="compare sources, raw, bronze and silver; show what differs")
    commands.add_parser("report", help="write target/report.html: sales, and the runs of the pipeline")
    commands.add_parser("reconcile", help="compare the sources' keys with those loaded; load what differs")

    backfill = commands.add_parser("backfill", help="read a range of a table again, by its key or its date")
    one_table(backfill)
    backfill.add_argument("--from", required=True, dest="first", metavar="FIRST", help="a date YYYY-MM-DD or a key")
    backfill.add_argument("--to", required=True, dest="last", metavar="LAST", help="the last one, included")

    replay = commands.add_parser("replay", help="load a table's dead letters, or its loads in the landing, again")
    one_table(replay)
    what = replay.add_mutually_exclusive_group()
    what.add_argument("--dead-letters", action="store_true", help="read its dead letters from the source again")
    what.add_argument(
        "--load",
        action="append",
        default=[],
        metavar="LOAD_ID",
        help="only this load; may be repeated (default: all)",
    )

    commands.add_parser("redate", help="give loads that a wrong clock has dated in the future a time of now")

    drop = commands.add_parser("drop", help="check Parquet files and put them into the drop under today's date")
    drop.add_argument("files", nargs="+", type=Path, metavar="FILE", help="named after its table: categoria.parquet")

    commands.add_parser("doctor", help="check settings, sources and warehouse; changes nothing")


def ranges(text: str) -> int:
    """Returns how many ranges a text asks for.

    Raises:
        argparse.ArgumentTypeError: for anything but a number from 2 to 200.
    """
    if not text.isdecimal() or not 2 <= int(text) <= 200:
        raise argparse.ArgumentTypeError(f"expected a number from 2 to 200, got {text!r}")
    return int(text)


def one_table(command: argparse.ArgumentParser) -> None:
    """Adds the options that name a table."""
    command.add_argument("--source", required=True)
    command.add_argument("--table", required=True)
