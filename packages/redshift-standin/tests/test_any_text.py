"""Any text as a statement: rewritten or refused, in time that grows with its length, and read as by PostgreSQL."""

import os
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import errors

from redshift_standin.errors import RedshiftError
from redshift_standin.server.history import query_type
from redshift_standin.sql.lateral import expand_aliases
from redshift_standin.sql.names import fold
from redshift_standin.sql.rewrite import rewrite
from redshift_standin.sql.rows import split_rows
from redshift_standin.sql.stars import expand_stars
from redshift_standin.sql.text import HIDDEN, statements
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
    "with no schema binding", "/*rs:", "refresh materialized view", "case when", "end", "over (", "select 1;",
)  # fmt: skip
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join),
                  st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.text(max_size=200))  # fmt: skip


def run_passes(sql: str) -> str:
    """Runs all passes over a text; returns the statement for PostgreSQL, empty for one that is refused."""
    with suppress(RedshiftError):
        brief, rows = split_rows(sql)
        statements(brief)
        query_type(sql)
        new = rewrite(fold(brief)[0])
        return expand_aliases(expand_stars(new, lambda _: ["a"]), lambda _: True) + rows
    return ""


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
    assert statements("select 1;1'a'") == ["select 1", "1'a'"]


def test_only_e_before_a_string_lets_postgresql_read_its_escapes() -> None:
    assert fold(r"select a_e'\' ; x; --'")[0] == "select a_e''' ; x; --'"
    assert fold(r"select e'\' ; x; --'")[0] == r"select e'\' ; x; --'"


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
