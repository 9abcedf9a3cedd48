"""Plots the results."""

from collections.abc import Mapping
from pathlib import Path

from bench.measure import Measure


def plot(taken: Mapping[int, Mapping[str, Measure]], file: Path) -> None:
    """Writes a PNG file with the seconds and the peak memory of each way, for each size of the table."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        len(taken), 2, figsize=(12, 1 + 0.45 * sum(len(ways) for ways in taken.values())), squeeze=False,
        height_ratios=[len(ways) for ways in taken.values()], layout="constrained",
    )  # fmt: skip
    for (rows, ways), (left, right) in zip(taken.items(), axes, strict=True):
        for axis, what, values in (
            (left, "seconds", [one.seconds for one in ways.values()]),
            (right, "peak memory, MB", [one.peak_mb for one in ways.values()]),
        ):
            bars = axis.barh(list(ways), values, color="tab:blue")
            axis.bar_label(bars, fmt="{:,.1f}" if axis is left else "{:,.0f}", padding=3)
            axis.invert_yaxis()
            axis.margins(x=0.15)
            axis.set_title(f"{rows:,} sales: {what}", loc="left", fontsize="medium")
            axis.spines[["top", "right"]].set_visible(False)
        right.set_yticklabels([])
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
