"""The page: the sections as one HTML file that needs nothing else, neither a server nor a network."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from extract.reporting.content import Chart, Section
from extract.visible import visible

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """The report."""

    sections: Sequence[Section]
    warehouse: str  # where it is, for people
    written_at: datetime  # in UTC

    def render(self, library: str, docs: str | None) -> str:
        """Returns the HTML; `library` draws the charts, `docs` is the file beside it with dbt's docs."""
        # A script ends at the first </script, in a text of it too.
        drawing, own = (text.replace("</script", "<\\/script") for text in (library, read("page.js")))
        specs: list[dict[str, Any]] = []

        def add(chart: Chart) -> int:
            specs.append(chart.spec)
            return len(specs) - 1

        environment = Environment(
            loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, finalize=show,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        template = environment.get_template("page.html")
        return template.render(
            sections=self.sections, warehouse=self.warehouse, written=f"{self.written_at:%Y-%m-%d %H:%M}", docs=docs,
            policy=policy(drawing, own), style=Markup(read("page.css")), library=Markup(drawing), script=Markup(own),  # noqa: S704
            add=add, specs=Deferred(specs),
        )  # fmt: skip


class Deferred:
    """The charts, which are known when the rest of the page is written."""

    def __init__(self, specs: list[dict[str, Any]]) -> None:
        self.specs = specs

    def __html__(self) -> str:
        """Returns them as JSON for a script: there a < is part of a string, where it may be written like this too."""
        text = json.dumps(make_visible(self.specs), ensure_ascii=False, separators=(",", ":"))
        return text.replace("<", "\\u003c")


def make_visible(value: Any) -> Any:
    """Returns a part of a chart with the control characters of its texts visible."""
    if isinstance(value, dict):
        return {name: make_visible(one) for name, one in value.items()}
    if isinstance(value, list):
        return [make_visible(one) for one in value]
    return visible(value) if isinstance(value, str) else value


def show(value: Any) -> Any:
    """Returns what is written of a value: of a text from outside, with control characters visible."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def read(name: str) -> str:
    """Returns a file of the page."""
    return (FOLDER / name).read_text(encoding="utf-8")


def policy(*scripts: str) -> str:
    """Returns the content security policy: these scripts alone run, and nothing is asked of any server."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts)
    # Vega makes functions of the expressions in a chart.
    return f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:"
