"""MERGE: the forms that Redshift has, and those that it refuses."""

from typing import Any

import psycopg2
import pytest

from stand_in import StandIn

MATCHED = "when matched then update set nome = s.nome"
NOT_MATCHED = "when not matched then insert (id, nome) values (s.id, s.nome)"


@pytest.fixture
def tables(stand_in: StandIn) -> StandIn:
    """`m` with the rows 1 (twice) and 9, `s` with 1 and 2."""
    for name in ("m", "s"):
        stand_in.execute(f"create table {name} (id int, nome varchar(10))")
    stand_in.execute("insert into m values (1, 'velho'), (1, 'repetido'), (9, 'fica')")
    stand_in.execute("insert into s values (1, 'novo'), (2, 'dois')")
    return stand_in


@pytest.mark.parametrize(
    ("clauses", "answer"),
    [
        (f"{MATCHED} {NOT_MATCHED}", [(1, "novo"), (1, "novo"), (2, "dois"), (9, "fica")]),
        (f"when matched then delete {NOT_MATCHED}", [(2, "dois"), (9, "fica")]),
        ("when matched then delete when not matched then insert values (s.id, s.nome)", [(2, "dois"), (9, "fica")]),
        ("remove duplicates", [(1, "novo"), (2, "dois"), (9, "fica")]),
    ],
)
@pytest.mark.parametrize("source", ["s", "t.s as s", "t.s s"])
def test_merge_changes_the_target(tables: StandIn, source: str, clauses: str, answer: list[tuple[Any, ...]]) -> None:
    tables.execute(f"merge into t.m using {source} on t.m.id = s.id {clauses}")
    assert tables.execute("select id, nome from m order by id, nome") == answer


def test_the_form_of_dbt_without_a_key(tables: StandIn) -> None:
    tables.execute(f'merge into "dev"."t"."m" using "s" as s on (FALSE) {NOT_MATCHED}')
    assert tables.execute("select count(*) from m") == [(5,)]


@pytest.mark.parametrize("clauses", [f"{MATCHED} {NOT_MATCHED}", "remove duplicates"])
def test_two_rows_of_the_source_for_one_of_the_target(tables: StandIn, clauses: str) -> None:
    tables.execute("insert into s values (1, 'outro')")
    with pytest.raises(psycopg2.Error, match="Found multiple matches to update the same tuple"):
        tables.execute(f"merge into m using s on m.id = s.id {clauses}")
    assert tables.execute("select count(*) from m") == [(3,)]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (f"merge into m as z using s on z.id = s.id {MATCHED} {NOT_MATCHED}", 'syntax error at or near "as"'),
        (f"merge into m z using s on z.id = s.id {MATCHED} {NOT_MATCHED}", 'syntax error at or near "z"'),
        (f"merge into m using (select * from s) s on m.id = s.id {MATCHED} {NOT_MATCHED}", "source must be a table"),
        (f"merge into m using s on m.id = s.id when matched and s.id > 1 then delete {NOT_MATCHED}", 'near "AND"'),
        (f"merge into m using s on m.id = s.id {MATCHED} when matched then delete {NOT_MATCHED}", 'near "WHEN"'),
        (f"merge into m using s on m.id = s.id {NOT_MATCHED} {MATCHED}", 'near "WHEN"'),
        (f"merge into m using s on m.id = s.id {MATCHED}", 'near "WHEN"'),
        (f"merge into m using s on m.id = s.id when matched then do nothing {NOT_MATCHED}", 'near "DO"'),
        (f"merge into m using s on m.id = s.id {MATCHED} when not matched by source then delete", 'near "BY"'),
        (f"merge into m using s on m.id = s.id {MATCHED} {NOT_MATCHED} returning *", 'near "RETURNING"'),
    ],
)
def test_a_form_that_redshift_lacks_is_refused(tables: StandIn, statement: str, message: str) -> None:
    with pytest.raises(psycopg2.Error) as refused:
        tables.execute(statement)
    assert message in str(refused.value)
    assert tables.execute("select count(*) from m where nome = 'novo'") == [(0,)]
