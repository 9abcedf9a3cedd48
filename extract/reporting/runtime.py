"""The JavaScript that draws the charts: Vega, Vega-Lite and Vega-Embed, which the page contains."""

from importlib.metadata import version
from pathlib import Path

from extract.transform.docs_page import target_folder


def javascript() -> str:
    """Returns the JavaScript; it takes seconds of CPU to put together, so a copy stays in dbt's target folder."""
    copy = target_folder() / f"vega-{version('vl-convert-python')}.js"
    if copy.is_file():
        return copy.read_text(encoding="utf-8")
    from vl_convert import javascript_bundle

    bundle = javascript_bundle("window.vegaEmbed = vegaEmbed;")
    replace_file(copy, bundle)
    return bundle


def replace_file(file: Path, text: str) -> None:
    """Writes a file, whose earlier content stays until the new one is complete."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)
