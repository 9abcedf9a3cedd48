"""Checks made by dbt itself: whether it can sign in, and which schemas a build writes to.

Whatever dbt writes meanwhile goes to a temporary folder.
"""

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

from dbt.cli.main import dbtRunner

from extract.checks.check import Check
from extract.errors import ExtractError, advice
from extract.settings import Settings
from extract.transform.build import invoke, quiet
from extract.warehouse.targets import describe_place

BUILT = ("model", "seed", "snapshot")
WRONG = "misconfigured_"  # how generate_schema_name begins what must not be built


def signs_in(settings: Settings) -> Check:
    """Checks that dbt can sign in with its own profile.

    Raises:
        ExtractError: with dbt's reason and what to do about it, if it does not.
    """
    said: list[str] = []
    with TemporaryDirectory() as folder:
        outcome = dbtRunner(callbacks=[heard(said)]).invoke([*quiet(), "debug", "--connection", "--log-path", folder])
    if outcome.success:
        return Check(
            "dbt signs in", ok=True, found=f"{describe_place(settings)} by the profile of target {settings.target}"
        )
    broken = [outcome.exception] if outcome.exception else []
    text = " ".join(" ".join([*said, *map(str, broken)]).split())
    raise ExtractError(f"dbt debug: {text}{advice([ExtractError(text)])}")


def heard(said: list[str]) -> Callable[[Any], None]:
    """Returns a callback that collects the findings of `dbt debug`, which prints and does not return them."""

    def note(event: Any) -> None:
        if event.info.name == "DebugCmdResult":
            said.append(event.info.msg)

    return note


def schemas(settings: Settings) -> Check:
    """Checks the schemas that a build writes to, as generate_schema_name derives them from the settings.

    Raises:
        DbtError: if the project does not parse, for example because of an invalid prefix.
    """
    with TemporaryDirectory() as folder:
        manifest = invoke(dbtRunner(), "parse", "--target-path", folder, "--log-path", folder)
    found = sorted({node.schema for node in manifest.nodes.values() if node.resource_type in BUILT})
    listed = f"a build writes to {', '.join(found)}"
    if not any(schema.startswith(WRONG) for schema in found):
        return Check("dbt schemas", ok=True, found=listed)
    fix = "set DBT_SCHEMA to the prefix of your own, such as ana or pr_123"
    if settings.target != "dev":
        fix = f"unset DBT_SCHEMA, which is for dev; on {settings.target} there is no prefix"
    return Check("dbt schemas", ok=False, found=f"{listed}; {fix}")
