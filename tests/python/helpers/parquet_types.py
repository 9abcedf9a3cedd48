"""A Parquet table with a column of every type, with nulls, and what of each must be in raw."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

D, AT = Decimal, datetime.fromisoformat
TEXT = "varchar(65535)"
MOMENT = AT("2024-02-29 12:30:15.123456")
LAST_UUID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
SPACE = pa.struct([("x", pa.float32()), ("nome", pa.string())])

# Name, type in the file, declared type, values in the file, values in raw.
COLUMNS: list[tuple[str, pa.DataType, str, list[Any], list[Any] | None]] = [
    ("i8", pa.int8(), "smallint", [-128, 127], [-128, 127]),
    ("i16", pa.int16(), "smallint", [-(2**15), 1], [-(2**15), 1]),
    ("i32", pa.int32(), "integer", [-(2**31), 1], [-(2**31), 1]),
    ("i64", pa.int64(), "bigint", [-(2**63), 2**63 - 1], [-(2**63), 2**63 - 1]),
    ("u8", pa.uint8(), "smallint", [0, 255], [0, 255]),
    ("u16", pa.uint16(), "integer", [0, 65535], [0, 65535]),
    ("u32", pa.uint32(), "bigint", [0, 2**32 - 1], [0, 2**32 - 1]),
    ("u64", pa.uint64(), "numeric(20,0)", [0, 2**64 - 1], [D(0), D(2**64 - 1)]),
    ("f16", pa.float16(), "real", [1.5, -0.25], [1.5, -0.25]),
    ("f32", pa.float32(), "real", [3.5, float("inf")], [3.5, float("inf")]),
    ("f64", pa.float64(), "double precision", [0.1, float("nan")], [0.1, float("nan")]),
    ("boolean", pa.bool_(), "boolean", [True, False], [True, False]),
    ("dia", pa.date32(), "date", [date(1, 1, 1), date(9999, 12, 31)], [date(1, 1, 1), date(9999, 12, 31)]),
    ("dia64", pa.date64(), "date", [date(1969, 12, 31), date(2024, 2, 29)], [date(1969, 12, 31), date(2024, 2, 29)]),
    *(
        (f"ts_{unit}", pa.timestamp(unit), "timestamp", [AT("1900-01-01"), AT("2024-01-01 01:00")], None)
        for unit in ("s", "ms", "us", "ns")
    ),
    ("ts_long", pa.timestamp("us"), "timestamp", [AT("0001-01-01"), AT("9999-12-31 23:59:59.999999")], None),
    (
        "tz_sp",
        pa.timestamp("ms", "America/Sao_Paulo"),
        "timestamptz",
        [MOMENT.replace(microsecond=0, tzinfo=UTC)] * 2,
        [MOMENT.replace(microsecond=0, tzinfo=UTC)] * 2,
    ),
    ("tz_ns", pa.timestamp("ns", "+03:00"), "timestamptz", [MOMENT.replace(tzinfo=UTC)] * 2, None),
    ("fino", pa.timestamp("ns"), TEXT, [1, 10**9], ["1970-01-01 00:00:00.000000001", "1970-01-01 00:00:01"]),
    ("fino_tz", pa.timestamp("ns", "UTC"), TEXT, [1, 0],
     ["1970-01-01 00:00:00.000000001+00", "1970-01-01 00:00:00+00"]),
    ("hora_s", pa.time32("s"), TEXT, [time(1, 2, 3), time(0)], ["01:02:03", "00:00:00"]),
    ("hora_ms", pa.time32("ms"), TEXT, [time(1, 2, 3, 500000), time(10, 0)], ["01:02:03.5", "10:00:00"]),
    ("hora_us", pa.time64("us"), TEXT, [time(23, 59, 59, 999999), time(0)], ["23:59:59.999999", "00:00:00"]),
    ("hora_ns", pa.time64("ns"), TEXT, [1, 10 * 10**9], ["00:00:00.000000001", "00:00:10"]),
    ("dur_s", pa.duration("s"), "numeric(28,9)", [timedelta(days=1), timedelta(0)], [D(86400), D(0)]),
    ("dur_ms", pa.duration("ms"), "numeric(28,9)", [-1500, 1], [D("-1.5"), D("0.001")]),
    ("dur_ns", pa.duration("ns"), "numeric(28,9)", [1, -(2**62)], [D("1e-9"), D("-4611686018.427387904")]),
    ("dec", pa.decimal128(10, 2), "numeric(10,2)", [D("-1.10"), D("99999999.99")], [D("-1.10"), D("99999999.99")]),
    ("dec38", pa.decimal128(38, 0), "numeric(38,0)", [D("9" * 38), D(0)], [D("9" * 38), D(0)]),
    ("dec256", pa.decimal256(38, 4), "numeric(38,4)", [D("1.5"), D("-0.0001")], [D("1.5"), D("-0.0001")]),
    ("dec50", pa.decimal256(50, 40), TEXT, [D("1e-40"), D("-12.5")],
     ["0." + "0" * 39 + "1", "-12.5" + "0" * 39]),
    ("texto", pa.string(), TEXT, ["João", ""], ["João", ""]),
    ("texto_g", pa.large_string(), TEXT, ['a"b,c\n\\', "é" * 32767 + "x"], None),
    ("texto_v", pa.string_view(), TEXT, ["uma", "um texto que passa de doze bytes"], None),
    ("dic", pa.dictionary(pa.int32(), pa.string()), TEXT, ["a", "b"], None),
    ("bin", pa.binary(), "varbinary", [b"\x00\xff", b""], None),
    ("bin_g", pa.large_binary(), "varbinary", [b"x" * 64000, b"\\x00"], None),
    ("bin_f", pa.binary(3), "varbinary", [b"abc", b"\x00\x01\x02"], None),
    ("bin_v", pa.binary_view(), "varbinary", [b"abc", b"mais do que doze bytes"], None),
    ("uuid", pa.uuid(), TEXT, [UUID(int=1).bytes, UUID(LAST_UUID).bytes], [str(UUID(int=1)), LAST_UUID]),
    ("nada", pa.null(), TEXT, [None, None], None),
    ("lista", pa.list_(pa.int64()), TEXT, [[1, None, 3], []], ["[1,null,3]", "[]"]),
    ("lista_f", pa.list_(pa.bool_(), 2), TEXT, [[True, None], [False, False]], ["[true,null]", "[false,false]"]),
    (
        "registro",
        SPACE,
        TEXT,
        [{"x": 0.5, "nome": 'ü"\x00'}, {"x": float("nan"), "nome": None}],
        ['{"x":0.5,"nome":"ü\\"\\u0000"}', '{"x":"NaN","nome":null}'],
    ),
    ("mapa", pa.map_(pa.string(), pa.int64()), TEXT, [[("a", 1), ("b", None)], []], ['{"a":1,"b":null}', "{}"]),
    (
        "mapa_n",
        pa.map_(pa.int64(), pa.list_(SPACE)),
        TEXT,
        [[(1, [{"x": 1.0, "nome": "n"}, None])], [(2, None)]],
        ['[{"key":1,"value":[{"x":1.0,"nome":"n"},null]}]', '[{"key":2,"value":null}]'],
    ),
    (
        "tudo",
        pa.struct(
            [
                ("d", pa.date32()),
                ("t", pa.timestamp("us", "UTC")),
                ("h", pa.time64("us")),
                ("n", pa.decimal128(5, 2)),
                ("b", pa.binary()),
                ("l", pa.list_(pa.list_(pa.uint64()))),
                ("p", pa.duration("ms")),
            ]
        ),
        TEXT,
        [
            {
                "d": date(2024, 2, 29),
                "t": MOMENT.replace(tzinfo=UTC),
                "h": time(1),
                "n": D("1.10"),
                "b": b"\x00\xff",
                "l": [[2**64 - 1], None, []],
                "p": timedelta(milliseconds=1),
            },
            dict.fromkeys("dthnblp"),
        ],
        [
            '{"d":"2024-02-29","t":"2024-02-29 12:30:15.123456+00","h":"01:00:00","n":"1.10","b":"00ff",'
            '"l":[[18446744073709551615],null,[]],"p":"0.001000000"}',
            '{"d":null,"t":null,"h":null,"n":null,"b":null,"l":null,"p":null}',
        ],
    ),
]  # fmt: skip


def every_type() -> pa.Table:
    """Returns a table with three rows: two with values and one without."""
    columns = {"id": pa.array([1, 2, 3])}
    for name, kind, _, values, _ in COLUMNS:
        columns[name] = pa.array([*values, None], kind)
    return pa.table(columns)


def expected_rows() -> list[tuple[Any, ...]]:
    """Returns what raw must have of `every_type`, in the order of its columns."""
    columns = [values if loaded is None else loaded for _, _, _, values, loaded in COLUMNS]
    return [(number, *row) for number, row in enumerate(zip(*columns, strict=True), 1)] + [
        (3, *[None] * len(COLUMNS))
    ]


def comparable(rows: list[tuple[Any, ...]]) -> list[list[str]]:
    """Returns rows that compare equal if their values are the same."""

    def plain(value: Any) -> str:
        if isinstance(value, (memoryview, bytearray)):
            return repr(bytes(value))
        if isinstance(value, datetime):
            return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
        if isinstance(value, Decimal):
            return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
        return repr(value)

    return [[plain(value) for value in row] for row in rows]


def with_bytes(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Returns rows of `every_type` from Redshift with bytes, which its clients receive as hexadecimal text."""
    binary = [place for place, (_, _, kind, *_) in enumerate(COLUMNS, 1) if kind == "varbinary"]
    return [
        tuple(
            bytes.fromhex(str(value).removeprefix("\\x")) if place in binary and value is not None else value
            for place, value in enumerate(row)
        )
        for row in rows
    ]
