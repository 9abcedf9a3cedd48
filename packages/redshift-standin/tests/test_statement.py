"""A statement is read once: what its code, its tokens and its words are, and how passes change it."""

import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.choices import choose
from redshift_standin.sql.late_views import LateViews
from redshift_standin.sql.names import fold
from redshift_standin.sql.rewrite import rewrite, translate
from redshift_standin.sql.statement import Statement, read
from redshift_standin.sql.top import limit


def one(sql: str) -> Statement:
    (statement,) = read(sql)
    return statement


def test_code_has_marks_and_no_comments() -> None:
    statement = one("/* a; */ SELECT \"B\", 'c;' -- d\n from $$e$$ ;")
    assert statement.text == "select , from"
    assert statement.words == "select \"\" , '' from ''"
    assert statement.sql == "SELECT \"B\", 'c;'  \n from $$e$$"
    assert statement.source == "/* a; */ SELECT \"B\", 'c;' -- d\n from $$e$$"


def test_statements_of_a_script_have_their_own_marks() -> None:
    first, second = read("select 'a', 'b'; select 'c'")
    assert (first.hidden, second.hidden) == (("'a'", "'b'"), ("'c'",))
    assert second.code == "select \0000\0"


def test_what_a_change_quotes_is_hidden() -> None:
    changed = one("select f('a')").change(lambda code: code.replace("f(", "\"f; g\"(';', "))
    assert changed.text == "select ( , )"
    assert changed.sql == "select \"f; g\"(';', 'a')"


def test_a_quote_around_a_mark_has_what_the_mark_stands_for() -> None:
    changed = one('select "a"').change(lambda code: f"call f($rs${code}$rs$)")
    assert changed.sql == 'call f($rs$select "a"$rs$)'
    assert changed.change(str.upper).sql == 'CALL F($rs$select "a"$rs$)'


def test_lowercase_code_has_the_length_of_the_code() -> None:
    assert len(one("select İ as A").lower) == len("select İ as A")


def test_a_word_inside_of_another_is_not_had() -> None:
    assert not one("select rollover").has("over", "roll")
    assert one("select sum(a) OVER ()").has("over")


def test_comments_between_words_do_not_hide_them() -> None:
    assert rewrite("select avg/* a */(x), nvl -- b\n (1, 2)") == "select rs.avg(x), coalesce(1, 2)"


def test_a_client_cannot_write_the_catalogues_comment() -> None:
    assert "rs:" not in rewrite('create table a (b int) /*rs:{"diststyle": "ALL"}*/')


@pytest.mark.parametrize("sql", ["select 'a", "/* a", "select 1 /* a /* b */", 'select "a'])
def test_what_is_not_closed_is_an_error(sql: str) -> None:
    with pytest.raises(RedshiftError, match="unterminated"):
        fold(read(sql)[-1])


def test_what_was_translated_is_kept_for_the_same_text_alone() -> None:
    assert translate(one("select nvl(1, 2)"))[0] is translate(one("select nvl(1, 2)"))[0]
    assert translate(one("select nvl(1, '2')"))[0].sql == "select coalesce(1, '2')"
    assert translate(one("select nvl(1, '3')"))[0].sql == "select coalesce(1, '3')"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select nvl2(a, b, c)", "select case when a is not null then b else c end"),
        ("select decode(a, 1, 'x', null, 'y')", "select case when a = 1 then 'x' when a is null then 'y' end"),
        ("select decode(a, b, 1, 0)", "select case when (a = b or (a is null and b is null)) then 1 else 0 end"),
        ("select decode(a + 1, 'x', 1, 0)", "select case when (a + 1) = 'x' then 1 else 0 end"),
        ("select decode(a, 'hex')", "select decode(a, 'hex')"),
        (
            "select nvl2(decode(a, 1, b), (1), f(2, 3))",
            "select case when (case when a = 1 then b end) is not null then (1) else f(2, 3) end",
        ),
        ("select decode(a, 1, nvl2(", "select decode(a, 1, nvl2("),
    ],
)
def test_choices_become_case(sql: str, expected: str) -> None:
    assert choose(one(sql)).sql == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select top 3 a from t order by a", "select a from t order by a limit 3"),
        ("select distinct top 3 a from t", "select distinct a from t limit 3"),
        (
            "insert into t select * from (select top 1 a from t) q where a in (select top 2 b from u)",
            "insert into t select * from (select a from t limit 1) q where a in (select b from u limit 2)",
        ),
        (
            "select top 1 a from t union all select 2 order by 1",
            "(select a from t limit 1) union all select 2 order by 1",
        ),
        (
            "select 2 union select top 1 a from (select 1 order by 1) t order by 1",
            "select 2 union (select a from (select 1 order by 1) t limit 1) order by 1",
        ),
    ],
)
def test_top_becomes_limit(sql: str, expected: str) -> None:
    assert " ".join(limit(one(sql)).sql.split()) == expected


class Connection:
    """A connection to a database with the late-binding views `w` and `my-view`."""

    def cursor(self) -> "Connection":
        """Returns itself, which is its cursor."""
        return self

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, _: str) -> None:
        """Runs nothing."""

    def fetchall(self) -> list[tuple[str]]:
        """Returns the names of the views."""
        return [("w",), ("my-view",)]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select 1 from a where b = 'wx'", None),
        ("select * from t.w", "array['w']"),
        ("select * from W", "array['w']"),
        ("select has_table_privilege('t.w', 'select')", "array['w']"),
        ('select * from "my-view"', "array['my-view']"),
        ("select * from pg_get_late_binding_view_cols() cols (s name)", "array['my-view', 'w']"),
    ],
)
def test_late_views_are_found_by_their_words(sql: str, found: str | None) -> None:
    question = LateViews(Connection()).refresh_query(sql)  # type: ignore[arg-type]
    assert question == (f"select rs.freshen({found})" if found else None)
