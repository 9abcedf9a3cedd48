"""Views WITH NO SCHEMA BINDING read the relations that have the names in their text now."""

from collections.abc import Callable

import psycopg2
import pytest
import redshift_connector

from stand_in import StandIn


@pytest.fixture
def view(stand_in: StandIn) -> StandIn:
    """The stand-in with a late-binding view `v` of all columns of the table `a`, and a grant on it."""
    stand_in.execute("create table a as select 1 as x")
    stand_in.execute("create view v as select * from t.a with no schema binding")
    stand_in.execute("grant select on v to public")
    return stand_in


def swap(stand_in: StandIn, query: str) -> None:
    """Runs what dbt sends when it rebuilds a table."""
    stand_in.execute(f'begin; create table "dev"."t"."a__dbt_tmp" as ({query})')
    stand_in.execute('alter table "dev"."t"."a" rename to "a__dbt_backup"')
    stand_in.execute('alter table "dev"."t"."a__dbt_tmp" rename to "a"; commit')
    stand_in.execute('drop table if exists "dev"."t"."a__dbt_backup" cascade')


@pytest.mark.parametrize("query", ["select 2 as x", "select 2.5::numeric(9, 1) as x", "select 2 as x, 3 as y"])
def test_a_table_that_dbt_swaps_is_read_in_its_new_form(view: StandIn, query: str) -> None:
    assert view.execute("select * from v") == [(1,)]
    swap(view, query)
    assert view.execute("select * from v") == view.execute(query)
    columns = (
        "select n from pg_get_late_binding_view_cols() cols (s name, v name, n name, t varchar, i int) where v = 'v'"
    )
    assert len(view.execute(columns)) == len(view.execute(query)[0])
    privileges = "select privilege_type from svv_relation_privileges where relation_name = 'v'"
    assert view.execute(privileges) == [("SELECT",)]


def test_a_view_that_dbt_swaps_is_read_in_its_new_form(view: StandIn) -> None:
    view.execute(
        'create view "dev"."t"."v__dbt_tmp" as (select x + 1 as z from "dev"."t"."a") with no schema binding'
    )
    view.execute('alter table "dev"."t"."v" rename to "v__dbt_backup"')
    view.execute('alter table "dev"."t"."v__dbt_tmp" rename to "v"')
    view.execute('drop view if exists "dev"."t"."v__dbt_backup" cascade')
    swap(view, "select 7 as x")
    assert view.execute("select z from v") == [(8,)]


def test_a_prepared_statement_sees_the_swap(
    view: StandIn, connect_like_dbt: Callable[..., redshift_connector.Connection]
) -> None:
    connection = connect_like_dbt()
    connection.autocommit = True
    cursor = connection.cursor()
    for answer in (1, 2):
        cursor.execute("select x from t.v")
        assert cursor.fetchall() == ([answer],)
        swap(view, "select 2 as x")


def test_relations_below_a_view_may_be_dropped_and_created(stand_in: StandIn) -> None:
    stand_in.execute("create view v as select x from t.a with no schema binding")
    stand_in.execute("create view w as select x + 1 as y from t.v with no schema binding")
    for answer in (5, 6):
        with pytest.raises(psycopg2.errors.UndefinedTable, match=r'relation "t\.a" does not exist'):
            stand_in.execute("select * from v")
        with pytest.raises(psycopg2.Error, match="does not exist"):
            stand_in.execute("select * from w")
        views = (
            "select table_name, view_definition like '%t.%' from information_schema.views where table_schema = 't'"
        )
        assert sorted(stand_in.execute(views)) == [("v", True), ("w", True)]
        stand_in.execute(f"create table a as select {answer} as x")
        assert stand_in.execute("select y from w") == [(answer + 1,)]
        stand_in.execute("drop table a")


def test_a_name_without_its_schema_is_refused(view: StandIn) -> None:
    view.execute("create or replace view v as with q as (select x from t.a) select x from q with no schema binding")
    with pytest.raises(psycopg2.Error, match="All the relation names inside should be qualified"):
        view.execute("create or replace view v as select x from a with no schema binding")
    with pytest.raises(psycopg2.errors.DuplicateTable):
        view.execute("create view v as select 1 as x with no schema binding")
    assert view.execute("select x from v") == [(1,)]
