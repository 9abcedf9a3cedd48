"""UNLOAD to S3: the files, their names, and what is refused."""

import bz2
import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redshift_connector

from redshift_standin.copy.unload_files import Field, Spool
from redshift_standin.copy.unload_statement import Unload, parse
from redshift_standin.errors import RedshiftError
from stand_in import ROLE, StandIn


@pytest.fixture
def venue(stand_in: StandIn) -> Iterator[StandIn]:
    """A stand-in with a table of three places, and an empty bucket."""
    stand_in.bucket.objects.all().delete()
    stand_in.execute("create table venue (id int, name varchar(40), city varchar(30), state char(4), seats int)")
    stand_in.execute(
        "insert into venue values (1, 'Toca', 'Serra', 'ES', 0), (2, 'Casa \"Azul\"', 'Rio', 'RJ', null), "
        "(4, 'Mar, Sol', 'Recife', null, 7)"
    )
    yield stand_in
    stand_in.bucket.objects.all().delete()


def unload(
    stand_in: StandIn, options: str = "", query: str = "select * from venue order by id", prefix: str = "u/"
) -> None:
    quoted = query.replace("'", "''")
    stand_in.execute(f"unload ('{quoted}') to 's3://{stand_in.bucket.name}/{prefix}' iam_role '{ROLE}' {options}")


def files(stand_in: StandIn) -> dict[str, bytes]:
    return {item.key: item.get()["Body"].read() for item in stand_in.bucket.objects.all()}


def only(stand_in: StandIn) -> str:
    [body] = files(stand_in).values()
    return body.decode()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("", '1|Toca|Serra|ES|0\n2|Casa "Azul"|Rio|RJ|\n4|Mar, Sol|Recife||7\n'),
        ("delimiter ','", '1,Toca,Serra,ES,0\n2,Casa "Azul",Rio,RJ,\n4,Mar, Sol,Recife,,7\n'),
        ("delimiter as '\\t' null as 'fred'",
         '1\tToca\tSerra\tES\t0\n2\tCasa "Azul"\tRio\tRJ\tfred\n4\tMar, Sol\tRecife\tfred\t7\n'),
        ("csv", '1,Toca,Serra,ES,0\n2,"Casa ""Azul""",Rio,RJ,\n4,"Mar, Sol",Recife,,7\n'),
        ("format as csv delimiter '|' header",
         'id|name|city|state|seats\n1|Toca|Serra|ES|0\n2|"Casa ""Azul"""|Rio|RJ|\n4|Mar, Sol|Recife||7\n'),
        ("delimiter ',' escape", '1,Toca,Serra,ES,0\n2,Casa "Azul",Rio,RJ,\n4,Mar\\, Sol,Recife,,7\n'),
        ("fixedwidth 'a:2,b:12,c:7,d:2,e:1'",
         '1 Toca        Serra  ES0\n2 Casa "Azul" Rio    RJ \n4 Mar, Sol    Recife   7\n'),
        ("fixedwidth as '0:2,1:12,2:7,3:4,4:1' null 'none'",
         '1 Toca        Serra  ES  0\n2 Casa "Azul" Rio    RJ   \n4 Mar, Sol    Recife none7\n'),
        ("json", '{"id":1,"name":"Toca","city":"Serra","state":"ES","seats":0}\n'
         '{"id":2,"name":"Casa \\"Azul\\"","city":"Rio","state":"RJ","seats":null}\n'
         '{"id":4,"name":"Mar, Sol","city":"Recife","state":null,"seats":7}\n'),
    ],
)  # fmt: skip
def test_rows_are_written_in_the_form_of_the_options(venue: StandIn, options: str, text: str) -> None:
    unload(venue, options)
    assert only(venue) == text


def test_quotes_are_added_to_each_value(venue: StandIn) -> None:
    unload(venue, "delimiter ',' addquotes escape", "select id, name || '''' from venue where id < 3 order by 1")
    assert only(venue) == '"1","Toca\\\'"\n"2","Casa \\"Azul\\"\\\'"\n'
    with pytest.raises(psycopg2.Error, match="stand-in: UNLOAD with ADDQUOTES of a null value"):
        unload(venue, "addquotes allowoverwrite")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("", ["u/v_0000_part_00"]),
        ("parallel off", ["u/v_000"]),
        ("parallel false gzip", ["u/v_000.gz"]),
        ("bzip2", ["u/v_0000_part_00.bz2"]),
        ("zstd parallel on", ["u/v_0000_part_00.zst"]),
        ("gzip extension 'txt.gz'", ["u/v_0000_part_00.txt.gz"]),
        ("parquet parallel off", ["u/v_000.parquet"]),
        ("csv manifest", ["u/v_0000_part_00", "u/v_manifest"]),
        ("parquet partition by (state)", [
            "u/v_/state=ES/0000_part_00.parquet", "u/v_/state=RJ/0000_part_00.parquet",
            "u/v_/state=__HIVE_DEFAULT_PARTITION__/0000_part_00.parquet",
        ]),
        ("parallel off partition by (state, id)", [
            "u/v_/state=ES/id=1/000", "u/v_/state=RJ/id=2/000", "u/v_/state=__HIVE_DEFAULT_PARTITION__/id=4/000",
        ]),
    ],
)  # fmt: skip
def test_files_have_the_documented_names(venue: StandIn, options: str, names: list[str]) -> None:
    unload(venue, options, prefix="u/v_")
    assert sorted(files(venue)) == names


@pytest.mark.parametrize(
    ("option", "open_file"),
    [
        ("gzip", gzip.decompress),
        ("bzip2", bz2.decompress),
        ("zstd", lambda body: pa.CompressedInputStream(pa.BufferReader(body), "zstd").read()),
    ],
)
def test_compressed_files_are_loaded_again(venue: StandIn, option: str, open_file: Callable[[bytes], bytes]) -> None:
    unload(venue, f"{option} header")
    [body] = files(venue).values()
    assert open_file(body).decode().startswith("id|name|city|state|seats\n1|Toca|")
    venue.execute("create table again (like venue)")
    venue.copy("again", "u/", f"{option} ignoreheader 1 emptyasnull")
    assert venue.execute("select * from again except select * from venue") == []
    assert venue.execute("select count(*) from again") == [(3,)]


def test_parquet_has_the_columns_types(venue: StandIn) -> None:
    venue.execute(
        "create table kinds (s smallint, i int, b bigint, n numeric(12, 2), r real, f float8, t boolean, d date, "
        "ts timestamp, tz timestamptz, c char(5), v varchar(9), j super)"
    )
    venue.execute(
        "insert into kinds values (1, 2, 3, 4.50, 1.5, 2.25, true, '2024-02-29', '2024-02-29 01:02:03.5', "
        "'2024-02-29 01:02:03-03', 'ab', 'x\ty', json_parse('{\"a\": [1, 0.10]}')), "
        "(null, null, null, null, null, null, null, null, null, null, null, null, null)"
    )
    unload(venue, "format parquet", "select * from kinds order by s")
    [body] = files(venue).values()
    table = pq.read_table(io.BytesIO(body))
    assert [str(kind) for kind in table.schema.types] == [
        "int16", "int32", "int64", "decimal128(12, 2)", "float", "double", "bool", "date32[day]", "timestamp[us]",
        "timestamp[us]", "string", "string", "string",
    ]  # fmt: skip
    first, second = table.to_pylist()
    at = datetime(2024, 2, 29, 4, 2, 3, tzinfo=UTC).replace(tzinfo=None)
    assert first == {
        "s": 1, "i": 2, "b": 3, "n": Decimal("4.50"), "r": 1.5, "f": 2.25, "t": True, "d": date(2024, 2, 29),
        "ts": at.replace(hour=1, microsecond=500000), "tz": at,
        "c": "ab", "v": "x\ty", "j": '{"a":[1,0.10]}',
    }  # fmt: skip
    assert set(second.values()) == {None}
    assert pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(0).compression == "SNAPPY"


def test_other_types_are_texts(venue: StandIn) -> None:
    venue.execute(
        "create table kinds (t boolean, d date, ts timestamp, b varbyte, n numeric(9, 2), j super, c char(6))"
    )
    venue.execute(
        "insert into kinds values (true, '2024-02-29', '2024-02-29 01:02:03.25', '\\\\x0aff', 1.5, "
        "json_parse('{\"a\": [1, 2]}'), 'a'), "
        "(false, null, null, null, null, null, null)"
    )
    unload(venue, "delimiter '~' null 'none'", "select * from kinds order by t desc")
    assert (
        only(venue)
        == 't~2024-02-29~2024-02-29 01:02:03.25~0aff~1.50~{"a":[1,2]}~a\nf~none~none~none~none~null~none\n'
    )


def test_included_partitions_stay_in_the_files(venue: StandIn) -> None:
    unload(venue, "csv partition by (state) include", "select state, id from venue where id = 1", "a")
    unload(venue, "csv partition by (state)", "select state, id from venue where id = 1", "b")
    assert files(venue) == {"a/state=ES/0000_part_00": b"ES,1\n", "b/state=ES/0000_part_00": b"1\n"}


def test_a_manifest_lists_the_files(venue: StandIn) -> None:
    unload(venue, "manifest verbose header")
    url = f"s3://{venue.bucket.name}/u/0000_part_00"
    body = files(venue)["u/0000_part_00"]
    meta = {"content_length": len(body), "record_count": 4}
    assert json.loads(files(venue)["u/manifest"]) == {
        "entries": [{"url": url, "meta": meta}],
        "schema": {
            "elements": [
                {"name": "id", "type": {"base": "integer"}},
                {"name": "name", "type": {"base": "character varying", "max_length": 40}},
                {"name": "city", "type": {"base": "character varying", "max_length": 30}},
                {"name": "state", "type": {"base": "character", "max_length": 4}},
                {"name": "seats", "type": {"base": "integer"}},
            ]
        },
        "meta": meta,
        "author": {"name": "Amazon Redshift", "version": "1.0.0"},
    }
    venue.bucket.objects.all().delete()
    unload(venue, "manifest parquet")
    venue.execute("create table again (like venue)")
    venue.copy("again", "u/manifest", "parquet manifest")
    assert venue.execute("select * from again except select * from venue") == []


def test_files_that_exist_are_kept_unless_the_options_say_otherwise(venue: StandIn) -> None:
    venue.bucket.put_object(Key="u/old", Body=b"old")
    with pytest.raises(psycopg2.Error, match="Specified unload destination on S3 is not empty"):
        unload(venue)
    assert sorted(files(venue)) == ["u/old"]
    unload(venue, "allowoverwrite")
    assert sorted(files(venue)) == ["u/0000_part_00", "u/old"]
    unload(venue, "cleanpath parallel off")
    assert sorted(files(venue)) == ["u/000"]
    venue.bucket.put_object(Key="u/state=ES/old", Body=b"old")
    venue.bucket.put_object(Key="u/state=AC/old", Body=b"old")
    unload(venue, "cleanpath partition by (state)", "select * from venue where state = 'ES'")
    assert sorted(files(venue)) == ["u/000", "u/state=AC/old", "u/state=ES/0000_part_00"]


def test_a_result_without_rows_is_an_empty_file_of_text(venue: StandIn) -> None:
    unload(venue, "csv header", "select id from venue where false", "a/")
    unload(venue, "json", "select id from venue where false", "b/")
    assert files(venue) == {"a/0000_part_00": b"id\n"}


def test_a_file_is_not_larger_than_allowed(venue: StandIn) -> None:
    venue.execute("create table wide (v varchar(65535))")
    venue.execute("insert into wide select repeat('x', 60000) from venue a, venue b, venue c, venue d, venue e")
    unload(venue, "maxfilesize 5 mb parallel off header", "select v from wide")
    sizes = {key: (len(body), body.startswith(b"v\nx")) for key, body in files(venue).items()}
    assert set(sizes) == {"u/000", "u/001", "u/002"}
    assert all(header for _, header in sizes.values())
    assert sum(body.count(b"\n") - 1 for body in files(venue).values()) == 243


@pytest.mark.parametrize(
    "query",
    [
        r"'select name from venue where state = ''ES'''",
        r"'select name from venue where state = \'ES\''",
        "$$select name from venue where state = 'ES'$$",
        "'with a as (select * from venue) select name from a where id in (select id from a order by 1 limit 1)--\n;'",
    ],
)
def test_the_query_may_be_quoted_in_any_way(venue: StandIn, query: str) -> None:
    venue.execute(f"/* x */ UNLOAD({query}) TO 's3://{venue.bucket.name}/q' IAM_ROLE default")
    assert only(venue) == "Toca\n"


def test_the_query_is_redshifts(venue: StandIn) -> None:
    unload(
        venue,
        "",
        "select listagg(name, '+') within group (order by id) as n, dateadd(day, 1, '2024-02-28') from venue",
    )
    assert only(venue) == 'Toca+Casa "Azul"+Mar, Sol|2024-02-29 00:00:00\n'


def test_unload_sees_the_clients_transaction(venue: StandIn) -> None:
    with closing(venue.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("insert into t.venue values (9, 'Nova')")
        cursor.execute(f"unload ('select count(*) from t.venue') to 's3://{venue.bucket.name}/u' iam_role '{ROLE}'")
        assert cursor.statusmessage == "UNLOAD"
        assert connection.notices == ["INFO:  UNLOAD completed, 1 record(s) unloaded successfully.\n"]
        connection.rollback()
        cursor.execute("select pg_last_unload_count()")
        assert cursor.fetchone() == (0,)
    assert only(venue) == "4\n"


def test_the_last_unload_is_known(venue: StandIn) -> None:
    assert venue.execute("select pg_last_unload_id(), pg_last_unload_count()") == [(-1, 0)]
    unload(venue, "csv gzip")
    assert venue.execute("select pg_last_unload_count()") == [(3,)]
    with pytest.raises(psycopg2.Error):
        unload(venue, "csv bogus")
    [(seen,)] = venue.execute("select pg_last_unload_id()")
    assert venue.execute(
        "select file_format, compression_type, unloaded_rows, unloaded_files_count, status "
        f"from sys_unload_history where query_id = {seen}"
    ) == [("CSV", "gzip", 3, 1, "completed")]
    assert venue.execute(f"select path, line_count from stl_unload_log where query = {seen}") == [
        (f"s3://{venue.bucket.name}/u/0000_part_00.gz", 3)
    ]


@pytest.mark.parametrize("key", [" KMS_KEY_ID 'alias/x'", ""])  # without: with a key of S3
def test_redshifts_own_client_unloads(
    venue: StandIn, connect_like_dbt: Callable[..., redshift_connector.Connection], key: str
) -> None:
    with connect_like_dbt().cursor() as cursor:
        cursor.execute(
            "UNLOAD ('SELECT id, name FROM t.venue ORDER BY 1')\n"
            f"TO 's3://{venue.bucket.name}/w/'\nACCESS_KEY_ID 'a'\nSECRET_ACCESS_KEY 'b'\nALLOWOVERWRITE\n"
            f"PARALLEL ON\nFORMAT PARQUET\nENCRYPTED{key}\n"
            "REGION AS 'us-east-1'\nMAXFILESIZE AS 64 MB\nmanifest;"
        )
        cursor.execute("select pg_last_unload_count()")
        assert cursor.fetchall() == ([3],)
    assert sorted(files(venue)) == ["w/0000_part_00.parquet", "w/manifest"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("csv addquotes", "CSV cannot be used with ADDQUOTES"),
        ("csv fixedwidth 'a:1'", "conflicting or redundant options"),
        ("parquet gzip", "GZIP is not supported for UNLOAD to PARQUET"),
        ("json header", "HEADER is not supported for UNLOAD to JSON"),
        ("fixedwidth 'a:1,b:1' header", "FIXEDWIDTH cannot be used with HEADER"),
        ("cleanpath allowoverwrite", "CLEANPATH cannot be used with ALLOWOVERWRITE"),
        ("maxfilesize 1 mb", "MAXFILESIZE must be between 5 MB and 6.2 GB"),
        ("maxfilesize 7 gb", "MAXFILESIZE must be between 5 MB and 6.2 GB"),
        ("delimiter 'ab'", "must be a single ASCII character"),
        ("manifest manifest", "conflicting or redundant options"),
        ("master_symmetric_key 'secret' encrypted", "stand-in: client-side encryption"),
        ("kms_key_id 'k'", "KMS_KEY_ID needs ENCRYPTED"),
        ("verbose", 'syntax error at or near "verbose"'),
        ("access_key_id 'secret'", "conflicting or redundant options"),
        ("'secret'", "syntax error at or near \"''\""),
        ("bogus", 'syntax error at or near "bogus"'),
    ],
)
def test_options_that_exclude_each_other_are_refused(options: str, message: str) -> None:
    with pytest.raises(RedshiftError) as refused:
        parse(f"unload ('select 1') to 's3://b/p' iam_role default {options}")
    assert message in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("unload ('select 1 limit 10') to 's3://b/p' iam_role default", "Limit clause is not supported"),
        ("unload ('delete from x') to 's3://b/p' iam_role default", "UNLOAD needs a SELECT query"),
        ("unload ('select 1') to 's3://b/p'", "COPY/UNLOAD requires CREDENTIALS or IAM_ROLE"),
        ("unload ('select 1') to '/tmp/p' iam_role default", "must be of the form s3://bucket/prefix"),
        ("unload select 1 to 's3://b/p'", 'syntax error at or near "select"'),
        ("unload ('select 1')", "syntax error at end of input"),
    ],
)
def test_statements_that_are_not_unload_are_refused(statement: str, message: str) -> None:
    with pytest.raises(RedshiftError) as refused:
        parse(statement)
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("options", "query", "message"),
    [
        ("parquet", "select '\\x00'::varbyte as v", "UNLOAD of VARBYTE to PARQUET is not supported"),
        ("json", "select true as b", "stand-in: UNLOAD of a boolean to JSON"),
        ("json", "select 1 as a, 2 as a", "needs a different name for each column"),
        ("partition by (nada)", "select * from venue", 'column "nada" of PARTITION BY is not in the query'),
        ("partition by (id)", "select id from venue", "at least one column that is not in PARTITION BY"),
        ("partition by (c)", "select 1 as a, 'a/b' as c", "stand-in: PARTITION BY c with the value 'a/b'"),
        ("fixedwidth 'a:1,b:3'", "select id, name from venue",
         "The value of column name is longer than its fixed width"),
        ("", "select nada from venue", 'column "nada" does not exist'),
        ("", "select 1 / (id - 1) from venue order by id desc", "division by zero"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_unloaded_leaves_no_file(
    venue: StandIn, options: str, query: str, message: str
) -> None:
    with pytest.raises(psycopg2.Error) as failed:
        unload(venue, options, query)
    assert message in str(failed.value)
    assert files(venue) == {}
    assert venue.execute("select 1") == [(1,)]


def test_s3_that_refuses_is_an_error(venue: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match="S3ServiceException:The specified bucket does not exist,Status 404"):
        venue.execute(f"unload ('select 1') to 's3://no-such-bucket/x' iam_role '{ROLE}'")
    with pytest.raises(psycopg2.Error, match="Not authorized to get credentials of role"):
        venue.execute("unload ('select 1') to 's3://b/x' iam_role 'arn:aws:iam::000000000000:role/other'")
    assert venue.execute("select 1") == [(1,)]


def test_rows_wait_on_disk() -> None:
    spool = Spool(Unload("", "b", "p", partitions=("k",)), [Field("k", "integer"), Field("v", "text")])
    line = b"x" * 1000
    held: list[Any] = []
    for n in range(20_000):
        spool.add(b"%d\t%s\n" % (n % 3, line))
        held.append(sum(map(len, spool._waiting.values())))
    assert max(held) < 10_000
    spool.flush()
    assert {folder: sum(1 for _ in spool.read(folder)) for folder in spool.folders} == {
        "k=0/": 6667, "k=1/": 6667, "k=2/": 6666,
    }  # fmt: skip
    spool.close()
