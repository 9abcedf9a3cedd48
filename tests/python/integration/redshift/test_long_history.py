"""The queries of a raw table and its audit end after hundreds of loads, without statistics, on every engine."""

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import duckdb
import pyarrow as pa
import pytest

from extract.checks.audit import audit
from extract.transform.lineage import Models
from extract.warehouse.raw_tables import read_raw_table
from extract.warehouse.targets import Warehouse
from tests.python.helpers.declared import VENDA
from tests.python.helpers.redshift_target import RedshiftTarget

KEYS, LOADS = 105_000, 500
NEWEST = str(1000 + LOADS)
MODELS = Models("bronze.venda", "silver.venda", declared=(("bronze", "venda"), ("silver", "venda")))

# Autovacuum would collect statistics after a while.
TABLES = """
create schema raw_postgres; create schema ops; create schema bronze; create schema silver;
create table raw_postgres._dlt_loads (load_id varchar, schema_name varchar, status bigint) {options};
create table raw_postgres.venda (id_venda integer, _deleted boolean, _dlt_load_id varchar) {options};
create table raw_postgres.venda_dead_letter (_key_1 integer, key varchar, _dlt_load_id varchar) {options};
create table ops.extract_runs (
    run_id varchar, source varchar, table_name varchar, mode varchar, status varchar, rows_source bigint,
    rows_landed bigint, load_id varchar
) {options};
create table bronze.venda (id_venda integer, _dlt_load_id varchar) {options};
create table silver.venda (id_venda integer, _dlt_load_id varchar) {options};
"""


@dataclass(frozen=True)
class AnyWarehouse:
    """A warehouse that a function queries."""

    query: Callable[[str], list[tuple[Any, ...]]]

    def tables(self) -> set[tuple[str, str]]:
        """Returns schema and name of every table and view."""
        return set(self.query("select table_schema, table_name from information_schema.tables"))


class History:
    """Loads that change odd keys, delete even ones, bring half of those back, and have dead letters."""

    def __init__(self) -> None:
        self.loads: list[dict[int, str]] = [dict.fromkeys(range(1, KEYS + 1), "row")]
        half = KEYS // 2
        for n in range(2, LOADS + 1):
            events = {(n * 997 + i * 523) % half * 2 + 1: "row" for i in range(200)}
            if n % 2 == 0:
                events |= {(n * 601 + i * 1049) % half * 2 + 2: "deletion" for i in range(200)}
            else:
                deleted = [key for key, kind in self.loads[-1].items() if kind == "deletion"]
                events |= dict.fromkeys(deleted[:100], "row")
            if n % 10 == 0:
                events[n * 31 % half * 2 + 1] = "dead letter"
            self.loads.append(events)
        self.last = {key: (kind, n) for n, events in enumerate(self.loads, 1001) for key, kind in events.items()}

    def count(self, *kinds: str) -> int:
        """Returns the number of keys whose last version is of one of these kinds."""
        return sum(kind in kinds for kind, _ in self.last.values())

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Returns the rows of each table."""
        events = [(key, kind, str(n)) for n, events in enumerate(self.loads, 1001) for key, kind in events.items()]
        present = [(key, str(n)) for key, (kind, n) in self.last.items() if kind == "row"]
        at_source = self.count("row", "dead letter")
        runs = [
            (f"run {n}", "postgres", "venda", "xmin", "ok", at_source, len(events), str(n))
            for n, events in enumerate(self.loads, 1001)
        ]
        return {
            "raw_postgres._dlt_loads": [(str(1000 + n), "venda", 0) for n in range(1, LOADS + 1)],
            "raw_postgres.venda": [(key, None if kind == "row" else True, load) for key, kind, load in events],
            "raw_postgres.venda_dead_letter": [(key, str(key), load) for key, kind, load in events if "dead" in kind],
            "ops.extract_runs": runs,
            "bronze.venda": present,
            "silver.venda": present,
        }


@pytest.fixture(scope="module")
def history() -> History:
    return History()


@pytest.fixture
def local(history: History) -> Iterator[AnyWarehouse]:
    """The history in DuckDB."""
    with duckdb.connect() as connection:
        connection.execute(TABLES.format(options=""))
        for table, rows in history.rows().items():
            columns = pa.table(
                [list(values) for values in zip(*rows, strict=True)], [f"c{n}" for n in range(len(rows[0]))]
            )
            connection.register("arriving", columns)
            connection.execute(f"insert into {table} select * from arriving")
        yield AnyWarehouse(lambda sql: connection.execute(sql).fetchall())


@pytest.fixture
def stand_in(history: History, redshift: RedshiftTarget) -> AnyWarehouse:
    """The history in the stand-in, whose planner has no statistics of it."""
    with closing(redshift.server.connect("dev")) as connection, connection, connection.cursor() as cursor:
        cursor.execute("set role awsuser")
        cursor.execute(TABLES.format(options="with (autovacuum_enabled = false)"))
        for table, rows in history.rows().items():
            text = "\n".join("\t".join("\\N" if value is None else str(value) for value in row) for row in rows)
            cursor.copy_expert(f"copy {table} from stdin", io.StringIO(text))
    return AnyWarehouse(redshift.execute)


@pytest.mark.parametrize("engine", ["local", pytest.param("stand_in", marks=pytest.mark.slow)])
def test_a_long_history_is_counted_and_audited(history: History, engine: str, request: pytest.FixtureRequest) -> None:
    """A plan that joins every version with every deletion would not end within the tests' patience."""
    warehouse = cast("Warehouse", request.getfixturevalue(engine))
    raw = read_raw_table(VENDA, warehouse)
    assert sum(kind == "deletion" for events in history.loads for kind in events.values()) == 50_000

    assert warehouse.query(f"select count(*) from ({raw.current_keys}) as keys") == [
        (history.count("row", "dead letter"),)
    ]
    assert warehouse.query(raw.rows_of_source) == [(history.count("row", "dead letter"),)]
    waiting = [key for key, (kind, _) in history.last.items() if kind == "dead letter"]
    assert sorted(warehouse.query(raw.waiting_letters())) == [(key,) for key in sorted(waiting)]
    assert waiting
    earlier = [(key,) for key, (kind, n) in sorted(history.last.items()) if kind == "dead letter" and str(n) < NEWEST]
    assert sorted(warehouse.query(raw.waiting_letters(before=NEWEST))) == earlier

    found = audit([VENDA], {"postgres.venda": MODELS}, warehouse)
    assert [(one.what, one.expected, one.found, one.ok) for one in found] == [
        ("source = raw", history.count("row", "dead letter"), history.count("row", "dead letter"), True),
        ("landed = loaded", sum(map(len, history.loads)), sum(map(len, history.loads)), True),
        ("raw = bronze", history.count("row"), history.count("row"), True),
        ("bronze = silver", history.count("row"), history.count("row"), True),
    ]
