"""CREATE FUNCTION in SQL."""

import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.rewrite import rewrite
from stand_in import StandIn


def test_a_body_is_redshifts(stand_in: StandIn) -> None:
    stand_in.execute(
        "create or replace function f_next(date, int) returns varchar stable as $$"
        " select nvl2($1, dateadd(day, $2, $1)::date::varchar, 'it''s null') $$ language sql"
    )
    assert stand_in.execute("select f_next('2020-01-31', 1), f_next(null, 1)") == [("2020-02-01", "it's null")]
    stand_in.execute("drop function f_next(date, int)")


def test_a_body_between_quotes(stand_in: StandIn) -> None:
    stand_in.execute(
        "create function f_say(varchar) returns varchar immutable language sql as 'select ''say '' || $1;'"
    )
    assert stand_in.execute("select f_say('so')") == [("say so",)]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("create function f(a int) returns int stable as $$ return a $$ language plpythonu", "^stand-in: "),
        ("create function f() returns int stable as $$ select 1 from t $$ language sql", "without FROM"),
        ("create function f() returns int stable as $$ delete from t $$ language sql", "without FROM"),
        ("create function f() returns text stable as $$ select pg_read_file('x') $$ language sql", "server's files"),
    ],
)
def test_what_a_body_may_not_have(statement: str, message: str) -> None:
    with pytest.raises(RedshiftError, match=message):
        rewrite(statement)
