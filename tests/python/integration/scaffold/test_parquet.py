"""Parquet files of any team, from `extract add` to the audit."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from redshift_standin.postgres import PostgresServer
from tests.python.helpers.parquet_types import COLUMNS, every_type, expected_rows
from tests.python.helpers.redshift_target import redshift_up
from tests.python.integration.scaffold.conftest import Team

NAMES = ", ".join(["id", *(f'"{name}"' for name, *_ in COLUMNS)])


def put(team: Team, name: str, table: pa.Table) -> str:
    """Writes a file, adds its table, and puts it into the drop; returns what `add` says."""
    file = team.project / name
    pq.write_table(table, file)
    said = team.extract("add", "parquet", str(file))
    Path(team.environment["PARQUET_DROP"]).mkdir(exist_ok=True)
    team.extract("drop", str(file))
    return said


def comparable(rows: list[tuple[Any, ...]]) -> list[list[str]]:
    """Returns rows that compare equal if their values are the same."""

    def plain(value: Any) -> str:
        if isinstance(value, (memoryview, bytearray)):
            return repr(bytes(value))
        if isinstance(value, datetime):
            return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
        if isinstance(value, Decimal):
            return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
        return repr(value)

    return [[plain(value) for value in row] for row in rows]


def test_every_type_is_added_loaded_and_built(team: Team) -> None:
    assert "parquet.tipos: mode files, key id." in put(team, "tipos.parquet", every_type())
    declared = team.read("models/bronze/_raw_parquet__sources.yml")
    for name, _, data_type, _, _ in COLUMNS:
        assert f"- name: {name}\n            data_type: {data_type}\n" in declared
    team.extract("run", "--build")
    for schema in ("raw_parquet", "silver"):
        rows = team.loaded(f"select {NAMES} from {schema}.tipos order by id")
        assert comparable(rows) == comparable(expected_rows()), schema


def test_every_type_is_the_same_on_redshift(team: Team, postgres_server: PostgresServer, tmp_path: Path) -> None:
    with redshift_up(postgres_server, tmp_path / "redshift") as redshift:
        team.environment.update(redshift.environment | {"DBT_TARGET": "prod"})
        put(team, "tipos.parquet", every_type())
        team.extract("run", "--build")
        rows = redshift.execute(f"select {NAMES} from silver.tipos order by id")
        binary = [place for place, (_, _, kind, *_) in enumerate(COLUMNS, 1) if kind == "varbinary"]
        found = [
            [
                bytes.fromhex(str(value).removeprefix("\\x")) if place in binary and value is not None else value
                for place, value in enumerate(row)
            ]
            for row in rows
        ]
        assert comparable([tuple(row) for row in found]) == comparable(expected_rows())
