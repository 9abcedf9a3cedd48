"""Postgres tables, each read in one consistent snapshot."""
