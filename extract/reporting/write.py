"""Writes the report to dbt's target folder, and publishes it beside the docs."""

import posixpath
from datetime import UTC, datetime
from pathlib import Path

from extract.places import writable
from extract.reporting.operations import read_operations
from extract.reporting.operations_page import write_operations
from extract.reporting.page import Page
from extract.reporting.reading import find_layers
from extract.reporting.runtime import javascript, replace_file
from extract.reporting.sales import read_sales
from extract.reporting.sales_page import write_sales
from extract.settings import Settings
from extract.transform.docs_page import PAGE as DOCS
from extract.transform.docs_page import target_folder
from extract.warehouse.targets import Warehouse, describe_place

FILE = "report.html"
PUBLISHED_DOCS = "index.html"


def write_report(settings: Settings, warehouse: Warehouse) -> Path:
    """Writes the report; returns the file. With ARTIFACTS_URL it is published too, beside the docs there.

    Raises:
        Exception: whatever the warehouse, the disk or the place of the artifacts raises.
    """
    page = read_page(settings, warehouse)
    library = javascript()
    file = target_folder() / FILE
    replace_file(file, page.render(library, DOCS if (target_folder() / DOCS).exists() else None))
    if settings.artifacts:
        fs, root = writable(settings.artifacts)
        folder = posixpath.join(root, "docs")
        docs = PUBLISHED_DOCS if fs.exists(posixpath.join(folder, PUBLISHED_DOCS)) else None
        fs.pipe_file(posixpath.join(folder, FILE), page.render(library, docs).encode())
    return file


def read_page(settings: Settings, warehouse: Warehouse) -> Page:
    """Returns the report of what the warehouse has now."""
    layers = find_layers(settings, warehouse)
    now = datetime.now(UTC).replace(tzinfo=None)
    sales = read_sales(layers, Path())
    sections = [write_sales(sales)] if sales else []
    return Page([*sections, write_operations(read_operations(layers), now)], describe_place(settings), now)
