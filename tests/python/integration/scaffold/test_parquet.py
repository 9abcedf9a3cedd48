"""Parquet files of any team, from `extract add` to the audit."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from redshift_standin.postgres import PostgresServer
from tests.python.helpers.parquet_types import COLUMNS, comparable, every_type, expected_rows, with_bytes
from tests.python.helpers.redshift_target import redshift_up
from tests.python.integration.scaffold.conftest import Team

pytestmark = pytest.mark.slow

NAMES = ", ".join(["id", *(f'"{name}"' for name, *_ in COLUMNS)])


def put(team: Team, name: str, table: pa.Table) -> str:
    """Writes a file, adds its table, and puts it into the drop; returns what `add` says."""
    file = team.project / name
    pq.write_table(table, file)
    said = team.extract("add", "parquet", str(file))
    Path(team.environment["PARQUET_DROP"]).mkdir(exist_ok=True)
    team.extract("drop", str(file))
    return said


ANY_NAMES = pa.table(
    {
        "Código": ["a", "b", "a"],
        "codigo": [1, 2, 3],
        "Preço Final (R$)": [Decimal("1.10"), None, Decimal("-3.30")],
        "order": [None, None, "x"],
        "excluida_em": pa.nulls(3),
        "_file_date": [1, None, None],
        "2024": [[1, None], None, []],
        "obs: {{ 'x' }}": ["y", None, "z"],
    },
    pa.schema(
        [
            pa.field("Código", pa.string(), nullable=False),
            ("codigo", pa.uint16()),
            ("Preço Final (R$)", pa.decimal128(9, 2)),
            ("order", pa.string()),
            ("excluida_em", pa.null()),
            ("_file_date", pa.int32()),
            ("2024", pa.list_(pa.int64())),
            ("obs: {{ 'x' }}", pa.string()),
        ]
    ),
)
LOADED = (
    'codigo, codigo_2, preco_final_r, "order", excluida_em_origem, file_date_origem, _2024, obs_x'
    " from silver.preco_r_2024 order by codigo_2"
)
ROWS = [
    ("a", 1, Decimal("1.10"), None, None, 1, "[1,null]", "y"),
    ("b", 2, None, None, None, None, None, None),
    ("a", 3, Decimal("-3.30"), "x", None, None, "[]", "z"),
]


def test_tables_of_every_type_and_name_are_added_loaded_and_built(team: Team) -> None:
    name = "Preço (R$) 2024.parquet"
    assert "parquet.tipos: mode files, key id." in put(team, "tipos.parquet", every_type())
    assert "parquet.preco_r_2024: mode files, key none." in put(team, name, ANY_NAMES)
    declared = team.read("models/bronze/_raw_parquet__sources.yml")
    for column, _, data_type, _, _ in COLUMNS:
        assert f"- name: {column}\n            data_type: {data_type}\n" in declared
    constraint = "            constraints: [{type: not_null}]"
    assert f"- name: codigo\n            data_type: varchar(65535)\n{constraint}" in declared
    assert declared.count(constraint) == 1
    assert "no difference" in team.extract("add", "parquet", str(team.project / name))

    team.extract("run", "--build")
    for schema in ("raw_parquet", "silver"):
        rows = team.loaded(f"select {NAMES} from {schema}.tipos order by id")
        assert comparable(rows) == comparable(expected_rows()), schema
    assert comparable(team.loaded(f"select {LOADED}")) == comparable(ROWS)
    team.lint()

    pq.write_table(ANY_NAMES.set_column(0, "Código", pa.array(["a", None, None])), team.project / name)
    said = team.extract("drop", str(team.project / name), code=2)
    assert "column codigo ('Código'): expected a value in every row, got 2 without" in said
    pq.write_table(pa.Table.from_arrays([pa.array([1])] * 2, ["id", "id"]), team.project / "par.parquet")
    assert "column 'id' is there 2 times" in team.extract("add", "parquet", str(team.project / "par.parquet"), code=1)


def test_every_type_is_the_same_on_redshift(team: Team, postgres_server: PostgresServer, tmp_path: Path) -> None:
    with redshift_up(postgres_server, tmp_path / "redshift") as redshift:
        team.environment.update(redshift.environment | {"DBT_TARGET": "prod"})
        put(team, "tipos.parquet", every_type())
        put(team, "Preço (R$) 2024.parquet", ANY_NAMES)
        team.extract("run", "--build")
        assert comparable(redshift.execute(f"select {LOADED}")) == comparable(ROWS)
        rows = redshift.execute(f"select {NAMES} from silver.tipos order by id")
        assert comparable(with_bytes(rows)) == comparable(expected_rows())
