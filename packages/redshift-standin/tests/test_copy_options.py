"""COPY's options that change what is loaded, those that exclude each other, and the keys in its text."""

import bz2
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from redshift_standin.copy.files import Load
from redshift_standin.copy.formats import compile_format, from_epoch
from redshift_standin.copy.options import mask_keys
from redshift_standin.copy.s3 import S3
from redshift_standin.copy.statement import Column, Copy, parse
from redshift_standin.errors import RedshiftError
from redshift_standin.serving import serving
from redshift_standin.signatures import AccessKey
from stand_in import ROLE, StandIn

PAIR = "a int, b varchar(20)"


def put(stand_in: StandIn, key: str, body: bytes) -> None:
    stand_in.bucket.put_object(Key=key, Body=body)


def load(stand_in: StandIn, columns: str, options: str, body: bytes | str) -> list[tuple[Any, ...]]:
    """Loads a file into a new table; returns the rows of the table."""
    stand_in.execute("drop table if exists par")
    stand_in.execute(f"create table par ({columns})")
    put(stand_in, "o/1", body.encode() if isinstance(body, str) else body)
    stand_in.copy("par", "o/", options)
    return stand_in.execute("select * from par order by 1")


def times(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type, misc]  # noqa: DTZ001


@pytest.mark.parametrize(
    ("columns", "options", "body", "rows"),
    [
        (PAIR, "null as 'none'", "1|none\n2|\\N\n3|\n", [(1, None), (2, "\\N"), (3, "")]),
        (PAIR, "null as '\\0'", "1|\0\n2|x\n", [(1, None), (2, "x")]),
        (PAIR, "null ''", "1|\n|x\n", [(1, None), (None, "x")]),
        (PAIR, "emptyasnull", "1|\n2| \n", [(1, None), (2, " ")]),
        (PAIR, "blanksasnull", "1|\n2|  \n |x\n", [(1, ""), (2, None), (None, "x")]),
        (PAIR, "emptyasnull blanksasnull", "1|\n2|  \n", [(1, None), (2, None)]),
        ("a int, b varchar(9), c char(4)", "trimblanks", "1| x  |y \n", [(1, " x", "y   ")]),
        ("a varchar(3), b char(2)", "truncatecolumns", "abcdef|xyz\n\u00e9\u00e9|z\n",
         [("abc", "xy"), ("\u00e9", "z ")]),
        (PAIR, "ignoreheader 2", "a|b\nc\n1|x\n", [(1, "x")]),
        (PAIR, "ignoreheader as 1 ignoreblanklines", "a|b\n\n1|x\n\n\n2|y\n", [(1, "x"), (2, "y")]),
        ("a int, b varchar(9), c int, d char(2)", "fillrecord", "1\n2|x\n3|y|4|z\n",
         [(1, "", None, None), (2, "x", None, None), (3, "y", 4, "z ")]),
        (PAIR, "csv fillrecord emptyasnull", "1\n", [(1, None)]),
        (PAIR, "delimiter '\\t'", "1\tx|y\n", [(1, "x|y")]),
        (PAIR, "delimiter as '\\174'", "1|x\n", [(1, "x")]),
        (PAIR, "", "1|x|\n2|y\n", [(1, "x"), (2, "y")]),
        (PAIR, "", "1|x\r\n2|y", [(1, "x"), (2, "y")]),
        (PAIR, "escape", "1|p\\|e\\|d\n2|two\\\nlines\n3|A\\\\B\n4|\\N\n5|\\\\N\n6|\\012\n7|\n",
         [(1, "p|e|d"), (2, "two\nlines"), (3, "A\\B"), (4, None), (5, None), (6, "012"), (7, "")]),
        (PAIR, "removequotes", "1|\"a|b\"\n2|'Black'\n3|\"White\"\n4|Blue'\n5|''Black''\n6|' '\n\"7\"|\"\"\n",
         [(1, "a|b"), (2, "Black"), (3, "White"), (4, "Blue'"), (5, "'Black'"), (6, " "), (7, "")]),
        (PAIR, "removequotes escape", "1|'A Night\\'s Dream'\n2|\\'x\\'\n", [(1, "A Night's Dream"), (2, "'x'")]),
        (PAIR, "csv quote as '%'", '1,%All "rock", %% etc%\n', [(1, 'All "rock", % etc')]),
        (PAIR, "csv", '1, "a, b" \n 2,"c\nd"\n3, e\n', [(1, "a, b"), (2, "c\nd"), (3, " e")]),
        (PAIR, "csv delimiter ';'", '1;"a;b"\n', [(1, "a;b")]),
        ("a int, b varchar(9), c int", "fixedwidth 'a:2,b:4,c:3'", "1 ab    5\n22cdef 66\n3 é      \n",
         [(1, "ab  ", 5), (3, "é   ", None), (22, "cdef", 66)]),
        (PAIR, "fixedwidth '0:1,1:5' trimblanks", "1abc  \n", [(1, "abc")]),
        (PAIR, "acceptinvchars", b"1|a\xffb\n2|\xe0\xa1x\n", [(1, "a?b"), (2, "??x")]),
        (PAIR, "acceptinvchars as '^'", b"1|\xc3\n", [(1, "^")]),
        (PAIR, "encoding utf16", "1|\u00e9\n".encode("utf-16"), [(1, "\u00e9")]),
        (PAIR, "encoding as utf16le", "1|\u00e9\n".encode("utf-16-le"), [(1, "\u00e9")]),
        (PAIR, "encoding utf16be", ("\ufeff1|\u00e9\n").encode("utf-16-be"), [(1, "\u00e9")]),
        ("a int, b decimal(8, 2)", "", "1|20.259\n2|-1.999\n3|2.5e-1\n4|7\n",
         [(1, Decimal("20.25")), (2, Decimal("-1.99")), (3, Decimal("0.25")), (4, Decimal("7.00"))]),
        ("a int, b decimal(8, 2)", "roundec", "1|20.259\n", [(1, Decimal("20.26"))]),
        ("a int, b boolean", "", "1|t\n2|FALSE\n3|yes\n4|0\n5|\n",
         [(1, True), (2, False), (3, True), (4, False), (5, None)]),
        ("a int, b varbyte", "csv", "1,0aFF\n2,\n", [(1, "0aff"), (2, None)]),
        ("a date", "", "2024-02-29\n2024-03-01 10:11:12\n", [(date(2024, 2, 29),), (date(2024, 3, 1),)]),
        ("a date", "dateformat 'MM/DD/YYYY'", "03/31/2003\n", [(date(2003, 3, 31),)]),
        ("a date", "dateformat as 'MON DD, YYYY'", "March 31, 2003\n", [(date(2003, 3, 31),)]),
        ("a date", "dateformat 'DD-MON-YY'", "08-jan-99\n08-Jan-05\n", [(date(1999, 1, 8),), (date(2005, 1, 8),)]),
        ("a date", "dateformat 'auto'", "20080215\n2008-02-16T03:04:05\nJan-08-1999\n",
         [(date(1999, 1, 8),), (date(2008, 2, 15),), (date(2008, 2, 16),)]),
        ("a int, b date", "dateformat 'YYYY-MM-DD' acceptanydate", "1|00/00/00\n2|2024-02-30\n3|2024-02-29\n",
         [(1, None), (2, None), (3, date(2024, 2, 29))]),
        ("a timestamp", "", "2009-01-12 14:15:57.119568\n", [(times(2009, 1, 12, 14, 15, 57, 119568),)]),
        ("a timestamp", "timeformat 'YYYY-MM-DD HH:MI:SS'", "2009-01-12 14:15:57.119568\n",
         [(times(2009, 1, 12, 14, 15, 57, 119568),)]),
        ("a timestamp", "timeformat 'MM.DD.YYYY HH12:MI AM'",
         "03.31.2003 12:05 pm\n", [(times(2003, 3, 31, 12, 5),)]),
        ("a timestamp", "timeformat 'epochsecs'", "1704067200\n-1\n",
         [(times(1969, 12, 31, 23, 59, 59),), (times(2024, 1, 1),)]),
        ("a timestamptz", "timeformat 'epochmillisecs'", "1704067200123\n",
         [(datetime(2024, 1, 1, 0, 0, 0, 123000, UTC),)]),
        ("a timestamptz", "", "2024-01-01 00:00:00-03\n", [(datetime(2024, 1, 1, 3, tzinfo=UTC),)]),
        ("a timestamptz", "timeformat 'auto'", "2024-01-01T00:00:00Z\n", [(datetime(2024, 1, 1, tzinfo=UTC),)]),
    ],
)  # fmt: skip
def test_options_change_what_is_loaded(
    stand_in: StandIn, columns: str, options: str, body: bytes | str, rows: list[tuple[Any, ...]]
) -> None:
    found = load(stand_in, columns, options, body)
    assert [tuple(v.removeprefix("\\x") if isinstance(v, str) else v for v in row) for row in found] == rows


@pytest.mark.parametrize(
    ("option", "close"),
    [
        ("gzip", gzip.compress),
        ("bzip2", bz2.compress),
        ("zstd", lambda body: pa.compress(body, "zstd", asbytes=True)),
    ],
)
def test_compressed_files(stand_in: StandIn, option: str, close: Callable[[bytes], bytes]) -> None:
    assert load(stand_in, PAIR, option, close(b"1|x\n")) == [(1, "x")]
    assert load(stand_in, PAIR, f"json 'auto' {option}", close(b'{"a": 1}')) == [(1, None)]


DOCUMENTS = """
{
    "one": 1, "two": {"deep": "x\\ty"}, "list": ["nisi", {"id": 1, "name": "Renaldo"}]
}
{"two": {}, "one": 2, "list": [{"id": 2}, 3]}{"one": 3,
"list": [0, 1]}
"""


@pytest.mark.parametrize(
    ("columns", "options", "body", "rows"),
    [
        ("one int, list varchar(99)", "json 'auto'", DOCUMENTS,
         [(1, '["nisi",{"id": 1,"name": "Renaldo"}]'), (2, '[{"id": 2},3]'), (3, "[0,1]")]),
        ("ONE int", "format as json as 'auto ignorecase'", '{"One": 1}\n{"ONE": 2}', [(1,), (2,)]),
        (PAIR, "json 'auto' emptyasnull", '{"a": "", "b": ""}', [(None, None)]),
        (PAIR, "json", '{"a": 1, "b": true}', [(1, "true")]),
        (PAIR, "json 'auto' ignoreheader 1", 'head\n{"a": 1}', [(1, None)]),
        ("a decimal(9, 2), b boolean, c date", "json 'auto' dateformat 'auto'",
         '{"a": 1.239, "b": false, "c": "2024-02-29T10:00:00"}', [(Decimal("1.23"), False, date(2024, 2, 29))]),
    ],
)  # fmt: skip
def test_json_documents(
    stand_in: StandIn, columns: str, options: str, body: str, rows: list[tuple[Any, ...]]
) -> None:
    assert load(stand_in, columns, options, body) == rows


@pytest.mark.parametrize(
    ("paths", "body", "rows"),
    [
        (["$['one']", "$['two']['deep']"], DOCUMENTS, [(1, "x\ty"), (2, None), (3, None)]),
        (["$.one", "$.two"], DOCUMENTS, [(1, '{"deep": "x\\ty"}'), (2, "{}"), (3, None)]),
        (["$[0]", "$[1]"], '[1, "Sports"]\n[2,"Shows"]', [(1, "Sports"), (2, "Shows")]),
    ],
)
def test_json_paths(stand_in: StandIn, paths: list[str], body: str, rows: list[tuple[Any, ...]]) -> None:
    put(stand_in, "paths.json", json.dumps({"jsonpaths": paths}).encode())
    assert load(stand_in, "a int, b varchar(99)", f"json 's3://{stand_in.bucket.name}/paths.json'", body) == rows


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (b'{"jsonpaths": ["$.one", "$.list[7]"]}', "Load into table 'par' failed"),
        (b'{"jsonpaths": ["$.one"]}', "Number of jsonpaths and the number of columns should match"),
        (b'{"jsonpaths": ["$.one", "$[\'two\']"]}', "bracket and dot notation are mixed"),
        (b'{"jsonpaths": ["$.one", "$.list[*]"]}', "Invalid JSONPath format: $.list[*]"),
        (b'{"jsonpaths": ["$.one", ""]}', "an element is empty or not a string"),
        (b"[1]", "the file is not a JSON object"),
    ],
)
def test_json_paths_that_lead_nowhere(stand_in: StandIn, paths: bytes, message: str) -> None:
    put(stand_in, "paths.json", paths)
    with pytest.raises(psycopg2.Error) as failed:
        load(stand_in, "a int, b varchar(99)", f"json 's3://{stand_in.bucket.name}/paths.json'", DOCUMENTS)
    assert message in str(failed.value)


def test_a_file_of_paths_with_another_key_is_ignored(stand_in: StandIn) -> None:
    put(stand_in, "paths.json", b'{"paths": ["$.b"]}')
    assert load(stand_in, PAIR, f"json 's3://{stand_in.bucket.name}/paths.json'", '{"a": 1}') == [(1, None)]


def test_a_document_that_is_not_shredded_is_one_value(stand_in: StandIn) -> None:
    load(stand_in, "s super", "json 'noshred'", '{"a": [1,\n 2.50]}\n["x"]')
    assert {text for (text,) in stand_in.execute("select json_serialize(s) from par")} in (
        {'{"a": [1, 2.50]}', '["x"]'},
        {'{"a":[1,2.50]}', '["x"]'},
    )
    with pytest.raises(psycopg2.Error, match="one column of the type SUPER"):
        load(stand_in, PAIR, "json 'noshred'", "{}")


ERRORS = """
    select line_number, column_name, error_code, error_message from sys_load_error_detail
    where query_id = pg_last_copy_id() order by line_number
"""


@pytest.mark.parametrize(
    ("columns", "options", "body", "rows", "errors"),
    [
        (PAIR, "maxerror 5",
         "1|x\nz|y\n3|too long for this column\n4\n5|ok\n99999999999|x\n", [(1, "x"), (5, "ok")], [
            (2, "a", 1207, "Invalid digit, Value 'z', Pos 0, Type: Integer"),
            (3, "b", 1204, "String length exceeds DDL length"),
            (4, "a", 1214, "Delimiter not found"),
            (6, "a", 1204, "Overflow, Type: Integer"),
        ]),
        ("a int not null, b varchar(20)", "csv maxerror as 3", '1,x\n,y\n2,"a" b\n3,z\n', [(1, "x"), (3, "z")], [
            (2, "a", 1213, "Missing data for not-null field"), (3, "", 1214, "Invalid quote formatting for CSV"),
        ]),
        (PAIR, "json 'auto' maxerror 9", '{"a": 1}\n{"a": }\n[1]\nx\n{"a": 2}\n', [(1, None), (2, None)], [
            (2, "", 1216, "Invalid JSON format"), (3, "", 1216, "Invalid JSON format"),
            (4, "", 1216, "Invalid JSON format"),
        ]),
        (PAIR, "ignoreallerrors", b"x|1\n1|\xff\n2|y\n", [(2, "y")], [
            (1, "a", 1207, "Invalid digit, Value 'x', Pos 0, Type: Integer"),
            (2, "b", 1220, "String contains invalid or unsupported UTF-8 codepoints. Bad UTF-8 hex sequence: ff"),
        ]),
    ],
)  # fmt: skip
def test_other_rows_are_loaded_until_there_are_too_many_errors(
    stand_in: StandIn,
    columns: str,
    options: str,
    body: bytes | str,
    rows: list[tuple[Any, ...]],
    errors: list[tuple[Any, ...]],
) -> None:
    stand_in.connection.notices.clear()
    assert load(stand_in, columns, options, body) == rows
    assert stand_in.connection.notices[-2:] == [
        f"INFO:  Load into table 'par' completed, {len(rows)} record(s) loaded successfully.\n",
        f"INFO:  Load into table 'par' completed, {len(errors)} record(s) could not be loaded.  "
        "Check 'sys_load_error_detail' system table for details.\n",
    ]
    assert stand_in.execute(ERRORS) == errors
    if "ignore" not in options:
        fewer = re.sub(r"(maxerror (?:as )?)\d", rf"\g<1>{len(errors)}", options)
        with pytest.raises(psycopg2.Error, match="Load into table 'par' failed"):
            load(stand_in, columns, fewer, body)
        assert stand_in.execute("select count(*) from par") == [(0,)]
        assert stand_in.execute(ERRORS) == errors


def test_too_many_errors_fail_the_clients_transaction(stand_in: StandIn) -> None:
    stand_in.execute(f"create table par ({PAIR})")
    put(stand_in, "o/1", b"1|x\nz|y\n99999999999|z\n")
    with closing(stand_in.server.connect()) as connection, connection.cursor() as cursor:
        statement = f"copy t.par from 's3://{stand_in.bucket.name}/o/' iam_role '{ROLE}' maxerror"
        cursor.execute(f"{statement} 3")
        with pytest.raises(psycopg2.errors.InternalError_, match="Load into table 'par' failed"):
            cursor.execute(f"{statement} 2")
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("select 1")


def test_noload_only_checks(stand_in: StandIn) -> None:
    assert load(stand_in, PAIR, "noload", "1|x\n") == []
    with pytest.raises(psycopg2.Error, match="failed"):
        load(stand_in, PAIR, "noload", "x|x\n")
    stand_in.execute("begin")
    stand_in.execute("insert into par values (7, 'kept')")
    put(stand_in, "o/1", b"1|x\n")
    stand_in.copy("par", "o/", "noload")
    stand_in.execute("commit")
    assert stand_in.execute("select * from par") == [(7, "kept")]


def test_omitted_columns_have_their_defaults(stand_in: StandIn) -> None:
    stand_in.execute(
        "create table venue (id smallint not null, name varchar(100) not null, city varchar(30), "
        "seats integer not null default '1000')"
    )
    put(stand_in, "o/1", b"1|Toca|Serra|\n2|Casa||\n")
    stand_in.copy("venue (id, name, city)", "o/", "")
    assert stand_in.execute("select * from venue order by 1") == [(1, "Toca", "Serra", 1000), (2, "Casa", "", 1000)]
    with pytest.raises(psycopg2.Error):
        stand_in.copy("venue (id, city)", "o/", "fillrecord")


def test_default_identities_may_be_loaded(stand_in: StandIn) -> None:
    stand_in.execute("create table par (id int generated by default as identity(5, 1), b varchar(9))")
    put(stand_in, "o/1", b"x\n")
    put(stand_in, "p/1", b"77|y\n")
    stand_in.copy("par (b)", "o/", "")
    stand_in.copy("par (id, b)", "p/", "")
    stand_in.copy("par", "p/", "explicit_ids")
    assert stand_in.execute("select * from par order by 1") == [(5, "x"), (77, "y"), (77, "y")]
    stand_in.execute(f"create table none ({PAIR})")
    with pytest.raises(psycopg2.Error, match="EXPLICIT_IDS needs an identity column"):
        stand_in.copy("none", "p/", "explicit_ids")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("csv fixedwidth 'a:1'", "CSV cannot be used with FIXEDWIDTH"),
        ("csv removequotes", "CSV cannot be used with REMOVEQUOTES"),
        ("csv escape", "CSV cannot be used with ESCAPE"),
        ("fixedwidth 'a:1' delimiter ','", "FIXEDWIDTH cannot be used with DELIMITER"),
        ("fixedwidth 'a'", "Invalid fixedwidth specification"),
        ("json 'auto' delimiter ','", "DELIMITER argument is not supported for JSON based COPY"),
        ("json 'auto' null as 'x'", "NULL argument is not supported for JSON based COPY"),
        ("parquet gzip", "GZIP argument is not supported for PARQUET based COPY"),
        ("parquet truncatecolumns", "TRUNCATECOLUMNS argument is not supported for PARQUET based COPY"),
        ("parquet maxerror 2", "MAXERROR argument is not supported for PARQUET based COPY"),
        ("parquet region 'us-east-1'", "REGION argument is not supported for PARQUET based COPY"),
        ("maxerror 100001", "MAXERROR must be between 0 and 100000"),
        ("maxerror 3 ignoreallerrors", "IGNOREALLERRORS cannot be used with MAXERROR"),
        ("gzip bzip2", "conflicting or redundant options"),
        ("csv csv", "conflicting or redundant options"),
        ("delimiter '||'", "must be a single ASCII character"),
        ("delimiter 'é'", "must be a single ASCII character"),
        ("encoding latin1", "ENCODING must be UTF8"),
        ("serializetojson", "SERIALIZETOJSON is only supported for PARQUET"),
        ("dateformat 'YYYY-DDD'", "stand-in: the date or time format"),
        ("dateformat 'YYYY-MM-MM'", "Invalid DATEFORMAT"),
        ("avro 'auto'", "stand-in: COPY with Avro"),
        ("format as orc", "stand-in: COPY with ORC"),
        ("shapefile", "stand-in: COPY with a shapefile"),
        ("lzop", "stand-in: COPY with LZOP"),
        ("encrypted master_symmetric_key 'secret'", "stand-in: COPY with ENCRYPTED"),
        ("credentials 'aws_iam_role=x'", "conflicting or redundant options"),
        ("access_key_id 'secret'", "conflicting or redundant options"),
        ("'secret'", "syntax error at or near \"''\""),
        ("bogus", 'syntax error at or near "bogus"'),
    ],
)
def test_options_that_redshift_refuses(options: str, message: str) -> None:
    with pytest.raises(RedshiftError) as refused:
        parse(f"copy par from 's3://b/p' iam_role default {options}")
    assert message in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("'dynamodb://t' iam_role default readratio 50", "stand-in: COPY from DynamoDB"),
        ("'emr://j/x' iam_role default", "stand-in: COPY from EMR"),
        ("'/etc/passwd' iam_role default", "must be of the form s3://bucket/prefix"),
        ("'s3://b/ssh_manifest' iam_role default ssh", "stand-in: COPY with SSH"),
        ("stdin", 'syntax error at or near "stdin"'),
        ("'s3://b/k' credentials 'aws_access_key_id=hush'", "Invalid credentials"),
        ("'s3://b/k' access_key_id 'hush'", "ACCESS_KEY_ID and SECRET_ACCESS_KEY must be given together"),
        ("'s3://b/k' credentials 'aws_iam_role=r;master_symmetric_key=hush'", "stand-in: client-side encryption"),
    ],
)
def test_sources_that_are_refused(source: str, message: str) -> None:
    with pytest.raises(RedshiftError) as refused:
        parse(f"copy par from {source}")
    assert message in refused.value.message
    assert "hush" not in refused.value.message


@pytest.mark.parametrize(
    "keys",
    [
        "access_key_id 'AKIA1' secret_access_key 'hush' session_token 'hush'",
        "ACCESS_KEY_ID AS 'AKIA1' /* x */ SECRET_ACCESS_KEY AS 'hush''hush'",
        "credentials 'aws_access_key_id=AKIA1;aws_secret_access_key=hush;token=hush'",
        "with credentials as\n'aws_access_key_id=AKIA1;aws_secret_access_key=hu\\'sh'",
        "credentials $$aws_access_key_id=AKIA1;aws_secret_access_key=hush$$",
        "credentials 'aws_access_key_id=AKIA1;aws_secret_access_key=hush",
    ],
)
def test_keys_are_nowhere(stand_in: StandIn, keys: str) -> None:
    masked = mask_keys(f"copy par from 's3://b/k' {keys} csv")
    assert not re.search("AKIA1|hu", masked), masked
    stand_in.execute(f"create table par ({PAIR})")
    put(stand_in, "o/1", b"1,x\n2\n")
    with pytest.raises(psycopg2.Error) as failed:
        stand_in.execute(f"copy par from 's3://{stand_in.bucket.name}/o/' {keys} csv")
    assert not re.search("AKIA1|hu", str(failed.value))
    seen = str(stand_in.execute("select query_text, error_message from sys_query_history"))
    assert not re.search("AKIA1|hush", seen.replace("aws_secret_access_key=...", ""))


@contextmanager
def _answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Runs an S3 server that answers as its handler does; yields its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server, "s3"):
        yield f"http://127.0.0.1:{server.server_port}"


def test_the_keys_of_the_statement_sign() -> None:
    seen: list[tuple[str, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.headers["Authorization"], self.headers["X-Amz-Security-Token"]))
            self.send_response(HTTPStatus.FORBIDDEN)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with _answering(Answer) as url:
        given = "access_key_id 'AK' secret_access_key 'SK' session_token 'TK'"
        copy = parse(f"copy par from 's3://b/k' {given} region 'sa-east-1'")
        s3 = copy.authorization.apply(S3(url, AccessKey("own", "own")), ())
        with pytest.raises(RedshiftError, match=r"S3ServiceException:.*,Status 403,Error 403,"):
            list(Load(copy, s3, [Column("a", "integer", key="a")]).chunks())
    [(authorization, session)] = seen
    assert "Credential=AK/" in authorization
    assert "/sa-east-1/s3/" in authorization
    assert session == "TK"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
         "Access Denied,Status 403,Error AccessDenied,"),
        (404, b"<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>",
         "none,Status 404,Error NoSuchBucket,"),
        (503, b"<Error><Code>SlowDown</Code><Message>Slow</Message></Error>",
         "Slow,Status 503,Error SlowDown,.*CanRetry 1"),
        (200, b"no xml", "S3ServiceException:"),
    ],
)  # fmt: skip
def test_an_s3_that_refuses_is_an_error(status: int, body: bytes, message: str) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with _answering(Answer) as url, pytest.raises(RedshiftError, match=message):
        list(Load(Copy("par", (), "b", "k"), S3(url, AccessKey("a", "b")), [Column("a", "integer")]).chunks())


def test_the_last_copy_is_known(stand_in: StandIn) -> None:
    assert stand_in.execute("select pg_last_copy_id(), pg_last_copy_count()") == [(-1, 0)]
    load(stand_in, PAIR, "", "1|x\n2|y\n")
    [(first, count)] = stand_in.execute("select pg_last_copy_id(), pg_last_copy_count()")
    assert count == 2
    with pytest.raises(psycopg2.Error):
        stand_in.copy("par", "o/", "bogus")
    assert stand_in.execute("select pg_last_copy_id()") == [(first,)]
    stand_in.execute("begin")
    stand_in.copy("par", "o/", "")
    assert stand_in.execute(f"select pg_last_copy_id() > {first}") == [(True,)]
    stand_in.execute("rollback")
    assert stand_in.execute("select pg_last_copy_id(), pg_last_copy_count()") == [(first, 2)]
    assert stand_in.execute(
        "select table_name, data_source, file_format, loaded_rows, loaded_bytes, source_file_count, error_count "
        "from sys_load_history where query_id = pg_last_copy_id()"
    ) == [("par", f"s3://{stand_in.bucket.name}/o/", "Text", 2, 8, 1, 0)]
    assert stand_in.execute("select filename from stl_load_commits where query = pg_last_copy_id()") == [
        (f"s3://{stand_in.bucket.name}/o/1",)
    ]
    with pytest.raises(psycopg2.Error):
        load(stand_in, "a int", "", "x\n")
    assert stand_in.execute(f"select pg_last_copy_id() > {first}, pg_last_copy_count()") == [(True, 0)]


@pytest.fixture
def two_buckets(stand_in: StandIn) -> Iterator[str]:
    """The name of a second bucket."""
    other = stand_in.bucket.meta.client
    other.create_bucket(Bucket="other")
    yield "other"
    other.delete_object(Bucket="other", Key="2")
    other.delete_bucket(Bucket="other")


def test_a_manifest_names_files_of_several_buckets(stand_in: StandIn, two_buckets: str) -> None:
    put(stand_in, "m1", b"1|x\n")
    stand_in.bucket.meta.client.put_object(Bucket=two_buckets, Key="2", Body=b"2|y\n")
    entries = [
        {"url": f"s3://{stand_in.bucket.name}/m1", "mandatory": True},
        {"url": f"s3://{two_buckets}/2"},
        {"url": f"s3://{two_buckets}/missing", "mandatory": False},
        {"url": f"s3://{two_buckets}/2"},
    ]
    stand_in.execute(f"create table par ({PAIR})")
    put(stand_in, "manifest", json.dumps({"entries": entries}).encode())
    stand_in.copy("par", "manifest", "manifest")
    assert stand_in.execute("select * from par order by 1") == [(1, "x"), (2, "y"), (2, "y")]


def test_all_types_of_parquet(stand_in: StandIn) -> None:
    columns = {
        "s": pa.array([1, None, -3], pa.int16()), "i": pa.array([1, None, -3], pa.int32()),
        "b": pa.array([2**60, None, -3], pa.int64()), "small": pa.array([7, None, -7], pa.int32()),
        "r": pa.array([1.5, None, -0.25], pa.float32()), "f": pa.array([0.1, None, -1e300]),
        "t": pa.array([True, None, False]), "d": pa.array([date(2024, 2, 29), None, date(1969, 1, 1)]),
        "ts": pa.array(
            [datetime(2024, 2, 29, 1, 2, 3, 4), None, datetime(1969, 1, 1)], pa.timestamp("us")  # noqa: DTZ001
        ),
        "tz": pa.array([datetime(2024, 2, 29, tzinfo=UTC), None, None], pa.timestamp("ns", "UTC")),
        "n": pa.array([Decimal("12345.67"), None, Decimal("-0.01")], pa.decimal128(9, 2)),
        "w": pa.array([Decimal("12345678901234567890.123456789"), None, Decimal("-0.5")], pa.decimal128(38, 9)),
        "v": pa.array(["é\t\n\\", None, ""]), "c": pa.array(["ab", None, "x"]).dictionary_encode(),
        "by": pa.array([b"\x00\xff", None, b""]), "j": pa.array([{"a": [1, None]}, None, {"a": []}]),
        "js": pa.array(['{"k": 1.50}', None, '"x"']),
    }  # fmt: skip
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, row_group_size=2)
    put(stand_in, "all/1", out.getvalue())
    stand_in.execute(
        "create table par (s smallint, i int, b bigint, small bigint, r real, f float8, t boolean, d date, "
        "ts timestamp, tz timestamptz, n numeric(12, 3), w numeric(38, 9), v varchar(20), c char(3), by varbyte, "
        "j super, js super, more varchar(5))"
    )
    stand_in.copy("par", "all/", "parquet fillrecord")
    first, third, second = stand_in.execute(
        "select s, i, b, small, r, f, t, d, ts, tz, n, w, v, c, json_serialize(j), json_serialize(js), more"
        " from par order by i desc"
    )[1:] + stand_in.execute(
        "select s, i, b, small, r, f, t, d, ts, tz, n, w, v, c, j, js, more from par where i is null"
    )
    assert first[:12] == (
        1, 1, 2**60, 7, 1.5, 0.1, True, date(2024, 2, 29), times(2024, 2, 29, 1, 2, 3, 4),
        datetime(2024, 2, 29, tzinfo=UTC), Decimal("12345.670"), Decimal("12345678901234567890.123456789"),
    )  # fmt: skip
    assert first[12:14] == ("é\t\n\\", "ab ")
    assert [json.loads(text) for text in first[14:16]] == [{"a": [1, None]}, {"k": 1.5}]
    assert third[:14] == (
        -3, -3, -3, -7, -0.25, -1e300, False, date(1969, 1, 1), times(1969, 1, 1), None, Decimal("-0.010"),
        Decimal("-0.500000000"), "", "x  ",
    )  # fmt: skip
    assert set(second) == {None}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("YYYY-MM-DD HH24:MI:SS", "2024-1-2 3:4:5.6", times(2024, 1, 2, 3, 4, 5, 600000)),
        ("DD.MM.YYYY", "31.12.1999", times(1999, 12, 31)),
        ("YYYYMMDD", "19991231", times(1999, 12, 31)),
        ("yyyy-mm-ddThh:mi", "2024-01-02T23:59", times(2024, 1, 2, 23, 59)),
        ("MM/DD/YY HH12:MI:SS PM", "01/02/70 12:00:00 AM", times(1970, 1, 2)),
    ],
)
def test_formats_of_dates_and_times(text: str, value: str, expected: datetime) -> None:
    assert compile_format(text).parse(value) == expected


@pytest.mark.parametrize("value", ["", "x", "2024-13-01", "2024-02-30", "24-01-01"])
def test_values_that_are_no_dates(value: str) -> None:
    with pytest.raises(ValueError):
        compile_format("YYYY-MM-DD").parse(value)
    with pytest.raises(ValueError):
        from_epoch(value, "epochsecs")


@pytest.mark.parametrize(
    "table", ["a", '"a"', "s.a", 's."a"', '"s".a', '"s"."a"', "d.s.a", 'd."s".a', '"d" . "s" . "a"']
)
def test_a_table_is_named_in_any_form(table: str) -> None:
    copy = parse(f"copy {table} (x) from 's3://b/k' iam_role 'arn:aws:iam::000000000000:role/copy' format parquet")
    assert copy.table.replace('"', "").split(".") == table.replace('"', "").replace(" ", "").split(".")
