"""Values of Parquet columns: which types fit a declaration, and which values are refused with which reason."""

import io
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract.declarations import Column, ParquetTable
from extract.errors import ExtractError
from extract.settings import DropSettings
from extract.sources.parquet.files import DailyTable, Drop, DropFile
from extract.sources.parquet.read import ParquetRead
from extract.sources.parquet.types import declared_type, fits
from tests.python.helpers.declared import PARQUET
from tests.python.helpers.parquet_types import COLUMNS

BOUNDS = DropSettings("PARQUET", "memory://values", most_bytes=10**10, most_memory=512 * 10**6)


def check(drop: Drop, table: pa.Table, *columns: Column, key: tuple[str, ...] = (), **words: Any) -> str | None:
    """Returns why a file cannot be loaded, None if it can."""
    content = io.BytesIO()
    pq.write_table(table, content, use_deprecated_int96_timestamps=words.pop("int96", False))
    drop.store.write("t.parquet", content.getvalue())
    try:
        ParquetRead(ParquetTable("t", "files", PARQUET, key, columns, **words), ("t",)).check(
            drop, DailyTable((DropFile("t.parquet"),)), BOUNDS
        )
    except ExtractError as error:
        return str(error)
    return None


@pytest.fixture
def drop() -> Drop:
    return Drop.open("memory://values", PARQUET)


@pytest.mark.parametrize(
    ("values", "kind", "declared", "reason"),
    [
        (["a\0b", "c", "\0"], pa.string(), "varchar", "expected texts without NUL (0x00), got 2 with it"),
        (["x" * 65_536], pa.large_string(), "varchar(65535)", "expected at most 65,535 bytes, got 65,536"),
        (["é" * 32_768], pa.string(), "varchar(65535)", "expected at most 65,535 bytes, got 65,536"),
        (["abc"], pa.string(), "varchar(10)", "expected at most 2 characters, got 3; a varchar needs 4 bytes"),
        ([b"\xff"], pa.binary(), "varchar", "expected values that can be text, got: Invalid UTF8"),
        ([b"x" * 64_001], pa.binary(), "varbinary", "expected at most 64,000 bytes, got 64,001"),
        ([b"xyz", b"abcd"], pa.binary(), "varbinary(3)", "expected at most 3 bytes, got 4"),
        ([-719_163, 2_932_897, 0], pa.date32(), "date", "expected the years 1 to 9999, got 2 others"),
        ([253_402_300_800, 0], pa.timestamp("s"), "timestamp", "expected the years 1 to 9999, got 1 others"),
        ([-(2**63)], pa.timestamp("us", "UTC"), "timestamptz", "expected the years 1 to 9999, got 1 others"),
        ([-1, 1_999, 2_000], pa.timestamp("ns"), "timestamp", "expected whole microseconds, got 2 finer values"),
        (
            [86_400_000],
            pa.time32("ms"),
            "varchar",
            "expected values of type time32[ms], got: time32[ms] 86400000 is not within",
        ),
        ([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int8()), "varchar", "got: a map that has a key twice"),
        ([[["x" * 65_532]]], pa.list_(pa.list_(pa.string())), "varchar(65535)", "expected at most 65,535 bytes"),
        ([1, None, None], pa.int64(), "bigint", "expected a value in every row, got 2 without"),
    ],
)
def test_a_value_that_no_warehouse_has_is_refused_with_its_column(
    drop: Drop, values: list[Any], kind: pa.DataType, declared: str, reason: str
) -> None:
    column = Column("coluna", declared, nullable=None not in values)
    found = check(drop, pa.table({"coluna": pa.array(values, kind)}), column)
    assert found
    assert found.startswith("column coluna: ")
    assert reason in found


def test_all_columns_are_reported_at_once(drop: Drop) -> None:
    table = pa.table({"a": ["\0"], "b": pa.array([None], pa.int8())})
    found = check(drop, table, Column("a", "varchar"), Column("b", "bigint", nullable=False))
    assert found
    assert "column a: expected texts without NUL (0x00), got 1 with it; column b: expected a value" in found


def test_a_count_is_that_of_the_file_and_not_of_a_batch(drop: Drop) -> None:
    table = pa.table({"id": pa.nulls(200_000, pa.int64())})
    found = check(drop, table, Column("id", "bigint"), key=("id",))
    assert found
    assert "column id: expected a value in every row, got 200,000 without" in found


@pytest.mark.parametrize(
    ("values", "kind", "declared", "shown"),
    [
        (["a ", "b", "a"], pa.string(), "varchar", "got a in 2 rows, of which the blanks at the end do not count"),
        ([0.0, -0.0], pa.float64(), "double precision", "got 0.0 in 2 rows"),
        ([UUID(int=5).bytes] * 2, pa.uuid(), "varchar", f"got {UUID(int=5)} in 2 rows"),
        ([True, True], pa.bool_(), "boolean", "got True in 2 rows"),
        ([[1], [1]], pa.list_(pa.int8()), "varchar", "got [1] in 2 rows"),
        ([b"x", b"x"], pa.binary(), "varbinary", "got b'x' in 2 rows"),
        ([1_000, 1_000], pa.timestamp("ns", "UTC"), "timestamptz", "in 2 rows"),
    ],
)
def test_a_key_of_any_type_occurs_once(
    drop: Drop, values: list[Any], kind: pa.DataType, declared: str, shown: str
) -> None:
    columns = (Column("count_all", declared), Column("dia", "integer"))
    same = pa.table({"count_all": pa.array(values, kind), "dia": pa.array([1] * len(values), pa.int32())})
    assert shown in (check(drop, same, *columns, key=("count_all",)) or "")
    assert "column dia, count_all: expected each value once" in (
        check(drop, same, *columns, key=("dia", "count_all")) or ""
    )
    different = same.set_column(1, "dia", pa.array(range(len(values)), pa.int32()))
    assert check(drop, different, *columns, key=("count_all", "dia")) is None
    assert check(drop, same, *columns) is None


@pytest.mark.parametrize("nested", [False, True])
def test_timestamps_of_96_bits_are_exact_or_refused(drop: Drop, nested: bool) -> None:  # noqa: FBT001
    def values(numbers: list[int | None], unit: str) -> pa.Table:
        kind = pa.timestamp(unit)
        rows = [[{"x": number}] for number in numbers] if nested else numbers
        return pa.table({"a": pa.array(rows, pa.list_(pa.struct([("x", kind)])) if nested else kind)})

    column = Column("a", "varchar" if nested else "timestamp")
    # Years 1, 9999 and 1970: nanoseconds of 64 bits have only the last.
    assert (
        check(drop, values([-62_135_596_800_000_000, 253_402_300_799_999_999, 7, None], "us"), column, int96=True)
        is None
    )
    found = check(drop, values([1_001, 1_000, 2_002, None], "ns"), column, int96=True)
    assert "column a: expected whole microseconds, got 2 finer timestamps of 96 bits" in (found or "")


def test_names_are_those_in_raw(drop: Drop) -> None:
    columns = (Column("codigo", "bigint"), Column("preco_r", "bigint"))
    assert check(drop, pa.table({"Código": [1], "Preço (R$)": [2]}), *columns) is None
    assert check(drop, pa.table({"Cod.": [1], "Preço (R$)": [2]}), *columns, rename={"Cod.": "codigo"}) is None
    assert check(drop, pa.table({"Código": [1], "Preço (R$)": [2], "CPF": [3]}), *columns, exclude=("CPF",)) is None
    found = check(drop, pa.table({"Código": [1], "codigo": [2], "Preço (R$)": [2]}), *columns) or ""
    assert (
        "columns 'Código' and 'codigo' would both be codigo in raw; rename one: columns: {rename: {codigo: …}}"
        in found
    )
    found = check(drop, pa.table({"Código": ["x"], "!": [2], "_file_date": [1]}), *columns) or ""
    assert found.startswith(
        "column codigo ('Código'): expected bigint, got string (to declare it: varchar(65535)); "
        "column '!': expected a name with letters or digits, got '!'; rename it: columns: {rename: …}; "
        "column '_file_date': the loaders need the name _file_date; rename it: columns: {rename: …}; "
        "column preco_r is missing; expected the columns codigo bigint, preco_r bigint"
    )


@pytest.mark.parametrize(
    ("actual", "data_type", "expected"),
    [
        (pa.int32(), "bigint", True),
        (pa.uint32(), "integer", False),
        (pa.int64(), "numeric(19,0)", True),
        (pa.int64(), "numeric(20,2)", False),
        (pa.decimal128(5, 2), "numeric(7,4)", True),
        (pa.decimal128(5, 2), "numeric(6,4)", False),
        (pa.float64(), "real", False),
        (pa.int32(), "double precision", True),
        (pa.int64(), "double precision", False),
        (pa.int64(), "varchar", False),
        (pa.bool_(), "smallint", False),
        (pa.timestamp("us"), "timestamptz", False),
        (pa.timestamp("us", "UTC"), "timestamp", False),
        (pa.timestamp("us", "UTC"), "date", False),
        (pa.string(), "varbinary", False),
        (pa.binary(), "varchar", True),
        (pa.null(), "numeric(5,2)", True),
        (pa.dictionary(pa.int8(), pa.int16()), "integer", True),
        (pa.list_(pa.month_day_nano_interval()), "varchar", False),
        (pa.struct([pa.field("a", pa.int8()), pa.field("a", pa.int8())]), "varchar", False),
    ],
)
def test_a_type_fits_if_each_of_its_values_does(actual: pa.DataType, data_type: str, expected: bool) -> None:  # noqa: FBT001
    assert fits(actual, data_type) == expected


def test_what_is_declared_for_a_type_fits_it() -> None:
    for name, kind, declared, _, _ in COLUMNS:
        assert fits(kind, declared), name
        assert fits(kind, str(declared_type(kind))), name
    assert declared_type(pa.month_day_nano_interval()) is None
