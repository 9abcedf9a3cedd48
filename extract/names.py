"""Names in the warehouse: one rule for tables and columns, on every target.

    código → codigo    Preço (R$) → preco_r    "Id Venda" → id_venda    2024 → _2024

Accents are folded to ASCII, letters become lowercase as Redshift keeps them, and what is no letter, digit or
underscore becomes one underscore. Two underscores become one, because dlt reads them as a path, and none is left at
the end.
"""

import re
import unicodedata
from functools import lru_cache

LONGEST = 127  # bytes, as Redshift allows


@lru_cache(maxsize=4096)
def normalize(name: str) -> str:
    """Returns the name of a table or column in the warehouse.

    Raises:
        ValueError: if nothing is left of it, or it is too long.
    """
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[ _]+", "_", re.sub(r"[^a-z0-9_]+", " ", folded).strip()).rstrip("_")
    if not words:
        raise ValueError(f"expected a name with letters or digits, got {name!r}")
    normalized = f"_{words}" if words[0].isdigit() else words
    if len(normalized) > LONGEST:
        raise ValueError(f"expected a name of at most {LONGEST} characters, got {len(normalized)}: {name!r}")
    return normalized
