"""The results of a build, for people and for its next attempt: dbt's results and the docs, at ARTIFACTS_URL.

    <artifacts>/runs/<run id>/   manifest.json, run_results.json, sources.json, summary.json and dbt.log of one run;
                                 and, if the build succeeded, catalog.json, from which the docs are made
    <artifacts>/docs/index.html  the docs of the last build that succeeded; beside it is report.html, which the
                                 package `extract.reporting` writes

A container's disk is gone when it ends. So the next attempt of the same run finds the failed nodes here, and
`dbt retry` builds them.
"""

import json
import os
import posixpath
from pathlib import Path

import fsspec

from extract.places import writable
from extract.transform.build import BuildResult

RESULTS = ("manifest.json", "run_results.json", "sources.json")


def publish(artifacts: str, run_id: str, built: BuildResult, target: Path) -> str:
    """Copies the results in dbt's `target` folder, its log, a summary and the docs; returns the place of the results.

    Raises:
        OSError: if the place cannot be written to.
    """
    fs, root = writable(artifacts)
    folder = posixpath.join(root, "runs", run_id)
    found = [target / name for name in RESULTS] + [Path(os.environ.get("DBT_LOG_PATH", "logs")) / "dbt.log"]
    if built.docs:
        found.append(target / "catalog.json")
    for file in found:
        if file.exists():
            fs.put_file(str(file), posixpath.join(folder, file.name))
    fs.pipe_file(posixpath.join(folder, "summary.json"), json.dumps(built.as_log(), default=str).encode())
    if built.docs:
        fs.put_file(str(built.docs), posixpath.join(root, "docs", "index.html"))
    return posixpath.join(artifacts, "runs", run_id)


def failed_attempt(artifacts: str, run_id: str, into: Path) -> Path | None:
    """Returns a folder with the results of this run's earlier attempt that failed, or None if there is none.

    An attempt that failed before dbt started to build has a summary and no results, so everything is built again.

    Raises:
        OSError: if the place cannot be read.
    """
    fs, root = fsspec.core.url_to_fs(artifacts)
    folder = posixpath.join(root, "runs", run_id)
    summary, results = (posixpath.join(folder, name) for name in ("summary.json", "run_results.json"))
    if not (fs.exists(summary) and fs.exists(results)) or json.loads(fs.cat_file(summary))["ok"]:
        return None
    into.mkdir(parents=True, exist_ok=True)
    for name in RESULTS[:2]:
        fs.get_file(posixpath.join(folder, name), str(into / name))
    return into
