"""Names in the warehouse: one rule for tables and columns, on every target.

    código → codigo    Preço (R$) → preco_r    "Id Venda" → id_venda    2024 → _2024

Accents are folded to ASCII, letters become lowercase as Redshift keeps them, and what is no letter, digit or
underscore becomes one underscore. Two underscores become one, because dlt reads them as a path, and none is left at
the end.
"""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from itertools import islice

LONGEST = 127  # bytes, as Redshift allows
MOST_LISTED = 20  # names in one message


@lru_cache(maxsize=4096)
def normalize(name: str) -> str:
    """Returns the name of a table or column in the warehouse.

    Raises:
        ValueError: if nothing is left of it, or it is too long.
    """
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[ _]+", "_", re.sub(r"[^a-z0-9_]+", " ", folded).strip()).rstrip("_")
    if not words:
        raise ValueError(f"expected a name with letters or digits, got {cut(name)!r}")
    normalized = f"_{words}" if words[0].isdigit() else words
    if len(normalized) > LONGEST:
        raise ValueError(f"expected a name of at most {LONGEST} characters, got {len(normalized)}: {cut(name)!r}")
    return normalized


def cut(name: str) -> str:
    """Returns a name for people, of a very long one the beginning."""
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}…"


def listed(names: Collection[str], separator: str = ", ") -> str:
    """Returns names for people, of many the first ones and how many more there are."""
    more = len(names) - MOST_LISTED
    return separator.join(islice(names, MOST_LISTED)) + (f" and {more:,} more" if more > 0 else "")
