"""dlt's Redshift destination on the stand-in: each write disposition with each file format."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.common.configuration.specs import AwsCredentials

from stand_in import ROLE, StandIn

LONG = "coluna_" + "x" * 90
TEXT = 'a "b" \\ \n é'
SCD2 = {"disposition": "merge", "strategy": "scd2"}


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": n, "texto": TEXT, "valor": n * 1.5, "exato": Decimal("12345678901234567890.123456789"),
            "dia": date(2024, 1, n), "instante": datetime(2024, 1, 1, 1, 2, 3, 456789, tzinfo=UTC), "sim": True,
            "documento": {"a": [1, {"b": None}]}, "filhos": [{"x": k} for k in range(n)], LONG: n,
        }
        for n in range(1, count + 1)
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["parquet", "jsonl", "insert_values"])
def test_two_loads_of_each_write_disposition(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", str(stand_in.server.ca_bundle))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    staged = file_format != "insert_values"
    server = stand_in.server
    dataset = f"qualquer_{file_format}"
    pipeline = dlt.pipeline(
        dataset,
        destination=dlt.destinations.redshift(
            f"postgresql://awsuser:{server.password}@{server.host}:{server.port}/dev?sslmode=verify-full",
            **({"staging_iam_role": ROLE} if staged else {}),
        ),
        staging=dlt.destinations.filesystem(
            f"s3://{stand_in.bucket.name}/{dataset}",
            credentials=AwsCredentials(
                aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1",  # noqa: S106
                endpoint_url=stand_in.bucket.meta.client.meta.endpoint_url,
            ),
        ) if staged else None,
        dataset_name=dataset,
        pipelines_dir=str(tmp_path),
    )  # fmt: skip
    columns: Any = {
        "documento": {"data_type": "json"},
        "exato": {"data_type": "decimal", "precision": 38, "scale": 9},
    }
    ways: dict[str, Any] = {"acrescida": "append", "trocada": "replace", "fundida": "merge", "historica": SCD2}
    for count in (2, 3):
        pipeline.run(
            [
                dlt.resource(rows(count), name=name, write_disposition=way, primary_key="id", columns=columns)
                for name, way in ways.items()
            ],
            loader_file_format=file_format,
        )

    counts = {name: stand_in.execute(f"select count(*) from {dataset}.{name}") for name in ways}
    assert counts == {"acrescida": [(5,)], "trocada": [(3,)], "fundida": [(3,)], "historica": [(3,)]}
    for name in ways:
        assert stand_in.execute(
            f"select texto, valor, exato, dia, instante, sim, documento, {LONG} from {dataset}.{name} where id = 3"
        ) == [
            (
                TEXT, 4.5, Decimal("12345678901234567890.123456789"), date(2024, 1, 3),
                datetime(2024, 1, 1, 1, 2, 3, 456789, tzinfo=UTC), True, '{"a": [1, {"b": null}]}', 3,
            )
        ]  # fmt: skip
    assert stand_in.execute(f"select count(*) from {dataset}.fundida__filhos") == [(6,)]
    stand_in.execute(f"drop schema {dataset} cascade")
    stand_in.execute(f"drop schema if exists {dataset}_staging cascade")
