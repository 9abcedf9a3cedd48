"""The operations page, in English, the language of the project."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from extract.reporting import operations_charts
from extract.reporting.content import Card, Cell, Chart, Figure, Numbers, Section, Tile
from extract.reporting.numbers import DASH, ago, count, moment_text, plural, seconds
from extract.reporting.operations import CARDS, DAYS, ENOUGH_RUNS, Baseline, Operations, State

WORDS = {"numbers": "Numbers", "written": "Written at"}

STATUSES = {"ok": Cell("✓ ok", "good"), "partial": Cell("! partial", "warn"), "failed": Cell("✕ failed", "bad")}
VERDICTS = {"pass": Cell("fresh", "good"), "warn": Cell("late", "warn"), "error": Cell("too late", "bad")}
TEST_STATUSES = {"warn": Cell("! warn", "warn"), "fail": Cell("✕ fail", "bad"), "error": Cell("✕ error", "bad")}
MEASURES = {
    "rows_source": "rows at the source", "rows_loaded": "rows loaded", "seconds": "seconds",
    "rejected_share": "share rejected",
}  # fmt: skip

NOTICES = 8
CHARTED = 15  # tables in one chart
NO_BUILD = "The history is not built yet: make build"


def write_operations(operations: Operations, now: datetime) -> Section:
    """Returns the page; `now` is in UTC without a zone."""
    if not operations.states:
        lead = "No run is recorded yet. Load and build everything: make run"
        return Section("operations", "en", "Operations", "Operations", lead, words=WORDS)
    notices = tuple(write_notices(operations, now))
    last = last_run(operations)
    lead = f"The last run was {ago(last, now)}, at {moment_text(last)} UTC. "
    lead += f"{plural(len(notices), 'thing')} to look at." if notices else "It was as usual: nothing needs attention."
    shown = notices[:NOTICES]
    if len(notices) > NOTICES:
        shown += (Cell(f"and {len(notices) - NOTICES} more, below", "warn"),)
    figures = (
        write_board(operations, now),
        write_usual(operations),
        write_tests(operations, now),
        write_left_out(operations),
        write_freshness(operations, now),
        write_audit(operations),
    )
    return Section(
        "operations",
        "en",
        "Operations",
        "Operations",
        lead,
        tuple(write_tiles(operations, now)),
        shown,
        figures,
        WORDS,
    )


def last_run(operations: Operations) -> datetime | None:
    """Returns when the last run began to read its last table."""
    return max((one.started_at for one in operations.states if one.started_at), default=None)


def write_notices(operations: Operations, now: datetime) -> Iterator[Cell]:
    """Yields what needs attention, in a sentence each, the worst first."""
    for state in operations.states:
        if state.status == "failed":
            yield Cell(f"{state.name} failed; its earlier rows are unchanged.", "bad", state.error or "")
    if operations.differing_count:
        differing = plural(operations.differing_count, "count does", "counts do")
        yield Cell(f"The audit: {differing} not agree. See below.", "bad")
    failed = [test for test in operations.failing if test.status != "warn"]
    if failed:
        yield Cell(f"{plural(len(failed), 'test')} failed, such as {failed[0].name}.", "bad", failed[0].message or "")
    for name, unusual in group_unusual(operations).items():
        yield Cell(f"{name}: {'; '.join(map(measured, unusual))}.", "warn")
    for state in operations.states:
        if state.status == "partial":
            yield Cell(f"{state.name} was loaded, but not all of it.", "warn", state.error or "")
        if state.freshness in ("warn", "error"):
            verdict = VERDICTS[state.freshness]
            yield Cell(f"{state.name} is {verdict.text}: last loaded {ago(state.loaded_at, now)}.", verdict.status)


def group_unusual(operations: Operations) -> dict[str, list[Baseline]]:
    """Returns the unusual values of each table, the size of the table first."""
    found: dict[str, list[Baseline]] = {}
    for one in operations.baselines:
        if one.is_unusual:
            found.setdefault(one.name, []).append(one)
    order = list(MEASURES)
    return {name: sorted(unusual, key=lambda one: order.index(one.measure)) for name, unusual in found.items()}


def write_value(measure: str, value: float | None) -> str:
    """Returns a value of a measure."""
    if value is None:
        return DASH
    if measure == "rejected_share":
        return f"{value:.2%}"
    return seconds(value) if measure == "seconds" else count(value)


def measured(one: Baseline) -> str:
    """Returns what is unusual: 50 rows at the source, 50% of the usual 100."""
    usual = write_value(one.measure, one.median)
    value = write_value(one.measure, one.value)
    what = "" if one.measure == "seconds" else f" {MEASURES[one.measure].replace('share ', '')}"
    part = one.part_of_usual
    if part is not None and part >= 2:
        return f"{value}{what}, {part:.1f} times the usual {usual}"
    return f"{value}{what}, {'' if part is None else f'{part:.0%} of '}the usual {usual}"


def write_tiles(operations: Operations, now: datetime) -> Iterator[Tile]:
    """Yields the headline figures."""
    states = operations.states
    not_ok = operations.table_count - operations.ok_count
    yield Tile(
        "Tables loaded completely",
        f"{count(operations.ok_count)} of {count(operations.table_count)}",
        (Cell(f"{count(not_ok)} not", "bad") if not_ok else Cell("all of them", "good"),),
    )
    last = last_run(operations)
    ended = [one for one in states if one.started_at and last and last - one.started_at < timedelta(hours=1)]
    loaded = sum(one.rows_loaded or 0 for one in ended)
    yield Tile(
        "Rows loaded in the last run", count(loaded),
        (Cell(f"{ago(last, now)}, in {seconds(sum(float(one.seconds or 0) for one in ended))} of loading"),),
    )  # fmt: skip
    if operations.builds:
        build = operations.builds[-1]
        run = build.passed + build.warned + build.failed + build.skipped
        yield Tile(
            "Tests passed in the last build",
            f"{count(build.passed)} of {count(run)}",
            tuple(
                Cell(f"{count(number)} {what}", status)
                for number, what, status in (
                    (build.failed, "failed", "bad"), (build.warned, "warned", "warn"),
                    (build.skipped, "skipped", "warn"),
                )
                if number
            ),
        )  # fmt: skip
    if operations.comparison_count:
        agree = operations.comparison_count - operations.differing_count
        yield Tile(
            "Counts that agree in the audit",
            f"{count(agree)} of {count(operations.comparison_count)}",
            (
                Cell("every row is accounted for", "good")
                if not operations.differing_count
                else Cell("see below", "bad"),
            ),
        )
    if operations.is_built:
        rejected = sum(one.rejected or 0 for one in operations.left_out_tables)
        letters = sum(one.dead_letters for one in operations.left_out_tables)
        yield Tile("Rejected rows", count(rejected), (Cell(plural(letters, "dead letter") + " ever"),))


def write_board(operations: Operations, now: datetime) -> Figure:
    """Returns the last run of each table."""
    answer = f"{count(operations.ok_count)} of {plural(operations.table_count, 'table')} ok."
    hidden = operations.table_count - CARDS
    if hidden > 0:
        answer += f" The {CARDS} that need attention most have charts; all are in the numbers."
    cards = tuple(write_card(operations, state, now) for state in operations.states[:CARDS])
    left_out = operations.table_count - len(operations.states)
    return Figure(
        "Last run of each table",
        answer,
        cards=cards,
        numbers=Numbers(
            (
                "table", "status", "mode", "last run (UTC)", "duration", "at source", "loaded", "deleted",
                "dead letters", "bronze", "silver", "rejected",
            ),
            tuple(
                (
                    Cell(one.name, detail=one.error or ""), STATUSES.get(one.status, Cell(one.status)), one.mode,
                    moment_text(one.started_at), seconds(one.seconds),
                    *map(count, (
                        one.rows_source, one.rows_loaded, one.rows_deleted, one.rows_dead_letter, one.bronze,
                        one.silver, one.rejected,
                    )),
                )
                for one in operations.states
            ),
            numeric=4,
            more=f"and {count(left_out)} more without a problem" if left_out > 0 else "",
        ),
        is_wide=True,
    )  # fmt: skip


def write_card(operations: Operations, state: State, now: datetime) -> Card:
    """Returns a table with its last runs."""
    facts: list[Cell | str] = [f"{ago(state.started_at, now)}, {state.mode}, in {seconds(state.seconds)}"]
    if state.bronze is not None:
        layers = f"bronze {count(state.bronze)} · silver {count(state.silver)}"
        facts.append(f"{layers} · rejected {count(state.rejected)}" if state.rejected is not None else layers)
    if state.freshness in ("warn", "error"):
        verdict = VERDICTS[state.freshness]
        facts.append(Cell(f"{verdict.text}: last loaded {ago(state.loaded_at, now)}", verdict.status))
    unusual = group_unusual(operations).get(state.name, [])
    facts += [Cell(measured(one), "warn") for one in unusual]
    if state.error:
        facts.append(Cell(state.error, "bad" if state.status == "failed" else "warn"))
    shown = STATUSES.get(state.status, Cell(state.status))
    if state.status == "ok" and unusual:
        shown = Cell("! unusual", "warn")
    elif state.status == "ok" and state.freshness in ("warn", "error"):
        shown = Cell(f"! {VERDICTS[state.freshness].text}", VERDICTS[state.freshness].status)
    return Card(state.name, shown, tuple(facts), tuple(write_charts(operations, state)))


def write_charts(operations: Operations, state: State) -> Iterator[Chart]:
    """Yields the charts of a table: its size, what was loaded, and how long that took."""
    runs = [run for run in operations.runs if run.name == state.name]
    for measure in ("rows_source", "rows_loaded", "seconds"):
        usual = operations.usual(state.name, measure)
        title = MEASURES[measure]
        now = {"rows_source": state.rows_source, "rows_loaded": state.rows_loaded, "seconds": state.seconds}[measure]
        chart = operations_charts.draw_runs(state.name, title, [(run, getattr(run, measure)) for run in runs], usual)
        label = f"{title}: {write_value(measure, None if now is None else float(now))}"
        if usual:
            label += f" (usual {write_value(measure, usual.median)})"
        yield Chart(chart.name, chart.spec, title=label)


def write_usual(operations: Operations) -> Figure:
    """Returns what differs from earlier runs."""
    title = "Unusual values"
    known = [one for one in operations.baselines if one.is_known]
    if not known:
        few = f"Shown when a table has {ENOUGH_RUNS} earlier runs to compare with."
        return Figure(title, few if operations.is_built else NO_BUILD)
    unusual = [one for group in group_unusual(operations).values() for one in group]
    sizes = [one for one in known if one.measure == "rows_source" and one.part_of_usual is not None][:CHARTED]
    if unusual:
        answer = f"{plural(len(unusual), 'value')} far from the median of earlier runs: "
        answer += f"{unusual[0].name} has {measured(unusual[0])}."
    else:
        answer = "No value of the last run is far from the median of earlier runs."
    listed = [*unusual, *(one for one in known if not one.is_unusual)][: 2 * CHARTED]
    left_out = len(known) - len(listed)
    return Figure(
        title,
        answer,
        (operations_charts.draw_usual(sizes),) if sizes else (),
        numbers=Numbers(
            ("table", "measure", "last run", "usual", "of usual", "spread", "runs compared"),
            tuple(
                (
                    one.name, MEASURES[one.measure],
                    Cell(write_value(one.measure, one.value), "warn" if one.is_unusual else ""),
                    write_value(one.measure, one.median),
                    DASH if one.part_of_usual is None else f"{one.part_of_usual:.0%}",
                    write_value(one.measure, one.spread), count(one.runs),
                )
                for one in listed
            ),
            numeric=2,
            more=f"and {count(left_out)} more in gold.run_baseline" if left_out else "",
        ),
        is_open=bool(unusual),
    )  # fmt: skip


def write_tests(operations: Operations, now: datetime) -> Figure:
    """Returns the results of dbt's tests."""
    title = "Tests of the models"
    if not operations.builds:
        return Figure(title, "No build is recorded yet: make build")
    build = operations.builds[-1]
    passed = (
        f"{count(build.passed)} of {count(build.passed + build.warned + build.failed + build.skipped)} tests passed"
    )
    answer = f"{passed} in the last build, {ago(build.ran_at, now)}."
    has_others = any(one.failed or one.warned or one.skipped for one in operations.builds)
    charts = (operations_charts.draw_tests(operations.builds),) if has_others else ()
    if operations.failing:
        oldest = min(operations.failing, key=lambda one: one.since or now)
        answer += f" Longest without a pass: {oldest.name}, {ago(oldest.since, now)}."
    if operations.slowest:
        slow = operations.slowest[0]
        answer += f" Slowest node: {slow.name}, {seconds(slow.seconds)}."
    numbers = None
    if operations.failing:
        numbers = Numbers(
            ("test", "status", "rows found", "since (UTC)"),
            tuple(
                (
                    Cell(one.name, detail=one.message or ""), TEST_STATUSES.get(one.status, Cell(one.status)),
                    count(one.failures), moment_text(one.since),
                )
                for one in operations.failing
            ),
            numeric=2,
        )  # fmt: skip
    return Figure(
        title,
        answer,
        charts,
        numbers=numbers,
        is_open=numbers is not None,
    )


def write_left_out(operations: Operations) -> Figure:
    """Returns the rows that did not arrive in silver."""
    title = "Dead letters and rejected rows"
    if not operations.is_built:
        return Figure(title, NO_BUILD)
    if not operations.left_out_tables:
        return Figure(title, "Every row that was ever loaded is in silver: no dead letters, no rejected rows.")
    most = operations.left_out_tables[0]
    recent = sum(day.dead_letters for day in operations.left_out)
    return Figure(
        title,
        f"{plural(recent, 'new dead letter')} in the last {DAYS} days with runs. Most rows: {most.name}, with"
        f" {count(most.rejected or 0)} rejected and {plural(most.dead_letters, 'dead letter')}.",
        tuple(operations_charts.draw_left_out(operations.left_out)),
        numbers=Numbers(
            ("table", "dead letters ever", "rejected now"),
            tuple((one.name, count(one.dead_letters), count(one.rejected)) for one in operations.left_out_tables),
        ),
    )


def write_freshness(operations: Operations, now: datetime) -> Figure:
    """Returns how old the data of each table is."""
    title = "Freshness"
    loaded = [one for one in operations.states if one.loaded_at]
    if not loaded:
        return Figure(title, NO_BUILD if not operations.is_built else "No table was loaded yet: make run")
    oldest = sorted(loaded, key=lambda one: one.loaded_at or now)
    words = {name: cell.text for name, cell in VERDICTS.items()}
    ages = [
        (
            one.name,
            max((now - (one.loaded_at or now)).total_seconds(), 0) / 3600,
            words.get(one.freshness or "", "not checked"),
        )
        for one in oldest
    ]
    return Figure(
        title,
        f"The oldest load is that of {oldest[0].name}, {ago(oldest[0].loaded_at, now)}. The colours are dbt's"
        " verdicts at the last build.",
        (operations_charts.draw_freshness(ages[:CHARTED]),),
        numbers=Numbers(
            ("table", "freshness", "last loaded (UTC)", "hours ago"),
            tuple(
                (name, verdict, moment_text(one.loaded_at), f"{hours:,.1f}")
                for one, (name, hours, verdict) in zip(oldest, ages, strict=True)
            ),
            numeric=2,
        ),
    )


def write_audit(operations: Operations) -> Figure:
    """Returns whether every row is accounted for."""
    title = "Audit"
    if not operations.comparisons:
        return Figure(title, "No audit is recorded yet: make run")
    differing, compared = operations.differing_count, operations.comparison_count
    answer = f"{count(compared - differing)} of {plural(compared, 'count')} agreed"
    answer += f" at {moment_text(operations.audited_at)} UTC"
    answer += "; show the rows that differ with make audit." if differing else ": every row is accounted for."
    left_out = compared - len(operations.comparisons)
    return Figure(
        title,
        answer,
        numbers=Numbers(
            ("table", "comparison", "agrees", "expected", "found"),
            tuple(
                (
                    one.table, one.what, Cell("✓ yes", "good") if one.agrees else Cell("✕ no", "bad"),
                    count(one.expected), count(one.found),
                )
                for one in operations.comparisons
            ),
            numeric=3,
            more=f"and {count(left_out)} more that agree" if left_out else "",
        ),
        is_open=True,
        is_wide=True,
    )  # fmt: skip
