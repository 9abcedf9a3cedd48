"""Other projects' suites: where they are, what their environments need, and how each runs against a stand-in."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from endpoint import Endpoint


@dataclass(frozen=True)
class Result:
    """How many tests passed, and the names of those that did not; skipped ones are not counted."""

    passed: int
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A suite's checkout, the Python of its environment, and the folder for its output."""

    checkout: Path
    python: Path
    output: Path


@dataclass(frozen=True)
class Suite:
    """A suite of another project."""

    name: str
    repository: str  # on GitHub
    requirements: tuple[str, ...]  # of its environment, besides this package
    run: Callable[[Endpoint, Place], Result]


def build(endpoint: Endpoint, place: Place) -> Result:
    """Runs `dbt build` of a package's integration tests; each node of dbt is a test. Packages come from checkouts."""
    server, package = endpoint.server, place.output / "package"
    shutil.copytree(place.checkout, package)
    if (declared := package / "packages.yml").exists():  # dbt would fetch them
        names = re.findall(r"package: *[\w-]+/([\w-]+)", declared.read_text())
        folders = [place.checkout.with_name(name.replace("_", "-")) for name in names]
        declared.write_text(json.dumps({"packages": [{"local": str(folder)} for folder in folders]}))
    project = package / "integration_tests"
    target = {
        "type": "redshift", "host": server.host, "port": server.port, "dbname": server.database, "user": server.user,
        "password": server.password, "schema": "conformance", "threads": 2,
    }  # fmt: skip
    profile = {"integration_tests": {"target": "redshift", "outputs": {"redshift": target}}}
    (project / "profiles.yml").write_text(json.dumps(profile))  # JSON is YAML
    dbt = str(place.python.with_name("dbt"))
    settings = {**os.environ, **endpoint.environment(), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    with (place.output / "log").open("w") as log:
        for command in ("deps", "build"):
            subprocess.run([dbt, command, "--profiles-dir", "."], cwd=project, env=settings, stdout=log, stderr=log)
    results = json.loads((project / "target/run_results.json").read_text())["results"]
    good = {"pass", "success", "warn", "no-op"}
    return Result(
        sum(one["status"] in good for one in results),
        tuple(one["unique_id"] for one in results if one["status"] not in {*good, "skipped"}),
    )


def run_pytest(endpoint: Endpoint, place: Place, environment: Mapping[str, str], *arguments: str) -> Result:
    """Runs a suite's tests; returns what its JUnit report says."""
    report = place.output / "junit.xml"
    command = [str(place.python), "-m", "pytest", "-o", "addopts=", "-q", f"--junitxml={report}", *arguments]
    settings = {**os.environ, **endpoint.environment(), **environment}
    with (place.output / "log").open("w") as log:
        subprocess.run(command, cwd=place.checkout, env=settings, stdout=log, stderr=log, check=False)
    outcomes: dict[str, Counter[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")] or ["passed"]
        outcomes.setdefault(name, Counter()).update(kinds)
    failed = tuple(name for name, kinds in outcomes.items() if kinds["failure"] or kinds["error"])
    return Result(sum(kinds["passed"] > 0 for name, kinds in outcomes.items() if name not in failed), failed)


SUITES = (
    Suite("dbt-utils", "dbt-labs/dbt-utils", (), build),
    Suite("dbt-expectations", "metaplane/dbt-expectations", (), build),
)
