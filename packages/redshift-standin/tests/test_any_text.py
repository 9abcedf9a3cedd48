"""Any text as a statement: rewritten or refused, in time that grows with its length, and read as by PostgreSQL."""

import os
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg2
import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import errors

from redshift_standin.copy.options import mask_keys, transfers
from redshift_standin.copy.statement import parse as parse_copy
from redshift_standin.copy.unload_statement import parse as parse_unload
from redshift_standin.errors import RedshiftError
from redshift_standin.server.history import query_type
from redshift_standin.sql.names import fold, fold_text
from redshift_standin.sql.questions import Questions
from redshift_standin.sql.rewrite import rewrite_statement
from redshift_standin.sql.rows import split_rows
from redshift_standin.sql.statement import read
from redshift_standin.sql.text import HIDDEN
from redshift_standin.sql.tree import change_tree
from stand_in import StandIn

# How many times as many cases as usual the test draws that is marked `soak`.
SOAK = int(os.environ.get("SOAK") or 1)

PIECES = (
    "select", "insert into", "values", "create table", "view", "as", "from", "where", "cast(", "::regclass", "delete",
    "copy", "merge into", "using", "when matched then", "alter table", "add column", "qualify", "with", "rs", ".",
    "exclude (", "group by all", "pivot (", "decode(", "listagg(", "top 3", "show tables from schema", "set", "=",
    "query_group", "encode", "distkey", "sortkey (", "identity(1,1)", "primary key", "references", "returning",
    "numeric", "varchar(max)", "'", '"', "\\", "''", "e'", "$$", "$a$", "$1", "/*", "*/", "--", "\n", "\r", ";", ",",
    "(", ")", "[", "]", "{", "}", "a", "b", "#t", "é", "\u00a0", "\u20ac", "\0", "1", "1.5", "null", "datediff(",
    "*", "day",
    "unload ('", "to 's3://b/k'", "iam_role default", "(+)", "unpivot (", "for x in (", "on", "join", "left join",
    "/", "::numeric(9,2)", "create materialized view", "grant", "to role", "partition by", "order by",
    "interval '1 day'", "convert(int,", "try_cast(", "create function f() returns int as $$", "language sql",
    "declare c cursor for",
    "explain", "at time zone", "constraint", "create user", "password 'a'", "in (select",
    "with no schema binding", "/*rs:", "refresh materialized view", "case when", "end", "over (", "select 1;",
)  # fmt: skip
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join),
                  st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.text(max_size=200))  # fmt: skip


def run_passes(sql: str) -> str:
    """Runs all passes over a text; returns the statement for PostgreSQL, empty for one that is refused."""
    with suppress(RedshiftError):
        brief, rows = split_rows(sql)
        mask_keys(sql)
        statements = read(brief)
        if len(statements) == 1 and (kind := transfers(statements[0])):
            parse_copy(sql) if kind == "copy" else parse_unload(sql)
            return ""
        for one in statements:
            query_type(one.text)
        questions = Questions(lambda _: True, lambda _: ["a"], decimals)
        return ";\n".join(change_tree(rewrite_statement(fold(one)[0]), questions).sql for one in statements) + rows
    return ""


def decimals(query: str) -> list[tuple[int, int]]:
    """Returns the ids of the types of a query's columns, all numeric, and their modifiers."""
    return [(1700, 4 + 2 + (9 << 16))] * len(sqlglot.parse_one(query, read="postgres").selects)


@settings(max_examples=200)
@given(TEXTS)
def test_any_text_is_rewritten_or_refused(sql: str) -> None:
    run_passes(sql)


@pytest.mark.soak
@settings(max_examples=2000 * SOAK)
@given(TEXTS)
def test_many_texts_are_rewritten_or_refused(sql: str) -> None:
    run_passes(sql)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS)
def test_the_session_lives_after_any_text(stand_in: StandIn, sql: str) -> None:
    with suppress(psycopg2.Error, ValueError), stand_in.connection.cursor() as cursor:
        cursor.execute(sql)
    stand_in.execute("rollback")
    assert stand_in.execute("select 1") == [(1,)]


# Texts of n pieces that lead a pattern astray which reads them again and again.
ADVERSARIES: dict[str, Callable[[int], str]] = {
    "quotes": lambda n: "select " + "'" * (2 * n + 1),
    "escaped quotes": lambda n: "select '" + "\\'" * n,
    "unclosed names": lambda n: "select " + '"a' * (2 * n + 1),
    "comments": lambda n: "/*" * n,
    "closed comments": lambda n: "/**/" * n + "select 1",
    "closed comments before a setting": lambda n: "/* */ " * n + "set query_groups to a",
    "comments before show": lambda n: "/* */ " * n + "show tables from schema t limit x",
    "dollar quotes": lambda n: "select " + " ".join(f"$a{k}$" for k in range(n)),
    "casts": lambda n: "select " + "cast(" * n,
    "nested casts": lambda n: "select " + "cast(" * n + "1" + " as int)" * n,
    "parentheses": lambda n: "create table t " + "(a " * n,
    "commas": lambda n: "create table t (a int" + ", a int" * n + ")",
    "from": lambda n: "select " + "from a, b " * n,
    "insert": lambda n: "select returning " + "insert " * n,
    "tables": lambda n: "create " + "table " * n,
    "add": lambda n: "alter table t " + "add " * n,
    "words": lambda n: "select " + "a" * n,
    "blanks": lambda n: "select " + " " * n + "1",
    "paths": lambda n: "select " + ", ".join(f"t{k}.a.b" for k in range(n)),
    "columns": lambda n: "select " + ", ".join(f"a{k} as b{k}" for k in range(n)) + " from t",
    "statements": lambda n: "select 1;" * n,
    "rows": lambda n: "insert into t values " + ",".join(["(1, 'a', null)"] * n),
    "rows with a call": lambda n: "insert into t values " + ",".join(["(1, 'a', getdate())"] * n),
    "unclosed rows": lambda n: "insert into t values " + ",".join(["(1, 'a', null)"] * n) + ",(",
    "when": lambda n: "merge into a using b on " + "when " * n,
    "set": lambda n: "set " + "session " * n,
    "dots": lambda n: "select * from " + "a." * n + "a",
    "brackets": lambda n: "select a" + "[0]" * n,
    "late view": lambda n: "create view a.b as select " + "x, " * n + "1 from c.d with no schema binding",
    "copy": lambda n: "copy t from 's3://a/b' " + "delimiter " * n,
    "copies": lambda n: "select " + "copy " * n,
    "copies with comments": lambda n: "copy password " + "/*" * n,
    "copies with quotes": lambda n: "copy password '" + "\\'" * n,
    "unload": lambda n: "unload ('select 1') to 's3://a/b' " + "parallel " * n,
    "outer joins": lambda n: "select * from a, b where a.x = b.x(+)" + " and a.x = b.x(+)" * n,
    "pivots": lambda n: "select * from a pivot (sum(a) for b in (1" + ", 1" * n + "))",
    "divisions": lambda n: "select 1.5" + " / 2.5" * n,
    "windows": lambda n: "select " + ", ".join(["sum(a) over (partition by b order by c)"] * n) + " from t",
    "open windows": lambda n: "select " + "sum(a) over (" * n,
    "conversions": lambda n: "select " + "convert(int, " * n,
    "arrays": lambda n: "select " + ", ".join(["array(1, a)"] * n),
    "try casts": lambda n: "select " + "try_cast(a as int), " * n + "1",
    "keys": lambda n: "create table t (a int" + ", b int primary key" * n + ")",
    "encodings": lambda n: "create table t (a int" + ", b int encode zstd" * n + ")",
    "grants": lambda n: "grant " + "select, " * n + "select on t to role r",
    "users": lambda n: "create user u " + "password " * n,
    "time zones": lambda n: "select a" + " at time zone 'utc'" * n,
    "parameters": lambda n: "set enable_result_cache_for_session to " + "/* */ " * n + "off",
    "explain": lambda n: "explain " * n + "select 1",
    "function": lambda n: "create function f() returns int stable as $$ select " + "1 as " * n + "$$ language sql",
    "subqueries": lambda n: "select a from t where " + " and ".join(["a in (select b from u where u.a = t.a)"] * n),
}


@pytest.mark.parametrize("name", ADVERSARIES)
def test_the_work_grows_with_the_length(name: str) -> None:
    def work(size: int) -> float:
        sql = ADVERSARIES[name](size)
        times = []
        for _ in range(3):
            begun = time.process_time()
            run_passes(sql)
            times.append(time.process_time() - begun)
        return min(times)

    # Ten times the length: linear work takes ten times as long, quadratic work a hundred times.
    assert work(2000) < 40 * work(200) + 0.02


@pytest.mark.parametrize(
    ("sql", "hidden"),
    [
        ("a 'b\\'c' d", ["'b\\'c'"]),
        ("/* /* */ ' */ x /* ' */", ["/* /* */ ' */", "/* ' */"]),
        ("-- x\ry 'z'", ["-- x", "'z'"]),
        ("a$b$ c $d$ e $d$", ["$d$ e $d$"]),
        ("\u20ac$$ a", []),
        ("$1$2 'a'", ["'a'"]),
        ('x "a""b" y', ['"a""b"']),
    ],
)
def test_text_is_read_as_postgresql_reads_it(sql: str, hidden: list[str]) -> None:
    assert [found[0] for found in HIDDEN.finditer(sql)] == hidden


def test_digits_before_a_string_are_no_mark() -> None:
    assert [one.sql for one in read("select 1;1'a'")] == ["select 1", "1'a'"]


def test_only_e_before_a_string_lets_postgresql_read_its_escapes() -> None:
    assert fold_text(r"select a_e'\' ; x; --'")[0] == "select a_e''' ; x; --'"
    assert fold_text(r"select e'\' ; x; --'")[0] == r"select e'\' ; x; --'"


@pytest.mark.parametrize("sql", ["'a", "'a\\", '"a', "/* a /* b */", "$$ a", "$a$ $b$"])
def test_what_is_not_closed_is_an_error(stand_in: StandIn, sql: str) -> None:
    with pytest.raises(errors.SyntaxError, match="unterminated"):
        stand_in.execute(f"select {sql}")


def test_long_inserts_have_all_their_rows(stand_in: StandIn) -> None:
    stand_in.execute("create table a (x int, y varchar(20), z numeric(9,2))")
    rows = ", ".join(rf"({n}, 'it''s \\ {n}', {n}.25)" for n in range(20_000))
    insert = f"insert into t.a (x, y, z) values {rows}"
    stand_in.execute(f"{insert};")
    assert stand_in.execute("select count(*), sum(x), max(y), sum(z) from a") == [
        (20_000, 199_990_000, "it's \\ 9999", 199_995_000)
    ]
    stand_in.execute(f"insert into a (x) values {', '.join(['(1), (length(getdate()::varchar))'] * 1000)}")
    assert stand_in.execute("select count(*) from a where y is null") == [(2000,)]
    longest = "select max(length(query_text)) from sys_query_history where query_type = 'INSERT'"
    assert stand_in.execute(longest) == [(len(insert),)]


def test_rows_are_split_off_where_no_pass_reads_them() -> None:
    rows = ", (2, 'b;', null)" * 2000
    first = "insert into a values (1, '(', -1.5e3)"
    assert split_rows(first + rows) == (first, rows)
    for other in (", (getdate())", ", (default)", ", (x'1')", "; select 1", ", ('a' 'b')"):
        sql = f"insert into a values (1){rows}{other}"
        assert split_rows(sql) == (sql, "")
