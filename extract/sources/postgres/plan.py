"""The plan of a first load by ranges, as the table's state keeps it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from extract.reading import State
from extract.sources.postgres.key_ranges import KeyRange
from extract.sql import literal


@dataclass(frozen=True)
class Plan:
    """How a table's keys are divided, and since when the run that closes the plan reads what was written.

    Neighbouring ranges meet at the `bounds`, values of the key's first column as text; a bound belongs to the range
    above it. Bounds may be equal, or too few, as those of an empty table: a range without bounds of its own is empty.
    """

    id: str
    since: int
    history: Mapping[str, Any]
    ranges: int
    bounds: tuple[str, ...]
    columns: tuple[str, ...]  # of the raw table: tasks that run at the same time must not add any

    @classmethod
    def from_state(cls, state: State) -> Self | None:
        """Returns the plan that a table's state contains; None if it has none or it was closed."""
        plan = state.get("plan")
        return cls(**plan | {"bounds": tuple(plan["bounds"]), "columns": tuple(plan["columns"])}) if plan else None

    def as_state(self) -> dict[str, Any]:
        """Returns the part of a table's state that contains the plan."""
        return {"plan": asdict(self)}

    def condition(self, column: str, number: int) -> str:
        """Returns the condition on the rows of a range; ranges are numbered from 1."""
        if number > len(self.bounds) + 1:
            return "false"
        first = literal(self.bounds[number - 2]) if number > 1 else None
        end = literal(self.bounds[number - 1]) if number <= len(self.bounds) else None
        return KeyRange(column, first, end).condition

    def name(self, number: int) -> str:
        """Returns the name of a range, as its record in `ops.extract_runs` has it."""
        return f"plan {self.id}, range {number} of {self.ranges}"
