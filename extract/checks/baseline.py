"""Values of a run that are far from those of the runs before it, as the model `gold_run_baseline` says."""

from collections.abc import Iterator

from extract.settings import Settings
from extract.sql import literal, quote
from extract.warehouse.targets import Warehouse, layer_schema

MEASURES = {
    "rows_source": "rows at the source",
    "rows_loaded": "rows loaded",
    "seconds": "seconds",
    "rejected_share": "rejected rows in a hundred",
}


def find_unusual(settings: Settings, warehouse: Warehouse) -> list[str]:
    """Returns a line for each value of this run that is unusual; none if the model is not built."""
    schema = layer_schema(settings, "gold")
    if (schema, "run_baseline") not in warehouse.tables():
        return []
    rows = warehouse.query(
        f"select source, table_name, measure, value, median, runs from {quote(schema)}.run_baseline"
        f" where is_unusual and run_id = {literal(settings.run_id)} order by source, table_name, measure"
    )
    return list(describe(rows))


def describe(rows: list[tuple[str, str, str, float, float, int]]) -> Iterator[str]:
    """Yields a sentence for each unusual value."""
    for source, table, measure, value, median, runs in rows:
        factor = 100 if measure == "rejected_share" else 1
        yield (
            f"unusual {source}.{table}: {in_figures(value * factor)} {MEASURES[measure]},"
            f" {in_figures(median * factor)} in the median of the last {runs} runs"
        )


def in_figures(value: float) -> str:
    """Returns a number with as many decimals as matter."""
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:,.2f}"
