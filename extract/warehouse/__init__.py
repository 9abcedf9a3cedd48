"""The warehouse: how to reach it, its locks and its landing, and what its raw tables contain."""
