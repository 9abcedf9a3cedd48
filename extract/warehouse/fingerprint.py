"""The fingerprint of a set of whole numbers: two sets that differ by chance do not have the same one.

It has the number of keys, their sum, and the sum of their remainders. It uses whole numbers and `mod` alone, in which
PostgreSQL, DuckDB and Redshift agree.
"""

# Keys are squared and shifted a few times modulo a prime, so that sets of the same number and sum differ in the sum
# of the results; a linear function would only repeat the sum. Squares of numbers below 2**31 fit a bigint everywhere.
PRIME, SHIFTS = 2_147_483_647, (1_103_515_245, 12_345, 714_025)


def fingerprint(key: str) -> tuple[str, str, str]:
    """Returns the aggregates of a fingerprint in SQL: number, sum, and sum of the remainders; zeros for no keys."""
    number = f"cast({key} as bigint)"
    mixed = f"mod({number}, {PRIME})"
    for shift in SHIFTS:
        mixed = f"mod({mixed} * {mixed} + {shift}, {PRIME})"
    return "count(*)", f"coalesce(sum({number}), 0)", f"coalesce(sum({mixed}), 0)"
