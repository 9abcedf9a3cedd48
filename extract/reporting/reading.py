"""Reads the schemas gold and ops through the target's own connection, and nothing else."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from extract.settings import Settings
from extract.sql import quote
from extract.warehouse.targets import Warehouse, layer_schema


@dataclass(frozen=True)
class Layers:
    """What the report reads from: the relations of gold and ops that exist."""

    warehouse: Warehouse
    gold: str  # its schema
    existing: Set[tuple[str, str]]

    def has_gold(self, *names: str) -> bool:
        """Returns whether all of these relations of gold exist."""
        return {(self.gold, name) for name in names} <= self.existing

    def has_ops(self, name: str) -> bool:
        """Returns whether this table of ops exists."""
        return ("ops", name) in self.existing

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query in which `{gold}` is the schema."""
        return self.warehouse.query(sql.replace("{gold}", quote(self.gold)))


def find_layers(settings: Settings, warehouse: Warehouse) -> Layers:
    """Returns what there is to read."""
    return Layers(warehouse, layer_schema(settings, "gold"), warehouse.tables())
