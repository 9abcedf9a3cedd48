"""Whether this machine's clock is right: the id of a load is a time by it, and models rely on the order of ids.

A load from the future is newer than all loads until that date, so nothing else could be loaded into its table. Before
a command loads, the clock is compared with that of S3. The target `local` has no other clock: there, only one that is
behind the warehouse's file is found. `python -m extract redate` repairs what an earlier run loaded.
"""

from datetime import UTC, datetime, timedelta

from extract.declarations import Table
from extract.errors import ExtractError
from extract.settings import Settings
from extract.sql import literal
from extract.warehouse import landing
from extract.warehouse.targets import Warehouse

TOLERANCE = timedelta(minutes=5)
REMEDY = "correct the clock; if it is right, an earlier run had a wrong one: python -m extract redate"


def check_clock(settings: Settings) -> None:
    """Compares this machine's clock with that of S3 or, on `local`, with the time of the warehouse's file.

    Raises:
        ExtractError: with both times, if the clock is off.
    """
    now = datetime.now(UTC)
    if settings.redshift:
        other, expected, remedy = landing.read_time(settings), "that of S3", "correct this machine's clock"
        is_off = abs(now - other) > TOLERANCE
    elif settings.warehouse.exists():
        other = datetime.fromtimestamp(settings.warehouse.stat().st_mtime, UTC)
        expected, remedy = f"one that is not behind the last change of {settings.warehouse}", REMEDY
        is_off = other - now > TOLERANCE
    else:
        return
    if is_off:
        raise ExtractError(
            f"clock: expected {expected}, {in_words(other)}, this machine's says {in_words(now)}; {remedy}"
        )


def check_order(table: Table, warehouse: Warehouse) -> None:
    """Checks that a load of this moment is newer than the table's last one.

    Raises:
        ExtractError: with both times.
    """
    if (table.dataset, "_dlt_loads") not in warehouse.tables():
        return
    ((last,),) = warehouse.query(
        f"select max(load_id) from {table.dataset}._dlt_loads where schema_name = {literal(table.name)}"
    )
    now = datetime.now(UTC)
    if last and now.timestamp() <= float(last):
        raise ExtractError(
            f"{table.full_name}: expected a clock that is ahead of the last load's time, "
            f"{in_words(datetime.fromtimestamp(float(last), UTC))}, this machine's says {in_words(now)}; {REMEDY}. "
            "Nothing was loaded"
        )


def in_words(time: datetime) -> str:
    """Returns a time for people."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
