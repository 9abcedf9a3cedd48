"""Lists of JSON APIs."""
