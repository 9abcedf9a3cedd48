"""The docs as one page: dbt's page, with the manifest and the catalog in it: `python -m extract.transform.docs_page`.

dbt's own `--static` puts both into a script of the page as they are. A `</script>` in a description, which may be the
comment of a source, ends that script, and the rest of the description is then HTML.
"""

import os
from pathlib import Path

PAGE = "static_index.html"


def target_folder() -> Path:
    """Returns the folder where dbt leaves its results and the docs."""
    return Path(os.environ.get("DBT_TARGET_PATH", "target"))


def write_page(folder: Path) -> Path:
    """Writes the page from the files that `dbt docs generate` left in a folder; returns its path."""
    page = (folder / "index.html").read_text(encoding="utf-8")
    for name in ("manifest", "catalog"):
        content = (folder / f"{name}.json").read_text(encoding="utf-8")
        # In JSON a < is part of a string, where it may be written like this too.
        page = page.replace(f'"{name.upper()}.JSON INLINE DATA"', content.replace("<", "\\u003c"))
    (folder / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


if __name__ == "__main__":
    print(f"docs: {write_page(target_folder())}")  # noqa: T201
