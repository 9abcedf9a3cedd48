"""The dbt project, run in this process on a warehouse of the tests' own."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult

from tests.python.helpers import ROOT
from tests.python.helpers.raw_layer import RawLayer


@dataclass(frozen=True)
class Project:
    """The dbt project on a warehouse of its own."""

    raw: RawLayer
    target: Path

    def dbt(self, *command: str, today: str = "2025-06-15") -> dbtRunnerResult:
        """What a dbt command gives, on a day that is stated (an empty one: the warehouse's own)."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            patch.setenv("WAREHOUSE_PATH", str(self.raw.path))
            patch.setenv("DBT_TARGET", "local")
            patch.setenv("TODAY", today)
            return dbtRunner().invoke(
                [*command, "--quiet", "--target-path", str(self.target), "--log-path", str(self.target)]
            )

    def outcomes(self, *command: str, today: str = "2025-06-15") -> dict[str, str]:
        """What became of each node of a command: its name and dbt's word for it, `pass`, `fail` or `skipped`."""
        result = self.dbt(*command, today=today)
        assert result.exception is None, result.exception
        return {outcome.node.name: str(outcome.status) for outcome in result.result}
