"""The macro latest_rows and its incremental strategy, on a history of loads with a key of two texts.

Each pair of the key has a history of its own: new, changed, deleted, back again, in a load that did not complete, or
twice in one load. What is expected is worked out here.
"""

import random
from collections import Counter

import duckdb
import pytest
from dbt.cli.main import dbtRunner

from tests.python.helpers.raw_layer import load_id_of
from tests.python.integration.scaffold.conftest import Team

Key = tuple[str | None, str | None]
KEYS: list[Key] = [(empresa, f"{codigo}") for empresa in ("a", "b", "") for codigo in range(12)]
KEYLESS: list[Key] = [(None, "1"), ("a", None), (None, None)]
LOADS = 7

RAW = """
create schema raw_postgres; create schema ops;
create table raw_postgres.par (
    empresa varchar, codigo varchar, valor integer, "order" varchar, _deleted boolean, _dlt_load_id varchar
);
create table raw_postgres._dlt_loads (
    load_id varchar, schema_name varchar, status bigint, inserted_at timestamptz, schema_version_hash varchar
);
"""


@pytest.fixture
def pairs(team: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A project with one table whose key has two texts, and an empty raw layer."""
    team.execute('create table par (empresa text, codigo text, valor integer, "order" text)')
    team.extract("add", "postgres", "par", "--key", "empresa,codigo", "--mode", "xmin")
    for name, value in team.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(team.project)
    with duckdb.connect(team.environment["WAREHOUSE_PATH"]) as connection:
        connection.execute(RAW)
    return team


def build(*options: str) -> None:
    """Builds bronze."""
    done = dbtRunner().invoke(["--quiet", "run", "--select", "bronze_par", *options])
    assert done.success, done.exception or done.result


def load(team: Team, number: int, rows: list[tuple[object, ...]], *, completed: bool) -> None:
    """Loads rows with key, value and whether they are deletions."""
    with duckdb.connect(team.environment["WAREHOUSE_PATH"]) as connection:
        for empresa, codigo, valor, deleted in rows:
            text = None if deleted else "x"
            values = [empresa, codigo, valor, text, deleted or None, load_id_of(number)]
            connection.execute("insert into raw_postgres.par values (?, ?, ?, ?, ?, ?)", values)
        if completed:
            entry = [load_id_of(number), f"2025-01-01 00:00:{number:02}+00"]
            connection.execute("insert into raw_postgres._dlt_loads values (?, 'par', 0, ?, 'x')", entry)


@pytest.mark.slow
def test_incremental_builds_have_what_the_history_says(pairs: Team) -> None:
    draw = random.Random(11)  # noqa: S311  a history, no secret
    latest: dict[Key, tuple[int, int, int | None]] = {}  # value, its load, and that of its deletion
    keyless: list[tuple[Key, int, int]] = []
    for number in range(1, LOADS + 1):
        completed = number not in (3, 6)
        rows: list[tuple[object, ...]] = []
        for key in KEYS:
            what = draw.choice(["nothing", "nothing", "version", "twice", "deletion"])
            value = draw.randrange(100)
            if what in ("version", "twice"):
                rows += [(*key, value, False), *([(*key, value - 1, False)] if what == "twice" else [])]
            elif what == "deletion":
                rows.append((*key, None, True))
            if completed and what in ("version", "twice"):
                latest[key] = (value, number, None)
            elif completed and what == "deletion" and key in latest:
                before, first, _ = latest[key]
                latest[key] = (before, first, number)
        present = [(key, draw.randrange(100), number) for key in KEYLESS for _ in range(draw.randrange(3))]
        rows += [(*key, value, False) for key, value, _ in present]
        keyless = present if completed else keyless
        draw.shuffle(rows)
        load(pairs, number, rows, completed=completed)
        if number != 4:  # one build has two loads to read
            build()
            assert found(pairs) == expected(latest, keyless), number
    build("--full-refresh")
    assert found(pairs) == expected(latest, keyless)


def found(team: Team) -> Counter[tuple[object, ...]]:
    """Returns bronze: key, value, load, time of the deletion in seconds."""
    return Counter(
        team.loaded(
            'select empresa, codigo, valor, _dlt_load_id, second(excluida_em), second(carregado_em), "order"'
            " from bronze.par"
        )
    )


def expected(
    latest: dict[Key, tuple[int, int, int | None]], keyless: list[tuple[Key, int, int]]
) -> Counter[tuple[object, ...]]:
    """Returns what bronze must have."""
    rows: list[tuple[object, ...]] = [
        (*key, value, load_id_of(deleted or first), deleted, deleted or first, "x")
        for key, (value, first, deleted) in latest.items()
    ]
    rows += [(*key, value, load_id_of(number), None, number, "x") for key, value, number in keyless]
    return Counter(rows)
