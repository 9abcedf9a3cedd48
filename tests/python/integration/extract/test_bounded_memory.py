"""What a source has may unpack to gigabytes: it ends as a dead letter, and the process stays below 1 GiB."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract import report
from extract.errors import ExtractError
from extract.load.runner import load_table
from extract.reading import Limits, OwnRead, Reading, State
from extract.scaffold.parquet import read_file
from extract.settings import Settings, read_settings
from extract.sources.batches import BATCH_BYTES
from extract.sources.parquet.read import ParquetRead
from extract.warehouse.targets import open_warehouse
from tests.python.helpers.declared import CATEGORIA, PARQUET
from tests.python.helpers.peak import GIB, measure
from tests.python.helpers.raw_parquet import (
    BYTE_ARRAY,
    DELTA_BYTE_ARRAY,
    DICTIONARY_PAGE,
    INT64,
    PLAIN,
    RLE,
    RLE_DICTIONARY,
    Page,
    RawColumn,
    flat,
    long_list,
    long_text,
    page,
    repeated,
    same_prefix,
    write,
)
from tests.python.helpers.world import World

DAY = "2024-02-01/categoria.parquet"
DICTIONARY = (PLAIN, RLE, RLE_DICTIONARY)


def ids(rows: int) -> RawColumn:
    """Returns ids that are all different from each other, as far as there are few."""
    if rows > 1_000_000:
        return flat("id", INT64, repeated((7).to_bytes(8, "little"), rows), rows, encodings=DICTIONARY)
    return flat("id", INT64, [page(b"".join(n.to_bytes(8, "little") for n in range(rows)), rows)], rows)


def names(pages: list[Page], values: int, **words: Any) -> RawColumn:
    """Returns the names of the categories."""
    return flat("nome_categoria", BYTE_ARRAY, pages, values, **words)


def text(length: int) -> bytes:
    """Returns a text as PLAIN stores it."""
    return length.to_bytes(4, "little") + b"y" * length


def long_page() -> bytes:
    return write([ids(1), names([long_text(1_500_000_000)], 1)], 1)


def lying_long_page() -> bytes:
    return write([ids(1), names([long_text(1_500_000_000)], 1, said=100)], 1)


def one_entry() -> bytes:
    rows = 900_000
    return write([ids(rows), names(repeated(text(60_000), rows), rows, encodings=DICTIONARY)], rows)


def hidden_entry() -> bytes:
    rows = 900_000
    return write([ids(rows), names(repeated(text(60_000), rows), rows)], rows)


def many_rows() -> bytes:
    rows = 200_000_000
    return write([ids(rows), names(repeated(text(1), rows), rows, encodings=DICTIONARY)], rows)


def prefixes() -> bytes:
    rows = 60_000
    return write(
        [ids(rows), names([same_prefix(b"a" * 1_000_000, rows)], rows, encodings=(RLE, DELTA_BYTE_ARRAY))], rows
    )


def one_list() -> bytes:
    return write([ids(1), long_list("nome_categoria", 1_000_000_000)], 1)


def missing_rows() -> bytes:
    return write([flat("id", INT64, [page(bytes(8), 1)], 1000), names([page(text(1), 1)], 1000)], 1000)


def index_of_nothing() -> bytes:
    pages = [page(text(1), 1, PLAIN, DICTIONARY_PAGE), page(b"\1\2\7", 1, RLE_DICTIONARY)]
    return write([ids(1), names(pages, 1, encodings=DICTIONARY)], 1)


def long_footer() -> bytes:
    return b"PAR1" + bytes(17 << 20) + (17 << 20).to_bytes(4, "little") + b"PAR1"


def many_columns() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({f"coluna_{number}": [1] for number in range(20_000)}), sink)
    return sink.getvalue().to_pybytes()


HOSTILE: dict[Callable[[], bytes], str] = {
    long_page: "column nome_categoria: expected at most 65,535 bytes in each text, got 1,500,000,004 bytes in 1",
    lying_long_page: "expected to check it in 512,000,000 bytes of memory, it takes more (malloc of size 1500000064",
    one_entry: "column nome_categoria: expected at most 100 characters, got 60,000",
    hidden_entry: "expected to check it in 512,000,000 bytes of memory, it takes more (",
    many_rows: "expected at most 16,000,000 rows, whose keys can be compared in 512,000,000 bytes of memory, got 20",
    prefixes: "expected to check it in 512,000,000 bytes of memory, it takes more (",
    one_list: "expected to check it in 512,000,000 bytes of memory, it takes more (",
    missing_rows: "expected the 1,000 rows that the metadata says, got 1",
    index_of_nothing: "expected a whole Parquet file, got: Index 7 out of bounds",
    long_footer: "expected at most 16,777,216 bytes of metadata, got 17,825,792",
    many_columns: "column coluna_0 is not declared; column coluna_1 is not declared;",
}


def one_key() -> bytes:
    return write([flat("id", BYTE_ARRAY, [long_text(1_500_000_000)], 1, said=100)], 1)


FAST = (long_page, lying_long_page, many_rows, missing_rows, index_of_nothing, long_footer, many_columns)


@pytest.mark.parametrize(
    "content", [pytest.param(one, marks=[] if one in FAST else [pytest.mark.slow]) for one in HOSTILE]
)
def test_a_file_that_unpacks_to_gigabytes_is_a_dead_letter(world: World, content: Callable[[], bytes]) -> None:
    world.put(DAY, content())
    with ParquetRead(CATEGORIA, ("categoria",)).open(read_settings([PARQUET]), {}, Limits()) as reading:
        files = {file for batch in reading.batches for file in batch["_file_path"].to_pylist()}
    (note,) = reading.notes
    assert note.startswith(f"parquet: {DAY}: {HOSTILE[content]}")
    assert len(note) < 1_000
    assert files == {"2024-01-01/categoria.parquet"}


@pytest.mark.slow
def test_a_run_with_such_files_stays_small_and_so_does_the_next(world: World) -> None:
    for number, content in enumerate(HOSTILE, start=1):
        world.put(f"2024-02-{number:02}/categoria.parquet", content())
    world.put("2024-03-01/categoria.parquet")
    for _ in range(2):
        run = measure("run", "--source", "parquet")
        assert run.code == 1, run.output
        assert run.peak < GIB
    assert world.query("select distinct _file_path from raw_parquet.categoria order by 1") == [
        ("2024-01-01/categoria.parquet",),
        ("2024-03-01/categoria.parquet",),
    ]


@pytest.mark.parametrize(
    ("megabytes", "said"),
    [
        (
            1,
            "expected at most 1,000,000 bytes of rows for one date, got 2,000,000 by the metadata, which has 100,000",
        ),
        (
            10,
            "expected at most 10,000,000 bytes of rows for one date, got more; leave out columns or rows, or",
        ),
        (12, None),
    ],
)
def test_the_size_of_a_date_is_limited(
    world: World, monkeypatch: pytest.MonkeyPatch, megabytes: int, said: str | None
) -> None:
    rows = 100_000
    world.put(DAY, pa.table({"id": range(rows), "nome_categoria": ["y" * 100] * rows}))
    monkeypatch.setenv("PARQUET_MAX_MB", str(megabytes))
    with ParquetRead(CATEGORIA, ("categoria",)).open(read_settings([PARQUET]), {}, Limits()) as reading:
        assert [said in note for note in reading.notes] == [True] if said else not reading.notes


def test_long_texts_that_all_rows_have_are_loaded_piece_by_piece(world: World) -> None:
    rows = 2_000
    column = replace(CATEGORIA.columns[1], data_type="varchar(65535)")
    table = replace(CATEGORIA, columns=(CATEGORIA.columns[0], column))
    world.put(DAY, write([ids(rows), names(repeated(text(60_000), rows), rows, encodings=DICTIONARY)], rows))
    with ParquetRead(table, ("categoria",)).open(read_settings([PARQUET]), {}, Limits()) as reading:
        sizes = [batch.nbytes for batch in reading.batches]
    assert reading.notes == ()
    assert sum(sizes) > rows * 60_000
    assert max(sizes) < 2 * BATCH_BYTES


def test_a_column_that_is_excluded_is_not_read(world: World) -> None:
    table = replace(CATEGORIA, columns=CATEGORIA.columns[:1], exclude=("nome_categoria",), key=("id",))
    world.put(DAY, lying_long_page())
    with ParquetRead(table, ("categoria",)).open(read_settings([PARQUET]), {}, Limits()) as reading:
        assert reading.notes == ()
        assert sum(batch.num_rows for batch in reading.batches) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (one_key, "expected a Parquet file, got: one that takes more than 512,000,000 bytes of memory: "),
        (long_footer, "expected at most 16,777,216 bytes of metadata, got 17,825,792"),
        (many_columns, "expected at most 1,600 columns, which the warehouse takes, got 20,000"),
    ],
)
def test_such_a_file_is_no_table_to_add(tmp_path: Path, content: Callable[[], bytes], said: str) -> None:
    file = tmp_path / "id.parquet"
    file.write_bytes(content())
    with pytest.raises(ExtractError) as refused:
        read_file(file)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{file}: ")
    assert len(str(refused.value)) < 1_000


@dataclass(frozen=True)
class LongRows(OwnRead):
    """A read of batches of one row of 1 MB each; it notes how many bytes Arrow has when it is asked for the next."""

    rows: int
    bytes_before: list[int]

    @contextmanager
    def open(self, settings: Settings, state: State, limits: Limits) -> Iterator[Reading]:  # noqa: ARG002
        """Gives the rows."""
        yield Reading(pa.schema([("texto", pa.string())]), self.batches(), rows_source=self.rows)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields the rows."""
        for _ in range(self.rows):
            self.bytes_before.append(pa.total_allocated_bytes())
            yield pa.record_batch({"texto": ["y" * 1_000_000]})


@pytest.mark.usefixtures("world")
def test_few_rows_do_not_wait_until_there_are_many() -> None:
    read = LongRows(CATEGORIA, rows=40, bytes_before=[])
    settings = read_settings([])
    with open_warehouse(settings) as warehouse, report.show_progress() as progress:
        run = load_table(read, settings, warehouse, progress)
    assert (run.error, run.rows_loaded) == (None, 40)
    assert max(read.bytes_before) - read.bytes_before[0] < 10_000_000
