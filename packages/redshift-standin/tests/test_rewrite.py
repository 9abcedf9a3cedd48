"""The results of statements in Redshift's SQL."""

from contextlib import suppress
from typing import Any

import hypothesis
import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.rewrite import rewrite
from redshift_standin.sql.statement import Statement, mask, read
from stand_in import StandIn


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("select avg(x) from (select 1 as x union all select 2) q", 1),
        ("select avg(x) from (select cast(1 as double precision) as x union all select 2) q", 1.5),
        ("select cast(2.6 as numeric)", 3),
        ("select cast(2.6 as numeric(3, 1)) * 10", 26),
        ("select datediff(day, '2026-01-01', '2026-01-05')", 4),
        ("select datediff(month, '2026-01-31', '2026-02-01')", 1),
        ("select datediff(week, '2026-11-21', '2026-11-22')", 1),
        ("select datediff(year, '2025-12-31', '2026-01-01')", 1),
        ("select to_char(dateadd(month, 1, '2026-01-31'), 'YYYY-MM-DD')", "2026-02-28"),
        ("select dateadd(hour, 1, '2026-01-31 23:30+00'::timestamptz) = '2026-02-01 00:30+00'::timestamptz", True),
        ("select datediff(day, '2026-01-31 23:30+00'::timestamptz, '2026-02-01 00:30+00'::timestamptz)", 1),
        ("select nvl(null, 'getdate()')", "getdate()"),
        ("select nvl2(null, 1, 2)", 2),
        ("select decode(2, 1, 'a', 2, 'b', 'c')", "b"),
        ("select listagg(x, '+') within group (order by x desc) from (select 1 as x union all select 2) q", "2+1"),
        ("select top 1 x from (select 1 as x union all select 2) q order by x desc", 2),
        ("select x from (select 1 as x union all select 2) q qualify row_number() over (order by x desc) = 1", 2),
        ("select len('ação')", 4),
        ("select upper('ação') || lower('ÉÃ') || initcap('água')", "AÇÃOéãÁgua"),
        ("select 'B' < 'a' and 'é' > 'z'", True),
        ("select json_extract_path_text('{\"a\": {\"b\": 7}}', 'a', 'b')", "7"),
        ("select convert_timezone('UTC', 'America/Sao_Paulo', '2026-01-01 12:00')::text", "2026-01-01 09:00:00"),
        ("select 5 / 2", 2),
        ("select count(*) from (select 1 as x minus select 1) q", 0),
        ("select getdate() is not null", True),
        ("select sysdate is not null", True),
        ("select datediff(qtr, '2026-01-01', '2026-05-05')", 1),
        ("select datediff(mon, '2026-01-31', '2026-02-01'::date)", 1),
        ("select datediff(ms, '2026-01-01', '2026-01-01 00:00:01.5')", 1500),
        ("select datediff(hrs, '2026-01-01 00:59'::timestamp, '2026-01-01 01:00')", 1),
        ("select dateadd(d, 1, '2026-01-31'::date)::text", "2026-02-01 00:00:00"),
        ("select dateadd(qtr, -1, '2026-01-31')::text", "2025-10-31 00:00:00"),
        ("select date_trunc('mon', '2026-01-31'::date)::text", "2026-01-01 00:00:00"),
        ("select date_part(dow, '2026-01-04'::date)", 0),
        ("select extract(dayofyear from '2026-02-01 10:00'::timestamp) / 5", 6),
        ("select last_day('2028-02-03'::date)::text", "2028-02-29"),
        ("select add_months('2026-02-28'::date, 1)::text", "2026-03-31 00:00:00"),
        ("select months_between('2026-03-31'::date, '2026-02-28'::date)", 1),
        ("select regexp_replace('aXbX', '[A-Z]', '-')", "a-b-"),
        ("select concat('a', null)", None),
        ("select concat('a', 1) || concat(2, 'b')", "a12b"),
        ("select charindex('b', 'abc')", 2),
        ("select to_hex(from_hex('00ff'))", "00ff"),
        ("select sha2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        (
            "select listagg(distinct x, ',') within group (order by x) from (select 10 as x union all select 9) q",
            "9,10",
        ),
        ("select isolation_level from stv_db_isolation_level where db_name = 'dev'", "Snapshot Isolation"),
    ],
)
def test_results_are_redshifts(stand_in: StandIn, query: str, answer: Any) -> None:
    assert stand_in.execute(query) == [(answer,)]


@pytest.mark.parametrize("a", ["date", "timestamp", "timestamptz", "varchar(30)"])
@pytest.mark.parametrize("b", ["date", "timestamp", "timestamptz", "varchar(30)"])
def test_a_difference_is_between_any_two_types_of_dates(stand_in: StandIn, a: str, b: str) -> None:
    stand_in.execute(f"create table d (a {a}, b {b})")
    stand_in.execute("insert into d values ('2026-01-31', '2026-02-02')")
    differences = "datediff(day, a, b), datediff(month, a, '2026-03-01'), datediff(day, '2026-01-01', b)"
    assert stand_in.execute(f"select {differences} from d") == [(2, 2, 32)]


def test_columns_have_redshifts_names(stand_in: StandIn) -> None:
    stand_in.execute(
        "create table a as select avg(1), nvl(1, 2), getdate(), sysdate, dateadd(d, 1, sysdate),"
        " datediff(d, sysdate, sysdate), concat('a', 'b'), listagg('a')"
    )
    names = "select column_name from information_schema.columns where table_name = 'a' order by ordinal_position"
    assert [name for (name,) in stand_in.execute(names)] == [
        "avg", "coalesce", "getdate", "timestamp", "date_add", "date_diff", "concat", "listagg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "call", ["datediff(fortnight, sysdate, sysdate)", "dateadd(lustro, 1, sysdate)", "date_trunc('x', sysdate)"]
)
def test_an_unknown_date_part_is_an_error(stand_in: StandIn, call: str) -> None:
    with pytest.raises(psycopg2.Error, match="not recognized"):
        stand_in.execute(f"select {call}")


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("select * from a qualify row_number() over (partition by k order by v desc) = 1", [(1, 20), (2, 5)]),
        ("select *, row_number() over (order by v) as n from a qualify n = 2", [(1, 10, 2)]),
        ("select v from a where k = 1 qualify rank() over (order by k, v) = 1", [(10,)]),
        (
            "select a.*, b.z from a join (select 2 as k, 'x' as z) as b on a.k = b.k qualify count(*) over () = 1",
            [(2, 5, "x")],
        ),
        (
            "select * from a join (select 2 as j, 'x' as z) as b on a.k = b.j qualify count(*) over () = 1",
            [(2, 5, 2, "x")],
        ),
        (
            "select k, count(*) as n from a group by k qualify row_number() over (order by count(*) desc) = 1",
            [(1, 2)],
        ),
        ("with q as (select * from a qualify count(*) over (partition by k) = 1) select * from q", [(2, 5)]),
        ("select distinct k from a qualify count(*) over (partition by k) > 1 order by k limit 5", [(1,)]),
        ("select v + 1 from a qualify max(v) over () = v", [(21,)]),
        ("select * from (select * from a qualify max(v) over () = v) as x", [(1, 20)]),
    ],
)
def test_qualify_returns_the_selected_columns(stand_in: StandIn, query: str, answer: list[tuple[Any, ...]]) -> None:
    stand_in.execute("create table a (k int, v int)")
    stand_in.execute("insert into a values (1, 10), (1, 20), (2, 5)")
    assert sorted(stand_in.execute(query)) == answer
    stand_in.execute(f"create table b as {query}")
    assert sorted(stand_in.execute("select * from b")) == answer


def test_qualify_leaves_the_type_varbyte_as_it_is(stand_in: StandIn) -> None:
    stand_in.execute("create table a as select cast('a' as varbyte(8)) as x, 1 as k")
    stand_in.execute(
        "create table b as select cast(x as varbyte) as x, cast(x as varbyte(4)) as y from a as s"
        " qualify row_number() over (order by k) = 1"
    )
    types = "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'b'::regclass and attnum > 0"
    assert [name for (name,) in stand_in.execute(types)] == ["varbyte", "varbyte(4)"]


@pytest.mark.parametrize(
    "text", ["create index", "on conflict", "a; b", "getdate()", "-- no comment", "/* no */", "it''s"]
)
def test_words_inside_strings_mean_nothing(stand_in: StandIn, text: str) -> None:
    assert stand_in.execute(f"select '{text}'") == [(text.replace("''", "'"),)]


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r"'a\\b'", "a\\b"),
        (r"'a\'b; drop'", "a'b; drop"),
        (r"'\n\t\x\101'", "\n\txA"),
        (r"'a\\'", "a\\"),
        (r"'\'\''", "''"),
        (r"E'a\\b\n'", "a\\b\n"),
        (r"'[[:alpha:]]\\d+'", "[[:alpha:]]\\d+"),
        (r"$$a\n$$", r"a\n"),
    ],
)
def test_a_backslash_escapes_in_strings(stand_in: StandIn, literal: str, value: str) -> None:
    assert stand_in.execute(f"select {literal}") == [(value,)]
    assert stand_in.execute(f"select 1 as x, x as y, {literal} as z") == [(1, 1, value)]
    qualified = f"select {literal} as z from (select 1 as x) as q qualify count(*) over () = 1"
    assert stand_in.execute(qualified) == [(value,)]


@given(st.text(alphabet=st.sampled_from("\\'ab\n%é;-")))
@hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_what_psycopg2_quotes_is_unchanged(stand_in: StandIn, text: str) -> None:
    with stand_in.connection.cursor() as cursor:
        cursor.execute("select %s, %s", (text, 1))
        assert cursor.fetchall() == [(text, 1)]


def test_attributes_of_tables_are_shown(stand_in: StandIn) -> None:
    stand_in.execute(
        'create table a ("id" int encode az64, d date) diststyle key distkey ("id") compound sortkey (d, "id")'
    )
    stand_in.execute("create table b (id bigint identity(1, 1), x int distkey sortkey, primary key (id))")
    stand_in.execute("create table c backup no diststyle all as select 1 as x")
    stand_in.execute("insert into b (x) values (5), (5)")

    info = 'select "table", diststyle, sortkey1, sortkey_num from svv_table_info where "schema" = \'t\' order by 1'
    assert stand_in.execute(info) == [
        ("a", "KEY(id)", "d", 2),
        ("b", "KEY(x)", "x", 1),
        ("c", "ALL", "AUTO(SORTKEY)", 0),
    ]


def test_keys_are_information_only(stand_in: StandIn) -> None:
    stand_in.execute("create table a (x int primary key, y int unique, constraint k unique (x, y))")
    stand_in.execute("insert into a values (1, 1), (1, 1)")
    assert stand_in.execute("select count(*) from a") == [(2,)]


def test_several_statements_in_one_string_are_each_rewritten() -> None:
    two = read("select ';'; /* ; */ select 2 -- ;\n; ;")
    assert [one.source for one in two] == ["select ';'", "/* ; */ select 2 -- ;"]
    assert [one.sql for one in two] == ["select ';'", "select 2"]
    assert rewrite("select sysdate; select nvl(1, 2)") == 'select rs."timestamp"();\nselect coalesce(1, 2)'


@given(st.text(alphabet=st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
def test_the_inside_of_a_string_never_changes(text: str) -> None:
    quoted = "'" + text.replace("\\", r"\\").replace("'", "''") + "'"
    assert rewrite(f"select {quoted} as x, nvl(1, 2)") == f"select {quoted} as x, coalesce(1, 2)"


@given(st.lists(st.sampled_from(["'", '"', "--", "/*", "*/", "\n", ";", "$$", "a", " ", "\\", "''"])).map("".join))
def test_masking_and_unmasking_is_the_identity(sql: str) -> None:
    assert Statement(*mask(sql)).sql == sql


@given(st.text(max_size=60))
def test_rewriting_ends_in_a_statement_or_an_error_of_redshifts(sql: str) -> None:
    with suppress(RedshiftError):
        assert isinstance(rewrite(sql), str)
