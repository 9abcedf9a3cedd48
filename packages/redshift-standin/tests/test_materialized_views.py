"""Materialized views: their data, their catalogue and the statements about them."""

import psycopg2
import pytest

from redshift_standin.sql.ddl import split_attributes
from stand_in import StandIn


@pytest.fixture
def view(stand_in: StandIn) -> StandIn:
    stand_in.execute("create table base (id int, value varchar(10))")
    stand_in.execute("insert into base values (1, 'a'), (2, 'b')")
    stand_in.execute(
        "/* dbt */ create materialized view mv backup no diststyle key distkey (id) sortkey (id) auto refresh no"
        " as (select * from base)"
    )
    return stand_in


def _stale(stand_in: StandIn) -> str:
    [(stale,)] = stand_in.execute("select is_stale from svv_mv_info where schema_name = 't' and name = 'mv'")
    return str(stale)


@pytest.mark.parametrize(
    "change",
    ["insert into base values (3, 'c')", "delete from base where id = 1", "update base set value = 'z' where id = 1"],
)
def test_data_is_that_of_the_last_refresh(view: StandIn, change: str) -> None:
    assert _stale(view) == "f"
    view.execute(change)
    assert _stale(view) == "t"
    assert view.execute("select * from mv order by id") == [(1, "a"), (2, "b")]
    view.execute("refresh materialized view mv")
    assert _stale(view) == "f"
    assert view.execute("select * from mv order by id") == view.execute("select * from base order by id")


def test_refresh_of_a_table(view: StandIn) -> None:
    with pytest.raises(psycopg2.Error, match='"base" is not a materialized view'):
        view.execute("refresh materialized view base")


def test_auto_refresh_is_altered(view: StandIn) -> None:
    question = "select autorefresh from stv_mv_info where schema = 't' and name = 'mv'"
    assert view.execute(question) == [("f",)]
    with view.connection.cursor() as cursor:
        cursor.execute("alter materialized view t.mv auto refresh yes")
        assert cursor.statusmessage == "ALTER MATERIALIZED VIEW"
    assert view.execute(question) == [("t",)]


def test_command_tag(stand_in: StandIn) -> None:
    with stand_in.connection.cursor() as cursor:
        cursor.execute("/* dbt */ create materialized view mv as select 1 as one")
        assert cursor.statusmessage == "CREATE MATERIALIZED VIEW"


def test_catalogue(view: StandIn) -> None:
    [(definition,)] = view.execute("select definition from pg_views where schemaname = 't'")
    assert definition.startswith("create materialized view mv backup yes diststyle key auto refresh no as SELECT id")
    assert view.execute("select view_definition from information_schema.views where table_schema = 't'") == [
        (definition,)
    ]
    assert view.execute("select pg_get_viewdef('t.mv'::regclass, false)") == [(definition,)]
    assert view.execute(
        "select table_name, table_type from information_schema.tables where table_schema = 't' order by 1"
    ) == [("base", "BASE TABLE"), ("mv", "VIEW")]
    assert view.execute("select relname, relkind from pg_class where relname like 'mv%' order by 1") == [
        ("mv", "v"),
        ("mv_tbl__mv__0", "r"),
    ]
    assert view.execute(
        "select a.attname, a.attisdistkey, a.attsortkeyord from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relname = 'mv_tbl__mv__0' and a.attnum > 0 order by a.attnum"
    ) == [("id", True, 1), ("value", False, 0)]
    assert view.execute("select diststyle, sortkey1 from svv_table_info where \"table\" = 'mv'") == [
        ("KEY(id)", "id")
    ]


def test_view_on_a_view(view: StandIn) -> None:
    view.execute("create materialized view above as select count(distinct id) as n from mv")
    assert view.execute(
        "select trim(name), trim(dependent_name) from svv_mv_dependency where schema_name = 't'"
    ) == [("above", "mv")]  # fmt: skip
    with pytest.raises(psycopg2.Error, match="depends on"):
        view.execute("drop materialized view mv")
    view.execute("drop materialized view if exists mv cascade")
    assert view.execute("select count(*) from svv_mv_info where schema_name = 't'") == [(0,)]


def test_comment(view: StandIn) -> None:
    view.execute("comment on view mv is 'it''s; fresh'")
    assert view.execute("select obj_description('t.mv'::regclass, 'pg_class')") == [("it's; fresh",)]
    view.execute("create view plain as select 1 as one")
    view.execute("comment on view plain is null")


@pytest.mark.parametrize(
    ("query", "state"),
    [
        ("select a, sum(b) from t join u using (a) group by a", 1),
        ("select a from t left join u using (a)", 0),
        ("select a from t union all select a from u", 0),
        ("select count(distinct a) from t", 0),
        ("select a, getdate() as at from t", 0),
        ("select a from t where a in (select a from u)", 0),
        ("select a from (select a from t) x", 1),
    ],
)
def test_state(query: str, state: int) -> None:
    assert split_attributes(f"create materialized view v as {query}")[1]["mv"] == state


def test_external_tables_do_not_exist(view: StandIn) -> None:
    view.execute("drop external table if exists t.nothing cascade")
    with pytest.raises(psycopg2.Error, match='"base" is not an external table'):
        view.execute("drop external table if exists base")
    with pytest.raises(psycopg2.Error, match=r'table "t\.nothing" does not exist'):
        view.execute("drop external table t.nothing")
