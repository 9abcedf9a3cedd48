"""The charts of the operations page."""

from collections.abc import Iterator, Sequence

import altair as alt

from extract.reporting.content import Chart
from extract.reporting.numbers import moment_text
from extract.reporting.operations import Baseline, Build, LeftOut, Run
from extract.reporting.theme import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    RED,
    amount_axis,
    as_given,
    day_axis,
    finish,
    name_axis,
    padded,
    rows,
)  # fmt: skip

ENGLISH = "en"
BAR = 26  # pixels of a bar and the space to the next one

TEST_COLOURS = {"failed": RED, "warned": ORANGE, "skipped": GREY}


def draw_runs(name: str, title: str, runs: Sequence[tuple[Run, float | None]], usual: Baseline | None) -> Chart:
    """Draws a measure of the last runs of a table, the last one darkest; a cross is a run that failed."""
    last = RED if usual and usual.is_unusual else BLUE
    data = [
        {
            "run": position, "at": f"{moment_text(run.started_at)} UTC", "status": run.status,
            "value": None if value is None else float(value), "colour": last if position == len(runs) - 1 else GREY,
        }
        for position, (run, value) in enumerate(runs)
    ]  # fmt: skip
    tooltip = [
        alt.Tooltip("at:N", title="run"), alt.Tooltip("value:Q", title=title, format=",.10~g"),
        alt.Tooltip("status:N"),
    ]  # fmt: skip
    x = alt.X("run:O", axis=None, scale=alt.Scale(domain=list(range(max(len(runs), 10)))))
    base = alt.Chart(rows(data)).encode(x=x, tooltip=tooltip)
    y = alt.Y("value:Q", axis=None)
    bars = base.mark_bar(cornerRadiusEnd=1).encode(y=y, color=as_given("colour"))
    failed = (
        base.transform_filter("datum.status == 'failed'")
        .mark_point(shape="cross", angle=45, size=60, color=RED, filled=True, yOffset=-6)
        .encode(y=alt.YDatum(0, axis=None))
    )
    chart = bars + failed
    if usual:
        median = alt.Chart(rows([{"value": usual.median}])).mark_rule(color=INK, strokeDash=[4, 3])
        chart += median.encode(y=y)
    return Chart(f"{name}: {title}", finish(chart, ENGLISH, 44, f"{name}: {title}"), title=title)


def draw_usual(baselines: Sequence[Baseline]) -> Chart:
    """Draws the last value of each table as a part of what is usual; the line is 100%."""
    data = [
        {
            "table": one.name, "part": one.part_of_usual, "shown": min(one.part_of_usual or 0, 2), "value": one.value,
            "median": one.median, "colour": RED if one.is_unusual else BLUE,
        }
        for one in baselines
    ]  # fmt: skip
    most = max([1.0, *(min(one.part_of_usual or 0, 2) for one in baselines)]) * 1.25
    base = alt.Chart(rows(data)).encode(
        y=alt.Y("table:N", sort=None, axis=name_axis()),
        x=alt.X("shown:Q", axis=None, scale=alt.Scale(domain=[0, most])),
        tooltip=[
            alt.Tooltip("table:N"), alt.Tooltip("part:Q", title="of usual", format=".0%"),
            alt.Tooltip("value:Q", title="rows at the source", format=","),
            alt.Tooltip("median:Q", title="usual", format=",.0f"),
        ],
    )  # fmt: skip
    bars = base.mark_bar(height=16, cornerRadiusEnd=2).encode(color=as_given("colour"))
    texts = base.mark_text(align="left", dx=6).encode(text=alt.Text("part:Q", format=".0%"))
    usual = alt.Chart(rows([{"x": 1}])).mark_rule(color=INK, strokeDash=[4, 3]).encode(x=alt.X("x:Q", axis=None))
    name = "Rows at the source as a part of what is usual"
    return Chart(
        name,
        finish(bars + usual + texts, ENGLISH, BAR * len(data), name),
        (("usual", BLUE), ("unusual", RED)) if any(one.is_unusual for one in baselines) else (),
    )


def draw_freshness(ages: Sequence[tuple[str, float, str]]) -> Chart:
    """Draws the hours since each table was loaded, coloured by dbt's verdict."""
    colours = {"fresh": BLUE, "late": ORANGE, "too late": RED, "not checked": GREY}
    data = [
        {"table": table, "hours": hours, "verdict": verdict, "label": age_text(hours)}
        for table, hours, verdict in ages
    ]
    most = max([hours for _, hours, _ in ages] + [1.0]) * 1.25
    present = [name for name in colours if name in {verdict for _, _, verdict in ages}]
    base = alt.Chart(rows(data)).encode(
        y=alt.Y("table:N", sort=None, axis=name_axis()),
        x=alt.X("hours:Q", axis=None, scale=alt.Scale(domain=[0, most])),
        tooltip=[
            alt.Tooltip("table:N"),
            alt.Tooltip("hours:Q", title="hours since the last load", format=",.1f"),
            alt.Tooltip("verdict:N"),
        ],
    )
    colour = alt.Color(
        "verdict:N", legend=None, scale=alt.Scale(domain=present, range=[colours[name] for name in present])
    )
    texts = base.mark_text(align="left", dx=6).encode(text="label:N")
    chart = base.mark_bar(height=16, cornerRadiusEnd=2).encode(color=colour) + texts
    name = "Hours since each table was loaded"
    return Chart(name, finish(chart, ENGLISH, BAR * len(data), name), tuple((one, colours[one]) for one in present))


def age_text(hours: float) -> str:
    """Returns an age in few letters: 5 min, 3.2 h, 4.1 d."""
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} d"


def draw_tests(builds: Sequence[Build]) -> Chart:
    """Draws the tests that did not pass in each build."""
    names = [f"{build.ran_at:%Y-%m-%d %H:%M:%S}" for build in builds]
    data = [
        {
            "at": name, "result": result, "tests": number, "passed": build.passed,
        }
        for name, build in zip(names, builds, strict=True)
        for result, number in (("failed", build.failed), ("warned", build.warned), ("skipped", build.skipped))
    ]  # fmt: skip
    most = max([build.failed + build.warned + build.skipped for build in builds] + [4])
    tooltip = [
        alt.Tooltip("at:N", title="build (UTC)"), alt.Tooltip("result:N"), alt.Tooltip("tests:Q"),
        alt.Tooltip("passed:Q", title="passed"),
    ]  # fmt: skip
    chart = (
        alt.Chart(rows(data))
        .mark_bar()
        .encode(
            x=alt.X(
                "at:O",
                axis=day_axis(),
                scale=alt.Scale(domain=padded(names)),
            ),
            y=alt.Y("tests:Q", axis=amount_axis(ENGLISH, tickMinStep=1), scale=alt.Scale(domain=[0, most])),
            color=alt.Color(
                "result:N",
                legend=None,
                scale=alt.Scale(domain=list(TEST_COLOURS), range=list(TEST_COLOURS.values())),
            ),
            tooltip=tooltip,
        )
    )  # fmt: skip
    name = "Tests that did not pass, by build"
    found = {row["result"] for row in data if row["tests"]}
    legend = tuple((result, colour) for result, colour in TEST_COLOURS.items() if result in found)
    return Chart(name, finish(chart, ENGLISH, 160, name), legend)


def draw_left_out(days: Sequence[LeftOut]) -> Iterator[Chart]:
    """Draws the new dead letters of each day, and the rejected rows at its end; nothing where there were none."""
    names = [f"{one.day:%Y-%m-%d}" for one in days]
    for title, colour, values in (
        ("new dead letters", RED, [one.dead_letters for one in days]),
        ("rejected rows at the end of the day", ORANGE, [one.rejected for one in days]),
    ):
        most = max((value or 0 for value in values), default=0)
        if not most:
            continue
        data = [{"day": day, "rows": value} for day, value in zip(names, values, strict=True)]
        chart = (
            alt.Chart(rows(data))
            .mark_bar(color=colour)
            .encode(
                x=alt.X("day:O", axis=day_axis(), scale=alt.Scale(domain=padded(names))),
                y=alt.Y(
                    "rows:Q",
                    axis=amount_axis(ENGLISH, tickMinStep=1),
                    scale=alt.Scale(domain=[0, max(most, 4)]),
                ),
                tooltip=[alt.Tooltip("day:N"), alt.Tooltip("rows:Q", title=title, format=",")],
            )
        )
        yield Chart(title.capitalize(), finish(chart, ENGLISH, 110, title), title=title)
