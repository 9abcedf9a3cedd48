"""Names of 63 to 127 bytes: short in PostgreSQL, which would truncate them, and whole for clients."""

import io
import json
from contextlib import closing

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.names import fold_text, short
from stand_in import ROLE, StandIn

TABLE = "vendas_por_funcionario_e_categoria_com_todos_os_descontos_aplicados_a"
TWIN = TABLE[:-1] + "b"  # PostgreSQL would cut both to the same name
COLUMN = "valor_" + "é" * 40  # 46 characters, 86 bytes


@pytest.fixture
def long_named(stand_in: StandIn) -> StandIn:
    stand_in.execute(f'create table {TABLE} (id int, "{COLUMN}" varchar(20)) distkey (id) sortkey ("{COLUMN}")')
    stand_in.execute(f"create table t.{TWIN} (id int)")
    stand_in.execute(f"insert into {TABLE} values (1, 'um')")
    return stand_in


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("select table_name from information_schema.tables where table_schema = 't' order by 1", [TABLE, TWIN]),
        (f"select table_name from svv_tables where table_name = '{TWIN}'", [TWIN]),
        (
            f"select column_name from information_schema.columns where table_name = '{TABLE}' order by 1",
            ["id", COLUMN],
        ),
        (f"select c.relname from pg_catalog.pg_class as c where c.relname = '{TABLE}'", [TABLE]),
        (f"select attname from pg_attribute where attrelid = 't.{TABLE}'::regclass and attnum = 2", [COLUMN]),
        (f"select sortkey1 from svv_table_info where \"table\" = '{TABLE}'", [COLUMN]),
        (f"select \"column\" from pg_table_def where tablename = '{TABLE}' and sortkey = 1", [COLUMN]),
        (f"select has_table_privilege(current_user, 't.{TWIN}', 'select')", [True]),
    ],
)
def test_the_catalogue_shows_whole_names(long_named: StandIn, query: str, answer: list[object]) -> None:
    assert [row[0] for row in long_named.execute(query)] == answer


def test_descriptions_of_rows_have_whole_names(long_named: StandIn) -> None:
    alias = "a" * 127
    with long_named.connection.cursor() as cursor:
        cursor.execute(f"select *, id as {alias.upper()} from {TABLE}")
        assert [column.name for column in cursor.description or ()] == ["id", COLUMN, alias]
        assert cursor.fetchall() == [(1, "um", 1)]


def test_errors_and_views_have_whole_names(long_named: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match=f'relation "t.{TABLE}x" does not exist'):
        long_named.execute(f"select * from t.{TABLE}x")
    long_named.execute(f"create view resumo as select id from t.{TABLE}")
    [(definition,)] = long_named.execute("select definition from pg_views where viewname = 'resumo'")
    assert TABLE in definition


def test_copy_accepts_long_names(long_named: StandIn) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([2], pa.int32()), "v": ["dois"]}), out)
    long_named.bucket.put_object(Key="long.parquet", Body=out.getvalue())
    long_named.execute(f"copy t.{TABLE} from 's3://{long_named.bucket.name}/long.parquet' iam_role '{ROLE}' parquet")
    assert long_named.execute(f'select id, "{COLUMN}" from {TABLE} order by 1') == [(1, "um"), (2, "dois")]

    document = {"id": 4, COLUMN: "quatro"}
    long_named.bucket.put_object(Key="long.json", Body=json.dumps(document).encode())
    long_named.execute(f"copy {TABLE} from 's3://{long_named.bucket.name}/long.json' iam_role '{ROLE}' json 'auto'")
    assert long_named.execute(f'select "{COLUMN}" from {TABLE} where id = 4') == [("quatro",)]

    long_named.bucket.put_object(Key="long.csv", Body=b"3,%s\n" % (b"x" * 21))
    with pytest.raises(psycopg2.Error, match=f"Load into table '{TABLE}' failed"):
        long_named.execute(f"copy {TABLE} from 's3://{long_named.bucket.name}/long.csv' iam_role '{ROLE}' csv")
    seen = long_named.execute("select column_name from sys_load_error_detail order by query_id desc limit 1")
    assert seen == [(COLUMN,)]


def test_long_names_survive_a_restart(long_named: StandIn) -> None:
    with closing(long_named.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"select count(*) from pg_tables where tablename = '{TWIN}'")
        assert cursor.fetchall() == [(1,)]


def test_128_bytes_are_too_many(stand_in: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match="has 128 bytes; the maximum is 127"):
        stand_in.execute(f"create table {'n' * 128} (x int)")
    assert stand_in.execute("select 1") == [(1,)]


def test_quoted_names_are_folded_to_lowercase(stand_in: StandIn) -> None:
    stand_in.execute('create table "Venda" ("Id" int)')
    with stand_in.connection.cursor() as cursor:
        cursor.execute('select "ID" as "Chave" from VENDA')
        assert [column.name for column in cursor.description or ()] == ["chave"]


@given(st.text(alphabet=st.characters(categories=["Ll", "Nd"]), min_size=1, max_size=130).map(lambda n: "x" + n))
def test_a_short_name_fits_and_is_unique(name: str) -> None:
    if len(name.encode()) > 127:
        with pytest.raises(RedshiftError):
            short(name)
    else:
        assert len(short(name).encode()) <= 62
        assert (short(name) == name) == (len(name.encode()) <= 62)
        assert short(name) != short(name[:-1] + "y") or name.endswith("y")


@given(st.text(alphabet=st.characters(categories=["Ll", "Lu"]), min_size=63, max_size=100))
def test_strings_and_comments_are_not_names(text: str) -> None:
    sql = f"select '{text}' /* {text} */ -- {text}"
    assert fold_text(sql) == (sql, {})


def test_tables_whose_names_begin_alike_are_created_at_once(stand_in: StandIn) -> None:
    """PostgreSQL names their array types after the first 62 bytes: the second CREATE would wait for the first one."""
    first, second = ("a" * 62 + end for end in "bc")
    with closing(stand_in.server.connect()) as other, other.cursor() as cursor:
        cursor.execute(f"create table t.{first} (id int)")  # in a transaction
        stand_in.execute("set statement_timeout to 5000")
        stand_in.execute(f"create table t.{second} (id int)")
        other.commit()
    assert stand_in.execute("select tablename from pg_tables where schemaname = 't' order by 1") == [
        (first,),
        (second,),
    ]
