"""What was read of a table's files, as the table's state keeps it.

The newest months have an entry for each date. An older month whose files are all loaded has one entry: a digest of
its files, and the rows of each date. On Redshift a state has at most 65,535 bytes, which an entry for each date would
fill in three to five years. If the digest of a month differs, its dates are read again, all of them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from extract.reading import State
from extract.sources.parquet.files import DailyTable, Drop

FINGERPRINT = 32  # characters, 128 bits
KEPT = 12  # the newest months, whose dates have an entry each
MONTH, DAY = len("2024-01"), len("2024-01-01")  # where they end in a place


@dataclass
class Seen:
    """The dates of a table that were ever loaded, each as it was last.

    `files` maps a place, of a file or of a table's folder, to its fingerprint, number of rows and, where it has one,
    stamp. `months` maps a month to its digest, the rows of each day from its first and, where it has one, its stamp.
    """

    table: str
    files: dict[str, dict[str, Any]]
    months: dict[str, dict[str, Any]]
    current: set[str] = field(default_factory=set)  # the places that are loaded as they are in the drop
    places: dict[str, str] = field(init=False)  # of each date

    def __post_init__(self) -> None:
        self.places = {place[:DAY]: place for place in self.files}

    @classmethod
    def from_state(cls, table: str, state: State) -> "Seen":
        """Returns what a table's state contains."""
        months = {month: dict(entry) for month, entry in state.get("months", {}).items()}
        return cls(table, dict(state.get("files", {})), months)

    def as_state(self) -> dict[str, Any]:
        """Returns the state for the next run."""
        return {"files": self.files, "months": self.months}

    @property
    def rows(self) -> int:
        """The rows of all dates."""
        days = sum(rows for entry in self.months.values() for rows in entry["rows"])
        return int(days + sum(entry["rows"] for entry in self.files.values()))

    def find_due(self, drop: Drop, dates: Iterable[DailyTable]) -> list[DailyTable]:
        """Returns the dates to look at one by one: those of the months that have no digest or another one."""
        due: list[DailyTable] = []
        for month, found in group_by_month(dates).items():
            entry = self.months.get(month)
            if entry and not is_unchanged(entry, drop, found):  # the content of no date is known
                for day, rows in enumerate(self.months.pop(month)["rows"], 1):
                    if rows:
                        self._set(f"{month}-{day:02}/{self.table}", {"fingerprint": "", "rows": rows})
            if month not in self.months:
                due += found
        return due

    def has_stamp(self, daily: DailyTable) -> bool:
        """Returns whether a date is as it was, without a look at the content of its files."""
        same = daily.stamp is not None and self.files.get(daily.place, {}).get("stamp") == daily.stamp
        if same:
            self.current.add(daily.place)
        return same

    def rows_of(self, daily: DailyTable, fingerprint: str) -> int | None:
        """Returns the rows of a date if it was loaded with this content, else None."""
        entry = self.files.get(daily.place)
        return entry["rows"] if entry and entry["fingerprint"][:FINGERPRINT] == fingerprint else None

    def add(self, daily: DailyTable, fingerprint: str, rows: int) -> None:
        """Notes that a date is loaded with this content, whatever it was before."""
        entry = {"fingerprint": fingerprint, "rows": rows}
        self._set(daily.place, entry | ({"stamp": daily.stamp} if daily.stamp else {}))
        self.current.add(daily.place)

    def fold(self, dates: Iterable[DailyTable]) -> None:
        """Makes one entry of each older month, unless a file of it that is in the drop is not loaded as it is."""
        found = group_by_month(dates)
        loaded: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for place, entry in self.files.items():
            loaded[place[:MONTH]][place] = entry
        newest = sorted({*loaded, *self.months})[-KEPT:]
        for month in sorted(set(loaded) - set(newest)):
            dailies = found.get(month, [])
            if all(daily.place in self.current for daily in dailies):
                digest = digest_of((daily.place, self.files[daily.place]["fingerprint"]) for daily in dailies)
                days = {int(place[MONTH + 1 : DAY]): entry["rows"] for place, entry in loaded[month].items()}
                rows = [days.get(day, 0) for day in range(1, max(days) + 1)]
                self.months[month] = {"digest": digest, "rows": rows} | stamp_of(dailies)
                for place in loaded[month]:
                    del self.files[place], self.places[place[:DAY]]

    def _set(self, place: str, entry: dict[str, Any]) -> None:
        if before := self.places.get(place[:DAY]):
            del self.files[before]
        self.files[place] = entry
        self.places[place[:DAY]] = place


def group_by_month(dates: Iterable[DailyTable]) -> dict[str, list[DailyTable]]:
    """Returns the dates of each month."""
    months: defaultdict[str, list[DailyTable]] = defaultdict(list)
    for daily in dates:
        months[daily.folder[:MONTH]].append(daily)
    return months


def is_unchanged(entry: dict[str, Any], drop: Drop, dates: Sequence[DailyTable]) -> bool:
    """Returns whether the files of a month are those of its entry; notes their stamp if it is another one."""
    stamp = stamp_of(dates)
    if stamp and stamp["stamp"] == entry.get("stamp"):
        return True
    try:
        digest = digest_of((daily.place, drop.fingerprint(daily)[:FINGERPRINT]) for daily in dates)
    except OSError:
        return False
    if digest == entry["digest"]:
        entry |= stamp
        return True
    return False


def stamp_of(dates: Sequence[DailyTable]) -> dict[str, str]:
    """Returns one stamp for all dates, none if one of them has none."""
    stamps = [(daily.place, daily.stamp) for daily in dates if daily.stamp]
    return {"stamp": digest_of(stamps)[:16]} if len(stamps) == len(dates) else {}


def digest_of(pairs: Iterable[tuple[str, str]]) -> str:
    """Returns what identifies places with their fingerprints or stamps, in whatever order they are."""
    text = "".join(sorted(f"{place} {value}\n" for place, value in pairs))
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT]
