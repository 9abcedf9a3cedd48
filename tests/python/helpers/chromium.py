"""A page as Chromium shows it."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.python.helpers import PATIENCE

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=20000",
)  # fmt: skip
DARK, LIGHT = 0, 1


@dataclass(frozen=True)
class Shown:
    """The page after its scripts have run, and what they wrote to the console."""

    dom: str
    console: list[str]


def open_page(address: str, folder: Path, width: int = 1400, theme: int = LIGHT) -> Shown:
    """Opens a page in a browser whose profile is in the folder; without Chromium the test is skipped."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium: install the package chromium")
    look = [f"--window-size={width},1000", f"--blink-settings=preferredColorScheme={theme}"]
    done = subprocess.run(
        [
            chromium, *FLAGS, *look, "--enable-logging=stderr", f"--user-data-dir={folder / 'chromium'}",
            "--dump-dom", address,
        ],
        capture_output=True, text=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    return Shown(done.stdout, re.findall(r"(?m)^.*:CONSOLE.*$", done.stderr))
