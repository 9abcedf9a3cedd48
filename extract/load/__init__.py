"""Loads: one table at a time from its source into its raw table."""
