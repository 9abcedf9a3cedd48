"""What several test modules share."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Seconds after which a test that waits fails; far more than a busy machine takes.
PATIENCE = 600
# How many times as many cases as usual the tests draw that are marked `soak`.
SOAK = int(os.environ.get("SOAK") or 1)
