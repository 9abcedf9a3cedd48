"""Parquet tables of any schema: every value in raw is that of the file."""

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from extract import report
from extract.declarations import Column, ParquetTable
from extract.load.runner import extract
from extract.settings import read_settings
from extract.sources.parquet.read import ParquetRead
from extract.sources.parquet.types import declared_type
from extract.warehouse.targets import open_warehouse
from tests.python.helpers import SOAK
from tests.python.helpers.declared import PARQUET

EPOCH, FIRST = datetime(1970, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True)
class Kind:
    """A type, its values in a file, and what they are in raw, in JSON too. The functions are not the loader's."""

    arrow: pa.DataType
    values: st.SearchStrategy[Any]
    in_raw: Callable[[Any], Any] = lambda value: value
    in_json: Callable[[Any], Any] = lambda value: value


def integers(arrow: pa.DataType, *, signed: bool) -> Kind:
    bits = arrow.bit_width - signed
    low = -(2**bits) if signed else 0
    values = st.integers(low, 2**bits - 1) | st.sampled_from([low, 2**bits - 1])
    return Kind(arrow, values, Decimal if arrow == pa.uint64() else lambda value: value)


def floats(arrow: pa.DataType, code: str) -> Kind:
    def in_json(value: float) -> Any:
        (stored,) = struct.unpack(code, struct.pack(code, value))
        return (
            stored if math.isfinite(stored) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(stored)]
        )

    return Kind(arrow, st.floats(width=arrow.bit_width), in_json=in_json)  # type: ignore[arg-type]  16, 32 or 64


def naive(value: datetime | time) -> str:
    """Returns the text of a timestamp or a time, as PostgreSQL writes it."""
    text = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return text.rstrip("0") if "." in text else text


def moments(unit: str) -> Kind:
    steps = {"s": 1, "ms": 10**3, "us": 10**6}[unit]
    first, last = (FIRST - EPOCH) // timedelta(seconds=1), (LAST - EPOCH) // timedelta(seconds=1)
    values = st.integers(first * steps, last * steps + steps - 1)

    def to_time(value: int) -> datetime:
        return (EPOCH + timedelta(microseconds=value * (10**6 // steps))).replace(tzinfo=None)

    return Kind(pa.timestamp(unit), values, to_time, lambda value: naive(to_time(value)))


def zoned(zone: str) -> Kind:
    values = st.integers(-(2**63) // 1000 + 1, 2**63 // 1000 - 1).map(lambda micro: micro * 1000)

    def to_time(value: int) -> datetime:
        return EPOCH + timedelta(microseconds=value // 1000)

    return Kind(
        pa.timestamp("ns", zone), values, to_time, lambda value: naive(to_time(value).replace(tzinfo=None)) + "+00"
    )


def durations(unit: str, scale: int) -> Kind:
    def seconds(value: int) -> Decimal:
        return Decimal(value).scaleb(-scale)

    return Kind(
        pa.duration(unit), st.integers(-(2**63) + 1, 2**63 - 1), seconds, lambda value: f"{seconds(value):.9f}"
    )


def decimals(precision: int, scale: int) -> Kind:
    values = st.integers(-(10**precision) + 1, 10**precision - 1).map(
        lambda digits: Decimal((int(digits < 0), tuple(map(int, str(abs(digits)))), -scale))
    )
    arrow = pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    plain = "{:f}".format
    return Kind(arrow, values, plain if precision > 38 else lambda value: value, plain)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
MILLISECONDS = st.times().map(lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000))
BYTES = (pa.binary(), pa.large_binary(), pa.binary_view())
LEAVES = [
    *(integers(arrow, signed=True) for arrow in (pa.int8(), pa.int16(), pa.int32(), pa.int64())),
    *(integers(arrow, signed=False) for arrow in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())),
    floats(pa.float16(), "e"), floats(pa.float32(), "f"), floats(pa.float64(), "d"),
    Kind(pa.bool_(), st.booleans()),
    Kind(pa.date32(), st.dates(), in_json=date.isoformat),
    Kind(pa.date64(), st.dates(), in_json=date.isoformat),
    *map(moments, ("s", "ms", "us")),
    *map(zoned, ("UTC", "America/Sao_Paulo", "+05:30")),
    Kind(pa.time32("ms"), MILLISECONDS, naive, naive),
    Kind(pa.time64("us"), st.times(), naive, naive),
    *(durations(unit, scale) for unit, scale in (("s", 0), ("ms", 3), ("us", 6), ("ns", 9))),
    *(decimals(*digits) for digits in ((5, 2), (18, 0), (38, 10), (38, 38), (39, 1), (76, 40))),
    *(Kind(arrow, TEXTS) for arrow in (pa.string(), pa.large_string(), pa.string_view())),
    *(Kind(arrow, st.binary(max_size=20), in_json=bytes.hex) for arrow in BYTES),
    Kind(pa.binary(4), st.binary(min_size=4, max_size=4), in_json=bytes.hex),
    Kind(pa.null(), st.none()),
]  # fmt: skip
UUIDS = Kind(pa.uuid(), st.uuids().map(lambda value: value.bytes), lambda value: str(UUID(bytes=value)))
DICTIONARY = Kind(pa.dictionary(pa.int32(), pa.string()), TEXTS)


def nullable(in_json: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else in_json(value)


def lists(item: Kind) -> Kind:
    values = st.lists(st.none() | item.values, max_size=3)
    return Kind(pa.list_(item.arrow), values, in_json=lambda value: [nullable(item.in_json, one) for one in value])


def structs(fields: list[Kind]) -> Kind:
    def in_json(value: dict[str, Any]) -> Any:
        return {name: nullable(field.in_json, value[name]) for name, field in named.items()}

    named = {f"Campo {number}": field for number, field in enumerate(fields)}
    values = st.fixed_dictionaries({name: st.none() | field.values for name, field in named.items()})
    return Kind(pa.struct([(name, field.arrow) for name, field in named.items()]), values, in_json=in_json)


def maps(key: Kind, item: Kind) -> Kind:
    def in_json(value: list[tuple[Any, Any]]) -> Any:
        entries = [(key.in_json(one), nullable(item.in_json, other)) for one, other in value]
        return dict(entries) if key.arrow == pa.string() else [{"key": one, "value": two} for one, two in entries]

    pairs = st.tuples(key.values, st.none() | item.values)
    values = st.lists(pairs, max_size=3, unique_by=lambda pair: pair[0])
    return Kind(pa.map_(key.arrow, item.arrow), values, in_json=in_json)


VIEWS = (pa.string_view(), pa.binary_view())  # of which pyarrow writes no lists, structs and maps
NESTED = st.recursive(
    st.sampled_from([leaf for leaf in LEAVES if leaf.arrow not in VIEWS]),
    lambda inner: (
        st.builds(lists, inner)
        | st.builds(structs, st.lists(inner, min_size=1, max_size=3))
        | st.builds(maps, st.sampled_from([Kind(pa.string(), TEXTS), integers(pa.int16(), signed=True)]), inner)
    ),
    max_leaves=4,
)
KINDS = st.sampled_from([*LEAVES, UUIDS, DICTIONARY]) | NESTED


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Kind], list[list[Any]]]:
    """Returns the types of columns, and the values of each."""
    kinds = draw(st.lists(KINDS, min_size=1, max_size=12))
    rows = draw(st.integers(1, 4))
    values = [draw(st.lists(st.none() | kind.values, min_size=rows, max_size=rows)) for kind in kinds]
    return kinds, values


@pytest.mark.soak
@settings(
    max_examples=8 * SOAK,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(drawn=tables())
def test_every_value_in_raw_is_that_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[list[Kind], list[list[Any]]]
) -> None:
    kinds, values = drawn
    folder: Path = tmp_path_factory.mktemp("tabela")
    names = [f"c{number}" for number in range(len(kinds))]
    data = {name: pa.array(v, kind.arrow) for name, kind, v in zip(names, kinds, values, strict=True)}
    (folder / "drop/2024-01-01").mkdir(parents=True)
    pq.write_table(pa.table({"n": pa.array(range(len(values[0])))} | data), folder / "drop/2024-01-01/t.parquet")
    columns = [Column("n", "bigint")] + [
        Column(name, str(declared_type(kind.arrow))) for name, kind in zip(names, kinds, strict=True)
    ]
    table = ParquetTable("t", "files", PARQUET, (), tuple(columns))
    environment = {
        "DBT_TARGET": "local",
        "PARQUET_DROP": str(folder / "drop"),
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "EXTRACT_WORK": str(folder / "work"),
        "RETRY_SECONDS": "0",
    }
    chosen = read_settings([PARQUET], environment)
    with open_warehouse(chosen) as warehouse, report.show_progress() as progress:
        (run,) = extract([ParquetRead(table, ("t",))], chosen, warehouse, progress)
    assert (run.status, run.error) == ("ok", None)

    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        rows = connection.execute(f"select {', '.join(names)} from raw_parquet.t order by n").fetchall()
    for number, kind in enumerate(kinds):
        nested = pa.types.is_nested(kind.arrow)
        found = [nullable(json.loads, row[number]) if nested else plain(row[number]) for row in rows]
        expected = [nullable(kind.in_json, v) if nested else plain(nullable(kind.in_raw, v)) for v in values[number]]
        assert found == expected, kind.arrow


def plain(value: Any) -> Any:
    """Returns a value that is equal to another one if both are the same."""
    if isinstance(value, float):
        return repr(value)
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
