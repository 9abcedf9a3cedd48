"""Whether every row is accounted for: `python -m extract audit`, and at the end of every run.

    rows at the source = rows that raw tells of       in the snapshot of the last run
    rows landed        = rows loaded                  of every load
    rows of raw        = rows of bronze               a row per key, without those that the source has no more
    rows of bronze     = rows of silver + rejected

Each comparison is two counts and a query that shows what differs. What was set aside because it does not fit is
counted with raw: its table of dead letters is a place too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from extract.build import Models
from extract.raw import RawTable, raw_table
from extract.reading import Table
from extract.targets import Warehouse


@dataclass(frozen=True)
class Comparison:
    """Two counts of the same rows, and a query of the warehouse that shows which ones differ."""

    table: str
    what: str
    expected: int
    found: int
    query: str

    @property
    def ok(self) -> bool:
        """True where the counts are the same."""
        return self.expected == self.found


def audit(tables: Sequence[Table], models: Mapping[str, Models], warehouse: Warehouse) -> list[Comparison]:
    """Returns the comparisons of every table that was ever loaded, as far as there are models of it."""
    comparisons: list[Comparison] = []
    existing = warehouse.tables()
    if ("ops", "extract_runs") not in existing:
        return comparisons
    last_runs = {
        (source, name): rows
        for source, name, rows in warehouse.query(
            "select source, table_name, rows_source from ops.extract_runs where status <> 'failed'"
            " order by finished_at"
        )
    }
    for table in tables:
        dataset = f"raw_{table.source}"
        last = last_runs.get((table.source, table.name))
        if last is not None and (dataset, table.name) in existing:
            comparisons += compare(raw_table(table, warehouse), last, models.get(table.name, Models()), warehouse)
    return comparisons


def compare(raw: RawTable, rows_source: int, models: Models, warehouse: Warehouse) -> list[Comparison]:
    """Returns the comparisons of one table, all counted by one query."""
    key = raw.table.key
    loads = (
        "select load_id, rows_landed from ops.extract_runs"
        f" where source = '{raw.table.source}' and table_name = '{raw.table.name}' and load_id >="
        f" (select {'max' if raw.table.replaces else 'min'}(_dlt_load_id) from {raw.relation})"
    )
    # What is compared, the query of each of its two counts, and the query that shows the difference.
    sides = [
        ("source = raw", f"select {rows_source}", raw.rows_of_source, raw.rows_of_source),
        (
            "landed = loaded",
            f"select coalesce(sum(rows_landed), 0) from ({loads}) as loads",
            f"select count(*) from {raw.relation} where _dlt_load_id in (select load_id from ({loads}) as loads)",
            "select load_id, rows_landed,"
            f" (select count(*) from {raw.relation} where _dlt_load_id = load_id) as loaded"
            f" from ({loads}) as loads order by load_id",
        ),
    ]
    if models.bronze:
        # A dead letter is not in bronze, and what is in bronze of an earlier version of it stays.
        rows = replace(raw, has_dead_letters=False)
        bronze = f"select {key} from {models.bronze}"
        sides.append(
            (
                "raw = bronze",
                rows.rows_of_bronze,
                f"select count(*) from {models.bronze}",
                unpaired(key, bronze, f"({rows.keys_of_bronze})"),
            )
        )
        if models.silver:
            rejected = f" union all select {key} from {models.rejected}" if models.rejected else ""
            judged = f"select {key} from {models.silver}{rejected}"
            sides.append(
                (
                    f"bronze = silver{' + rejected' if rejected else ''}",
                    f"select count(*) from {models.bronze}",
                    f"select count(*) from ({judged}) as judged",
                    unpaired(key, bronze, judged),
                )
            )
    counts = ", ".join(f"({expected}), ({found})" for _, expected, found, _ in sides)
    (counted,) = warehouse.query(f"select {counts}")
    pairs = zip(counted[::2], counted[1::2], strict=True)
    name = f"{raw.table.source}.{raw.table.name}"
    return [
        Comparison(name, what, int(expected), int(found), query)
        for (what, _, _, query), (expected, found) in zip(sides, pairs, strict=True)
    ]


def unpaired(key: str, one: str, other: str) -> str:
    """Returns a query of the keys that are not once in each of two queries, with how often they are there."""
    both = f"{one} union all {other}"
    return f"select {key}, count(*) from ({both}) as both_sides group by {key} having count(*) <> 2"
