"""SET, RESET, SHOW and CURRENT_SETTING of Redshift's parameters."""

import psycopg2
import pytest

from redshift_standin.errors import RedshiftError
from redshift_standin.sql.parameters import PARAMETERS
from redshift_standin.sql.rewrite import rewrite
from stand_in import StandIn


def test_each_parameter_has_a_default(stand_in: StandIn) -> None:
    shown = {name for (name, _) in stand_in.execute("show all")}
    assert shown == PARAMETERS | {"datestyle", "extra_float_digits", "search_path", "statement_timeout", "timezone"}


def test_a_parameter_is_set_shown_and_reset(stand_in: StandIn) -> None:
    assert stand_in.execute("show query_group") == [("default",)]
    stand_in.execute("set query_group to '6 p.m.'")
    assert stand_in.execute("show query_group") == [("6 p.m.",)]
    assert stand_in.execute("select current_setting('query_group') as value") == [("6 p.m.",)]
    stand_in.execute("reset query_group")
    assert stand_in.execute("select current_setting('query_group')") == [("default",)]
    stand_in.execute("set session wlm_query_slot_count = 3")
    stand_in.execute("reset all")
    assert stand_in.execute("show wlm_query_slot_count") == [("1",)]


def test_the_result_is_named_after_the_parameter(stand_in: StandIn) -> None:
    with stand_in.connection.cursor() as cursor:
        cursor.execute("SHOW Query_Group")
        assert [column.name for column in cursor.description or ()] == ["query_group"]


def test_the_search_path(stand_in: StandIn) -> None:
    stand_in.execute("reset search_path")
    assert stand_in.execute("show search_path") == [("$user, public",)]
    stand_in.execute("set search_path to '$user', public, enterprise")
    assert stand_in.execute("show search_path") == [('"$user", public, enterprise',)]


@pytest.mark.parametrize(
    "statement",
    [
        "set timezone to '-8:00'",
        "set time zone '-8:00'",
        "set timezone interval '-8 hours'",
        "set timezone = 'Etc/GMT+8'",
    ],
)
def test_an_offset_is_east_of_utc(statement: str, stand_in: StandIn) -> None:
    stand_in.execute(statement)
    assert stand_in.execute("select '2020-01-01 20:00:00+00'::timestamptz::varchar") == [("2020-01-01 12:00:00-08",)]


def test_variables_of_a_session(stand_in: StandIn) -> None:
    stand_in.execute("set app_context.user_id to 123")
    assert stand_in.execute("show app_context.user_id") == [("123",)]
    assert stand_in.execute("select current_setting('app_context.nothing', false)") == [(None,)]
    with pytest.raises(psycopg2.Error, match="unrecognized configuration parameter"):
        stand_in.execute("select current_setting('app_context.nothing')")


@pytest.mark.parametrize(
    "statement",
    [
        "set json_serialization_enable to true",
        "SET enable_case_sensitive_identifier = 'on'",
        "set navigate_super_null_on_error to off",
        "alter user awsuser set downcase_delimited_identifier to off",
        "set seed to 0.25",
        "show table t",
        "show view t.v",
    ],
)
def test_what_would_change_results_is_refused(statement: str) -> None:
    with pytest.raises(RedshiftError, match=r"^stand-in: "):
        rewrite(statement)


@pytest.mark.parametrize(
    ("statement", "rewritten"),
    [
        ("set json_serialization_enable to false", "set rs.json_serialization_enable to false"),
        ("/* c */ set local query_group to 'a;b'", "set local rs.query_group to 'a;b'"),
        ("alter user bob set query_group to 'x'", "alter user bob set rs.query_group to 'x'"),
        ("set enable_mergejoin = off", "set rs.enable_mergejoin = off"),
    ],
)
def test_postgres_keeps_the_values(statement: str, rewritten: str) -> None:
    assert rewrite(statement) == rewritten
