"""What a run remembers of the files of many months: nothing that changes is missed, and the state stays small."""

import hashlib
import io
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.pipeline.state_sync import compress_state
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.declarations import Column, ParquetTable
from extract.reading import Limits, State
from extract.settings import read_settings
from extract.sources.parquet import seen, store
from extract.sources.parquet.files import DailyTable, Drop, DropFile
from extract.sources.parquet.read import ParquetRead
from extract.sources.parquet.seen import Seen
from tests.python.helpers.declared import PARQUET

PEDIDO = ParquetTable("pedido", "files", PARQUET, (), (Column("id", "bigint"),))
LONGEST_STATE = 65_535  # bytes, of a text on Redshift
DATES = [f"2024-{month:02}-{day:02}" for month in (1, 2, 3, 4) for day in (1, 2)]


def parquet(value: int) -> bytes:
    """Returns a Parquet file with as many rows as the value's remainder says, at least one."""
    content = io.BytesIO()
    pq.write_table(pa.table({"id": [value] * (value % 3 + 1)}), content)
    return content.getvalue()


CONTENTS = {value: parquet(value) for value in range(12)}


@dataclass
class History:
    """A drop, the state of its table, and what raw has of each date: the value and rows of its last load."""

    drop: Path
    state: State = field(default_factory=dict)
    raw: dict[str, tuple[int, int]] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)  # the dates of the last run

    def run(self) -> None:
        """Does what a run does, and checks what it knows against what it loaded."""
        options = read_settings([PARQUET], {"PARQUET_DROP": str(self.drop)})
        with ParquetRead(PEDIDO, ("pedido",)).open(options, self.state, Limits()) as reading:
            batches = list(reading.batches)
            self.loaded = sorted({str(batch["_file_date"][0]) for batch in batches})
            for day in self.loaded:
                values = [v for b in batches if str(b["_file_date"][0]) == day for v in b["id"].to_pylist()]
                self.raw[day] = (values[0], len(values))
            self.state = reading.state
            assert reading.rows_source == sum(rows for _, rows in self.raw.values())

    def check(self) -> None:
        """Checks that every good file of the drop is what raw has last of its date."""
        for file in self.drop.glob("*/pedido.parquet"):
            if file.read_bytes() != b"bad":
                assert self.raw[file.parent.name][0] == pq.read_table(file)["id"][0].as_py()


def put(drop: Path, day: str, value: int) -> None:
    file = drop / day / "pedido.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(CONTENTS.get(value, b"bad"))


def remove(drop: Path, day: str) -> None:
    shutil.rmtree(drop / day, ignore_errors=True)


def split(drop: Path, day: str, value: int) -> None:
    """Makes the table of a date a folder with one file."""
    remove(drop, day)
    file = drop / day / "pedido" / "part.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENTS[value])


@settings(max_examples=25)
@given(
    changes=st.lists(
        st.lists(st.tuples(st.sampled_from(DATES), st.integers(-2, 11)), max_size=4), min_size=1, max_size=6
    ),
    settled=st.sampled_from([-1, 10**9]),
)
def test_no_change_is_missed_whatever_its_month(changes: list[list[tuple[str, int]]], settled: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(seen, "KEPT", 1),
        patch.object(store, "SETTLED", settled),
    ):
        history = History(Path(folder))
        for day in DATES:
            put(history.drop, day, 0)
        history.run()
        for change in changes:
            for day, value in change:
                if value == -2 and day != DATES[-1]:
                    remove(history.drop, day)
                else:
                    put(history.drop, day, value)
            history.run()
            history.check()
        history.run()
        assert history.loaded == []


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Four months, of which the newest has an entry for each date."""
    monkeypatch.setattr(seen, "KEPT", 1)
    history = History(tmp_path)
    for number, day in enumerate(DATES):
        put(tmp_path, day, number)
    history.run()
    assert (list(history.state["months"]), len(history.state["files"])) == (["2024-01", "2024-02", "2024-03"], 2)
    return history


@pytest.mark.parametrize(
    ("change", "read_again"),
    [
        (lambda drop: put(drop, "2024-02-01", 9), ["2024-02-01", "2024-02-02"]),
        (lambda drop: put(drop, "2024-02-03", 9), ["2024-02-01", "2024-02-02", "2024-02-03"]),
        (lambda drop: put(drop, "2023-12-31", 9), ["2023-12-31"]),
        (lambda drop: remove(drop, "2024-02-01"), ["2024-02-02"]),
        (lambda drop: split(drop, "2024-02-01", 9), ["2024-02-01", "2024-02-02"]),
        (lambda drop: (remove(drop, "2024-02-01"), remove(drop, "2024-02-02")), []),
    ],
)
def test_a_month_of_which_a_file_differs_is_read_again(
    history: History, change: Callable[[Path], object], read_again: list[str]
) -> None:
    change(history.drop)
    history.run()
    assert history.loaded == read_again
    assert len(history.state["files"]) == 2
    history.run()
    assert history.loaded == []


def test_a_month_with_a_dead_letter_keeps_an_entry_for_each_date(history: History) -> None:
    put(history.drop, "2024-02-01", -1)
    history.run()
    history.run()
    assert history.loaded == []
    put(history.drop, "2024-02-01", 9)
    history.run()
    assert (history.loaded, list(history.state["files"])[:1]) == (["2024-02-01"], ["2024-04-01/pedido.parquet"])


def test_the_state_of_an_earlier_release_is_folded_without_reading(history: History) -> None:
    files = {
        f"{day}/pedido.parquet": {"fingerprint": hashlib.sha256(CONTENTS[n]).hexdigest(), "rows": n % 3 + 1}
        for n, day in enumerate(DATES)
    }
    before, history.state = history.state, {"files": files}
    history.run()
    assert (history.loaded, history.state) == ([], before)


def test_an_old_month_is_not_read_if_its_stamps_are_the_same(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SETTLED", -1)  # as if the files were older
    history.run()
    monkeypatch.setattr(Drop, "fingerprint_file", None)
    history.run()
    assert history.loaded == []


def test_the_state_of_twenty_years_fits_a_text_on_redshift() -> None:
    numbers = random.Random(1)  # noqa: S311
    days = [str(date(2000, 1, 1) + timedelta(days=number)) for number in range(20 * 365 + 5)]
    dates = [DailyTable((DropFile(f"{day}/pedido.parquet", etag=numbers.randbytes(16).hex()),)) for day in days]
    history = Seen.from_state("pedido", {})
    for daily in dates:
        history.add(daily, str(daily.files[0].etag), numbers.randrange(10**6))
    history.fold(dates)
    resource = {"resources": {"pedido": history.as_state()}}
    assert len(compress_state({"sources": {"pedido": resource}})) < LONGEST_STATE  # type: ignore[arg-type]

    drop = Drop.open(os.devnull, PARQUET)
    assert Seen.from_state("pedido", history.as_state()).find_due(drop, dates) == dates[-365:]
