"""What ops and gold say about the pipeline's runs, as few rows as a page shows, whatever the size of the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from extract.declarations import KINDS
from extract.reporting.reading import Layers
from extract.sql import literal

LISTED = 100  # tables, comparisons or tests
CARDS = 9  # tables with charts
RUNS = 30  # of a table or of dbt's tests
DAYS = 90
SLOWEST = 5
ENOUGH_RUNS = 5  # for a median to be called usual; unusual is what the model says, with more runs

# The modes in which tables are declared; the others are commands. In dbt: the macro is_regular_read.
REGULAR = f"mode in ({', '.join(sorted({literal(mode) for kind in KINDS.values() for mode in kind.MODES}))})"
# The last run of each table in such a mode.
LAST_RUNS = f"""
    from ops.extract_runs
    where {REGULAR}
    qualify row_number() over (partition by source, table_name order by finished_at desc, run_id desc) = 1
"""


@dataclass(frozen=True)
class OfTable:
    """What is said of one table."""

    source: str
    table: str

    @property
    def name(self) -> str:
        """The full name of the table."""
        return f"{self.source}.{self.table}"


@dataclass(frozen=True)
class State(OfTable):
    """The last run of a table."""

    mode: str
    status: str
    started_at: datetime | None
    seconds: Decimal | None
    rows_source: int | None
    rows_loaded: int | None
    rows_deleted: int | None
    rows_dead_letter: int | None
    error: str | None
    bronze: int | None = None
    silver: int | None = None
    rejected: int | None = None
    loaded_at: datetime | None = None
    freshness: str | None = None


@dataclass(frozen=True)
class Baseline(OfTable):
    """The last value of a measure of a table, and what is usual."""

    measure: str
    runs: int
    median: float | None
    spread: float | None
    value: float
    is_unusual: bool

    @property
    def is_known(self) -> bool:
        """Whether there are enough earlier runs to say what is usual."""
        return self.median is not None and self.runs >= ENOUGH_RUNS

    @property
    def part_of_usual(self) -> float | None:
        """The value as a part of the median; None if there is none or it is 0."""
        return self.value / self.median if self.median else None


@dataclass(frozen=True)
class Run(OfTable):
    """One run of a table."""

    started_at: datetime
    status: str
    rows_source: int | None
    rows_loaded: int | None
    seconds: float


class Build(NamedTuple):
    """The tests of one build by their results."""

    ran_at: datetime
    invocation: str
    passed: int
    warned: int
    failed: int
    skipped: int


class FailingTest(NamedTuple):
    """A test that did not pass in the last build."""

    name: str
    status: str
    failures: int | None
    message: str | None
    since: datetime | None


class Node(NamedTuple):
    """A node of dbt's project in the last build."""

    name: str
    kind: str
    seconds: float


class LeftOut(NamedTuple):
    """The rows of a day that did not arrive in silver."""

    day: date
    dead_letters: int
    rejected: int | None


class LeftOutTable(NamedTuple):
    """A table with rows that did not arrive in silver."""

    name: str
    dead_letters: int
    rejected: int | None


class Comparison(NamedTuple):
    """A comparison of the last audit."""

    table: str
    what: str
    expected: int | None
    found: int | None
    agrees: bool


@dataclass(frozen=True)
class Operations:
    """What the operations page shows."""

    is_built: bool  # whether the models of the history exist
    states: tuple[State, ...]  # those that need attention first
    table_count: int
    ok_count: int
    runs: tuple[Run, ...]
    baselines: tuple[Baseline, ...]  # the unusual ones first
    builds: tuple[Build, ...]  # in order of time
    failing: tuple[FailingTest, ...]
    slowest: tuple[Node, ...]
    left_out: tuple[LeftOut, ...]
    left_out_tables: tuple[LeftOutTable, ...]
    comparisons: tuple[Comparison, ...]  # those that differ first
    comparison_count: int
    differing_count: int
    audited_at: datetime | None

    def usual(self, name: str, measure: str) -> Baseline | None:
        """Returns what is usual of a measure of a table, if that is known."""
        return next(
            (one for one in self.baselines if one.is_known and (one.name, one.measure) == (name, measure)), None
        )


def read_operations(layers: Layers) -> Operations:
    """Returns what the operations page shows; what has no history yet is empty."""
    is_built = layers.has_gold("table_state", "run_baseline", "failing_tests", "rows_left_out")
    has_runs = layers.has_ops("extract_runs")
    states = read_states(layers) if is_built else read_last_runs(layers) if has_runs else []
    counts = count_states(layers) if has_runs else (0, 0)
    builds = read_builds(layers) if layers.has_ops("dbt_results") else []
    audited_at, comparisons, compared, differing = None, list[Comparison](), 0, 0
    if layers.has_ops("audit_results"):
        audited_at, comparisons, compared, differing = read_audit(layers)
    return Operations(
        is_built=is_built,
        states=tuple(states),
        table_count=counts[0],
        ok_count=counts[1],
        runs=tuple(read_runs(layers, states[:CARDS])) if states else (),
        baselines=tuple(read_baselines(layers)) if is_built else (),
        builds=tuple(builds),
        failing=tuple(read_failing(layers)) if is_built else (),
        slowest=tuple(read_slowest(layers, builds[-1].invocation)) if builds else (),
        left_out=tuple(read_left_out(layers)) if is_built else (),
        left_out_tables=tuple(read_left_out_tables(layers)) if is_built else (),
        comparisons=tuple(comparisons),
        comparison_count=compared,
        differing_count=differing,
        audited_at=audited_at,
    )


def in_utc(moment: str) -> str:
    """Returns a timestamp with a time zone as one in UTC, in SQL."""
    return f"cast({moment} at time zone 'UTC' as timestamp)"


ELAPSED = (
    "extract(epoch from finished_at) - extract(epoch from started_at)"  # seconds, with their fraction on both engines
)


def read_states(layers: Layers) -> list[State]:
    """Returns the tables: failed ones first, then those with something else to look at."""
    found = layers.query(
        f"""
        with unusual as (
            select source, table_name, max(case when is_unusual then 1 else 0 end) as unusual
            from {{gold}}.run_baseline
            group by source, table_name
        )
        select s.source, s.table_name, s.mode, s.status, s.started_at, s.seconds, s.rows_source, s.rows_loaded,
            s.rows_deleted, s.rows_dead_letter, s.error, s.bronze, s.silver, s.rejected, s.loaded_at, s.freshness
        from {{gold}}.table_state as s
        left join unusual on s.source = unusual.source and s.table_name = unusual.table_name
        order by
            case
                when s.status = 'failed' then 0 when unusual.unusual = 1 then 1 when s.status = 'partial' then 2
                when s.freshness in ('warn', 'error') then 3 else 4
            end,
            s.source, s.table_name
        limit {LISTED}
        """
    )
    return [State(*row) for row in found]


def read_last_runs(layers: Layers) -> list[State]:
    """Returns the tables as ops alone has them: of a warehouse in which no build has succeeded."""
    found = layers.query(
        f"""
        select source, table_name, mode, status, {in_utc("started_at")}, {ELAPSED}, rows_source, rows_loaded,
            rows_deleted, rows_dead_letter, error
        {LAST_RUNS}
        order by case status when 'failed' then 0 when 'partial' then 1 else 2 end, source, table_name
        limit {LISTED}
        """
    )
    return [State(*row) for row in found]


def count_states(layers: Layers) -> tuple[int, int]:
    """Returns how many tables were ever read, and how many of them are loaded completely."""
    found = layers.query(
        f"""
        with runs as (
            select status {LAST_RUNS}
        )
        select count(*), sum(case when status = 'ok' then 1 else 0 end) from runs
        """
    )
    return int(found[0][0]), int(found[0][1] or 0)


def read_runs(layers: Layers, states: Sequence[State]) -> list[Run]:
    """Returns the last runs of these tables in order of time."""
    chosen = " or ".join(
        f"(source = {literal(one.source)} and table_name = {layers.warehouse.literal(one.table)})" for one in states
    )
    found = layers.query(
        f"""
        select source, table_name, {in_utc("started_at")} as began_at, status, rows_source, rows_loaded, {ELAPSED}
        from ops.extract_runs
        where {REGULAR} and ({chosen})
        qualify row_number() over (partition by source, table_name order by started_at desc, run_id desc) <= {RUNS}
        order by began_at
        """
    )
    return [Run(*row) for row in found]


def read_baselines(layers: Layers) -> list[Baseline]:
    """Returns what is usual of each table."""
    found = layers.query(
        "select source, table_name, measure, runs, median, spread, value, is_unusual from {gold}.run_baseline"
        f" order by case when is_unusual then 0 else 1 end, source, table_name, measure limit {4 * LISTED}"
    )
    return [Baseline(*row) for row in found]


def read_builds(layers: Layers) -> list[Build]:
    """Returns the results of the tests of the last builds, in order of time."""
    counts = ", ".join(
        f"sum(case when status in ({', '.join(map(literal, statuses))}) then 1 else 0 end)"
        for statuses in (("pass",), ("warn",), ("fail", "error", "runtime error"), ("skipped",))
    )
    found = layers.query(
        f"""
        select {in_utc("max(started_at)")} as ran_at, invocation_id, {counts}
        from ops.dbt_results
        where kind in ('test', 'unit_test')
        group by invocation_id
        having max(started_at) is not null
        order by ran_at desc
        limit {RUNS}
        """
    )
    return [Build(ran_at, invocation, *map(int, numbers)) for ran_at, invocation, *numbers in reversed(found)]


def read_failing(layers: Layers) -> list[FailingTest]:
    """Returns the tests that did not pass in the last build, failures before warnings."""
    found = layers.query(
        "select name, status, failures, message, since from {gold}.failing_tests"
        f" order by case status when 'warn' then 1 else 0 end, since, name limit {LISTED}"
    )
    return [FailingTest(*row) for row in found]


def read_slowest(layers: Layers, invocation: str) -> list[Node]:
    """Returns the nodes of a build that took longest."""
    found = layers.query(
        f"select name, kind, seconds from ops.dbt_results where invocation_id = {literal(invocation)}"
        f" and seconds is not null order by seconds desc, name limit {SLOWEST}"
    )
    return [Node(*row) for row in found]


def read_left_out(layers: Layers) -> list[LeftOut]:
    """Returns the last days of all tables together, in order of time."""
    found = layers.query(
        f"""
        select day, sum(coalesce(dead_letters, 0)), sum(rejected)
        from {{gold}}.rows_left_out
        group by day
        order by day desc
        limit {DAYS}
        """
    )
    return [
        LeftOut(day, int(dead_letters), None if rejected is None else int(rejected))
        for day, dead_letters, rejected in reversed(found)
    ]


def read_left_out_tables(layers: Layers) -> list[LeftOutTable]:
    """Returns the tables with dead letters or rejected rows, those with most first."""
    found = layers.query(
        f"""
        with letters as (
            select source, table_name, sum(coalesce(dead_letters, 0)) as dead_letters
            from {{gold}}.rows_left_out
            group by source, table_name
        )
        select s.source, s.table_name, coalesce(letters.dead_letters, 0) as dead_letters, s.rejected
        from {{gold}}.table_state as s
        left join letters on s.source = letters.source and s.table_name = letters.table_name
        where letters.dead_letters > 0 or s.rejected > 0
        order by coalesce(letters.dead_letters, 0) + coalesce(s.rejected, 0) desc, s.source, s.table_name
        limit {LISTED}
        """
    )
    return [
        LeftOutTable(f"{source}.{table}", int(dead_letters), rejected)
        for source, table, dead_letters, rejected in found
    ]


def read_audit(layers: Layers) -> tuple[datetime | None, list[Comparison], int, int]:
    """Returns when the last audit was, its comparisons, how many there are and how many of them differ."""
    last = f"""
        select table_name, what, expected, found, agrees, {in_utc("audited_at")} as audited_at
        from ops.audit_results
        where run_id = (select run_id from ops.audit_results order by audited_at desc limit 1)
        qualify row_number() over (partition by table_name, what order by audited_at desc) = 1
        """
    ((audited_at, compared, differing),) = layers.query(
        f"select max(audited_at), count(*), sum(case when agrees then 0 else 1 end) from ({last}) as last_audit"
    )
    found = layers.query(
        f"select table_name, what, expected, found, agrees from ({last}) as last_audit"
        f" order by case when agrees then 1 else 0 end, table_name, what limit {LISTED}"
    )
    return audited_at, [Comparison(*row) for row in found], int(compared), int(differing or 0)
