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
    installs: tuple[tuple[str, ...], ...]  # arguments of `pip install` for its environment; none: this environment
    run: Callable[[Endpoint, Place], Result]


def build(endpoint: Endpoint, place: Place) -> Result:
    """Runs `dbt build` of a package's integration tests; each node of dbt is a test. Packages come from checkouts."""
    server, package = endpoint.server, place.output / "package"
    shutil.copytree(place.checkout, package, ignore=shutil.ignore_patterns("dbt_packages", "target"))
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


def run_dbt_redshift(endpoint: Endpoint, place: Place) -> Result:
    """Runs dbt-redshift's functional tests, without those that sign in at AWS."""
    server = endpoint.server
    endpoint.execute(
        *(f"create user dbt_test_user_{number} password 'Secret12'" for number in (1, 2, 3)),
        "create group dbt_test_group_1",
        "create database db_for_test__do_delete_if_you_see_this",
    )
    environment = {
        "REDSHIFT_TEST_HOST": server.host, "REDSHIFT_TEST_PORT": str(server.port), "REDSHIFT_TEST_USER": server.user,
        "REDSHIFT_TEST_PASS": server.password, "REDSHIFT_TEST_DBNAME": server.database,
        "REDSHIFT_TEST_REGION": "us-east-1", "DBT_TEST_USER_1": "dbt_test_user_1",
        "DBT_TEST_USER_2": "dbt_test_user_2", "DBT_TEST_USER_3": "dbt_test_user_3",
        "DBT_TEST_GROUP_1": "dbt_test_group_1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }  # fmt: skip
    options = ["-n", "2", "--dist", "loadscope", "-k", "not (IAM or Iam)", "tests/functional"]
    return run_pytest(place, place.checkout / "dbt-redshift", endpoint.environment() | environment, *options)


def run_dlt(endpoint: Endpoint, place: Place) -> Result:
    """Runs dlt's tests of loads into Redshift."""
    server, key = endpoint.server, endpoint.key
    endpoint.create_bucket("dlt")
    redshift, s3 = "DESTINATION__REDSHIFT__CREDENTIALS__", "DESTINATION__FILESYSTEM__CREDENTIALS__"
    environment = {
        "ACTIVE_DESTINATIONS": '["redshift"]', "ALL_FILESYSTEM_DRIVERS": '["s3"]', "TESTS__BUCKET_URL_S3": "s3://dlt",
        f"{redshift}HOST": server.host, f"{redshift}PORT": str(server.port), f"{redshift}DATABASE": server.database,
        f"{redshift}USERNAME": server.user, f"{redshift}PASSWORD": server.password,
        f"{s3}AWS_ACCESS_KEY_ID": key.id, f"{s3}AWS_SECRET_ACCESS_KEY": key.secret, f"{s3}REGION_NAME": "us-east-1",
        f"{s3}ENDPOINT_URL": endpoint.s3_url, "RUNTIME__DLTHUB_TELEMETRY": "false", "PYTHONHASHSEED": "1",
    }  # fmt: skip
    chosen = [str(path) for path in map(place.checkout.joinpath, DLT_TESTS) if path.exists()]
    options = ["-n", "2", "--dist", "worksteal", "--timeout", "300", "-k", "redshift"]
    return run_pytest(place, place.checkout, endpoint.environment() | environment, *options, *chosen)


DLT_TESTS = (
    "tests/load/redshift",
    *(
        f"tests/load/test_{name}.py"
        for name in (
            "sql_client", "job_client", "insert_job_client", "lineage", "model_item_format", "read_interfaces",
        )
    ),
    *(
        f"tests/load/pipeline/test_{name}.py"
        for name in (
            "arrow_loading", "csv_loading", "dbt_helper", "drop", "merge_disposition", "pipelines", "redshift",
            "refresh_modes", "replace_disposition", "restore_state", "scd2", "stage_loading",
            "write_disposition_changes",
        )
    ),
)  # fmt: skip


def run_redshift_connector(endpoint: Endpoint, place: Place) -> Result:
    """Runs the integration tests of redshift_connector, with the released package and not with the checkout's.

    Without those of `metadata/`, which are thousands.
    """
    server, tests = endpoint.server, place.output / "driver"
    tests.mkdir()
    shutil.copytree(place.checkout / "test", tests / "test")
    (tests / "test/config.ini").write_text(f"""\
[ci-cluster]
cluster_identifier = x
region = us-east-1
test_user = {server.user}
test_password = {server.password}
host = {server.host}
database = {server.database}
[default-test]
sslmode = verify-ca
ssl = true
port = {server.port}
""")
    tables = tests / "test/integration/datatype/_generate_test_datatype_tables.py"
    tables.write_text(tables.read_text().replace("--port 5439", f"--port {server.port}"))
    options = ["--timeout", "300", "--ignore", "test/integration/metadata", "test/integration"]
    return run_pytest(place, tests, endpoint.environment(), *options)


def run_pytest(place: Place, folder: Path, environment: Mapping[str, str], *arguments: str) -> Result:
    """Runs a suite's tests in a folder; returns what its JUnit report says."""
    report = place.output / "junit.xml"
    command = [str(place.python), "-m", "pytest", "-o", "addopts=", "-q", "-p", "no:cacheprovider"]
    command += ["--continue-on-collection-errors", f"--junitxml={report}", *arguments]
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    with (place.output / "log").open("w") as log:
        subprocess.run(command, cwd=folder, env=settings, stdout=log, stderr=log, check=False)
    outcomes: dict[str, Counter[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")] or ["passed"]
        outcomes.setdefault(name, Counter()).update(kinds)
    failed = tuple(name for name, kinds in outcomes.items() if kinds["failure"] or kinds["error"])
    return Result(sum(kinds["passed"] > 0 for name, kinds in outcomes.items() if name not in failed), failed)


# Versions are those with which the checkouts' tests work.
SUITES = (
    Suite(
        "dbt-redshift",
        "dbt-labs/dbt-adapters",
        (
            (
                "dbt-core<1.12", "dbt-redshift<1.12", "dbt-tests-adapter<1.21", "pytest>=7,<8", "pytest-timeout",
                "pytest-xdist", "pytest-mock", "freezegun",
            ),
        ),
        run_dbt_redshift,
    ),
    Suite(
        "dlt",
        "dlt-hub/dlt",
        (
            ("dlt[redshift,parquet,s3,filesystem]==1.26.0", "sqlglot==28.10.0", "pyarrow==23.0.1", "sqlalchemy<2"),
            (
                "pytest>=7.4,<8", "pytest-timeout", "pytest-xdist", "pytest-cases", "pytest-order", "pytest-forked",
                "pytest-mock", "pytest-console-scripts", "pytest-asyncio<0.24", "requests-mock<2", "pandas",
                "sqlfluff<3", "mimesis<8", "pydantic", "psutil", "mmh3", "tqdm", "duckdb",
            ),
            ("--no-deps", "ibis-framework"),
        ),
        run_dlt,
    ),
    Suite(
        "redshift_connector",
        "aws/amazon-redshift-python-driver",
        (("redshift_connector[full]", "pytest>=7,<7.4", "pytest-mock", "pytest-timeout"),),
        run_redshift_connector,
    ),
    Suite("dbt-utils", "dbt-labs/dbt-utils", (), build),
    Suite("dbt-expectations", "metaplane/dbt-expectations", (), build),
)  # fmt: skip
