"""The dbt project, run in this process on a warehouse that only the tests use."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult

from tests.python.helpers import ROOT
from tests.python.helpers.raw_layer import RawLayer


@dataclass(frozen=True)
class Project:
    """The dbt project on its own warehouse. `target` is the folder of dbt's artifacts and logs."""

    raw: RawLayer
    target: Path

    def dbt(self, *command: str, today: str = "2025-06-15") -> dbtRunnerResult:
        """Runs a dbt command with TODAY set to a day; an empty one is the current date."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            patch.setenv("WAREHOUSE_PATH", str(self.raw.path))
            patch.setenv("DBT_TARGET", "local")
            patch.setenv("TODAY", today)
            return dbtRunner().invoke(
                [*command, "--quiet", "--target-path", str(self.target), "--log-path", str(self.target)]
            )

    def outcomes(self, *command: str, today: str = "2025-06-15") -> dict[str, str]:
        """Runs a command and returns the status of each node by its name, such as `pass`, `fail` or `skipped`."""
        result = self.dbt(*command, today=today)
        assert result.exception is None, result.exception
        return {outcome.node.name: str(outcome.status) for outcome in result.result}
