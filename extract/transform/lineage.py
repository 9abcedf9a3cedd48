"""Which models contain the rows of a raw table, as dbt's manifest says.

Bronze is the model of the layer `bronze` that selects from the raw table's dbt source. Silver is the one model of the
layer `silver` that selects from bronze, unless `meta` of the bronze model names it. `meta` also names what lineage
does not show:

    config:
      meta:
        silver: silver_venda
        rejected: silver_venda_rejeitada     # rows that break a rule
        deleted_at: excluida_em              # not null in a row that the source no longer has
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from extract.declarations import Table
from extract.sql import quote
from extract.warehouse.targets import Warehouse


@dataclass(frozen=True)
class Models:
    """What to select the rows of one table from in each layer; None if it has no such model or that is not built."""

    bronze: str | None = None  # without the rows that the source no longer has
    silver: str | None = None
    rejected: str | None = None
    rejected_name: str | None = None  # of the relation with the rejected rows, for people
    declared: tuple[tuple[str, str], ...] = ()  # schema and name of each of these relations, built or not


@dataclass(frozen=True)
class Layers:
    """The number of rows of one table in each layer; None if it has no such model."""

    bronze: int | None
    silver: int | None
    rejected: int | None


def find_models(manifest: Any, tables: Iterable[Table], warehouse: Warehouse) -> dict[str, Models]:
    """Returns the models of each table by its full name."""
    existing = warehouse.tables()
    nodes = [node for node in manifest.nodes.values() if node.resource_type == "model" and len(node.fqn) > 2]
    models = {node.unique_id: node for node in nodes}
    return {table.full_name: models_of(table, models, existing) for table in tables}


def models_of(table: Table, models: Mapping[str, Any], existing: set[tuple[str, str]]) -> Models:
    """Returns the models of one table."""
    layer = children(models, f".{table.dataset}.{table.name}", "bronze")
    if len(layer) != 1:
        return Models()
    (bronze,) = layer
    names = bronze.config.meta
    by_name = {node.name: node for node in models.values()}
    silver = by_name.get(names.get("silver", ""))
    if silver is None:
        layer = children(models, bronze.unique_id, "silver")
        silver = layer[0] if len(layer) == 1 else None
    rejected = by_name.get(names.get("rejected", ""))
    found = [node for node in (bronze, silver, rejected) if node is not None]
    relations = {node.name: node.relation_name for node in found if (node.schema, node.alias) in existing}
    rows = relations.get(bronze.name)
    if rows and (deleted_at := names.get("deleted_at")):
        rows = f"(select * from {rows} where {quote(deleted_at)} is null) as present"
    return Models(
        rows,
        relations.get(silver.name) if silver else None,
        relations.get(rejected.name) if rejected else None,
        f"{rejected.schema}.{rejected.alias}" if rejected else None,
        tuple((node.schema, node.alias) for node in found),
    )


def children(models: Mapping[str, Any], parent: str, layer: str) -> Sequence[Any]:
    """Returns the models of a layer that select from a node; of a source, the end of its id is enough."""
    return [
        node
        for node in models.values()
        if node.fqn[1] == layer and any(upstream.endswith(parent) for upstream in node.depends_on.nodes)
    ]


def count_layers(models: Mapping[str, Models], warehouse: Warehouse) -> dict[str, Layers]:
    """Returns the number of rows of each table in each layer, by its full name."""
    counts = {}
    for table, layer in models.items():
        columns = ", ".join(
            f"(select count(*) from {relation})" if relation else "null"
            for relation in (layer.bronze, layer.silver, layer.rejected)
        )
        counts[table] = Layers(*warehouse.query(f"select {columns}")[0])
    return counts
