"""The documentation: links lead somewhere, commands exist, and the README stays short."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from extract.scaffold import demo
from extract.task_log import METRICS

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "infra/README.md",
        ROOT / "packages/redshift-standin/README.md",
    ]
)
WRITTEN_BY_USERS = {
    "infra/terraform.tfvars", "infra/.terraform.lock.hcl", "infra/deployments/vendas-staging.tfvars",
}  # fmt: skip
LINK = re.compile(r"\]\(([^)\s]+)\)")
MAKE = re.compile(r"\bmake ((?:[A-Z_]+=\S+ )*)([a-z][a-z-]*)")


def prose(document: Path) -> str:
    """Returns the text outside of blocks of code and code spans, where brackets are no links."""
    lines = [line for line in document.read_text().splitlines() if not line.startswith("    ")]
    return re.sub(r"`[^`\n]*`", "", "\n".join(lines))


def code(document: Path) -> str:
    """Returns the blocks of code and the code spans."""
    text = document.read_text()
    return "\n".join([*re.findall(r"`([^`\n]+)`", text), *re.findall(r"(?m)^ {4}.*$", text)])


@cache
def anchors(document: Path) -> set[str]:
    """Returns the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", document.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets() -> set[str]:
    """Returns the targets of the Makefile."""
    return set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text()))


def broken_links(document: Path) -> list[str]:
    """Returns the relative links that lead to no file, or to no heading of it."""
    broken = []
    for link in LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_relative_links_lead_to_files_and_headings(document: Path) -> None:
    assert broken_links(document) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# One\n[a](#one) [b](#two) [c](b.md) `[d](e.md)` [f](https://example.com)\n    [g](h.md)\n")
    assert broken_links(document) == ["#two", "b.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_make_targets_exist(document: Path) -> None:
    named = {target for _, target in MAKE.findall(code(document))}
    assert named - targets() == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_named_files_exist(document: Path) -> None:
    spans = re.findall(r"`([^`\n]+)`", document.read_text())
    folders = "extract|models|macros|seeds|snapshots|tests|packages|sandbox|deploy|infra|bench|requirements|docs"
    named = {span for span in spans if re.fullmatch(rf"({folders})/[\w./-]+", span)} - WRITTEN_BY_USERS
    missing = {path for path in named if not (ROOT / path).exists()}
    assert {path for path in missing if not is_of_demo(path)} == set()


def is_of_demo(path: str) -> bool:
    """Returns whether a document names a file of the demo as an example, which may have been removed."""
    models = (*demo.MODELS, "_silver__unit_tests", "_bronze__unit_tests")
    return path in demo.FILES or Path(path).stem in models


def test_documents_named_elsewhere_exist() -> None:
    listed = ["git", "grep", "--only-matching", "-h", "--extended-regexp", r"\bdocs/[A-Za-z/-]+\.md"]
    named = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert [path for path in sorted(set(named)) if not (ROOT / path).is_file()] == []


def test_every_document_is_in_the_list() -> None:
    index = ROOT / "docs/README.md"
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(index))}
    assert set(ROOT.glob("docs/**/*.md")) - listed == {index}


def test_every_alarm_has_its_section() -> None:
    terraform = (ROOT / "infra/monitoring.tf").read_text()
    defined = re.findall(r"(?m)^    ([a-z-]+) = \{$", terraform)
    defined += [f"{prefix}<source>" for prefix in re.findall(r'"(\w+-)\$\{source\}" => \{', terraform)]
    assert len(defined) > 5
    assert re.findall(r"(?m)^## `([a-z<>-]+)`$", (ROOT / "docs/operations/alarms.md").read_text()) == defined
    assert ("aws_budgets_budget" in terraform) == (
        "## The budget" in (ROOT / "docs/operations/alarms.md").read_text()
    )


def test_every_metric_is_documented() -> None:
    reference = (ROOT / "docs/operations/alarms.md").read_text().partition("## Metrics")[2]
    named = set(re.findall(r"`([A-Z]\w+[a-z])`", reference)) - METRICS.keys()
    assert named == {name for names in METRICS.values() for name in names}


def test_the_readme_has_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_hooks_before_a_commit_run_every_linter() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    dry_run = ["make", "--dry-run", "--old-file=.venv/.ready", "lint"]
    commands = subprocess.run(dry_run, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    linters = [
        re.search(r"\.venv/bin/(\S+(?: (?:check|format|lint|tests/\S+))?)", line) for line in commands.splitlines()
    ]
    assert linters
    for line, linter in zip(commands.splitlines(), linters, strict=True):
        assert linter, line
        assert linter.group() in hooks


def test_settings_are_documented() -> None:
    named = set(re.findall(r"(?m)^(?:# )?([A-Za-z_]+)=", (ROOT / ".env.example").read_text()))
    reference = (ROOT / "docs/reference/settings.md").read_text()
    assert len(named) > 30
    assert {
        name for name in named if name not in reference and f"…_{name.rpartition('_')[2]}" not in reference
    } == set()


def test_every_value_of_the_example_is_quoted() -> None:
    for line in (ROOT / ".env.example").read_text().splitlines():
        if re.match(r"(# )?[A-Za-z_]+=", line):
            assert re.fullmatch(r"(# )?[A-Za-z_]+='[^']*'", line), line
