"""COPY from S3. What cannot be loaded is an error, and nothing is loaded."""

import gzip
import io
import json
from collections.abc import Callable
from contextlib import closing
from datetime import date

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from redshift_standin.copy.files import S3, chunks
from redshift_standin.copy.statement import Column, Copy
from redshift_standin.errors import RedshiftError
from redshift_standin.signatures import AccessKey
from stand_in import ROLE, StandIn

VENDA = "create table venda (id integer, dia date, valor double precision, obs varchar(10))"


def put(stand_in: StandIn, key: str, body: bytes) -> None:
    stand_in.bucket.put_object(Key=key, Body=body)


def parquet(**columns: pa.Array) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def sales(**changed: pa.Array) -> bytes:
    columns = {
        "id": pa.array([1, 2, 3], pa.int32()),
        "dia": pa.array([date(2024, 1, 1), None, date(2024, 1, 3)]),
        "valor": pa.array([1.5, float("nan"), float("inf")]),
        "obs": pa.array(['a,"b"', "", None]),
    }
    return parquet(**(columns | changed))


def test_parquet_is_loaded_unchanged(stand_in: StandIn) -> None:
    stand_in.execute(VENDA)
    put(stand_in, "a/1.parquet", sales())
    stand_in.copy("venda", "a/", "format as parquet")

    assert stand_in.execute("select id, dia, valor::text, obs from venda order by id") == [
        (1, date(2024, 1, 1), "1.5", 'a,"b"'),
        (2, None, "NaN", ""),
        (3, date(2024, 1, 3), "Infinity", None),
    ]


def test_columns_of_parquet_map_by_position(stand_in: StandIn) -> None:
    stand_in.execute("create table par (a integer, b integer)")
    put(stand_in, "b.parquet", parquet(b=pa.array([1], pa.int32()), a=pa.array([2], pa.int32())))
    stand_in.copy("par", "b.parquet", "parquet")
    assert stand_in.execute("select a, b from par") == [(1, 2)]


def test_json_maps_by_name_and_csv_by_position(stand_in: StandIn) -> None:
    stand_in.execute(VENDA)
    lines = [{"obs": "x", "id": 1}, {"id": 2, "dia": "2024-02-29", "outra": True}]
    put(stand_in, "c.jsonl.gz", gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    put(stand_in, "d.csv", b'id,dia,valor,obs\n3,2024-01-01,1.25,"a ""b"""\n4,,,\n')
    stand_in.copy("venda", "c.jsonl.gz", "format as json 'auto' gzip dateformat 'auto' timeformat 'auto'")
    stand_in.copy("venda", "d.csv", "csv ignoreheader 1")

    assert stand_in.execute("select id, dia, valor, obs from venda order by id") == [
        (1, None, None, "x"),
        (2, date(2024, 2, 29), None, None),
        (3, date(2024, 1, 1), 1.25, 'a "b"'),
        (4, None, None, ""),
    ]


def test_names_in_json_are_case_sensitive_by_default(stand_in: StandIn) -> None:
    stand_in.execute("create table par (a integer, b integer)")
    put(stand_in, "k.json", b'{"A": 1, "b": 2}')
    stand_in.copy("par", "k.json", "json 'auto'")
    stand_in.copy("par", "k.json", "json 'auto ignorecase'")
    assert stand_in.execute("select a, b from par order by a") == [(1, 2), (None, 2)]


def test_a_manifest_names_the_files(stand_in: StandIn) -> None:
    stand_in.execute(VENDA)
    for key in ("m/1.parquet", "m/2.parquet", "m/3.parquet"):
        put(stand_in, key, sales())
    entries = [{"url": f"s3://{stand_in.bucket.name}/m/{n}.parquet"} for n in (1, 2)]
    put(stand_in, "m/manifest", json.dumps({"entries": entries}).encode())
    stand_in.copy("venda", "m/manifest", "parquet manifest")
    assert stand_in.execute("select count(*) from venda") == [(6,)]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b'{"entries": [{"url": "s3://landing/m/none"}]}', "S3ServiceException:"),
        (b'{"entradas": []}', "is not valid JSON of its form"),
        (b"none", "is not valid JSON of its form"),
    ],
)
def test_an_invalid_manifest_is_an_error(stand_in: StandIn, manifest: bytes, message: str) -> None:
    stand_in.execute(VENDA)
    put(stand_in, "w/manifest", manifest)
    with pytest.raises(psycopg2.Error, match=message):
        stand_in.copy("venda", "w/manifest", "parquet manifest")
    assert stand_in.execute("select count(*) from venda") == [(0,)]


def test_a_damaged_file_loads_nothing(stand_in: StandIn) -> None:
    stand_in.execute(VENDA)
    body = bytearray(sales())
    body[4:40] = bytes(36)  # in the first page; the footer is whole
    put(stand_in, "v.parquet", bytes(body))
    with pytest.raises(psycopg2.Error, match="Spectrum Scan Error"):
        stand_in.copy("venda", "v.parquet", "parquet")
    assert stand_in.execute("select count(*) from venda") == [(0,)]


def test_an_s3_that_does_not_answer_is_an_error() -> None:
    nowhere = S3("http://127.0.0.1:9", AccessKey.random())
    with pytest.raises(RedshiftError, match="S3ServiceException:"):
        list(chunks(Copy("par", (), "landing", "x", "csv"), nowhere, [Column("a", "integer", key="a")]))


def test_text_with_a_delimiter_has_no_quotes(stand_in: StandIn) -> None:
    stand_in.execute("create table par (a varchar(20), b varchar(20), c char(3), d int)")
    put(stand_in, "q.txt", b'"x|y"|\\N|1\n\\N|"a ""b"""||\n')
    stand_in.copy("par", "q.txt", "delimiter '|'")
    assert stand_in.execute("select * from par order by d") == [
        ('"x', 'y"', None, 1),
        (None, '"a ""b"""', "   ", None),
    ]


def test_numbers_in_json_keep_their_digits(stand_in: StandIn) -> None:
    stand_in.execute("create table par (a numeric(38, 18), b varchar(40), s super)")
    put(
        stand_in, "num.json", b'{"a": 12345678901234567890.123456789012345678, "b": 1.10, "s": {"x": [0.10, "y", 7]}}'
    )
    stand_in.copy("par", "num.json", "json 'auto'")
    assert stand_in.execute("select a::varchar(60), b, json_serialize(s) from par") == [
        ("12345678901234567890.123456789012345678", "1.10", '{"x": [0.10, "y", 7]}')
    ]


def test_parquets_text_fits_a_char(stand_in: StandIn) -> None:
    stand_in.execute("create table par (a char(3))")
    put(stand_in, "char.parquet", parquet(a=pa.array(["abc", "x"])))
    stand_in.copy("par", "char.parquet", "parquet")
    assert stand_in.execute("select a from par order by a") == [("abc",), ("x  ",)]
    put(stand_in, "char.parquet", parquet(a=pa.array(["abcd"])))
    with pytest.raises(psycopg2.Error, match="Table: 3, Data: 4"):
        stand_in.copy("par", "char.parquet", "parquet")


def test_columns_can_be_listed(stand_in: StandIn) -> None:
    stand_in.execute(VENDA)
    put(stand_in, "e.csv", b"x|7\n")
    stand_in.execute(f"copy venda (obs, id) from 's3://{stand_in.bucket.name}/e.csv' iam_role '{ROLE}'")
    assert stand_in.execute("select id, obs from venda") == [(7, "x")]


@pytest.mark.parametrize(
    ("body", "options", "message"),
    [
        (
            lambda: parquet(id=pa.array([1], pa.int32())),
            "parquet",
            "Unmatched number of columns between table and file",
        ),
        (lambda: sales(id=pa.array([1, 2, 3], pa.int64())), "parquet", "incompatible Parquet schema for column 'id'"),
        (lambda: sales(dia=pa.array(["x", "y", "z"])), "parquet", "incompatible Parquet schema for column 'dia'"),
        (lambda: sales(obs=pa.array(["é" * 6, "", ""])), "parquet", "longer than the length defined in the table"),
        (lambda: b"no parquet", "parquet", "Spectrum Scan Error"),
        (
            lambda: b"1,x,1,x\n",
            "csv",
            "Load into table 'venda' failed.  Check 'sys_load_error_detail' system table for details.",
        ),
        (lambda: sales(), "parquet fillrecord", "stand-in: COPY with fillrecord"),
    ],
)
def test_files_that_do_not_match_the_table_load_nothing(
    stand_in: StandIn, body: Callable[[], bytes], options: str, message: str
) -> None:
    stand_in.execute(VENDA)
    put(stand_in, "z/1", body())
    with pytest.raises(psycopg2.Error) as failed:
        stand_in.copy("venda", "z/", options)
    assert message in str(failed.value)
    assert stand_in.execute("select count(*) from venda") == [(0,)]


DETAIL = """
    select split_part(file_name, '/', -1), line_number, column_name, error_code, error_message
    from sys_load_error_detail order by query_id desc limit 1
"""


@pytest.mark.parametrize(
    ("body", "options", "detail"),
    [
        (b"[1]", "json 'auto'", ("1", 1, "", 1216, "Invalid JSON format")),
        (b'{"id": 1}\n{', "json 'auto'", ("1", 2, "", 1216, "Invalid JSON format")),
        (b"1,2024-01-01,1,x\n1,2\n", "csv", ("1", 2, "dia", 1214, "Delimiter not found")),
        (b"id,dia\n1,2,3,4,5\n", "csv ignoreheader 1", ("1", 2, "obs", 1202, "Extra column(s) found")),
        (b'1,,,"a\nb"\n\n', "csv", ("1", 3, "id", 1214, "Delimiter not found")),
        (b"1||1|x\n2|ontem|1|x\n", "", ("1", 2, "dia", 1205, "Invalid Date Format - length must be 10 or more")),
        (b'7,,,"a\nb"\n1x,,,\n', "csv", ("1", 3, "id", 1207, "Invalid digit, Value 'x', Pos 1, Type: Integer")),
        (b"1,,dois,\n", "csv", ("1", 1, "valor", 1207, "Invalid digit, Value 'd', Pos 0, Type: Double")),
        (b"99999999999,,,\n", "csv", ("1", 1, "id", 1204, "Overflow, Type: Integer")),
        ("1,,,ééééééé\n".encode(), "csv", ("1", 1, "obs", 1204, "String length exceeds DDL length")),
        (b"1,,,\xff\n", "csv", ("1", -1, "", 1220,
         "String contains invalid or unsupported UTF-8 codepoints. Bad UTF-8 hex sequence: ff")),
        (b"1,,,x\n", "csv gzip", ("1", -1, "", 1216, "Invalid input: Not a gzipped file (b'1,')")),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_loaded_is_in_the_system_table(
    stand_in: StandIn, body: bytes, options: str, detail: tuple[object, ...]
) -> None:
    stand_in.execute(VENDA)
    put(stand_in, "y/1", body)
    with pytest.raises(psycopg2.Error, match="Load into table 'venda' failed"):
        stand_in.copy("venda", "y/", options)
    assert stand_in.execute(DETAIL) == [detail]


def test_a_missing_value_is_in_the_system_table(stand_in: StandIn) -> None:
    stand_in.execute("create table par (a integer not null, b integer)")
    put(stand_in, "n.csv", b"1,2\n,3\n")
    with pytest.raises(psycopg2.Error, match="Load into table 'par' failed"):
        stand_in.copy("par", "n.csv", "csv")
    assert stand_in.execute(DETAIL) == [("n.csv", 2, "a", 1213, "Missing data for not-null field")]


def test_a_nul_byte_does_not_end_the_history(stand_in: StandIn) -> None:
    stand_in.execute(VENDA)
    put(stand_in, "nul.csv", b"1,,,a\0b\n2,ontem\0,1,x\n")
    with pytest.raises(psycopg2.Error):
        stand_in.copy("venda", "nul.csv", "csv")
    put(stand_in, "nul.csv", b"2,ontem\0,1\n")
    with pytest.raises(psycopg2.Error, match="Load into table 'venda' failed"):
        stand_in.copy("venda", "nul.csv", "csv")
    assert stand_in.execute("select raw_line from stl_load_errors order by query desc limit 1") == [("2,ontem,1",)]


def test_the_load_error_survives_a_rollback(stand_in: StandIn) -> None:
    stand_in.execute("create table par (a integer, b integer)")
    put(stand_in, "r.csv", b"1,2\n1,x\n")
    with closing(stand_in.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("insert into t.par values (0, 0)")
        with pytest.raises(psycopg2.errors.InternalError_, match="sys_load_error_detail"):
            cursor.execute(f"copy t.par from 's3://{stand_in.bucket.name}/r.csv' iam_role '{ROLE}' csv")
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("select 1")
        connection.rollback()
        cursor.execute("select colname, raw_line, raw_field_value from stl_load_errors order by query desc limit 1")
        assert cursor.fetchall() == [("b", "1,x", "x")]
    assert stand_in.execute("select count(*) from par") == [(0,)]
    [(status, error)] = stand_in.execute(
        "select h.status, h.error_message from sys_query_history h join sys_load_error_detail e"
        " on e.query_id = h.query_id order by h.query_id desc limit 1"
    )
    assert (status, "Load into table 'par' failed" in error) == ("failed", True)


def test_an_error_before_the_load_fails_the_transaction(stand_in: StandIn) -> None:
    with closing(stand_in.server.connect()) as connection, connection.cursor() as cursor:
        for source, message in (("nowhere", "does not exist"), ("t.nowhere", "does not exist")):
            with pytest.raises(psycopg2.Error, match=message):
                cursor.execute(f"copy {source} from 's3://landing/x' iam_role '{ROLE}' csv")
            with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
                cursor.execute("select 1")
            connection.rollback()


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_memory_is_that_of_a_batch(stand_in: StandIn, form: str) -> None:
    rows = 120_000
    table = pa.table({"a": pa.array(range(rows), pa.int32())})
    bodies = {
        "parquet": lambda: parquet(a=table["a"]),
        "csv": lambda: "".join(f"{n}\n" for n in range(rows)).encode(),
        "json": lambda: "".join(f'{{"a": {n}}}\n' for n in range(rows)).encode(),
    }
    put(stand_in, "big", bodies[form]())
    copy = Copy("big", (), stand_in.bucket.name, "big", form)
    s3 = S3(stand_in.bucket.meta.client.meta.endpoint_url, AccessKey.random())
    sizes = [chunk.count(b"\n") for chunk in chunks(copy, s3, [Column("a", "integer", key="a")])]
    assert (sum(sizes), max(sizes) <= 50_000) == (rows, True)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("'s3://landing/nothing' iam_role '{role}'", "The specified S3 prefix 'nothing' does not exist"),
        ("'s3://no-such-bucket/x' iam_role '{role}'", "S3ServiceException:"),
        (
            "'s3://landing/x' iam_role 'arn:aws:iam::000000000000:role/other'",
            "Not authorized to get credentials of role",
        ),
        ("'s3://landing/x'", "COPY/UNLOAD requires CREDENTIALS or IAM_ROLE"),
        ("'s3://landing/x' access_key_id 'a' secret_access_key 'b'", "stand-in: COPY with keys"),
        ("'s3://landing/nothing' credentials 'aws_iam_role={role}'", "The specified S3 prefix 'nothing' does not"),
        ("'s3://landing/x' credentials 'aws_access_key_id=a;aws_secret_access_key=b'", "stand-in: COPY with keys"),
    ],
)
def test_a_source_that_cannot_be_read_is_an_error(stand_in: StandIn, source: str, message: str) -> None:
    stand_in.execute(VENDA)
    with pytest.raises(psycopg2.Error) as failed:
        stand_in.execute(f"copy venda from {source.format(role=ROLE)} parquet")
    assert message in str(failed.value)
    assert stand_in.execute("select 1") == [(1,)]


def test_copy_belongs_to_the_clients_transaction(stand_in: StandIn) -> None:
    stand_in.execute(VENDA)
    put(stand_in, "f.parquet", sales())
    stand_in.execute("begin")
    stand_in.copy("venda", "f.parquet", "parquet")
    assert stand_in.execute("select count(*) from venda") == [(3,)]
    stand_in.execute("rollback")
    assert stand_in.execute("select count(*) from venda") == [(0,)]
